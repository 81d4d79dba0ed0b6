"""Snapshots of a synthesis run around the step that maps memories to primitives.

A finished netlist has lost names that tell which bit of which memory a pin carries: logic
optimization has rewritten what is around the pins. Right after memory mapping all names are still
there. Both come from the same commands of yosys; the block memories of both are matched again.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gateformer.model.support.cache import cached_file, digest

from ..families.family import Family
from ..support import yosys
from ..support.progress import working
from .netlist import read_module
from .synthesis import TOP

_MEMORY_STEP = {"xc7": "map_memory", "xcup": "map_memory", "ecp5": "map_ram", "gowin": "map_ram"}
"""The step of each family's synthesis script that chooses primitives for memories."""
_NEXT_STEP = "map_ffram"

_SCRIPT = """\
read_rtlil {top}.il
design -save source
hierarchy -top {top}
proc -norom
flatten
memory_collect
opt_clean
select {top}
write_json -selected source.json
design -load source
{synthesis} -run begin:{step}
select {top}
write_json -selected collected.json
select -clear
{synthesis} -run {step}:{next}
select {top}
write_json -selected mapped.json
"""


@dataclasses.dataclass(frozen=True)
class MemoryMapping:
    """Three netlists of one design, in a directory of the cache.

    ``source``: flattened, nothing optimized. ``collected``: right before memory mapping.
    ``mapped``: right after it. Memories of the first two are ``$mem_v2`` cells.
    """

    directory: Path

    def read(self, name: str):
        """Module ``top`` of the netlist called ``name``."""
        return read_module(self.directory / f"{name}.json", TOP)


def map_memories(rtlil: str, family: Family) -> MemoryMapping:
    """Run the synthesis of a module ``top`` until its memories are mapped; kept by digest.

    Raises ToolError if yosys fails.
    """
    commands = _SCRIPT.format(
        top=TOP, synthesis=family.synthesis, step=_MEMORY_STEP[family.name], next=_NEXT_STEP
    )

    def make(work: Path, target: Path) -> None:
        target.mkdir()
        (work / f"{TOP}.il").write_text(rtlil, encoding="utf-8")
        with working(f"mapping memories for {family.name}"):
            yosys.run(commands, work)
        for name in ("source", "collected", "mapped"):
            (work / f"{name}.json").rename(target / f"{name}.json")

    return MemoryMapping(cached_file(f"mapping-{digest(rtlil, commands, yosys.version())}", make))
