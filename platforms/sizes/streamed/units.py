"""What a streamed core consists of: units that every stream has, and one that all share.

As :mod:`platforms.sizes.decoder.units`, whose units of a stream's numbers these are.
"""

from __future__ import annotations

import collections

from gateformer.gateware.decoder.weights.word_format import MINIMUM_BITS, SCALE_BITS
from gateformer.gateware.parts.elaboration import may_stay_unused
from gateformer.gateware.plan.encoding import instruction_layout
from gateformer.gateware.streamed.core import READ_AHEAD, STORED_DEPTH
from gateformer.gateware.streamed.datapath import stored_layout
from gateformer.gateware.streamed.lanes import BLOCK_LANES, StreamedLanes
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.gateware.streamed.walker import _entries as walker_entries

from ..decoder.units import serial_unit_facts
from ..live_bits import varying_bits
from ..memory import MemoryShape, Style
from ..units import UnitFacts

STREAM, SHARED = "stream", "streamed core"
"""Lanes of a stream with their buffers, and what else it has; all that streams share."""


def stream_unit_facts(program: StreamedProgram) -> dict[str, UnitFacts]:
    """Facts of the units of one stream, by the unit's name."""
    return {**serial_unit_facts(program), STREAM: _stream(program)}


def _stream(program: StreamedProgram) -> UnitFacts:
    layout = program.layout
    lanes = program.build_lanes()
    may_stay_unused(lanes)
    blocks = max(layout.wide_lanes, min(layout.lanes, BLOCK_LANES))
    grouped = _parts(lanes)
    counts = {
        "lanes": layout.lanes,
        "table lanes": layout.lanes - blocks,
        "parts": grouped,
        "unit": 1,
    }
    return UnitFacts(
        luts=counts,
        flip_flops=dict(counts),
        memories=[
            *_activations(lanes, layout),
            *_local(layout.key_lanes, layout.config.bits.key, layout),
            *_local(layout.value_lanes, layout.config.bits.value, layout),
            *_kept_activations(lanes),
            *_buffers(program),
        ],
        multipliers=_scaling(lanes),
        lane_products={(lanes.widths.activation, lanes.widths.memory): blocks},
    )


def _activations(lanes: StreamedLanes, layout) -> list[MemoryShape]:
    width = lanes.widths.activation
    return [MemoryShape(layout.activation_words, width, Style.DISTRIBUTED)] * layout.lanes


def _local(fields: int, bits: int, layout) -> list[MemoryShape]:
    """Of this position's keys, or values."""
    return [MemoryShape(layout.cache_words, bits, Style.DISTRIBUTED)] * fields


def _parts(lanes: StreamedLanes) -> int:
    """Sums of a word that have a scale of their own."""
    return lanes._layout.lanes // lanes._part_lanes if lanes.grouped else 0


def _kept_activations(lanes: StreamedLanes) -> list[MemoryShape]:
    """Sums of the words of activations, for minimums."""
    if not (lanes.grouped and lanes.minimums):
        return []
    sums = lanes._total._groups
    return [MemoryShape(sums._words, _parts(lanes) * sums._activation_width, Style.DISTRIBUTED)]


def _scaling(lanes: StreamedLanes) -> dict[tuple[int, int], int]:
    """Products of sums and scales, and of activations and minimums."""
    if not lanes.grouped:
        return {}
    sums = lanes._total._groups
    found = collections.Counter((width, SCALE_BITS + 1) for width in sums._sum_widths)
    if lanes.minimums:
        found[sums._activation_width, MINIMUM_BITS] += _parts(lanes)
    return dict(found)


def _buffers(program: StreamedProgram) -> list[MemoryShape]:
    """Of parameters, and of the position's numbers."""
    form, bits = program.images.parameter_format, program.layout.word_bits
    parameters = max(program.parameter_words // form.per_word, 1)
    return [
        MemoryShape(parameters, bits, Style.BLOCK),
        MemoryShape(program.images.position_words, bits, Style.BLOCK),
    ]


def shared_facts(program: StreamedProgram) -> UnitFacts:
    """Of what there is once."""
    memory, layout = program.memory, program.layout
    counts = {"ports": memory.ports, "word bits": layout.word_bits, "unit": 1}
    instruction = instruction_layout(program.instructions)
    ahead = MemoryShape(READ_AHEAD, 8 * memory.data_bytes, Style.AUTOMATIC)
    return UnitFacts(
        luts=counts,
        flip_flops=dict(counts),
        memories=[
            *[ahead] * memory.ports,
            MemoryShape(program._most_instructions, instruction.size, Style.BLOCK),
            MemoryShape(STORED_DEPTH, stored_layout(program).size, Style.AUTOMATIC),
            _segments(program),
        ],
    )


def _segments(program: StreamedProgram) -> MemoryShape:
    """The walker's table."""
    entries = walker_entries(program)
    live = sum(
        varying_bits(int(getattr(entry[name], "value", entry[name])) for entry in entries)
        for name in entries[0]
    )
    return MemoryShape(len(entries), live, Style.BLOCK, rom=True)
