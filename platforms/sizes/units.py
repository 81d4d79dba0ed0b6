"""What a core consists of, unit by unit: memories, multipliers, and counts that LUTs follow.

Nothing here is fitted. The numbers are those of the hardware that ``gateware`` builds (adder bits,
multiplexer bits, register bits); what a family makes of each is in
:mod:`platforms.sizes.resource_model`.
"""

from __future__ import annotations

import dataclasses

from amaranth.hdl import Shape
from amaranth.lib import wiring

from gateformer.gateware.core.instruction_table import program_parts
from gateformer.gateware.core.issue import BeatSignature
from gateformer.gateware.engines.array.packed_sums import count_width
from gateformer.gateware.engines.sampler.scheme import VERSION_1
from gateformer.gateware.engines.softmax import DISTRIBUTED_DEPTH
from gateformer.gateware.engines.ternary.lane import n_pairs
from gateformer.gateware.parts.dsp48 import A_BITS
from gateformer.gateware.parts.integers import ceil_div
from gateformer.gateware.parts.memory_banks import bank_depths
from gateformer.gateware.parts.pair_multiplier import FACTOR_BITS
from gateformer.gateware.plan.encoding import instruction_layout
from gateformer.model.contract.arith import ACT_BITS, EXP2, RESIDUAL_BITS

from .live_bits import live_program_bits, live_scale_bits, live_weight_bits
from .memory import MemoryShape, Style
from .program import SizedProgram
from .trees import dot_tree, ternary_lane

LANE_FACTORS = (9, 8)
"""Bits of the factors of a lane of the INT8 array: query or coefficient, and memory."""

PAIR_FACTORS = (FACTOR_BITS, A_BITS)
"""Likewise of one that makes two products."""

SECOND_POSITION = 0.5
"""What the second of two positions per beat takes in the softmax, in parts of the first: it has a
distance and a table of its own, but no sum and no reciprocal."""


@dataclasses.dataclass
class UnitFacts:
    """One unit of a core.

    Attributes
    ----------
    luts, flip_flops : dict of str to float
        Counts that the LUTs (the flip-flops) follow, by name.
    memories : list of MemoryShape
    multipliers : dict of (bits, bits) to number
        Products of a :class:`~gateware.parts.multiplier.Multiplier`, by the widths of their
        signed factors.
    lane_products : dict of (bits, bits) to number
        Likewise of a :class:`~gateware.parts.multiplier.MultiplyAccumulate`.
    delay_bits, delay_cycles : int
        Width and length of the unit's delay line.
    """

    luts: dict[str, float]
    flip_flops: dict[str, float]
    memories: list[MemoryShape] = dataclasses.field(default_factory=list)
    multipliers: dict[tuple[int, int], int] = dataclasses.field(default_factory=dict)
    lane_products: dict[tuple[int, int], int] = dataclasses.field(default_factory=dict)
    delay_bits: int = 0
    delay_cycles: int = 0


def unit_facts(program: SizedProgram) -> dict[str, UnitFacts]:
    """Facts of every unit of the core, by the unit's name."""
    return {
        "engine": _engine(program),
        "array": _array(program),
        "vector": _vector(program),
        "softmax": _softmax(program),
        "sampler": _sampler(program),
        "sequencer": sequencer_facts(program, BeatSignature(program)),
        "core": _glue(program),
    }


def _engine(program: SizedProgram) -> UnitFacts:
    engine, hw = program.units.engine, program.hw
    rows, cols, pairs = engine.rows, engine.cols, n_pairs(engine.cols)
    lane = ternary_lane(cols, engine.tree_levels_per_register)
    accumulators = 2 if engine.max_planes > 1 else 1
    packed = engine.weight_format.decode_latency > 0
    width = engine.weight_format.width(rows, cols)
    activations = MemoryShape(engine.activation_chunks, ACT_BITS * rows, Style.DISTRIBUTED)
    banks = bank_depths(len(engine.weight_words))
    merged = len(banks) > 1  # their words meet in one more register
    live_bits = live_weight_bits(program)
    return UnitFacts(
        luts={
            "adder bits": rows * (lane.bits + accumulators * engine.acc_width),
            "adders": rows * (lane.adders + accumulators),
            "accumulator bits": rows * accumulators * engine.acc_width,
            "pairs": pairs,
            "decoded trits": rows * cols * packed,
            "groups": hw.cols // rows,
            "multiplexed bits": (len(banks) - 1) * width,
            "unit": 1,
        },
        flip_flops={
            "tree bits": rows * (lane.registers + 2 * engine.acc_width),
            "delayed bits": pairs * 2 * ACT_BITS,
            "weight bits": (len(banks) + merged) * width + 2 * rows * cols * packed,
            "unit": 1,
        },
        memories=[
            *[MemoryShape(depth, live_bits, Style.BLOCK, rom=True) for depth in banks],
            *[activations] * (cols // rows),
        ],
        delay_bits=pairs * (3 * ACT_BITS + 1),
        delay_cycles=1 + merged + engine.weight_format.decode_latency,
    )


def _array(program: SizedProgram) -> UnitFacts:
    layout, bounds = program.layout, program.bounds
    if layout.halves == 2:
        return _pair_array(program)
    array = program.units.array
    lanes, groups = layout.lanes, layout.word_groups
    lane_width = array._lane_width
    acc_width = max(bounds.array_acc_width, lane_width)
    segment_lanes = layout.segment_groups * layout.rows
    tree = dot_tree(
        layout.segments, segment_lanes, lane_width, bounds.dot_width, layout.hw.tree_levels
    )
    group_bits = ACT_BITS * layout.rows
    banks = bank_depths(layout.array_depth)
    memories = [MemoryShape(depth, group_bits, Style.BLOCK) for depth in banks] * groups
    if layout.query_words > 1:
        memories += [MemoryShape(layout.query_words, group_bits, Style.DISTRIBUTED)] * groups
    return UnitFacts(
        luts={
            "lanes": lanes,
            "accumulator bits": lanes * acc_width,
            "adder bits": tree.bits,
            "adders": tree.adders,
            "read bits": bounds.array_acc_width * layout.rows * (groups - 1),
            "groups": groups,
            "multiplexed bits": (len(banks) - 1) * lanes * ACT_BITS,
            "unit": 1,
        },
        flip_flops={
            "lanes": lanes,
            "accumulator bits": lanes * acc_width,
            "register bits": tree.registers + len(banks) * lanes * ACT_BITS,
            "query bits": lanes * ACT_BITS * (layout.query_words == 1),
            "rows": layout.rows,
            "groups": groups,
            "unit": 1,
        },
        memories=memories,
        lane_products={LANE_FACTORS: lanes},
    )


def _pair_array(program: SizedProgram) -> UnitFacts:
    """Of the array with two products per multiplier."""
    layout, bounds, array = program.layout, program.bounds, program.units.array
    lanes, groups, rows = layout.lanes, layout.word_groups, layout.rows
    leaves = layout.segment_groups // array.chain * rows
    limit, levels = bounds.dot_width, layout.hw.tree_levels
    tree = dot_tree(layout.segments, leaves, array.field_width, limit, levels)
    width = bounds.array_acc_width
    counts = lanes // 2
    count_bits = counts * count_width(width)
    group_bits, word_bits = ACT_BITS * rows, layout.halves * lanes * ACT_BITS
    banks = bank_depths(layout.array_depth)
    return UnitFacts(
        luts={
            "lanes": lanes,
            "packed lanes": lanes,
            "adder bits": layout.halves * tree.bits + count_bits + rows * width,
            "adders": layout.halves * tree.adders + counts + rows,
            "read bits": width * rows * (groups - 1) + count_bits,
            "groups": groups,
            "multiplexed bits": (len(banks) - 1) * word_bits,
            "unit": 1,
        },
        flip_flops={
            "lanes": lanes,
            "packed lanes": lanes,
            "register bits": layout.halves * tree.registers + len(banks) * word_bits + count_bits,
            "rows": rows,
            "groups": groups,
            "unit": 1,
        },
        memories=[MemoryShape(depth, group_bits, Style.BLOCK) for depth in banks]
        * layout.memory_groups,
        lane_products={PAIR_FACTORS: lanes},
    )


def _vector(program: SizedProgram) -> UnitFacts:
    layout, units = program.layout, program.units
    rows, scaling = layout.rows, units.vector._scaling
    factors = (
        (scaling.a_width, scaling.b_width),
        (scaling.gain_a_width, scaling.gain_b_width),
    )
    multipliers = {}
    for widths in factors:
        multipliers[widths] = multipliers.get(widths, 0) + rows
    return UnitFacts(
        luts={
            "rows": rows,
            "second sum": rows > 1,
            "product bits": rows * (scaling.product_width + scaling.gain_product_width),
            "splits": rows * sum(sum(widths) for widths in factors if max(widths) > 18),
            "unit": 1,
        },
        flip_flops={
            "rows": rows,
            "splits": rows * sum(sum(widths) for widths in factors if max(widths) > 18),
            "product bits": rows * (scaling.product_width + scaling.gain_product_width),
            "unit": 1,
        },
        memories=[
            MemoryShape(len(scaling.scale_words), live_scale_bits(program), Style.BLOCK, rom=True),
            MemoryShape(layout.residual_groups, RESIDUAL_BITS * rows, Style.DISTRIBUTED),
        ],
        multipliers=multipliers,
    )


def _softmax(program: SizedProgram) -> UnitFacts:
    softmax, layout = program.units.softmax, program.layout
    width, halves = softmax._score_width, layout.halves
    segments = layout.segments * (1 + SECOND_POSITION * (halves - 1))
    words = ceil_div(program.model.config.ctx_len, halves)
    style = Style.DISTRIBUTED if words <= DISTRIBUTED_DEPTH else Style.BLOCK
    return UnitFacts(
        luts={
            "segments": segments,
            "score bits": segments * width * len(program.score_shifts),
            "reciprocal bits": segments * softmax.reciprocal_width,
            "unit": 1,
        },
        flip_flops={
            "segments": segments,
            "score bits": segments * width,
            "reciprocal bits": segments * softmax.reciprocal_width,
            "unit": 1,
        },
        memories=[MemoryShape(words, halves * layout.segments * width, style)],
    )


def _sampler(program: SizedProgram) -> UnitFacts:
    sampler = program.units.sampler
    vocab_size, bits = sampler.vocab_size, sampler.logit_width
    per_beat = sampler.logits_per_beat
    index_bits = vocab_size.bit_length()
    counts = {"logit bits": bits, "index bits": index_bits, "unit": 1}
    scan = sampler.scan_width
    keys = MemoryShape(
        ceil_div(vocab_size, scan), scan * VERSION_1.key_bits, Style.DISTRIBUTED, enables=scan
    )
    return UnitFacts(
        luts=counts,
        flip_flops=dict(counts),
        memories=[
            MemoryShape(ceil_div(vocab_size, per_beat), per_beat * bits, Style.BLOCK),
            MemoryShape(2**EXP2.INDEX_BITS, EXP2.OUT_BITS, Style.BLOCK, rom=True),
            keys,
        ],
    )


def sequencer_facts(program, beat: wiring.Signature) -> UnitFacts:
    """Of the sequencer of any program, whose issue unit gives such a ``beat``."""
    width = instruction_layout(program.instructions).size
    beat_bits = sum(Shape.cast(member.shape).width for member in beat.members.values())
    live_bits = live_program_bits(program.instructions)
    parts = program_parts(program.instructions)
    return UnitFacts(
        luts={"beat bits": beat_bits, "instruction bits": width, "unit": 1},
        flip_flops={"beat bits": beat_bits, "instruction bits": width, "unit": 1},
        memories=[MemoryShape(len(part), live_bits, Style.AUTOMATIC, rom=True) for part in parts],
    )


def _glue(program: SizedProgram) -> UnitFacts:
    """What connects the units: the vector operations that wait for the ternary engine."""
    counts = {"rows": program.layout.rows, "unit": 1}
    return UnitFacts(luts=counts, flip_flops=dict(counts))
