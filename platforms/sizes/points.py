"""What is synthesized to calibrate and to check the resource model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Module, Value

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.core.issue import IssueUnit
from gateformer.gateware.core.sequencer import Sequencer
from gateformer.gateware.decoder.core import DecoderCore
from gateformer.gateware.decoder.issue import DecoderIssueUnit
from gateformer.gateware.decoder.program import DecoderProgram
from gateformer.gateware.host.any_core import build_core
from gateformer.gateware.parts.elaboration import may_stay_unused
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.cache import cached_file, digest

from ..boards.board import board
from ..families.family import Family
from ..support import yosys
from ..synthesis.synthesis import COUNTED, HIDE_ELEMENTS, TOP
from .decoder.units import GLUE as DECODER_CORE
from .decoder.units import MODULES
from .families import FAMILIES

SHIPPED = "shakespeare-115k"
"""Only for checks: what calibrates does not change with a newly trained artifact."""

REFERENCE = "random:vocab_size=128,ctx_len=128"
"""The shipped model's shape."""

SMALL = "random:vocab_size=48,d_model=32,n_heads=2,n_layers=1,d_ff=64,ctx_len=32"
UNEVEN = "random:vocab_size=77,d_model=48,n_heads=3,n_layers=2,d_ff=160,ctx_len=150,digits=2"
WIDE = "random:vocab_size=200,d_model=96,n_heads=3,n_layers=3,d_ff=384,ctx_len=96"
PLAIN = "random:vocab_size=64,d_model=40,n_heads=1,n_layers=1,d_ff=100,ctx_len=64"


@dataclasses.dataclass(frozen=True)
class Point:
    """One design to synthesize.

    Attributes
    ----------
    what : str
        A unit's name, "core" (of a trained model), "decoder core" (of an imported one), or "top:"
        and a board's name.
    model : str
        As ``model.contract.artifact.open_model`` takes it.
    sizes : tuple
        Rows, cols, lanes, packing.
    checks : bool
        Only compared with the prediction, not used for it.
    streams, cores : int
        As of :class:`gateware.plan.hw_config.HwConfig`.
    """

    what: str
    model: str
    sizes: tuple[int, int, int, str]
    checks: bool = False
    streams: int = 1
    cores: int = 1

    @property
    def hw(self) -> HwConfig:
        return HwConfig(*self.sizes, streams=self.streams, cores=self.cores)

    def as_dict(self) -> dict:
        return {**dataclasses.asdict(self), "sizes": list(self.sizes)}

    @classmethod
    def from_dict(cls, fields: dict) -> Point:
        return cls(**{**fields, "sizes": tuple(fields["sizes"])})


@dataclasses.dataclass(frozen=True)
class Run:
    """Points that one run of yosys synthesizes, for one family.

    Units side by side, but :data:`platforms.sizes.decoder.units.MODULES` of the same model and
    sizes as modules of one core.
    """

    family: str
    points: tuple[Point, ...]


def points_of(what: str, *designs, checks: bool = False) -> list[Point]:
    points = []
    for model, rows, cols, lanes, *packing in designs:
        points.append(Point(what, model, (rows, cols, lanes, *(packing or ["2bit"])), checks))
    return points


UNIT_POINTS = {
    "engine": points_of(
        "engine",
        (REFERENCE, 1, 8, 8),
        (REFERENCE, 1, 64, 8),
        (REFERENCE, 4, 16, 8),
        (REFERENCE, 8, 32, 8),
        (REFERENCE, 2, 32, 8, "3in5"),
        (UNEVEN, 2, 16, 8),
        (WIDE, 2, 32, 8),
        (SMALL, 4, 8, 8),
    ),
    "array": points_of(
        "array",
        (REFERENCE, 4, 16, 8),
        (REFERENCE, 4, 16, 32),
        (REFERENCE, 4, 16, 64),
        (REFERENCE, 8, 32, 128),
        (SMALL, 4, 16, 64),
        (UNEVEN, 2, 16, 16),
        (SMALL, 8, 16, 16),
        (PLAIN, 1, 8, 10),
    ),
    "vector": points_of(
        "vector",
        (REFERENCE, 1, 16, 8),
        (REFERENCE, 4, 16, 8),
        (REFERENCE, 8, 32, 8),
        (UNEVEN, 2, 16, 8),
        (SMALL, 2, 8, 8),
    ),
    "softmax": points_of(
        "softmax",
        (REFERENCE, 4, 16, 64),
        (UNEVEN, 2, 16, 16),
        (SMALL, 4, 16, 32),
        (WIDE, 4, 16, 32),
    ),
    "sampler": points_of(
        "sampler", (REFERENCE, 4, 16, 8), (SMALL, 4, 16, 8), (UNEVEN, 4, 16, 8), (WIDE, 4, 16, 8)
    ),
    "sequencer": points_of(
        "sequencer",
        (REFERENCE, 4, 16, 8),
        (REFERENCE, 8, 64, 64),
        (SMALL, 4, 16, 8),
        (UNEVEN, 2, 16, 16),
        (WIDE, 4, 32, 32),
    ),
}
HOST_SIZES = (SMALL, 2, 8, 8)
CORE_POINTS = points_of("core", HOST_SIZES, (SMALL, 4, 16, 16), (UNEVEN, 2, 16, 16))
CHECK_POINTS = points_of(
    "core",
    (PLAIN, 2, 16, 8),
    (SHIPPED, 2, 64, 32, "3in5"),
    (SHIPPED, 4, 32, 16),
    (WIDE, 4, 32, 32),
    (SHIPPED, 8, 64, 64),
    checks=True,
)
CHECK_TOPS = {
    "xc7": [
        *points_of(
            "top:zybo",
            (SHIPPED, 8, 64, 64),
            (SHIPPED, 8, 64, 128),
            (SHIPPED, 4, 32, 16),
            checks=True,
        ),
        *points_of("top:cora-z7", (SHIPPED, 8, 64, 32), checks=True),
        *points_of("top:zybo", ("shakespeare-zybo", 8, 24, 32, "3in5"), checks=True),
    ],
}
"""Whole tops that are only checked, for a family that predicts LUT sites."""
TOP_BOARDS = {
    "xc7": ("zybo", "arty-a7-35"),
    "xcup": ("kv260",),
    "ecp5": ("ulx3s",),
    "gowin": ("tang-primer-20k",),
}
"""A board for each kind of host of a family."""


def runs(family: str) -> list[Run]:
    """Every run of ``family``: units side by side, each core and top by itself."""
    tops = [point for name in TOP_BOARDS[family] for point in points_of(f"top:{name}", HOST_SIZES)]
    single = [*CORE_POINTS, *tops, *CHECK_POINTS, *CHECK_TOPS.get(family, ())]
    groups = [tuple(points) for points in UNIT_POINTS.values()]
    return [Run(family, group) for group in [*groups, *((point,) for point in single)]]


class _SideBySide(Elaboratable):
    def __init__(self, units: Sequence[Elaboratable]):
        self._units = units

    def elaborate(self, platform):
        m = Module()
        for i, unit in enumerate(self._units):
            m.submodules[f"unit{i}"] = unit
        return m


def cells(run: Run) -> list[dict[str, int]]:
    """Primitives of each point after synthesis, as :func:`counted`."""
    family = FAMILIES[run.family]
    return counted(*_rtlil(run, family), family)


def counted(text: str, names: Sequence[str], family: Family) -> list[dict[str, int]]:
    """Primitives of each of a design's modules after synthesis, those that place and route adds
    included; modules other than the design itself are kept apart.

    Kept by the digest of the designs, the commands and yosys' version.
    """
    commands = [f"read_rtlil {TOP}.il", HIDE_ELEMENTS]
    commands += [f"setattr -mod -set keep_hierarchy 1 {name}" for name in names if name != TOP]
    commands += [f"tee -q -o yosys.log {family.synthesis}", f"write_json {TOP}.json"]
    script = "\n".join(commands) + "\n"

    def make(work, target):
        (work / f"{TOP}.il").write_text(text, encoding="utf-8")
        yosys.run(script, work)
        netlist = json.loads((work / f"{TOP}.json").read_text(encoding="utf-8"))
        counts = [_count(netlist["modules"][name], family) for name in names]
        target.write_text(json.dumps(counts), encoding="utf-8")

    path = cached_file(f"fit-{digest(text, script, COUNTED, yosys.version())}.json", make)
    return json.loads(path.read_text(encoding="utf-8"))


def _count(module: dict, family: Family) -> dict[str, int]:
    counts: dict[str, int] = {}
    for cell in module["cells"].values():
        counts[cell["type"]] = counts.get(cell["type"], 0) + 1
    for name, number in family.packing({"modules": {TOP: module}}).items():
        counts[name] = counts.get(name, 0) + number
    return counts


def _rtlil(run: Run, family: Family) -> tuple[str, list[str]]:
    """The design's text, and the module of each point."""
    if run.points[0].what.startswith("top:"):
        return _top_rtlil(run.points[0]), [TOP]
    designs = {(point.model, point.sizes) for point in run.points}
    if len(designs) == 1 and run.points[0].what in MODULES:
        text = rtlil.convert(_decoder_core(run.points[0], family), name=TOP)
        return text, [f"{TOP}.{MODULES[point.what]}" for point in run.points]
    units = [_unit(point, family) for point in run.points]
    if len(units) == 1:
        return rtlil.convert(units[0], name=TOP), [TOP]
    ports = [Value.cast(value) for unit in units for _, _, value in unit.signature.flatten(unit)]
    text = rtlil.convert(_SideBySide(units), ports=ports, name=TOP)
    return text, [f"{TOP}.unit{i}" for i in range(len(units))]


def _decoder_unit(point: Point):
    """One that can be without its core."""
    program = DecoderProgram(open_model(point.model, imported=True).model, point.hw)
    if point.what == "decoder sampler":
        return program.build_sampler()
    return Sequencer(program, DecoderIssueUnit(program))


def _decoder_core(point: Point, family: Family) -> DecoderCore:
    program = DecoderProgram(open_model(point.model, imported=True).model, point.hw)
    return DecoderCore(program, dsp=family.dsp)


def _unit(point: Point, family: Family):
    if point.what == DECODER_CORE:
        return _decoder_core(point, family)
    if point.what in MODULES:
        return _decoder_unit(point)
    program = Program(open_model(point.model).model, point.hw)
    if point.what == "core":
        return build_core(program, dsp=family.dsp)
    if point.what == "sequencer":
        return Sequencer(program, IssueUnit(program))
    units = program.build_units(family.dsp)
    may_stay_unused(*vars(units).values())
    return getattr(units, point.what)


def _top_rtlil(point: Point) -> str:
    target = board(point.what.partition(":")[2])
    program = Program(open_model(point.model).model, point.hw)
    top = target.build_top(program, target.default_clock_mhz)
    plan = target.build_platform(target.toolchains[0]).prepare(top, TOP)
    return plan.files[f"{TOP}.il"]
