"""``build.py`` for a model that block memories do not hold: its core, image and modelled memory."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from gateformer.gateware.host.any_core import AnyProgram, compile_model
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import Artifact
from gateformer.model.support.counted import counted
from gateformer.model.support.errors import UserError
from gateformer.model.text.options import flag

from ..boards.external_memory import ExternalMemory
from ..boards.target import Board
from ..host.image_file import image_of
from ..simulation import generation
from ..simulation.simulated_memory import MemoryTiming
from ..simulation.streamed_model import memory_timing, streamed_program, write_weights
from ..simulation.streamed_simulation import StreamedSimulator
from ..simulation.streams import StreamsSimulator
from ..sizes.decoder.lanes import block_memory_bits, code_bits
from ..sizes.streamed.search import can_be_streamed
from ..support.progress import console as status
from ..support.progress import working
from . import report
from .streamed_choice import refuse_on_chip, streams_of
from .streams import Rate, streams_rows, streams_section, together
from .text import BuildText

STREAMED_TOKENS = 8
"""A token of a large model takes half a minute."""
CHECKED_PROMPT, CHECKED_TOKENS = 8, 16
"""Tokens of a prompt and after it that ``--check`` compares, at most."""
_NOT_STREAMED = ("waveform", "lanes", "refeed")


def is_streamed(artifact: Artifact, target: Board) -> bool:
    """Whether the core reads the model from external memory: its weights alone are more than the
    block memories hold, or more than a simulation without a memory takes."""
    if not can_be_streamed(artifact.model, target):
        return False
    if target.budget is None:
        return generation.is_large(artifact)
    there = block_memory_bits(target.family, target.budget.bram)
    return code_bits(artifact.model) > there


def refuse_not_streamed(artifact: Artifact, arguments: argparse.Namespace) -> None:
    """UserError naming an option that the core of a streamed model does not have as yet."""
    for option in _NOT_STREAMED:
        if getattr(arguments, option) not in (None, False):
            raise UserError(
                f"{artifact.name} has {artifact.model.config.n_weights:,} weights, which its core "
                f"reads from external memory; {flag(option)} is not there for such a core yet: "
                "leave it out"
            )


def program_of(
    artifact: Artifact,
    target: Board,
    arguments: argparse.Namespace,
    sizes: Callable[[], HwConfig],
) -> AnyProgram:
    """The program of a core of ``sizes()``, or of one that reads external memory if the model
    :func:`is_streamed`, or if no sizes fit. UserError as ``sizes``, and of what cannot be streamed.
    """

    def streamed() -> StreamedProgram:
        return streamed_program(artifact, target.memory, streams_of(artifact, target, arguments))

    if is_streamed(artifact, target):
        return streamed()
    try:
        chosen = sizes()
    except UserError:
        given = target.budget is None or arguments.lanes is not None
        if given or not can_be_streamed(artifact.model, target):
            raise
        refuse_not_streamed(artifact, arguments)
        return streamed()
    refuse_on_chip(artifact, target, arguments)
    return compile_model(artifact.model, chosen)


@dataclasses.dataclass(frozen=True)
class StreamedText:
    """What the compiled simulation with a modelled memory came to.

    Attributes
    ----------
    text : str
    cycles : dict, a report's section, of a memory that never waits
    sections : dict, those of a report that a memory adds or changes
    """

    text: str
    cycles: dict
    sections: dict


def simulate(
    program: StreamedProgram,
    memory: ExternalMemory,
    clock_mhz: float,
    image: Path,
    text: BuildText,
    output: Console,
) -> StreamedText:
    """Text of the core whose memory holds an image file, which it verifies first; with several
    streams the first one's, and then what all of them generate at once.

    UserError if the image is not the model's.
    """
    timing = memory_timing(memory, clock_mhz)
    several = program.streams > 1
    kind = StreamsSimulator if several else StreamedSimulator
    simulator = kind(program, timing=timing, image=image_of(image))
    with working("reading the image against its checksum"):
        if not simulator.verify():
            raise UserError(
                f"{image} is damaged: its checksum is not the model's; remove it and build again"
            )
    printed = text.print(simulator, output)
    cycles = report.cycles_section(
        program.cycles_by_position(), "predicted for a memory that never waits"
    )
    prompt = text.request.prompt
    section = memory_section(simulator, memory, timing, clock_mhz, len(prompt))
    speed = report.streamed_speed(section, clock_mhz)
    further = {"memory": section, "tokens_per_second": speed}
    further["saturations"] = simulator.simulation.get("saturations")
    if several:
        stamps = [cycle for cycle, _ in simulator.stamps]
        alone = Rate.of(simulator.first_beat, stamps, prompt)
        all_streams = together(simulator, text.request)
        further["streams"] = streams_section(alone, all_streams, program.streams, clock_mhz)
    return StreamedText(printed, cycles, further)


def checked_simulator(
    program: StreamedProgram, memory: ExternalMemory, clock_mhz: float
) -> StreamedSimulator:
    """A simulator with taps, and with a memory as that of a build's text."""
    kind = StreamsSimulator if program.streams > 1 else StreamedSimulator
    return kind(program, taps=True, timing=memory_timing(memory, clock_mhz))


def build_simulated(
    artifact: Artifact,
    program: StreamedProgram,
    target: Board,
    clock_mhz: float,
    directory: Path,
    text: BuildText,
    output: Console,
) -> None:
    """Of ``sim``: image, text, cycles and what the memory gave, and ``report.json``."""
    image = write_weights(artifact, program, directory)
    with working("simulating"):
        found = simulate(program, target.memory, clock_mhz, image, text, output)
    result = report.build_report(artifact, program, target, clock_mhz, found.cycles)
    result |= found.sections
    result["files"] = [str(image), str(directory / report.REPORT)]
    report.write_report(result, directory)
    memory = result["memory"]
    if "streams" in result:
        for row in streams_rows(result["streams"], clock_mhz):
            status.print(": ".join(row), soft_wrap=True)
    status.print(
        f"{memory['cycles_per_token']:,.0f} cycles per token, at least "
        f"{found.cycles['by_position'][0]:,} with a memory that never waits; "
        f"{memory['share']:.1%} of the modelled bandwidth; "
        f"{result['tokens_per_second']['value']:,.1f} tokens per second at {clock_mhz:g} MHz "
        f"(assumed); {result['files'][-1]}",
        soft_wrap=True,
    )


def memory_section(
    simulator: StreamedSimulator,
    memory: ExternalMemory,
    timing: MemoryTiming,
    clock_mhz: float,
    prompt_tokens: int,
) -> dict:
    """What a token took of the memory, mean of all that followed another one in the text; of a text
    of one token, mean of the prompt's."""
    shape, stamps = simulator.program.memory, simulator.stamps
    begun, count = stamps[0], len(stamps) - 1
    if not count:
        begun, count = (simulator.first_beat - 1, simulator.beats_before), prompt_tokens
    cycles, beats = ((end - begin) / count for begin, end in zip(begun, stamps[-1], strict=True))
    read = shape.data_bytes * beats
    rate = timing.shared
    source = (
        f"modelled: {memory.title}; {counted(shape.ports, 'port')} of {shape.data_bytes} bytes, "
        f"together {rate:.3g} bytes per cycle, latency {timing.latency[0]} to {timing.latency[1]} "
        f"cycles, refresh {timing.refresh[1]} of {timing.refresh[0]}"
    )
    return {
        "bytes_per_token": read,
        "cycles_per_token": cycles,
        "bandwidth_bytes_per_s": rate * clock_mhz * 1e6,
        "bound_tokens_per_s": rate * clock_mhz * 1e6 / read,
        "share": read / (cycles * rate),
        "image_bytes": simulator.program.facts.image_bytes,
        "memory_bytes": simulator.program.facts.memory_bytes,
        "source": source,
        "timing": dataclasses.asdict(timing),
    }
