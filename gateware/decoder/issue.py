"""Issue unit: walks one instruction's two loops, a beat per cycle."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from amaranth.hdl import C, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.decoder.matrix import MAX_MIN_SHIFT

from ..parts.constant_product import times
from ..plan.encoding import instruction_layout
from .instruction import Sink, Source
from .program import DecoderProgram


class BeatSignature(wiring.Signature):
    """One beat, valid for one cycle.

    Members
    -------
    valid, source
    address, activation, lane
        Of the lanes' memories.
    first_inner, last_inner, first_outer, last_outer
        Place in the loops.
    last_logit
        The last row of a token's program.
    index
        Of the outer loop: position, channel or row.
    odd
        The second of a pair.
    parameter
        Word of multipliers and biases.
    word, start_lane, other_word, other_lane
        Place of the result, and of a turned pair's second.
    sink, shift, bits, score_shift, segment, turned, gate_frac, hidden_shift, norm
        The instruction's.
    store, slot, min_shift
        The instruction's, if they are ever other than 0.
    """

    def __init__(self, program: DecoderProgram, further: Mapping = MappingProxyType({})):
        layout = instruction_layout(program.instructions)
        cfg, sizes = program.model.config, program.layout
        kept = ("sink", "shift", "bits", "score_shift", "segment", "turned")
        kept += ("gate_frac", "hidden_shift", "norm")
        kept += tuple(name for name in ("store", "slot") if name in layout.members)
        minimums = {"min_shift", "odd_min_shift"} & layout.members.keys()
        most = max(item.outer for item in program.instructions)
        place = range(max(sizes.activation_words, sizes.cache_words))
        super().__init__(
            {
                "valid": Out(1),
                "source": Out(Source),
                "address": Out(range(program.address_words)),
                "activation": Out(range(sizes.activation_words)),
                "lane": Out(range(sizes.lanes)),
                **{f"{end}_{loop}": Out(1) for end in ("first", "last") for loop in LOOPS},
                "last_logit": Out(1),
                "index": Out(range(max(most, cfg.ctx_len))),
                "odd": Out(1),
                "parameter": Out(range(program.parameter_words)),
                "word": Out(place),
                "start_lane": Out(range(sizes.lanes)),
                "other_word": Out(place),
                "other_lane": Out(range(sizes.lanes)),
                **{name: Out(layout[name].shape) for name in kept},
                **({"min_shift": Out(range(MAX_MIN_SHIFT + 1))} if minimums else {}),
                **further,
            }
        )
        self.kept = kept


LOOPS = ("inner", "outer")


class DecoderIssueUnit(wiring.Component):
    """Issues the beats of one instruction after the other, as
    :class:`gateware.core.issue.IssueUnit`, whose ports it has."""

    beat_signature = BeatSignature

    def __init__(self, program: DecoderProgram):
        self._program = program
        self._layout = instruction_layout(program.instructions)
        self._beat = self.beat_signature(program)
        cfg = program.model.config
        super().__init__(
            {
                "load": In(1),
                "instruction": In(self._layout),
                "token": In(range(cfg.vocab_size)),
                "token_word": In(range(cfg.vocab_size * program.token_words)),
                "beat": Out(self._beat),
                "ending": Out(1),
                **self._further_ports(),
            }
        )

    def _further_ports(self) -> dict:
        return {"position": In(range(self._program.model.config.ctx_len + 1))}

    def elaborate(self, platform):
        m = Module()
        current = Signal(self._layout, reset_less=True)
        active = Signal()
        # two less than the cycles that are left, so that its sign tells the last one
        wait_left = Signal(signed(len(current.wait) + 1), reset_less=True)
        waiting, waits = Signal(), Signal(reset_less=True)
        beat, loaded = self.beat, self.instruction
        final = Signal()
        m.d.comb += [
            final.eq(beat.valid & beat.last_inner & beat.last_outer),
            self.ending.eq((final & ~waits) | (waiting & wait_left[-1])),
            beat.valid.eq(active & self._allowed(m, current, active)),
        ]
        m.d.sync += wait_left.eq(Mux(waiting, wait_left - 1, current.wait - 2))
        with m.If(waiting & wait_left[-1]):
            m.d.sync += waiting.eq(0)
        with m.If(final):
            m.d.sync += [active.eq(0), waiting.eq(waits)]
        with m.If(self.load):
            m.d.sync += [active.eq(1), current.eq(loaded), waits.eq(loaded.wait != 0)]
        self._loops(m, current)
        self._addresses(m, current)
        self._places(m, current)
        m.d.comb += [
            beat.source.eq(current.source),
            beat.last_logit.eq(beat.last_outer & current.ends_token),
        ]
        m.d.comb += [getattr(beat, name).eq(current[name]) for name in self._beat.kept]
        if self._program.model.config.gated:
            paired = (current.sink == Sink.GATE) & beat.odd
            m.d.comb += beat.shift.eq(Mux(paired, current.odd_shift, current.shift))
        if hasattr(beat, "min_shift"):
            usual, odd = (
                current[name] if name in self._layout.members else C(0)
                for name in ("min_shift", "odd_min_shift")
            )
            paired = (current.sink == Sink.GATE) & beat.odd & self._program.model.config.gated
            m.d.comb += beat.min_shift.eq(Mux(paired, odd, usual))
        return m

    def _allowed(self, m: Module, current, active):
        """Whether a beat of the ``active`` instruction may be issued: here always."""
        return 1

    def _activation_step(self, current):
        """From a beat's word of activations to the next one's: here always the next word."""
        return 1

    def _row_offsets(self, begins) -> tuple:
        """What the token adds to the address and the parameter of an instruction that begins."""
        return Mux(begins, self.token_word, 0), Mux(begins, self.token, 0)

    def _following(self, current, address):
        """The address of the next beat."""
        return address + Mux(self.beat.last_inner, current.outer_step, 1)

    def _steps(self) -> tuple:
        """Of the inner and the outer loop of the instruction that is loaded, less one."""
        loaded = self.instruction
        return loaded.inner, Mux(loaded.per_position, self.position, loaded.outer)

    def _countdown(self, m: Module, loaded, current, advance):
        """A loop of ``loaded`` + 1 steps, ``current`` + 1 again after the last: (first, last).

        Both are registers, as much hangs on them: the counter is one less, so that its sign tells
        the last step.
        """
        left = Signal(signed(len(loaded) + 1), reset_less=True)
        first, last = Signal(reset_less=True), left[-1]
        with m.If(self.load | advance):
            m.d.sync += [
                first.eq(self.load | last),
                left.eq(Mux(self.load, loaded, Mux(last, current, left[:-1])) - 1),
            ]
        return first, last

    def _loops(self, m: Module, current):
        beat = self.beat
        inner, outer = self._steps()
        first, last = self._countdown(m, inner, current.inner, beat.valid)
        m.d.comb += [beat.first_inner.eq(first), beat.last_inner.eq(last)]
        steps = Signal(len(outer))
        m.d.comb += steps.eq(outer)
        first, last = self._countdown(m, steps, 0, beat.valid & beat.last_inner)
        m.d.comb += [beat.first_outer.eq(first), beat.last_outer.eq(last)]
        index = Signal.like(beat.index, reset_less=True)
        with m.If(self.load):
            m.d.sync += index.eq(0)
        with m.Elif(beat.valid & beat.last_inner):
            m.d.sync += index.eq(index + 1)
        m.d.comb += [beat.index.eq(index), beat.odd.eq(index[0])]

    def _addresses(self, m: Module, current):
        beat, loaded, lanes = self.beat, self.instruction, self._program.layout.lanes
        element = current.source == Source.ELEMENT
        begins = loaded.source == Source.ELEMENT
        address = Signal.like(beat.address, reset_less=True)
        lane = Signal.like(beat.lane, reset_less=True)
        activation = Signal.like(beat.activation, reset_less=True)
        parameter = Signal.like(beat.parameter, reset_less=True)
        wraps, offsets = lane == lanes - 1, self._row_offsets(begins)
        with m.If(beat.valid):
            with m.If(element):
                m.d.sync += [lane.eq(Mux(wraps, 0, lane + 1)), address.eq(address + wraps)]
            with m.Else():
                m.d.sync += lane.eq(lane + 1)
                m.d.sync += address.eq(self._following(current, address))
                m.d.sync += parameter.eq(parameter + beat.last_inner)
            following = activation + self._activation_step(current)
            m.d.sync += activation.eq(Mux(beat.last_inner, current.activation, following))
        with m.If(self.load):
            m.d.sync += [
                address.eq(loaded.address + offsets[0]),
                lane.eq(loaded.lane),
                activation.eq(loaded.activation),
                parameter.eq(loaded.parameter + offsets[1]),
            ]
        m.d.comb += [
            beat.address.eq(address),
            beat.lane.eq(lane),
            beat.activation.eq(activation),
            beat.parameter.eq(parameter),
        ]

    def _places(self, m: Module, current):
        """Where results go: one place after the other, two of them for turned pairs."""
        beat, loaded, layout = self.beat, self.instruction, self._program.layout
        wrap = Signal.like(beat.start_lane, reset_less=True)
        row = Signal.like(beat.word, reset_less=True)
        if layout.position_words:
            m.d.sync += row.eq(times(self.position, layout.position_words))
        is_cached = (loaded.sink == Sink.KEY) | (loaded.sink == Sink.VALUE)
        pairs = loaded.turned
        if self._program.model.config.gated:
            pairs = pairs | (loaded.sink == Sink.GATE)
        paired = Signal(reset_less=True)
        advance = beat.valid & beat.last_inner & (~paired | beat.odd)
        with m.If(self.load):
            m.d.sync += [wrap.eq(loaded.lanes), paired.eq(pairs)]
        for word_name, lane_name in (("word", "start_lane"), ("other_word", "other_lane")):
            word, lane = getattr(beat, word_name), getattr(beat, lane_name)
            kept_word = Signal.like(word, reset_less=True, name=word_name)
            kept_lane = Signal.like(lane, reset_less=True, name=lane_name)
            with m.If(self.load):
                m.d.sync += [
                    kept_word.eq(loaded[word_name] + Mux(is_cached, row, 0)),
                    kept_lane.eq(loaded[lane_name]),
                ]
            with m.Elif(advance):
                ends = kept_lane == wrap
                m.d.sync += [
                    kept_lane.eq(Mux(ends, 0, kept_lane + 1)),
                    kept_word.eq(kept_word + ends),
                ]
            m.d.comb += [word.eq(kept_word), lane.eq(kept_lane)]
