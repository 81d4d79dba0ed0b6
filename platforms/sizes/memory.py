"""What yosys makes of a memory: block memories, LUT memories or logic.

The pass ``memory_libmap`` lists the ways in which a family's memories can hold a given one, adds up
what each would cost, multiplexers between them included, and takes the cheapest. This module does
the same for memories with one port to write, or none, and one to read, which is all that the core
has. Sources: passes/memory/memory_libmap.cc of yosys 0.70 and its descriptions of the memories
(xilinx/brams_xc4v.txt, xilinx/lutrams_xc5v.txt, xilinx/lutrams_xcu.txt, lattice/brams_16kd.txt,
lattice/lutrams_trellis.txt, gowin/brams.txt, gowin/lutrams.txt).
"""

from __future__ import annotations

import dataclasses
import enum
import functools

from gateformer.gateware.parts.integers import ceil_div

from ..families.family import Family

BYTE = 9
"""Bits that share a write enable: a block memory's data widths of 9 and more are multiples."""

ROM_BIT_COST = {"xc7": 1 / 64, "xcup": 1 / 64, "ecp5": 1 / 16, "gowin": 1 / 16}
RAM_BIT_COST = 1
MULTIPLEXER_COST = 1 / 2
"""Costs in yosys' unit, about a LUT: of a bit made of logic, and of a multiplexer's bit. The
first is an option of the pass, which synth_xilinx sets."""


class Style(enum.Enum):
    """The memory's ``ram_style``: as the designer wants it, or as yosys thinks best."""

    BLOCK = "block"
    DISTRIBUTED = "distributed"
    AUTOMATIC = "auto"


@dataclasses.dataclass(frozen=True)
class MemoryShape:
    """A memory with one port to read and, unless it is a ROM, one to write.

    Attributes
    ----------
    depth, width : int
        Words; bits of a word that are not constant.
    style : Style
    rom : bool
    enables : int
        Equal parts of a word that are written separately.
    """

    depth: int
    width: int
    style: Style
    rom: bool = False
    enables: int = 1


@dataclasses.dataclass(frozen=True)
class Mapping:
    """A memory's cost: block memories in the family's unit, LUT memories in LUTs."""

    bram: float = 0
    lut: int = 0
    cost: float = 0
    multiplexed: int = 0
    """Bits of the multiplexers between memories, inputs beyond the first."""


@dataclasses.dataclass(frozen=True)
class Primitive:
    """A memory of the family: ``2**abits`` bits of width 1, any of ``widths`` (ascending).

    ``cost`` and ``scaled`` (the part that follows the width that is used) as yosys' descriptions
    state them; ``cell`` is counted by the family.
    """

    cell: str
    abits: int
    widths: tuple[int, ...]
    cost: int
    scaled: int = 0


_NARROW = (1, 2, 4, 9, 18)

_BLOCK = {
    "xc7": (
        Primitive("RAMB18E1", 14, (*_NARROW, 36), 129),
        Primitive("RAMB36E1", 15, (*_NARROW, 36, 72), 257),
    ),
    "xcup": (
        Primitive("RAMB18E2", 14, (*_NARROW, 36), 129),
        Primitive("RAMB36E2", 15, (*_NARROW, 36, 72), 257),
    ),
    "ecp5": (Primitive("DP16KD", 14, (*_NARROW, 36), 128),),
    "gowin": (Primitive("SDPB", 14, (*_NARROW, 36), 128),),
}
_DISTRIBUTED = {
    "xc7": (
        *(Primitive("RAM64M", abits, (width,), 8) for abits, width in ((5, 4), (6, 2), (7, 1))),
        *(Primitive("RAM64M", abits, (width,), 8, 7) for abits, width in ((5, 6), (6, 3))),
    ),
    "xcup": (
        *(Primitive("RAM64M8", abits, (width,), 16, 16) for abits, width in ((5, 14), (6, 7))),
        *(Primitive("RAM64M8", abits, (width,), 16, 16) for abits, width in ((7, 2), (8, 1))),
    ),
    "ecp5": (Primitive("TRELLIS_DPR16X4", 4, (4,), 4),),
    "gowin": (Primitive("RAM16SDP4", 4, (4,), 4, 4),),
}


@functools.lru_cache(maxsize=4096)
def map_memory(family: Family, memory: MemoryShape) -> Mapping:
    """The cheapest way; a memory that becomes logic has neither block nor LUT memories."""
    if memory.width < 1 or memory.depth < 1:
        return Mapping()
    options = []
    if memory.style is not Style.DISTRIBUTED:
        options += [_best(family, primitive, memory) for primitive in _BLOCK[family.name]]
    if memory.style is not Style.BLOCK and not memory.rom:
        options += [_best(family, primitive, memory) for primitive in _DISTRIBUTED[family.name]]
    best = min(options, key=lambda option: option.cost, default=Mapping())
    if memory.style is Style.AUTOMATIC:
        bit = ROM_BIT_COST[family.name] if memory.rom else RAM_BIT_COST
        # yosys keeps the whole part of a cost that it compares with
        if not options or best.cost >= int(bit * memory.depth * memory.width):
            return Mapping()
    return best


def _best(family: Family, primitive: Primitive, memory: MemoryShape) -> Mapping:
    ways = [_mapping(family, primitive, memory, i) for i in range(len(primitive.widths))]
    best = ways[0]
    for way in ways[1:]:
        if way.cost < int(best.cost):
            best = way
    return best


def _mapping(family: Family, primitive: Primitive, memory: MemoryShape, index: int) -> Mapping:
    """Memories of the primitive's width number ``index``, in rows and columns."""
    unit = primitive.widths[index]
    bram = family.brams.get(primitive.cell, 0)
    lut = family.luts.get(primitive.cell, 0)
    byte = min(BYTE, unit) if bram else unit
    width = memory.width
    if not memory.rom:
        # every part that is written separately begins a byte
        width = memory.enables * ceil_div(ceil_div(width, memory.enables), byte) * byte
    above = ceil_div(memory.depth, 1 << (primitive.abits - index))
    number = ceil_div(above * width, unit)
    multiplexed = (above - 1) * memory.width
    cost = (primitive.cost - primitive.scaled) * number
    cost += primitive.scaled * above * memory.width / unit
    cost += MULTIPLEXER_COST * multiplexed
    if not memory.rom and above > 1:
        cost += MULTIPLEXER_COST * above * memory.enables
    return Mapping(bram * number, lut * number, cost, multiplexed)
