"""What an imported model's core consists of, as :mod:`platforms.sizes.units` says of trained ones.

A unit here is a module of the core's hierarchy: :data:`MODULES` names it.
"""

from __future__ import annotations

import collections
import functools
import itertools
from collections.abc import Sequence

from amaranth.hdl import Shape

from gateformer.gateware.decoder.issue import BeatSignature
from gateformer.gateware.decoder.lanes import LEVELS_PER_REGISTER, PROBABILITY_BITS, DecoderLanes
from gateformer.gateware.decoder.layout import DecoderLayout
from gateformer.gateware.decoder.program import DecoderProgram
from gateformer.gateware.decoder.serial.requantizer import Requantizer
from gateformer.gateware.decoder.serial.residual import DISTRIBUTED_DEPTH, Residual
from gateformer.gateware.decoder.serial.rotation import TURN_BITS
from gateformer.gateware.decoder.softmax import DISTRIBUTED_DEPTH as SCORES_DISTRIBUTED
from gateformer.gateware.decoder.softmax import DecoderSoftmax
from gateformer.gateware.engines.sampler.scheme import VERSION_2
from gateformer.gateware.parts.elaboration import may_stay_unused
from gateformer.gateware.parts.memory_banks import bank_depths
from gateformer.gateware.parts.wide_multiplier import LIMB_BITS, _limbs
from gateformer.model.contract.arith import signed_width
from gateformer.model.contract.decoder import arith

from ..live_bits import varying_bits
from ..memory import MemoryShape, Style
from ..trees import dot_tree
from ..units import UnitFacts, sequencer_facts
from .program import SizedDecoderProgram

GLUE = "decoder core"
MODULES = {
    "decoder lanes": "datapath.lanes",
    "decoder softmax": "datapath.softmax",
    "residual": "datapath.residual",
    "requantizer": "datapath.requantizer",
    "rotation": "datapath.rotation",
    "gate": "datapath.gate",
    "decoder sampler": "sampler",
    "decoder sequencer": "sequencer",
}
"""Units, and where they are in the core; what else there is, is :data:`GLUE`."""


def decoder_unit_facts(program: SizedDecoderProgram) -> dict[str, UnitFacts]:
    """Facts of every unit of the core, by the unit's name."""
    lanes = program.build_lanes()
    may_stay_unused(lanes)
    return {
        "decoder lanes": _lanes(program, lanes),
        **serial_unit_facts(program),
        "decoder sequencer": sequencer_facts(program, BeatSignature(program)),
        GLUE: _glue(program),
    }


def serial_unit_facts(program: DecoderProgram) -> dict[str, UnitFacts]:
    """Of what the lanes' results go through, one number at a time, whatever the lanes."""
    softmax = program.build_softmax()
    residual, requantizer = program.build_residual(), program.build_requantizer()
    may_stay_unused(softmax, residual, requantizer)
    rotary = {} if program.model.rotary_cos is None else {"rotation": _rotation(program)}
    return {
        "decoder softmax": _softmax(softmax, program.model.config.ctx_len),
        "residual": _residual(program, residual),
        "requantizer": _requantizer(requantizer),
        **rotary,
        "gate": _gate(program),
        "decoder sampler": _sampler(program),
    }


def _lanes(program: SizedDecoderProgram, lanes: DecoderLanes) -> UnitFacts:
    layout = program.layout
    number, bits = layout.lanes, layout.config.bits
    factors = (max(lanes.widths.activation, PROBABILITY_BITS + 1), lanes.widths.memory)
    tree = dot_tree(
        layout.segments,
        layout.segment_lanes,
        lanes.widths.lane,
        lanes.widths.segment,
        LEVELS_PER_REGISTER,
    )
    stores = program.images.stores
    banks = [(store, bank_depths(len(store.words))) for store in stores]
    reads = sum(len(depths) * store.format.word_bits for store, depths in banks)
    caches = [_cache(layout, width) for width in (bits.key, bits.value)]
    word_bits = layout.kv_lanes * (bits.key + bits.value)
    cache_banks = len(caches[0]) // len(_groups(layout))
    # what every bank reads, what is written to caches, activations read and chosen, the tree
    registers = reads + (cache_banks + 1) * word_bits
    registers += 2 * lanes.widths.activation * number + tree.registers
    return UnitFacts(
        luts={
            "lanes": number,
            "operand bits": number * sum(factors),
            "accumulator bits": number * lanes.widths.acc,
            "adder bits": tree.bits,
            "read bits": lanes.mean_width * (number - 1),
            "cached bits": word_bits,
            "multiplexed bits": reads
            - max(store.format.word_bits for store in stores)
            + (cache_banks - 1) * word_bits,
            "unit": 1,
        },
        flip_flops={
            "register bits": registers,
            "accumulator bits": number * lanes.widths.acc,
            "unit": 1,
        },
        memories=[
            *[
                MemoryShape(depth, live, Style.BLOCK, rom=True)
                for store, depths in banks
                for depth, live in zip(depths, store.live_bits(), strict=True)
            ],
            *[
                MemoryShape(len(store.scale_words), store.format.scale_bits, Style.BLOCK, rom=True)
                for store in stores
                if store.scale_words
            ],
            *caches[0],
            *caches[1],
            *[
                MemoryShape(layout.activation_words, lanes.widths.activation, Style.DISTRIBUTED),
            ]
            * number,
        ],
        lane_products={factors: number},
    )


def _groups(layout: DecoderLayout) -> range:
    """Memories side by side of keys, or values, of a bank."""
    return range(1 if layout.head_words == 1 else layout.kv_lanes)


def _cache(layout: DecoderLayout, bits: int) -> list[MemoryShape]:
    groups = _groups(layout)
    width = layout.kv_lanes * bits // len(groups)
    depths = bank_depths(layout.cache_words)
    return [MemoryShape(depth, width, Style.BLOCK) for depth in depths for _ in groups]


def _softmax(softmax: DecoderSoftmax, ctx_len: int) -> UnitFacts:
    segments, width = softmax._segments, softmax._score_width
    style = Style.DISTRIBUTED if ctx_len <= SCORES_DISTRIBUTED else Style.BLOCK
    counts = {
        "segments": segments,
        "score bits": segments * width * len(softmax._shifts),
        "total bits": segments * softmax._total_width,
        "unit": 1,
    }
    return UnitFacts(
        luts=counts,
        flip_flops={**counts, "score bits": segments * width},
        memories=[MemoryShape(ctx_len, segments * width, style), _reciprocals()],
    )


@functools.cache
def _reciprocals() -> MemoryShape:
    return _rom(arith.reciprocal_table())


def _rom(words) -> MemoryShape:
    """Of unsigned integers."""
    words = [int(word) for word in words]
    return MemoryShape(len(words), varying_bits(words), Style.BLOCK, rom=True)


def _residual(program: DecoderProgram, residual: Residual) -> UnitFacts:
    cfg = program.model.config
    bits, counts = cfg.bits.residual, {"unit": 1}
    style = Style.DISTRIBUTED if cfg.d_model <= DISTRIBUTED_DEPTH else Style.BLOCK
    wide = [(bits, bits)]
    if residual._layer_norm:
        spread = residual._build_spread()
        may_stay_unused(spread)
        if spread._averages:
            wide.append((residual._sum_width, spread._mult.bit_length() + 1))
        wide.append((spread._cross_width, residual._mean_width))
        counts |= {"mean": 1, "digit bits": len(spread._digits) * spread._cross_width}
    return UnitFacts(
        luts=counts,
        flip_flops=dict(counts),
        memories=[
            MemoryShape(cfg.d_model, bits, style),
            _rom(arith.rsqrt_table(cfg.d_model)),
        ],
        multipliers=_chains(*wide),
    )


def _chains(*factors: tuple[int, int]) -> dict[tuple[int, int], int]:
    """Multipliers of a :class:`~gateware.parts.wide_multiplier.WideMultiplier` for each."""
    found: collections.Counter = collections.Counter()
    for widths in factors:
        parts = [[LIMB_BITS + 1] * (len(limbs) - 1) + limbs[-1:] for limbs in _limbs(*widths)]
        found.update(itertools.product(*parts))
    return dict(found)


def _requantizer(unit: Requantizer) -> UnitFacts:
    entering, middle = (len(unit.a), len(unit.b) + 1), (unit._middle_width, len(unit.factor))
    counts = {"product bits": sum(entering) + sum(middle), "unit": 1}
    return UnitFacts(luts=counts, flip_flops=dict(counts), multipliers=_chains(entering, middle))


def _rotation(program: DecoderProgram) -> UnitFacts:
    bits = program.model.config.bits
    counts = {"unit": 1}
    return UnitFacts(luts=counts, flip_flops=dict(counts), multipliers={(bits.query, TURN_BITS): 2})


def _gate(program: DecoderProgram) -> UnitFacts:
    cfg = program.model.config
    table = arith.gate_table(cfg.activation).astype(int)
    slopes = table[1:] - table[:-1]
    slope_bits = signed_width(int(abs(slopes).max()))
    base_bits, share_bits = arith.GATE_ONE.bit_length(), arith.GATE_ONE.bit_length() + 1
    mask = (1 << slope_bits) - 1
    words = [int(b) | (int(s) & mask) << base_bits for b, s in zip(table[:-1], slopes, strict=True)]
    products = {
        (slope_bits, arith.GATE_STEP_BITS + 1): 1,
        (cfg.bits.gate, share_bits): 1,
    }
    counts = {"unit": 1}
    if cfg.gated:
        pair = (cfg.bits.gate + 2, cfg.bits.gate)
        products[pair] = products.get(pair, 0) + 1
        counts["gated"] = 1
    return UnitFacts(
        luts=counts, flip_flops=dict(counts), memories=[_rom(words)], multipliers=products
    )


def _sampler(program: DecoderProgram) -> UnitFacts:
    vocab_size = program.model.config.vocab_size
    counts = {"unit": 1, "index bits": vocab_size.bit_length()}
    return UnitFacts(
        luts=counts,
        flip_flops=dict(counts),
        memories=[
            MemoryShape(vocab_size, program.model.config.bits.logit, Style.BLOCK),
            _rom(VERSION_2.probabilities),
            MemoryShape(
                2 ** (VERSION_2.key_bits - 1), VERSION_2.mass_bits(vocab_size), Style.BLOCK
            ),
        ],
    )


def _glue(program: SizedDecoderProgram) -> UnitFacts:
    """Tables beside the engines, and what connects them."""
    model = program.model
    beat = sum(Shape.cast(m.shape).width for m in BeatSignature(program).members.values())
    counts = {"beat bits": beat, "unit": 1}
    if model.position_embedding is not None:
        counts["learned positions"] = 1
    return UnitFacts(
        luts=counts,
        flip_flops={**counts, "delayed bits": beat * program.timing.value_latency},
        memories=[*_parameters(program), *_positions(program)],
    )


def _parameters(program: SizedDecoderProgram) -> list[MemoryShape]:
    return _table(*zip(*program.images.parameters, strict=True))


def _positions(program: SizedDecoderProgram) -> list[MemoryShape]:
    model = program.model
    tables = (model.rotary_cos, model.rotary_sin)
    if model.position_embedding is not None:
        tables = (model.position_embedding,)
    return _table(*(table.ravel().tolist() for table in tables))


def _table(*columns: Sequence[int]) -> list[MemoryShape]:
    """The banks of a table of constants, of as many numbers side by side as there are columns."""
    masks = [(1 << max(signed_width(max(map(abs, column))), 2)) - 1 for column in columns]
    banks, first = [], 0
    for depth in bank_depths(len(columns[0])):
        live = sum(
            varying_bits(number & mask for number in column[first : first + depth])
            for column, mask in zip(columns, masks, strict=True)
        )
        banks.append(MemoryShape(depth, live, Style.BLOCK, rom=True))
        first += depth
    return banks
