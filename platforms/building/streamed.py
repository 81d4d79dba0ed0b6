"""``build.py sim`` for a model that block memories do not hold, with a modelled memory."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from pathlib import Path

from gateformer.gateware.memory.bus import MemoryShape
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError
from gateformer.model.text.options import flag

from ..boards.target import Board
from ..simulation import generation
from ..simulation.simulated_memory import MemoryTiming
from ..simulation.streamed_simulation import StreamedSimulator
from ..support.progress import console as status
from ..support.progress import working
from . import report

MEMORY = MemoryShape(ports=4, data_bytes=8)
"""The four HP ports of a Zynq-7000."""
TIMING = MemoryTiming(latency=(30, 120), refresh=(780, 26), shared=24)
"""Three quarters of what the ports could carry."""
STREAMED_TOKENS = 8
"""A token of a large model takes half a minute."""
_NOT_STREAMED = ("check", "waveform", "lanes", "timeline", "export", "refeed")


def is_streamed(artifact: Artifact, target: Board) -> bool:
    """Whether the simulation reads the model from a modelled memory."""
    imported = isinstance(artifact.model, DecoderModel)
    return imported and target.budget is None and generation.is_large(artifact)


def refuse_not_streamed(artifact: Artifact, arguments: argparse.Namespace) -> None:
    """UserError naming an option that the core of a streamed model does not have as yet."""
    for option in _NOT_STREAMED:
        if getattr(arguments, option) not in (None, False):
            raise UserError(
                f"{artifact.name} has {artifact.model.config.n_weights:,} weights, which its core "
                f"reads from external memory; {flag(option)} is not there for such a core yet: "
                "leave it out"
            )


def streamed_program(artifact: Artifact) -> StreamedProgram:
    """The program of a model's streamed core, with a line that says so."""
    status.print(
        f"{artifact.name} has {artifact.model.config.n_weights:,} weights, more than block "
        f"memories hold: its core reads them from a modelled memory ({_source(MEMORY, TIMING)})",
        soft_wrap=True,
    )
    with working("compiling the program and the memory's image"):
        return StreamedProgram(artifact.model, MEMORY)


def build_streamed(
    artifact: Artifact,
    program: StreamedProgram,
    target: Board,
    clock_mhz: float,
    directory: Path,
    print_text,
) -> None:
    """Text, cycles and what the memory gave, and ``report.json``.

    ``print_text`` generates the text with the simulator that it is given.
    """
    simulator = StreamedSimulator(program, timing=TIMING)
    with working("simulating"):
        print_text(simulator)
    cycles = report.cycles_section(
        program.cycles_by_position(), "predicted for a memory that never waits"
    )
    result = report.build_report(artifact, program, target, clock_mhz, cycles)
    result["memory"] = memory = memory_section(simulator, clock_mhz)
    result["tokens_per_second"] = {
        "value": clock_mhz * 1e6 / memory["cycles_per_token"],
        "clock_mhz": clock_mhz,
        "basis": "simulated cycles (mean of the text's tokens, modelled memory) x assumed clock",
    }
    result["files"] = [str(directory / report.REPORT)]
    report.write_report(result, directory)
    status.print(
        f"{memory['cycles_per_token']:,.0f} cycles per token, at least "
        f"{cycles['by_position'][0]:,} with a memory that never waits; {memory['share']:.1%} of "
        f"the modelled bandwidth; "
        f"{result['tokens_per_second']['value']:.1f} tokens per second at {clock_mhz:g} MHz "
        f"(assumed); {result['files'][0]}",
        soft_wrap=True,
    )


def memory_section(simulator: StreamedSimulator, clock_mhz: float) -> dict:
    """What a token took of the memory, mean of all that followed another one in the text."""
    shape = simulator.program.memory
    steps = list(itertools.pairwise(simulator.stamps))
    if not steps:  # a text of one token: with its prompt
        steps = [((simulator.first_beat, 0), simulator.stamps[0])]
    cycles = sum(after[0] - before[0] for before, after in steps) / len(steps)
    read = shape.data_bytes * sum(after[1] - before[1] for before, after in steps) / len(steps)
    rate = min(TIMING.shared or shape.word_bytes, shape.word_bytes)
    return {
        "bytes_per_token": read,
        "cycles_per_token": cycles,
        "bandwidth_bytes_per_s": rate * clock_mhz * 1e6,
        "share": read / (cycles * rate),
        "source": f"modelled: {_source(shape, TIMING)}",
        "timing": dataclasses.asdict(TIMING),
    }


def _source(shape: MemoryShape, timing: MemoryTiming) -> str:
    return (
        f"{shape.ports} ports of {shape.data_bytes} bytes, together {timing.shared:g} bytes per "
        f"cycle, latency {timing.latency[0]} to {timing.latency[1]} cycles, refresh "
        f"{timing.refresh[1]} of {timing.refresh[0]}"
    )
