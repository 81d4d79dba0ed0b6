"""Row of multipliers: a word of weights, keys or values times a word of activations per cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from gateformer.model.contract.arith import signed_width
from gateformer.model.contract.decoder import arith

from ..engines.array.dot_tree import DotTree, tree_latencies
from ..parts.delay import delayed
from ..parts.duplicated import duplicated
from ..parts.group_memory import GroupMemory
from ..parts.loadable_memory import BLOCK
from ..parts.memory_banks import asked_word
from ..parts.multiplier import MultiplyAccumulate
from ..parts.registered_read import COLLISION_FREE, registered_read
from ..parts.selected import registered_selection
from .cache_memory import CacheMemory
from .instruction import Source
from .layout import DecoderLayout

PROBABILITY_BITS = arith.PROBABILITY_MAX.bit_length()
LEVELS_PER_REGISTER = 2


class DecoderLanes(wiring.Component):
    """Memories of weights, keys, values and activations, and a multiply-accumulate lane per number
    of a word.

    A beat with ``source``

    * MATRIX: ``acc (+)= activation word * weight word``, lane by lane;
    * ELEMENT: as MATRIX with 1 at ``lane`` and 0 elsewhere for activations;
    * SCORE: ``acc (+)= activation word * key word``, the key word shown to every replica;
    * WEIGH: ``acc (+)= coefficient of the lane's segment * value word``.

    ``first`` starts the accumulators anew. A beat per cycle, with or without gaps; the sums that
    include it follow after ``sums_latency`` (those of the segments, of SCORE) and
    ``total_latency`` cycles (that of all lanes, of MATRIX and ELEMENT). Keys, values and
    activations are 0 until they are written.

    Parameters
    ----------
    layout : DecoderLayout
    code_bits : int, of a weight, signed
    weight_words : list of int, unsigned, lane 0 lowest; rows' lanes beyond their end are 0
    dsp : str
        One of :data:`gateware.parts.multiplier.DSP_FAMILIES`.

    Attributes
    ----------
    CACHE_READ = 2, ACTIVATION_READ = 4 : cycles from a beat to when it reads: what is written
        before is seen, what is written in that cycle is not specified
    COEFFICIENT_DELAY = 6 : cycles from a WEIGH beat to its coefficients
    ACCUMULATED = 9 : cycles from a beat to the accumulators that include it
    READ_LATENCY = 3 : cycles from ``read_lane`` to ``read_data``, which is the accumulator 1 cycle
        after ``read_lane``
    sums_latency, total_latency : int, at least ACCUMULATED
    sum_width, total_width : int, of a segment's SCORE sum; of a MATRIX or ELEMENT sum
    mean_width : int, of a WEIGH sum

    Members
    -------
    beat : In(struct), ``valid``, ``source``, ``address`` (word of weights, keys or values),
        ``activation`` (word), ``lane`` (ELEMENT), ``first``
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

    def __init__(
        self,
        *,
        layout: DecoderLayout,
        code_bits: int,
        weight_words: list[int],
        dsp: str = "generic",
    ):
        self._dsp = dsp
        self._layout, self._code_bits, self._weight_words = layout, code_bits, weight_words
        cfg, bits = layout.config, layout.config.bits
        self._memory_bits = max(code_bits, bits.key, bits.value)
        inputs = max(bits.norm, bits.attention, bits.hidden)
        self._activation_bits = max(inputs, bits.query)
        product = 2 ** (code_bits - 1) * arith.limit(inputs)
        score = arith.limit(bits.query) * arith.limit(bits.key)
        longest = max(cfg.d_model, cfg.d_ff, cfg.n_heads * cfg.head_dim)
        lane_product = product * layout.words(longest)
        self._lane_width = signed_width(max(lane_product, score * layout.key_words))
        self._segment_width = signed_width(
            max(lane_product * layout.segment_lanes, score * cfg.head_dim)
        )
        self.sum_width = signed_width(score * cfg.head_dim)
        self.total_width = signed_width(product * longest)
        self.mean_width = signed_width(
            arith.PROBABILITY_MAX * arith.limit(bits.value) * cfg.ctx_len
        )
        self._acc_width = max(self._lane_width, self.mean_width)
        latencies = tree_latencies(layout.segments, layout.segment_lanes, LEVELS_PER_REGISTER)
        self.sums_latency, self.total_latency = (self.ACCUMULATED + n for n in latencies)
        lane = range(layout.lanes)
        depth = max(len(weight_words), layout.cache_words)
        super().__init__(
            {
                "beat": In(
                    data.StructLayout(
                        {
                            "valid": 1,
                            "source": Source,
                            "address": range(depth),
                            "activation": range(layout.activation_words),
                            "lane": lane,
                            "first": 1,
                        }
                    )
                ),
                "coefficients": In(data.ArrayLayout(unsigned(PROBABILITY_BITS), layout.segments)),
                "activation_write": In(
                    _write(layout.activation_words, layout.lanes, self._activation_bits)
                ),
                "key_write": In(_write(layout.cache_words, layout.kv_lanes, bits.key)),
                "value_write": In(_write(layout.cache_words, layout.kv_lanes, bits.value)),
                "sums": Out(data.ArrayLayout(signed(self.sum_width), layout.segments)),
                "total": Out(signed(self.total_width)),
                "read_lane": In(lane),
                "read_data": Out(signed(self.mean_width)),
                **self._further_ports(),
            }
        )

    def _further_ports(self) -> dict:
        return {}

    def elaborate(self, platform):
        m = Module()
        accumulators = self._accumulators(m, self._words(m), self._operands(m))
        self._sums(m, accumulators)
        means = [acc[: self.mean_width] for acc in accumulators]
        index = delayed(m, self.read_lane, 1, name="read_lane")
        m.d.comb += self.read_data.eq(registered_selection(m, means, index, "mean"))
        return m

    def _accumulators(self, m: Module, words: list, operands: list) -> list:
        """Of the lanes' numbers from memory, and of activations a cycle later."""
        beat, wait = self.beat, self.COEFFICIENT_DELAY
        weigh = delayed(m, beat.source == Source.WEIGH, wait, name="weigh")
        valid = delayed(m, beat.valid, wait, reset_less=False, name="valid")
        first = delayed(m, beat.first, wait, name="first")
        accumulators = []
        for i, (word, operand) in enumerate(zip(words, operands, strict=True)):
            m.submodules[f"lane{i}"] = lane = MultiplyAccumulate(
                acc_width=self._acc_width,
                dsp=self._dsp,
                memory_bits=self._memory_bits,
                query_bits=self._activation_bits,
                coefficient_bits=PROBABILITY_BITS,
            )
            m.d.comb += [
                lane.memory.eq(word),
                lane.query.eq(operand),
                lane.coefficient.eq(self.coefficients[i // self._layout.segment_lanes]),
                lane.use_coefficient.eq(weigh),
                lane.accumulate.eq(~first),
                lane.enable.eq(valid),
            ]
            accumulators.append(lane.acc)
        return accumulators

    def _operands(self, m: Module) -> list:
        """Activations, COEFFICIENT_DELAY cycles after the beat; ones and zeros for ELEMENT."""
        layout, wait = self._layout, self.COEFFICIENT_DELAY - 1
        activations = self._activations(m)
        element = delayed(m, self.beat.source == Source.ELEMENT, wait - 1, name="element_early")
        element = duplicated(m, element, "element")
        lane = delayed(m, self.beat.lane, wait - 1, name="lane")
        operands = []
        for i in range(layout.lanes):
            is_lane = delayed(m, lane == i, 1, name=f"is_lane{i}")
            operand = Signal(signed(self._activation_bits), reset_less=True, name=f"operand{i}")
            activation = activations.word_select(i, self._activation_bits).as_signed()
            m.d.sync += operand.eq(Mux(element[i % 2], is_lane, activation))
            operands.append(operand)
        return operands

    # memories: the word 5 cycles after the beat

    def _words(self, m: Module) -> list:
        """What the lanes have of the asked memory: those that are not asked give 0."""
        layout, bits = self._layout, self._layout.config.bits
        wait = self.CACHE_READ + 1
        address = delayed(m, self.beat.address, wait, name="address")
        source = delayed(m, self.beat.source, wait, name="source")
        score, weigh = source == Source.SCORE, source == Source.WEIGH
        weights = self._weights(m, address, ~(score | weigh))
        keys = self._cache(m, "keys", address, score, self.key_write, bits.key)
        values = self._cache(m, "values", address, weigh, self.value_write, bits.value)
        return [
            self._widened(weights.word_select(i, self._code_bits))
            | self._widened(keys.word_select(i % layout.kv_lanes, bits.key))
            | self._widened(values.word_select(i % layout.kv_lanes, bits.value))
            for i in range(layout.lanes)
        ]

    def _widened(self, number: Value) -> Value:
        return Cat(number, number[-1].replicate(self._memory_bits - len(number)))

    def _weights(self, m: Module, address, asked):
        words = self._weight_words

        def bank(number: int, part: range):
            m.submodules[f"weights_bank{number}"] = block = Memory(
                shape=unsigned(self._code_bits * self._layout.lanes),
                depth=len(part),
                init=words[part.start : part.stop],
                attrs={**BLOCK, **COLLISION_FREE},
            )
            return registered_read(m, block, address[: ceil_log2(len(part))], f"read{number}")

        return asked_word(m, address[: ceil_log2(len(words))], len(words), asked, bank)

    def _cache(self, m: Module, name: str, address, asked, write, bits: int):
        layout = self._layout
        address = address[: ceil_log2(layout.cache_words)]
        if layout.head_words == 1:
            m.submodules[name] = block = CacheMemory(
                lanes=layout.kv_lanes, bits=bits, depth=layout.cache_words
            )
            m.d.comb += [block.address.eq(address), block.asked.eq(asked), block.write.eq(write)]
            return block.word
        # the numbers of a turned pair are in different words
        m.submodules[name] = block = GroupMemory(
            groups=layout.kv_lanes,
            group_width=bits,
            initial_words=[0] * layout.cache_words,
            ram_style="block",
        )
        late = Signal.like(write, name=f"{name}_write")
        m.d.sync += late.eq(write)
        m.d.comb += [block.address.eq(address), block.write.eq(late)]
        return Mux(delayed(m, asked, 2, name=f"{name}_asked"), block.word, 0)

    def _activations(self, m: Module):
        layout = self._layout
        m.submodules.activations = block = GroupMemory(
            groups=layout.lanes,
            group_width=self._activation_bits,
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
        m.submodules.tree = tree = DotTree(
            segments=layout.segments,
            segment_lanes=layout.segment_lanes,
            lane_width=self._lane_width,
            dot_width=self._segment_width,
            levels_per_register=LEVELS_PER_REGISTER,
        )
        m.d.comb += [
            Cat(tree.lanes).eq(Cat(acc[: self._lane_width] for acc in accumulators)),
            *(mine.eq(sum_) for mine, sum_ in zip(self.sums, tree.sums, strict=True)),
            self.total.eq(tree.total),
        ]


def _write(depth: int, groups: int, bits: int) -> data.StructLayout:
    return data.StructLayout(
        {"valid": 1, "address": range(depth), "group": range(groups), "data": bits}
    )
