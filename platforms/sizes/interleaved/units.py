"""What several streams take in a core: threads, token loops, lanes, and the turns between them.

As in :mod:`platforms.sizes.units`, nothing is fitted. The streams' regions of memories follow from
the layout, and are counted with the units whose memories they are.
"""

from __future__ import annotations

from gateformer.gateware.engines.sampler.random_generator import STATE_BITS
from gateformer.gateware.plan.encoding import instruction_layout

from ..live_bits import live_program_bits
from ..memory import MemoryShape, Style
from ..program import SizedProgram
from ..units import UnitFacts

INTERLEAVER = "interleaver"
"""The unit as which they are counted; a core of one stream has a sequencer."""


def with_streams(program: SizedProgram, facts: dict[str, UnitFacts]) -> dict[str, UnitFacts]:
    """Facts of each unit of a core of several streams, from those of a core of one."""
    others = {name: unit for name, unit in facts.items() if name != "sequencer"}
    return {**others, INTERLEAVER: interleaver_facts(program)}


def interleaver_facts(program: SizedProgram) -> UnitFacts:
    """Of all that a core of one stream has a sequencer for, and of the generators' states."""
    config, streams, turns = program.model.config, program.hw.streams, program.interleaving.turns
    position_bits = (config.ctx_len + 1).bit_length()
    token_bits = (config.vocab_size * program.token_words - 1).bit_length()
    counts = {
        "streams": streams,
        "stream bits": streams * (2 * position_bits + token_bits),
        "instruction bits": instruction_layout(turns).size,
        "unit": 1,
    }
    return UnitFacts(
        luts=counts,
        flip_flops=dict(counts),
        memories=[
            MemoryShape(len(turns), live_program_bits(turns), Style.BLOCK, rom=True),
            MemoryShape(streams, STATE_BITS, Style.DISTRIBUTED),
        ],
    )
