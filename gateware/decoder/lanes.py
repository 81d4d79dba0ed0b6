"""Row of multipliers: a word of weights, keys or values times a word of activations per cycle."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from gateformer.model.contract.arith import signed_width
from gateformer.model.contract.decoder import arith

from ..engines.array.dot_tree import DotTree, tree_latencies
from ..parts.delay import delayed
from ..parts.group_memory import GroupMemory
from ..parts.memory_banks import banked_word
from ..parts.registered_read import COLLISION_FREE, registered_read
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

    Attributes
    ----------
    CACHE_READ = 3, ACTIVATION_READ = 4 : cycles from a beat to when it reads: what is written
        before is seen, what is written in that cycle is not specified
    COEFFICIENT_DELAY = 5 : cycles from a WEIGH beat to its coefficients
    ACCUMULATED = 8 : cycles from a beat to the accumulators that include it
    READ_LATENCY = 2 : cycles from ``read_lane`` to ``read_data``, which is the accumulator 1 cycle
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

    CACHE_READ = 3
    ACTIVATION_READ = 4
    COEFFICIENT_DELAY = 5
    ACCUMULATED = 8
    READ_LATENCY = 2

    def __init__(self, *, layout: DecoderLayout, code_bits: int, weight_words: list[int]):
        self._layout, self._code_bits, self._weight_words = layout, code_bits, weight_words
        cfg, bits = layout.config, layout.config.bits
        self._memory_bits = max(code_bits, bits.key, bits.value)
        inputs = max(bits.norm, bits.attention, bits.hidden)
        self._activation_bits = max(inputs, bits.query)
        product = 2 ** (code_bits - 1) * arith.limit(inputs)
        score = arith.limit(bits.query) * arith.limit(bits.key)
        longest = max(cfg.d_model, cfg.d_ff, cfg.n_heads * cfg.head_dim)
        lane_product = product * layout.words(longest)
        self._lane_width = signed_width(max(lane_product, score * layout.head_words))
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
            }
        )

    def elaborate(self, platform):
        m = Module()
        layout, bits = self._layout, self._layout.config.bits
        address = delayed(m, self.beat.address, self.CACHE_READ, name="address")
        weights = self._weights(m, address)
        keys = self._cache(m, "keys", address, self.key_write, bits.key)
        values = self._cache(m, "values", address, self.value_write, bits.value)
        activations = self._activations(m)
        words = [
            (
                weights.word_select(i, self._code_bits).as_signed(),
                keys[i % layout.kv_lanes],
                values[i % layout.kv_lanes],
                activations.word_select(i, self._activation_bits).as_signed(),
            )
            for i in range(layout.lanes)
        ]
        accumulators = self._accumulators(m, words)
        self._sums(m, accumulators)
        index = delayed(m, self.read_lane, 1, name="read_lane")
        chosen = Signal(signed(self.mean_width), reset_less=True)
        parts = Array(acc[: self.mean_width].as_signed() for acc in accumulators)
        m.d.sync += chosen.eq(parts[index])
        m.d.comb += self.read_data.eq(chosen)
        return m

    def _accumulators(self, m: Module, words: list):
        """Of the lanes' numbers (weight, key, value, activation), COEFFICIENT_DELAY cycles after
        the beat: operands, product and sum are registers behind each other."""
        beat, wait = self.beat, self.COEFFICIENT_DELAY
        source = delayed(m, beat.source, wait, name="source")
        lane = delayed(m, beat.lane, wait, name="element")
        valid = delayed(m, beat.valid, wait + 2, reset_less=False, name="valid")
        first = delayed(m, beat.first, wait + 2, name="first")
        weigh, score = source == Source.WEIGH, source == Source.SCORE
        element = source == Source.ELEMENT
        accumulators = []
        for i, (weight, key, value, activation) in enumerate(words):
            stored = Signal(signed(self._memory_bits), reset_less=True, name=f"stored{i}")
            other = Signal(signed(self._other_bits), reset_less=True, name=f"other{i}")
            product = Signal(signed(len(stored) + len(other)), reset_less=True, name=f"product{i}")
            acc = Signal(signed(self._acc_width), reset_less=True, name=f"acc{i}")
            coefficient = self.coefficients[i // self._layout.segment_lanes]
            m.d.sync += [
                stored.eq(Mux(weigh, value, Mux(score, key, weight))),
                other.eq(Mux(weigh, coefficient, Mux(element, lane == i, activation))),
                product.eq(stored * other),
            ]
            with m.If(valid):
                m.d.sync += acc.eq(Mux(first, 0, acc) + product)
            accumulators.append(acc)
        return accumulators

    @property
    def _other_bits(self) -> int:
        return max(self._activation_bits, PROBABILITY_BITS + 1)

    # memories: the word 5 cycles after the beat

    def _weights(self, m: Module, address):
        words = self._weight_words

        def bank(number: int, part: range):
            m.submodules[f"weights{number}"] = block = Memory(
                shape=unsigned(self._code_bits * self._layout.lanes),
                depth=len(part),
                init=words[part.start : part.stop],
                attrs={"ram_style": "block", **COLLISION_FREE},
            )
            return registered_read(m, block, address[: ceil_log2(len(part))], f"weights{number}")

        return banked_word(m, address[: ceil_log2(len(words))], len(words), bank)

    def _cache(self, m: Module, name: str, address, write, bits: int):
        layout = self._layout
        if layout.head_words == 1:
            block = CacheMemory(lanes=layout.kv_lanes, bits=bits, depth=layout.cache_words)
        else:  # the numbers of a turned pair are in different words
            block = GroupMemory(
                groups=layout.kv_lanes,
                group_width=bits,
                initial_words=[0] * layout.cache_words,
                ram_style="block",
            )
        m.submodules[name] = block
        m.d.comb += [
            block.address.eq(address[: ceil_log2(layout.cache_words)]),
            block.write.eq(write),
        ]
        return [block.word.word_select(i, bits).as_signed() for i in range(layout.kv_lanes)]

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
