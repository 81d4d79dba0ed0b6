"""Row of multipliers: a word of weights, keys or values times a word of activations per cycle."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.decoder import arith

from ..engines.array.dot_tree import DotTree, tree_latencies
from ..parts.delay import delayed
from ..parts.duplicated import duplicated
from ..parts.elaboration import may_stay_unused
from ..parts.group_memory import GroupMemory
from ..parts.multiplier import MultiplyAccumulate
from ..parts.selected import registered_selection
from .cache_memory import cache_word
from .instruction import Source
from .lane_ports import beat_layout, write_layout
from .lane_widths import LaneWidths, most_product
from .layout import DecoderLayout
from .weights.grouped_total import GroupedTotal, part_lanes
from .weights.weight_store import STORED_LATENCY, WeightStore, stored_word

PROBABILITY_BITS = arith.PROBABILITY_MAX.bit_length()
LEVELS_PER_REGISTER = 2


class DecoderLanes(wiring.Component):
    """Memories of weights, keys, values and activations, and a multiply-accumulate lane per number
    of a word.

    A beat with ``source``

    * MATRIX: ``acc (+)= activation word * weight word``, lane by lane;
    * ELEMENT: as MATRIX with 1 at ``lane`` and 0 elsewhere for activations;
    * GROUP_SUMS: as MATRIX with 1 for every weight, its sums by group kept for the minimums of
      the MATRIX beats of that activation word;
    * SCORE: ``acc (+)= activation word * key word``, the key word shown to every replica;
    * WEIGH: ``acc (+)= coefficient of the lane's segment * value word``.

    ``first`` starts the accumulators anew. Where weights have scales of groups, MATRIX and ELEMENT
    multiply each word's sums by them before they sum up
    (:class:`.weights.group_sums.GroupSums`). A beat per cycle, with or without gaps; the sums that
    include it follow after ``sums_latency`` (those of the segments, of SCORE) and
    ``total_latency`` cycles (that of all lanes, of MATRIX and ELEMENT). Keys, values and
    activations are 0 until they are written.

    Parameters
    ----------
    layout : DecoderLayout
    stores : sequence of WeightStore; rows' lanes beyond their end are 0
    most_total : int, the largest sum of a MATRIX with scales of groups
    dsp : str
        One of :data:`gateware.parts.multiplier.DSP_FAMILIES`.

    Attributes
    ----------
    CACHE_READ = 2, ACTIVATION_READ = 4 : cycles from a beat to when it reads: what is written
        before is seen, what is written in that cycle is not specified
    COEFFICIENT_DELAY = 6 : cycles from a WEIGH beat to its coefficients
    SCALES_DELAY = 5 : cycles from a beat to the scales and minimums of its word
    ACCUMULATED = 9 : cycles from a beat to the accumulators that include it
    READ_LATENCY = 3 : cycles from ``read_lane`` to ``read_data``, which is the accumulator 1 cycle
        after ``read_lane``
    grouped, minimums : bool, whether weights have scales of groups, and minimums
    sums_latency, total_latency : int, at least ACCUMULATED
    widths : LaneWidths; its score, total and mean are sum_width, total_width and mean_width

    Members
    -------
    beat : In(struct), ``valid``, ``source``, ``address`` (word of weights, keys or values),
        ``activation`` (word), ``lane`` (ELEMENT), ``first``; ``store`` (index, MATRIX and ELEMENT)
        if there are several, ``min_shift`` if there are minimums
    coefficients : In(ArrayLayout(unsigned(15), segments))
    activation_write, key_write, value_write : In(struct), ``valid``, ``address``, ``group``
        (lane), ``data`` (within ±limit of its bits); of a word of keys or values, one after the
        other where a head is one word (:class:`.cache_memory.CacheMemory`)
    sums : Out(ArrayLayout(signed(sum_width), segments)), total : Out(signed(total_width))
    read_lane : In(range(lanes)), read_data : Out(signed(mean_width)), of WEIGH
    """

    CACHE_READ = 2
    ACTIVATION_READ = 4
    COEFFICIENT_DELAY = ACTIVATION_READ + 2
    ACCUMULATED = COEFFICIENT_DELAY + MultiplyAccumulate.LATENCY
    READ_LATENCY = 3
    SCALES_DELAY = CACHE_READ + 1 + STORED_LATENCY

    def __init__(
        self,
        *,
        layout: DecoderLayout,
        stores: Sequence[WeightStore],
        most_total: int = 0,
        dsp: str = "generic",
    ):
        self._layout, self._stores, self._dsp = layout, stores, dsp
        self.grouped = any(store.format.group for store in stores)
        self.minimums = any(store.format.minimum for store in stores)
        bits = layout.config.bits
        self.widths = widths = LaneWidths.of(layout, stores, most_total)
        self.sum_width, self.total_width, self.mean_width = widths.score, widths.total, widths.mean
        latencies = tree_latencies(layout.segments, layout.segment_lanes, LEVELS_PER_REGISTER)
        self.sums_latency, self.total_latency = (self.ACCUMULATED + n for n in latencies)
        beat = beat_layout(layout, stores)
        self._part_lanes = part_lanes(layout, stores)
        if self.grouped:
            self._total = GroupedTotal(
                layout=layout,
                beat=beat,
                scales_delay=self.SCALES_DELAY,
                lanes_delay=self.ACCUMULATED,
                part_lanes=self._part_lanes,
                lane_width=self.widths.lane,
                most_products=[self._most_product(i) for i in range(layout.lanes)],
                most_activation=widths.most_activation,
                total_width=self.total_width,
                levels_per_register=LEVELS_PER_REGISTER,
            )
            may_stay_unused(self._total)
            self.sums_latency, self.total_latency = self._total.latencies
        super().__init__(
            {
                "beat": In(beat),
                "coefficients": In(data.ArrayLayout(unsigned(PROBABILITY_BITS), layout.segments)),
                "activation_write": In(
                    write_layout(layout.activation_words, layout.lanes, self.widths.activation)
                ),
                "key_write": In(write_layout(layout.cache_words, layout.kv_lanes, bits.key)),
                "value_write": In(write_layout(layout.cache_words, layout.kv_lanes, bits.value)),
                "sums": Out(data.ArrayLayout(signed(self.sum_width), layout.segments)),
                "total": Out(signed(self.total_width)),
                "read_lane": In(range(layout.lanes)),
                "read_data": Out(signed(self.mean_width)),
                **self._further_ports(),
            }
        )

    def _further_ports(self) -> dict:
        return {}

    def _most_product(self, index: int) -> int:
        """The largest product of a weight and an activation in a lane."""
        return most_product(self.widths.code_bits, self.widths.most_activation)

    def elaborate(self, platform):
        m = Module()
        accumulators = self._accumulators(m, self._words(m), self._operands(m))
        self._sums(m, accumulators)
        of_values = self._layout.segments * self._layout.value_lanes
        means = [acc[: self.mean_width] for acc in accumulators[:of_values]]
        index = delayed(m, self.read_lane, 1, name="read_lane")
        m.d.comb += self.read_data.eq(registered_selection(m, means, index, "mean"))
        return m

    def _accumulators(self, m: Module, words: list, operands: list) -> list:
        """Of the lanes' numbers from memory, and of activations a cycle later."""
        beat, wait = self.beat, self.COEFFICIENT_DELAY
        weigh = delayed(m, beat.source == Source.WEIGH, wait, name="weigh")
        valid = delayed(m, beat.valid, wait, reset_less=False, name="valid")
        begins = beat.first
        if self.grouped:  # a word's products alone
            begins = begins | ((beat.source != Source.SCORE) & (beat.source != Source.WEIGH))
        first = delayed(m, begins, wait, name="first")
        accumulators = []
        for i, (word, operand) in enumerate(zip(words, operands, strict=True)):
            m.submodules[f"lane{i}"] = lane = self._lane(m, i, weigh)
            m.d.comb += [lane.memory.eq(word), lane.query.eq(operand)]
            m.d.comb += [lane.accumulate.eq(~first), lane.enable.eq(valid)]
            accumulators.append(lane.acc)
        return accumulators

    def _lane(self, m: Module, index: int, weigh: Value):
        """A new one, with its coefficient."""
        lane = MultiplyAccumulate(
            acc_width=self.widths.acc,
            dsp=self._dsp,
            memory_bits=self.widths.memory,
            query_bits=self.widths.activation,
            coefficient_bits=PROBABILITY_BITS,
        )
        m.d.comb += [
            lane.coefficient.eq(self.coefficients[index // self._layout.segment_lanes]),
            lane.use_coefficient.eq(weigh),
        ]
        return lane

    def _operands(self, m: Module) -> list:
        """Activations, COEFFICIENT_DELAY cycles after the beat; ones and zeros for ELEMENT."""
        layout, wait, width = self._layout, self.COEFFICIENT_DELAY - 1, self.widths.activation
        activations = self._activations(m)
        element = delayed(m, self.beat.source == Source.ELEMENT, wait - 1, name="element_early")
        element = duplicated(m, element, "element")
        lane = delayed(m, self.beat.lane, wait - 1, name="lane")
        operands = []
        for i in range(layout.lanes):
            operand = Signal(signed(width), reset_less=True, name=f"operand{i}")
            activation = activations.word_select(i, width).as_signed()
            chosen = self._is_lane(lane, i)
            if chosen is not None:
                chosen = delayed(m, chosen, 1, name=f"is_lane{i}")
                activation = Mux(element[i % 2], chosen, activation)
            m.d.sync += operand.eq(activation)
            operands.append(operand)
        return operands

    def _is_lane(self, lane: Value, index: int) -> Value | None:
        """Whether ELEMENT's ``lane`` is the one of ``index``; None: no ELEMENT's is."""
        return lane == index

    # memories: the word 5 cycles after the beat

    def _words(self, m: Module) -> list:
        """What the lanes have of the asked memory: those that are not asked give 0."""
        layout, bits = self._layout, self._layout.config.bits
        wait = self.CACHE_READ + 1
        address = delayed(m, self.beat.address, wait, name="address")
        source = delayed(m, self.beat.source, wait, name="source")
        score, weigh = source == Source.SCORE, source == Source.WEIGH
        codes = self._codes(m, address, source)
        keys = cache_word(m, "keys", layout, bits.key, address, score, self.key_write)
        values = cache_word(m, "values", layout, bits.value, address, weigh, self.value_write)
        return [
            self._widened(codes[i])
            | self._widened(keys.word_select(i % layout.kv_lanes, bits.key))
            | self._widened(values.word_select(i % layout.kv_lanes, bits.value))
            for i in range(layout.lanes)
        ]

    def _widened(self, number: Value) -> Value:
        return Cat(number, number[-1].replicate(self.widths.memory - len(number)))

    def _codes(self, m: Module, address, source) -> list:
        """Of the asked store; ones for GROUP_SUMS."""
        others = (source == Source.SCORE) | (source == Source.WEIGH)
        sums = source == Source.GROUP_SUMS
        if self.minimums:
            others = others | sums
        asked = [~others]
        if len(self._stores) > 1:
            store = delayed(m, self.beat.store, self.CACHE_READ + 1, name="store")
            asked = [~others & (store == i) for i in range(len(self._stores))]
        self._word = word = stored_word(m, self._stores, address, asked, self._part_lanes)
        if not self.minimums:
            return word.codes
        ones = delayed(m, sums, STORED_LATENCY, name="ones")
        return [Cat(code[:1] | ones, code[1:]) for code in word.codes]

    def _activations(self, m: Module):
        layout = self._layout
        m.submodules.activations = block = GroupMemory(
            groups=layout.lanes,
            group_width=self.widths.activation,
            initial_words=[0] * layout.activation_words,
            ram_style="distributed",
        )
        m.d.comb += [
            block.address.eq(
                delayed(m, self.beat.activation, self.ACTIVATION_READ, name="activation")
            ),
            block.write.eq(self.activation_write),
        ]
        return block.word

    # sums

    def _sums(self, m: Module, accumulators: list):
        layout = self._layout
        if self.grouped:
            self._grouped_sums(m, accumulators)
            return
        m.submodules.tree = tree = DotTree(
            segments=layout.segments,
            segment_lanes=layout.segment_lanes,
            lane_width=self.widths.lane,
            dot_width=self.widths.segment,
            levels_per_register=LEVELS_PER_REGISTER,
        )
        m.d.comb += [
            *(lane.eq(acc) for lane, acc in zip(tree.lanes, accumulators, strict=True)),
            *(mine.eq(sum_) for mine, sum_ in zip(self.sums, tree.sums, strict=True)),
            self.total.eq(tree.total),
        ]

    def _grouped_sums(self, m: Module, accumulators: list):
        m.submodules.total = unit = self._total
        m.d.comb += [
            unit.beat.eq(self.beat),
            Cat(unit.scales).eq(Cat(self._word.scales)),
            Cat(unit.minimums).eq(Cat(self._word.minimums)),
            *(lane.eq(acc) for lane, acc in zip(unit.lanes, accumulators, strict=True)),
            Cat(self.sums).eq(Cat(sum_[: self.sum_width] for sum_ in unit.sums)),
            self.total.eq(unit.total),
        ]
