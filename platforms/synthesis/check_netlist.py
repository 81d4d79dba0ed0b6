"""Is the synthesized netlist the design? ``gateformer check-netlist [MODEL] --family F``.

The netlist's block memories are read out and compared with the memory images, and the netlist,
simulated with models of its primitives, has to generate the reference's tokens. Of an imported
model the core is made as ``gateformer sim`` makes it, as wide as ``--lanes`` says.
"""

from __future__ import annotations

import dataclasses
import time

from amaranth.back import rtlil

from gateformer.gateware.core.taps import Mismatch
from gateformer.gateware.host.any_core import AnyProgram, build_core, compile_model
from gateformer.gateware.plan.hw_config import MAX_SIZES, HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.contract.integer_model import IntegerModel
from gateformer.model.support.cli import ArgumentParser, run, within
from gateformer.model.support.errors import UserError

from ..families.ecp5 import ECP5
from ..families.family import Family
from ..families.xc7 import OPENXC7, XC7
from ..families.xcup import XCUP
from ..simulation.generation import reference_of, refuse_too_large, settings_of
from ..support.defaults import DEFAULT_MODEL
from ..support.progress import output_console, working
from .images import check_images
from .mapping import MemoryMapping, map_memories
from .memories import MappedMemory, read_memories, source_memories
from .netlist import Module, read_module
from .simulation import NetlistSimulator
from .synthesis import TOP, synthesize_rtlil

FAMILIES: dict[str, Family] = {"xc7": XC7, "openxc7": OPENXC7, "xcup": XCUP, "ecp5": ECP5}
"""Families whose primitives are modelled; the 7 series also as it is synthesized for openXC7."""

DEFAULT_TOKENS = 8
MAX_TOKENS = 1_000_000
SIZES = ("rows", "cols", "lanes", "packing")
_PROMPT_LENGTH = 3
_SEED = 1


@dataclasses.dataclass(frozen=True)
class NetlistReport:
    """A netlist that passed.

    Attributes
    ----------
    family : str
    tokens : int
        Tokens of each of the two generations, greedy and sampled, that equal the reference's.
    cycles : int
        Simulated clock cycles.
    memories : tuple of MappedMemory
        Memories in block memories: names, cells, bits.
    seconds : float
        Of the whole check; little if its parts were kept from an earlier one.
    """

    family: str
    tokens: int
    cycles: int
    memories: tuple[MappedMemory, ...]
    seconds: float


def check_netlist(
    program: AnyProgram, family: str, *, tokens: int = DEFAULT_TOKENS
) -> NetlistReport:
    """Synthesize the core of ``program`` and compare the netlist with the design.

    Takes minutes for a core that was not synthesized on this machine before.

    Raises
    ------
    Mismatch
        Naming memory, address and bit, or token, at the first difference.
    UserError
        For an unknown family, fewer tokens than 1, or without a C++ compiler.
    ValueError
        If the netlist has something that is not modelled.
    ToolError
        If a tool fails.
    """
    _check(family, tokens)
    started = time.perf_counter()
    made_for = FAMILIES[family]
    design = rtlil.convert(build_core(program, dsp=made_for.dsp), name=TOP, emit_src=False)
    mapping = map_memories(design, made_for)
    with working(f"synthesis for {family}"):
        netlist = read_module(synthesize_rtlil(design, made_for).netlist, TOP)
    memories = check_memories(program, netlist, mapping, made_for.name)
    generated, cycles = check_tokens(program, netlist, made_for.name, tokens)
    seconds = time.perf_counter() - started
    return NetlistReport(family, generated, cycles, tuple(memories), seconds)


def _check(family: str, tokens: int) -> None:
    if family not in FAMILIES:
        raise UserError(f"family must be one of {', '.join(FAMILIES)}, not {family!r}")
    if tokens < 1:
        raise UserError(f"tokens must be at least 1, not {tokens}")
    if tokens > MAX_TOKENS:
        raise UserError(f"tokens must be at most {MAX_TOKENS}, not {tokens}")


def check_memories(
    program: AnyProgram, netlist: Module, mapping: MemoryMapping, family: str
) -> list[MappedMemory]:
    """Compare images with the design's memories and those with the netlist's block memories.

    Returns the memories in block memories. Raises as :func:`check_netlist`.
    """
    check_images(program, source_memories(mapping))
    with working("reading the netlist's memories"):
        memories = read_memories(netlist, mapping, family)
    for memory in memories:
        memory.check()
    return memories


def check_tokens(program: AnyProgram, netlist: Module, family: str, tokens: int) -> tuple[int, int]:
    """Greedy and sampled tokens of the simulated netlist; (tokens of each, cycles).

    Raises Mismatch at the first token that is missing, not the reference's, or too late.
    """
    model, config = program.model, program.model.config
    simulator = NetlistSimulator(program, netlist, family)
    prompt = [i % config.vocab_size for i in range(1, min(_PROMPT_LENGTH, config.ctx_len) + 1)]
    kind = settings_of(model)
    sampled = kind.from_user(
        temperature=2.0,  # the smallest change of a logit may change the token
        top_k=max(config.vocab_size // 2, 1),
        seed=_SEED,
        logit_scale=model.logit_scale,
        vocab_size=config.vocab_size,
    )
    with working(f"simulating the {family} netlist"):
        for name, settings in (("greedy", kind()), ("sampled", sampled)):
            expected = list(reference_of(model).generate(prompt, tokens, settings))
            actual = simulator.generate(prompt, tokens, settings)
            for number, reference in enumerate(expected):
                try:
                    token, _ = next(actual)
                except (RuntimeError, StopIteration):
                    raise Mismatch(f"{name} token {number}: the netlist emits none") from None
                if token != reference:
                    raise Mismatch(f"{name} token {number}: netlist {token}, reference {reference}")
    return len(expected), simulator.simulation.cycles


def _sizes(model: IntegerModel | DecoderModel, given: dict) -> HwConfig:
    """The default's, or those that are given; UserError naming one that the core has not."""
    if isinstance(model, DecoderModel):
        for name in given:
            if name != "lanes":
                raise UserError(
                    f"--{name} {given[name]}: the core of an imported model has --lanes alone; "
                    f"leave --{name} out"
                )
    return HwConfig(**given)


def main() -> None:
    """Check one model's netlist and print what was compared."""
    parser = ArgumentParser(prog="gateformer check-netlist", description=__doc__)
    add = parser.add_argument
    what = "shipped name, artifact file or random:…"
    add("model", nargs="?", default=DEFAULT_MODEL, help=what)
    add("--family", default=XC7.name, help=f"what it is synthesized for: {', '.join(FAMILIES)}")
    what = "to generate greedily, and as many drawn"
    add("--tokens", type=within(int, 1, MAX_TOKENS), default=DEFAULT_TOKENS, help=what)
    for name, what in (
        ("rows", "output rows of the ternary engine per cycle"),
        ("cols", "input columns of the ternary engine per cycle"),
        ("lanes", "INT8 multipliers; of an imported model's sizes the only one"),
    ):
        add(f"--{name}", type=within(int, 1, MAX_SIZES[name]), help=what)
    add("--packing", help="of trits in memory: 2bit, or 3in5")
    arguments = parser.parse_args()
    _check(arguments.family, arguments.tokens)
    given = {name: getattr(arguments, name) for name in SIZES}
    artifact = open_model(arguments.model, imported=True)
    refuse_too_large(artifact)
    model = artifact.model
    given = {name: value for name, value in given.items() if value is not None}
    program = compile_model(model, _sizes(model, given))
    report = check_netlist(program, arguments.family, tokens=arguments.tokens)
    output = output_console()
    for memory in report.memories:
        output.print(
            f"{memory.name}: {memory.words.shape[0]:,} × {memory.words.shape[1]} bits in "
            f"{len(memory.cells)} block memories equal",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
    output.print(
        f"{report.family}: {sum(len(memory.cells) for memory in report.memories)} block memories, "
        f"{report.tokens} greedy and {report.tokens} sampled tokens equal the reference "
        f"({report.cycles:,} cycles); {report.seconds:.0f} s",
        soft_wrap=True,
        highlight=False,
    )


if __name__ == "__main__":
    run(main)
