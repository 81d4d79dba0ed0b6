"""What firmware and bus cost beside the core: ``gateformer firmware-bench``.

Runs ``/bench`` and a text on an emulated processor (:mod:`platforms.firmware.zynq_emulator` says
with which times) with the simulated accelerator.
"""

from __future__ import annotations

import argparse
import dataclasses
import re

from rich.table import Table
from rich.text import Text

from gateformer.gateware.console.imported.pieces import Pieces
from gateformer.gateware.host.any_core import compile_model
from gateformer.model.contract.artifact import Artifact, open_model
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.cli import ArgumentParser, run
from gateformer.model.support.errors import UserError

from ..boards.board import board
from ..firmware.zynq_emulator import ZynqEmulator, require_unicorn
from ..simulation.generation import refuse_too_large
from ..simulation.simulated_registers import SimulatedRegisters
from ..sizes.sizing import choose_sizes
from ..support.defaults import DEFAULT_MODEL
from ..support.progress import output_console, working
from .emulated_console import CLOCK_KHZ, firmware_emulator

MAX_CYCLES = 1000
_COUNTS = re.compile(r"text (\d+) tokens, (\d+) cycles")
_WALL_CLOCK = re.compile(r"wall clock (\d+) us")


@dataclasses.dataclass(frozen=True)
class Overhead:
    """One generation as firmware and simulation count it.

    ``cycles`` are the core's; ``microseconds`` is the firmware's own clock, 0 if it tells none.
    ``seconds``, ``instructions`` and ``accesses`` to the accelerator are those from the write that
    starts the core to the read of its last token; ``access_cycles`` is what one takes on the bus.
    """

    tokens: int
    cycles: int
    microseconds: int
    seconds: float
    instructions: int
    accesses: int
    access_cycles: float


def measure(emulator: ZynqEmulator, line: str) -> Overhead:
    """Have the firmware answer a line that generates; UserError with what it says if it refuses."""
    cycles, accesses = emulator.registers.access_cycles, emulator.accesses
    emulator.uart.arrive(f"{line}\r".encode())
    answer = emulator.run().decode("utf-8", "replace")
    counts, clock = _COUNTS.search(answer), _WALL_CLOCK.search(answer)
    if counts is None:
        raise UserError(f"the firmware refuses {line!r}: {answer.strip()!r}; name another model")
    begin, end = emulator.start, emulator.last_token
    return Overhead(
        tokens=int(counts[1]),
        cycles=int(counts[2]),
        microseconds=int(clock[1]) if clock else 0,
        seconds=end.seconds - begin.seconds,
        instructions=end.instructions - begin.instructions,
        accesses=end.accesses - begin.accesses,
        access_cycles=(emulator.registers.access_cycles - cycles) / (emulator.accesses - accesses),
    )


def table(name: str, measured: dict[str, Overhead]) -> Table:
    """One column for each generation."""
    result = Table(title=Text(f"{name}: core simulated, {CLOCK_KHZ / 1000:g} MHz"))
    for heading in ("", *measured):
        result.add_column(heading, justify="right" if heading else "left")
    clock = CLOCK_KHZ / 1000  # MHz

    def per_token(value):
        return lambda o: f"{value(o) / o.tokens:,.1f}"

    rows = {
        "generated, tokens": lambda o: f"{o.tokens:,}",
        "core, cycles per token": per_token(lambda o: o.cycles),
        "core, us": lambda o: f"{o.cycles / clock:,.2f}",
        "start to last token, us": lambda o: f"{o.seconds * 1e6:,.2f}",
        "firmware and bus, us per token": lambda o: (
            f"{(o.seconds * 1e6 - o.cycles / clock) / o.tokens:.3f}"
        ),
        "the whole run by the A9's timer, us": lambda o: (
            f"{o.microseconds:,}" if o.microseconds else "–"
        ),
        "accesses to the core per token": per_token(lambda o: o.accesses),
        "core cycles on the bus per access": lambda o: f"{o.access_cycles:.1f}",
        "instructions per token": per_token(lambda o: o.instructions),
    }
    for row, shown in rows.items():
        result.add_row(row, *map(shown, measured.values()))
    return result


def parser() -> argparse.ArgumentParser:
    """Command line of the measurement."""
    p = ArgumentParser(
        prog="gateformer firmware-bench",
        description="Measure what firmware and bus cost per token, on an emulated processor.",
    )
    p.add_argument("--model", default=DEFAULT_MODEL, help="shipped name, artifact file or random:…")
    p.add_argument(
        "--cycles-per-instruction",
        type=float,
        default=1.0,
        metavar="N",
        help="of the processor; 1 (default) is as from its caches, 40 about as without",
    )
    return p


def _letter(artifact: Artifact) -> str:
    """The first one that the model has a token for; UserError if there is none."""
    model = artifact.model
    if isinstance(model, DecoderModel):
        pieces = Pieces.of(model)
        texts = [chr(byte) for byte in range(128) if pieces.of_bytes[byte] is not None]
    else:
        texts = model.vocabulary
    known = next((text for text in texts if text.isalpha()), None)
    if known is None:
        raise UserError(f"{artifact.name} has no letter to type; name another model")
    return known


def main() -> None:
    arguments = parser().parse_args()
    per_instruction = arguments.cycles_per_instruction
    if not 0 < per_instruction <= MAX_CYCLES:
        raise UserError(
            f"cycles per instruction must be above 0 and at most {MAX_CYCLES}, not "
            f"{per_instruction:g}"
        )
    require_unicorn()  # before minutes of compiling
    artifact = open_model(arguments.model, imported=True)
    refuse_too_large(artifact)
    known = _letter(artifact)
    program = compile_model(artifact.model, choose_sizes(artifact.model, board("sim")))
    registers = SimulatedRegisters(program, clock_khz=CLOCK_KHZ)
    emulator = firmware_emulator(
        artifact, program, registers, cycles_per_instruction=per_instruction
    )
    with working("booting"):
        emulator.run()
    measured = {}
    for name, line in (("/bench", "/bench"), (f"text after {known!r}", known)):
        with working(f"generating, {name}"):
            measured[name] = measure(emulator, line)
    output_console().print(table(artifact.name, measured))


if __name__ == "__main__":
    run(main)
