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
from .instruction import Source
from .layout import DecoderLayout

ACTIVATION_BITS = 16
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

    ``first`` starts the accumulators anew. Sums of the segments, and of all lanes, follow after
    ``sums_latency`` and ``total_latency`` cycles.

    Parameters
    ----------
    layout : DecoderLayout
    code_bits : int, of a weight
    weight_words : list of int, unsigned, lane 0 lowest

    Attributes
    ----------
    COEFFICIENT_DELAY = 5 : cycles from a WEIGH beat to its coefficients
    ACCUMULATED = 8 : cycles from a beat to the accumulators that include it
    WRITE_GAP = -2 : a beat that reads what is written comes so many cycles after the write or later
    READ_LATENCY = 2 : cycles from ``read_lane`` to ``read_data``
    sums_latency, total_latency : int

    Members
    -------
    beat : In(struct), ``valid``, ``source``, ``address``, ``activation``, ``lane``, ``first``
    coefficients : In(ArrayLayout(unsigned(15), segments))
    activation_write, key_write, value_write : In(struct), ``valid``, ``address``, ``group``
        (lane), ``data``
    sums : Out(ArrayLayout(signed, segments)), total : Out(signed)
    read_lane : In, read_data : Out(signed)
    """

    COEFFICIENT_DELAY = 5
    ACCUMULATED = 8
    WRITE_GAP = -2
    READ_LATENCY = 2

    def __init__(self, *, layout: DecoderLayout, code_bits: int, weight_words: list[int]):
        self._layout, self._code_bits, self._weight_words = layout, code_bits, weight_words
        cfg = layout.config
        self._memory_bits = max(code_bits, cfg.bits.key, cfg.bits.value)
        inner = max(
            layout.words(cfg.d_model),
            layout.words(cfg.d_ff),
            layout.words(cfg.n_heads * cfg.head_dim),
            layout.head_words,
        )
        dot = self._memory_bits + ACTIVATION_BITS - 1 + ceil_log2(inner)
        self.mean_width = signed_width(
            arith.PROBABILITY_MAX * arith.limit(cfg.bits.value) * cfg.ctx_len
        )
        self._acc_width = max(dot, self.mean_width)
        self.sum_width = dot + ceil_log2(layout.segment_lanes)
        latencies = tree_latencies(layout.segments, layout.segment_lanes, LEVELS_PER_REGISTER)
        self.sums_latency, self.total_latency = (self.ACCUMULATED + n for n in latencies)
        self.total_width = self.sum_width + ceil_log2(layout.segments)
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
                    _write(layout.activation_words, layout.lanes, ACTIVATION_BITS)
                ),
                "key_write": In(_write(layout.cache_words, layout.kv_lanes, cfg.bits.key)),
                "value_write": In(_write(layout.cache_words, layout.kv_lanes, cfg.bits.value)),
                "sums": Out(data.ArrayLayout(signed(self.sum_width), layout.segments)),
                "total": Out(signed(self.total_width)),
                "read_lane": In(lane),
                "read_data": Out(signed(self.mean_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        layout, beat = self._layout, self.beat
        address = delayed(m, beat.address, 3, name="address")
        source = delayed(m, beat.source, self.COEFFICIENT_DELAY, name="source")
        valid = delayed(m, beat.valid, self.COEFFICIENT_DELAY + 2, reset_less=False, name="valid")
        first = delayed(m, beat.first, self.COEFFICIENT_DELAY + 2, name="first")
        weights = self._weights(m, address)
        keys = self._cache(m, "keys", address, self.key_write, self._bits.key)
        values = self._cache(m, "values", address, self.value_write, self._bits.value)
        activations = self._activations(m)
        lane = delayed(m, beat.lane, self.COEFFICIENT_DELAY, name="element")
        bits, weigh = self._code_bits, source == Source.WEIGH
        score, element = source == Source.SCORE, source == Source.ELEMENT
        accumulators = []
        for i in range(layout.lanes):
            shown = i % layout.kv_lanes
            from_memory = Signal(signed(self._memory_bits), reset_less=True, name=f"memory{i}")
            other = Signal(signed(ACTIVATION_BITS), reset_less=True, name=f"other{i}")
            product = Signal(signed(len(from_memory) + len(other)), reset_less=True, name=f"p{i}")
            acc = Signal(signed(self._acc_width), reset_less=True, name=f"acc{i}")
            cached = Mux(weigh, values[shown], keys[shown])
            weight = weights.word_select(i, bits).as_signed()
            activation = activations.word_select(i, ACTIVATION_BITS).as_signed()
            coefficient = self.coefficients[i // layout.segment_lanes]
            m.d.sync += [
                from_memory.eq(Mux(weigh | score, cached, weight)),
                other.eq(Mux(weigh, coefficient, Mux(element, lane == i, activation))),
                product.eq(from_memory * other),
            ]
            with m.If(valid):
                m.d.sync += acc.eq(Mux(first, 0, acc) + product)
            accumulators.append(acc)
        self._sums(m, accumulators)
        index = delayed(m, self.read_lane, 1, name="read_lane")
        chosen = Signal(signed(self.mean_width), reset_less=True)
        m.d.sync += chosen.eq(
            Array(acc[: self.mean_width].as_signed() for acc in accumulators)[index]
        )
        m.d.comb += self.read_data.eq(chosen)
        return m

    @property
    def _bits(self):
        return self._layout.config.bits

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
        m.submodules[name] = block = GroupMemory(
            groups=layout.kv_lanes,
            group_width=bits,
            initial_words=[0] * layout.cache_words,
            ram_style="block",
        )
        m.d.comb += [
            block.address.eq(address[: ceil_log2(layout.cache_words)]),
            block.write.eq(write),
        ]
        return [block.word.word_select(i, bits).as_signed() for i in range(layout.kv_lanes)]

    def _activations(self, m: Module):
        layout = self._layout
        m.submodules.activations = block = GroupMemory(
            groups=layout.lanes,
            group_width=ACTIVATION_BITS,
            initial_words=[0] * layout.activation_words,
            ram_style="distributed",
        )
        m.d.comb += [
            block.address.eq(delayed(m, self.beat.activation, 4, name="activation")),
            block.write.eq(self.activation_write),
        ]
        return block.word

    def _sums(self, m: Module, accumulators: list):
        layout = self._layout
        lane_width = self.sum_width - ceil_log2(layout.segment_lanes)
        m.submodules.tree = tree = DotTree(
            segments=layout.segments,
            segment_lanes=layout.segment_lanes,
            lane_width=lane_width,
            dot_width=self.sum_width,
            levels_per_register=LEVELS_PER_REGISTER,
        )
        m.d.comb += [
            Cat(tree.lanes).eq(Cat(acc[:lane_width] for acc in accumulators)),
            self.sums.eq(tree.sums),
            self.total.eq(tree.total),
        ]


def _write(depth: int, groups: int, bits: int) -> data.StructLayout:
    return data.StructLayout(
        {"valid": 1, "address": range(depth), "group": range(groups), "data": bits}
    )
