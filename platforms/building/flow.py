"""The build: from a model's name to text, Verilog, resources and a bitstream."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

from rich.console import Console

from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.host.identification import Identification
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import Artifact, open_model, shipped_models
from gateformer.model.support.counted import counted
from gateformer.model.support.directories import require_writable
from gateformer.model.support.errors import UserError
from gateformer.model.support.inputs import protecting, reading
from gateformer.model.support.whole_file import complete_file, write_whole
from gateformer.model.text.options import text_options

from ..boards import programming
from ..boards.board import Board, board, boards
from ..firmware.build import build_firmware
from ..ip.export import export_board_ip
from ..place_and_route.toolchain_board import for_toolchain
from ..simulation import generation
from ..simulation.interleaved import InterleavedSimulator, check_together, core_simulator
from ..simulation.several_streams import Request
from ..simulation.streams_check import check_streams
from ..support.defaults import DEFAULT_CYCLES, DEFAULT_MODEL
from ..support.progress import UNWRAPPED, output_console, working
from ..support.progress import console as status
from . import report
from .board_flow import build_board, check_options
from .directory import IP_DIRECTORY, TIMELINE_NAME, build_directory, design_directory
from .listing import print_boards
from .options import refuse_alone, refuse_beside_list, refuse_imported, refuse_unheeded
from .size_choice import for_streams, sizes_of
from .streamed import (
    CHECKED_PROMPT,
    CHECKED_TOKENS,
    STREAMED_TOKENS,
    build_simulated,
    checked_simulator,
    is_streamed,
    program_of,
)
from .streamed_choice import with_ports
from .streams import checked_requests, on_chip_streams, streams_rows
from .text import BuildText
from .timeline import never_waiting, timeline_svg


@protecting
def build(arguments) -> None:
    """Everything ``build.py`` does; ``arguments`` as its parser gives them."""
    if arguments.list:
        refuse_beside_list(arguments)
        listed = boards() if arguments.board is None else _own(arguments.board)
        print_boards(listed, shipped_models(), output_console(UNWRAPPED), fits=arguments.fits)
        return
    output = output_console()
    if arguments.board is None:
        refuse_alone(arguments)
        raise UserError(f"name a board: {', '.join(boards())}; --help shows examples")
    target = board(arguments.board, arguments.variant)
    refuse_unheeded(target, arguments)
    target = with_ports(target, arguments.ports)
    reading(model=arguments.model)
    if arguments.waveform is not None:
        _check_waveform(arguments)
    artifact = open_model(
        DEFAULT_MODEL if arguments.model is None else arguments.model, imported=True
    )
    refuse_imported(artifact, target, arguments)
    directory = build_directory(target, artifact, arguments, DEFAULT_MODEL)
    if not arguments.export:
        target = for_toolchain(target, arguments.toolchain, directory)
    target = for_streams(artifact, target, arguments)
    clock = _clock(target, arguments)
    if target.budget is not None:
        check_options(target, arguments, clock)
    streamed = is_streamed(artifact, target)
    if streamed and arguments.tokens is None:
        arguments.tokens = STREAMED_TOKENS
    _check_request(artifact, arguments)
    program = program_of(artifact, target, arguments, lambda: sizes_of(artifact, target, arguments))
    if arguments.check:
        _check(artifact, program, target, clock, arguments, output)
        return
    with design_directory(directory, target, artifact, program, clock):
        _build_in(directory, artifact, program, target, clock, arguments, output)


def _own(name: str) -> dict[str, Board]:
    target = board(name)
    return {target.name: target}


def _build_in(
    directory: Path,
    artifact: Artifact,
    program: AnyProgram,
    target: Board,
    clock: float,
    arguments,
    output: Console,
) -> None:
    if arguments.export:
        ip, synthesis = directory / IP_DIRECTORY, not arguments.no_synthesis
        paths = export_board_ip(target, artifact, program, clock, ip, synthesis=synthesis)
        output.print("\n".join(map(str, paths)), markup=False, highlight=False, soft_wrap=True)
    elif arguments.firmware:
        paths = _build_firmware(artifact, program, target, clock, directory, output)
        if arguments.program:
            programming.program(programming.ZYNQ_PROGRAMMERS, paths[0], output)
    elif arguments.timeline:
        _write_timeline(artifact, program, arguments, directory, output)
    elif target.budget is None and not isinstance(program, StreamedProgram):
        _build_simulation(artifact, program, target, clock, directory, arguments, output)
    else:
        text = BuildText.of(artifact, arguments)
        if target.budget is None:
            build_simulated(artifact, program, target, clock, directory, text, output)
            return
        build_board(artifact, program, target, clock, directory, arguments, output, text)


def _build_firmware(artifact, program, target, clock, directory, output: Console) -> list[Path]:
    design = target.build_top(program, clock)
    identification = Identification.of(program, design.build_id, round(design.clock_mhz * 1000))
    paths = build_firmware(
        artifact.model,
        artifact.name,
        identification,
        target.processor,
        directory,
        None if target.memory is None else target.memory.size,
    )
    output.print("\n".join(map(str, paths)), markup=False, highlight=False, soft_wrap=True)
    return paths


def _check_request(artifact: Artifact, arguments) -> None:
    """UserError for what is asked of the model and cannot be, before sizes are searched for it."""
    if arguments.timeline:
        _position(artifact, arguments)
    elif not (arguments.export or arguments.firmware or arguments.check):
        BuildText.of(artifact, arguments)


def _clock(target: Board, arguments) -> float:
    if arguments.clock is None:
        return target.default_clock_mhz
    if not 1 <= arguments.clock <= 1000:
        raise UserError(f"clock must be 1 to 1000 MHz, not {arguments.clock:g}")
    return arguments.clock


def _check_waveform(arguments) -> None:
    folder = Path(arguments.waveform).parent
    if not folder.is_dir():
        raise UserError(f"--waveform {arguments.waveform}: there is no directory {folder}")
    require_writable(arguments.waveform, ".vcd", "--waveform")
    generation.parse_cycles(arguments.cycles or DEFAULT_CYCLES)


def _position(artifact: Artifact, arguments) -> int:
    ctx_len = artifact.model.config.ctx_len
    position = ctx_len // 2 if arguments.position is None else arguments.position
    if not 0 <= position < ctx_len:
        raise UserError(f"position must be 0 to {ctx_len - 1}, not {position}")
    return position


def _write_timeline(
    artifact: Artifact, program: AnyProgram, arguments, directory: Path, output: Console
) -> None:
    position = _position(artifact, arguments)
    path = directory / TIMELINE_NAME
    write_whole(path, timeline_svg(program, position))
    streams = program.streams if isinstance(program, StreamedProgram) else 1
    what = "one token" if streams == 1 else f"a token of each of {streams} streams"
    output.print(
        f"{what} at position {position:,}: {program.cycles(position):,} cycles"
        f"{never_waiting(program)}; {path}",
        soft_wrap=True,
    )


def _build_simulation(
    artifact, program, target, clock, directory, arguments, output: Console
) -> None:
    text = BuildText.of(artifact, arguments)
    waveform = None
    with contextlib.ExitStack() as written:
        if arguments.waveform is not None:
            path = written.enter_context(complete_file(arguments.waveform))
            waveform = (path, *generation.parse_cycles(arguments.cycles or DEFAULT_CYCLES))
        simulator = core_simulator(program, waveform=waveform)
        text.print(simulator, output)
        simulator.simulation.close_waveform()
    cycles = report.counted_cycles(program, simulator)
    result = report.build_report(artifact, program, target, clock, cycles)
    result |= on_chip_streams(simulator, clock)
    result["files"] = [str(directory / report.REPORT)]
    report.write_report(result, directory)
    status.print(
        f"cycles per greedy token: first {cycles['by_position'][0]:,}, mean {cycles['mean']:,.1f}, "
        f"last {cycles['by_position'][-1]:,} ({cycles['source']}); {result['files'][0]}"
    )
    if "streams" in result:
        for row in streams_rows(result["streams"], clock):
            status.print(": ".join(row), soft_wrap=True)


def _check(artifact, program, target, clock, arguments, output: Console) -> None:
    """Gateware against reference on every tap and token, greedy and sampled."""
    streamed = isinstance(program, StreamedProgram)
    if streamed:
        simulator = checked_simulator(program, target.memory, clock)
    else:
        simulator = core_simulator(program, taps=True)
    model = artifact.model
    cfg, seed = model.config, text_options(arguments, model.config.vocab_size).seed
    rng = random.Random(seed)
    sampled = generation.settings_of(model).from_user(
        temperature=1.0,
        top_k=max(cfg.vocab_size // 2, 1),
        seed=seed,
        logit_scale=model.logit_scale,
        vocab_size=cfg.vocab_size,
    )
    for name, settings in (("greedy", type(sampled)()), ("sampled, top-k", sampled)):
        length, count = rng.randint(1, max(cfg.ctx_len // 2, 1)), cfg.ctx_len
        if streamed:
            length, count = min(length, CHECKED_PROMPT), min(count, CHECKED_TOKENS)
        if program.streams > 1:
            requests = checked_requests(rng, program.streams, cfg, length, count, settings)
            _check_streams(simulator, requests, name, output)
            continue
        prompt = [rng.randrange(cfg.vocab_size) for _ in range(length)]
        with working(f"comparing {counted(length + count, 'token')}, {name}"):
            tokens, integers = generation.check_everything(
                artifact, program, prompt, count, settings, simulator
            )
        output.print(
            f"{name}: {counted(length, 'prompt token')}, {counted(tokens, 'generated token')}, "
            f"{integers:,} integers on all taps: gateware equals reference",
            soft_wrap=True,
        )


def _check_streams(simulator, requests: dict[int, Request], name: str, output: Console) -> None:
    prompts = sum(len(request.prompt) for request in requests.values())
    with working(f"comparing {len(requests)} streams at once, {name}"):
        on_chip = isinstance(simulator, InterleavedSimulator)
        check = check_together if on_chip else check_streams
        tokens, integers = check(simulator, requests)
    output.print(
        f"{name}: {len(requests)} streams, {counted(prompts, 'prompt token')}, "
        f"{counted(tokens, 'generated token')}, "
        f"{integers:,} integers on all taps: gateware equals reference",
        soft_wrap=True,
    )
