"""Lanes whose words come from the stream, or from buffers of this position's keys and values."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

from amaranth.hdl import C, Cat, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from gateformer.model.contract.arith import signed_width

from ..decoder.instruction import Source
from ..decoder.lane_widths import most_product
from ..decoder.lanes import DecoderLanes
from ..decoder.weights.weight_store import WeightStore, WeightWord
from ..decoder.weights.word_format import WordFormat
from ..parts.delay import delayed
from ..parts.duplicated import duplicated
from ..parts.group_memory import GroupMemory
from ..parts.multiplier import MultiplyAccumulate
from .layout import StreamedLayout
from .narrow_lane import NarrowLane
from .row_format import Field, RowFormat

BLOCK_LANES = 56
"""Lanes that are multiplier blocks at most; those beyond are of look-up tables. A Zynq-7010 has 80
blocks, of which engines and sums of groups take 16 (docs/streamed_core.md)."""


class StreamedLanes(DecoderLanes):
    """As :class:`gateware.decoder.lanes.DecoderLanes`, but that words are handed to it.

    The lanes beyond the layout's wide ones have weights of narrow fields only, no keys or values.

    Parameters
    ----------
    layout : StreamedLayout
    stores : sequence of WeightStore, of the forms of :class:`.row_format.RowFormat`, without words;
        the first one is that of the token embedding
    most_total : int
    dsp : str

    Attributes
    ----------
    WORD = 4 : cycles from a beat to ``used``

    Members
    -------
    Those of DecoderLanes, and

    word : In(word_bits), taken : In(1)
        The stream's word, kept from the beat with ``taken`` on until the next one.
    local, local_value : In(1), with the beat
        Its word is the buffers' one at ``address`` instead, of keys or of values.
    half : In(1), with a beat whose weights are in wide fields, if the layout has halves
        Of the word of activations, or of ``lane``.
    taken_scales : In(1)
        The stream's word is one of scales, for words of weights of later cycles, if there are any.
    number : In, with ``taken``: which of those that its scales are for
    used : Out(word_bits)
        The word that a beat uses, as it lies in the memory.
    """

    WORD = DecoderLanes.COEFFICIENT_DELAY - 2
    SCALES_DELAY = 2

    def __init__(
        self,
        *,
        layout: StreamedLayout,
        stores: Sequence[WeightStore],
        most_total: int,
        dsp: str = "generic",
    ):
        self._formats = [RowFormat(store.format, layout.word_bits) for store in stores]
        self._element_lanes = stores[0].format.lanes
        super().__init__(layout=layout, stores=stores, most_total=most_total, dsp=dsp)

    def _further_ports(self) -> dict:
        layout, bits = self._layout, self._layout.word_bits
        ports = {
            "word": In(bits),
            "taken": In(1),
            "local": In(1),
            "local_value": In(1),
            "used": Out(bits),
        }
        if layout.halves > 1:
            ports["half"] = In(1)
        if self.grouped:
            most = max(f.cadence for f in self._formats if f.form.group)
            ports |= {"taken_scales": In(1), "number": In(range(most))}
        return ports

    # lanes

    def _lane(self, m: Module, index: int, weigh):
        if index < self._layout.wide_lanes:
            return super()._lane(m, index, weigh)
        words = 1 if self.grouped else self._layout.activation_words
        acc_width = signed_width(self._most_product(index) * words)
        if index < BLOCK_LANES:
            return MultiplyAccumulate(
                acc_width=acc_width,
                dsp=self._dsp,
                memory_bits=max(form.code_width for form in self._narrow),
                query_bits=self.widths.activation,
            )
        return NarrowLane(
            acc_width=acc_width,
            memory_shape=self._narrow_shape,
            query_bits=self.widths.activation,
            accumulates=not self.grouped,
        )

    def _most_product(self, index: int) -> int:
        if index < self._layout.wide_lanes:
            return super()._most_product(index)
        code_bits = max(form.code_width for form in self._narrow)
        return most_product(code_bits, self.widths.most_activation)

    @functools.cached_property
    def _narrow_shape(self) -> Shape:
        """Of a weight in a narrow field."""
        is_signed = any(form.signed for form in self._narrow)
        bits = max(form.code_width if is_signed else form.bits for form in self._narrow)
        return Shape(bits, is_signed)

    @property
    def _narrow(self) -> list[WordFormat]:
        """Forms of weights in narrow fields."""
        wide = self._layout.wide_lanes
        return [item.form for item in self._formats if item.form.lanes > wide]

    def _is_lane(self, lane: Value, index: int) -> Value | None:
        if index >= self._element_lanes:
            return None
        return lane[: ceil_log2(self._element_lanes)] == index

    def _activations(self, m: Module):
        """The word, its asked half in the wide lanes."""
        word, layout = super()._activations(m), self._layout
        if layout.halves == 1:
            return word
        wait = self.COEFFICIENT_DELAY - 2
        upper = duplicated(m, delayed(m, self.half, wait, name="half_early"), "half")
        bits, wide = self.widths.activation, layout.wide_lanes
        lanes = [word.word_select(i, bits) for i in range(layout.lanes)]
        return Cat(
            *(Mux(upper[i % 2], lanes[i + wide], lanes[i]) for i in range(wide)), *lanes[wide:]
        )

    # words

    def _words(self, m: Module) -> list:
        """The lanes' numbers, a cycle after the word that they are of."""
        self._use(m)
        if self.grouped:
            self._scales(m)
        asked = self._asked()
        choices = {
            field: duplicated(
                m, delayed(m, Cat(when).any(), self.WORD - 1, name=f"asked{i}"), f"asks{i}"
            )
            for i, (field, when) in enumerate(asked.items())
        }
        ones = C(0, 1)
        if self.minimums:
            ones = delayed(m, self.beat.source == Source.GROUP_SUMS, self.WORD, name="ones")
        masked = len(choices) > 1 or self.minimums
        numbers = []
        for i in range(self._layout.lanes):
            is_wide = i < self._layout.wide_lanes
            shape = signed(self.widths.memory) if is_wide else self._narrow_shape
            number = Signal(shape, reset_less=True, name=f"number{i}")
            parts = [ones]
            for field, flag in choices.items():
                part = field.of(self.used, i, len(number))
                parts.append(part & flag[i % 2].replicate(len(part)) if masked else part)
            m.d.sync += number.eq(functools.reduce(operator.or_, parts))
            numbers.append(number)
        return numbers

    def _asked(self) -> dict[Field, list[Value]]:
        """The fields that numbers lie in, and the beats that ask for them."""
        layout, bits, beat = self._layout, self._layout.config.bits, self.beat
        found: dict[Field, list[Value]] = {}
        for item, asks in zip(self._formats, self._asks(), strict=True):
            found.setdefault(item.field, []).append(asks)
        for source, fields, width in (
            (Source.SCORE, layout.key_lanes, bits.key),
            (Source.WEIGH, layout.value_lanes, bits.value),
        ):
            field = Field(layout.word_bits // fields, width, True)
            found.setdefault(field, []).append(beat.source == source)
        return found

    def _asks(self) -> list[Value]:
        """Whether a beat takes weights of each format."""
        beat = self.beat
        weights = (beat.source == Source.MATRIX) | (beat.source == Source.ELEMENT)
        if len(self._formats) == 1:
            return [weights]
        return [weights & (beat.store == i) for i in range(len(self._formats))]

    def _use(self, m: Module):
        """The word of each beat: the stream's, or the buffers' one."""
        layout, bits, wait = self._layout, self._layout.config.bits, self.WORD
        kept = Signal(layout.word_bits, reset_less=True)
        with m.If(self.taken):
            m.d.sync += kept.eq(self.word)
        streamed = delayed(m, kept, wait - 1, name="streamed")
        address = delayed(m, self.beat.address, wait - 1, name="address")
        keys, values = (
            self._buffer(m, name, address, write, fields, width)
            for name, write, fields, width in (
                ("keys", self.key_write, layout.key_lanes, bits.key),
                ("values", self.value_write, layout.value_lanes, bits.value),
            )
        )
        local = delayed(m, self.local, wait, name="local")
        of_values = delayed(m, self.local_value, wait, name="local_value")
        m.d.comb += self.used.eq(Mux(local, Mux(of_values, values, keys), streamed))

    def _scales(self, m: Module):
        """Scales and minimums of the beat's parts, SCALES_DELAY cycles after it."""
        layout = self._layout
        kept = Signal(layout.word_bits, reset_less=True, name="scale_word")
        number = Signal.like(self.number, reset_less=True)
        with m.If(self.taken_scales):
            m.d.sync += kept.eq(self.word)
        with m.If(self.taken):
            m.d.sync += number.eq(self.number)
        half = delayed(m, self.half, 1, name="half") if layout.halves > 1 else C(0, 1)
        asks = delayed(m, Cat(self._asks()), 1, name="asks_scales")
        parts = layout.lanes // self._part_lanes
        found: list[tuple[list, list]] = []
        for item, asked in zip(self._formats, asks, strict=True):
            form = item.form
            if not form.group:
                found.append(([asked] * parts, [C(0, 1)] * parts))
                continue
            bits = item.scale_bits_of(kept, number)
            scales, minimums = (
                [p.as_unsigned() & asked.replicate(len(p)) for p in of(bits, self._part_lanes)]
                for of in (form.scales_of, form.minimums_of)
            )
            if form.lanes < layout.lanes:  # products of the other half are 0, minimums have to be
                minimums = [
                    part & chosen.replicate(len(part))
                    for chosen in (~half, half)
                    for part in minimums
                ]
            found.append((scales * (parts // len(scales)), minimums))
        scales, minimums = (
            [
                delayed(m, functools.reduce(operator.or_, choices), 1, name=f"{name}{part}")
                for part, choices in enumerate(zip(*kinds, strict=True))
            ]
            for name, kinds in zip(("scale", "minimum"), zip(*found, strict=True), strict=True)
        )
        self._word = WeightWord([], scales, minimums if self.minimums else [])

    def _buffer(self, m: Module, name: str, address, write, fields: int, bits: int):
        """The words of one position, as they lie in the memory."""
        layout = self._layout
        m.submodules[name] = block = GroupMemory(
            groups=fields,
            group_width=bits,
            initial_words=[0] * layout.cache_words,
            ram_style="distributed",
        )
        m.d.comb += block.address.eq(address)
        for member, _ in write.shape():
            m.d.comb += getattr(block.write, member).eq(getattr(write, member))
        field = layout.word_bits // fields
        parts = (block.word.word_select(i, bits).as_signed() for i in range(fields))
        return Cat(Cat(part, part[-1].replicate(field - bits)) for part in parts)
