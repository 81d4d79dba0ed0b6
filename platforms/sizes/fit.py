"""Search of hardware sizes to a board's budget: ``gateformer fit MODEL --board B``.

All sizes that make sense for a model, with exact mean cycles per token (from the program) and
predicted resources; the Pareto front, and the choice that ``build.py`` takes. See docs/fit.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from gateformer.gateware.plan.hw_config import MOST_STREAMS
from gateformer.model.contract.artifact import Artifact, open_model
from gateformer.model.support.cli import ArgumentParser, number_or, run, within
from gateformer.model.support.directories import made_directory, require_writable
from gateformer.model.support.errors import UserError
from gateformer.model.support.inputs import protecting, reading
from gateformer.model.support.whole_file import write_whole

from ..boards.board import Board, board
from ..place_and_route.toolchain_board import for_toolchain
from ..support.defaults import AUTO, DEFAULT_MODEL, several_streams
from ..support.progress import console as status
from ..support.progress import output_console
from .families import CALIBRATED, FAMILIES
from .named_board import boards_with_budget

KINDS = ("trained", "imported", "interleaved")
"""Kinds of models whose cores are calibrated (:data:`platforms.sizes.calibrate.KINDS`)."""
PICTURE_DIRECTORY = Path("build")
MAX_JOBS = 1024
NO_FIT = 1
"""Exit status if no sizes fit, or a choice does not."""
STATUS = (
    "exit status: 0; 1 if no sizes fit the board, without --board any board, or if --verify finds "
    "that a choice fails; 2 if it can't be done"
)


def parser() -> argparse.ArgumentParser:
    """Command line."""
    p = ArgumentParser(
        prog="gateformer fit",
        description="Search the hardware sizes of a model for a board's budget: rows, columns, "
        "lanes and packing; of a model that block memories do not hold, ports of the board's "
        "memory and streams, texts side by side (docs/fit.md).",
        epilog=STATUS,
    )
    p.add_argument(
        "model",
        nargs="?",
        help=f"shipped name, artifact file or random:n_layers=…,seed=… (default: {DEFAULT_MODEL})",
    )
    p.add_argument("--board", help="board to search for (default: one line for every board)")
    p.add_argument("--variant", help="of a board that is made with several devices")
    p.add_argument(
        "--toolchain", help="search within what this toolchain can use (default: the device)"
    )
    p.add_argument(
        "--streams",
        type=number_or(AUTO, within(int, 1, MOST_STREAMS)),
        metavar=f"N|{AUTO}",
        help="texts side by side that a trained model's core is sized for (default: 1), or the "
        "numbers of streams and cores with the most tokens of all together",
    )
    p.add_argument(
        "--cores",
        type=within(int, 1, MOST_STREAMS),
        metavar="N",
        help="cores side by side, with so many streams each, of a trained model (default: 1)",
    )
    p.add_argument("--json", metavar="FILE", help="write every candidate")
    p.add_argument("--no-picture", action="store_true", help="do not draw build/fit-….svg")
    p.add_argument(
        "--verify", action="store_true", help="synthesize the choice and its rivals (long)"
    )
    p.add_argument(
        "--calibrate",
        action="store_true",
        help="synthesize what the predictions come from and write resource_data.json (long)",
    )
    what = f"of --calibrate: {', '.join(FAMILIES)} (default: {', '.join(CALIBRATED)})"
    p.add_argument("--family", help=what)
    p.add_argument("--kind", help=f"of --calibrate: {', '.join(KINDS)} (default: all)")
    jobs = "syntheses at a time (default: 1)"
    p.add_argument("--jobs", type=within(int, 1, MAX_JOBS), help=jobs)
    p.add_argument("--scheduler", metavar="ADDRESS", help="dask scheduler that runs the syntheses")
    return p


@protecting
def main() -> int | None:
    arguments = parser().parse_args()
    _refuse_unheeded(arguments)
    if arguments.model is None:
        arguments.model = DEFAULT_MODEL
    if arguments.jobs is None:
        arguments.jobs = 1
    if arguments.calibrate:
        return _calibrate(arguments)
    reading(model=arguments.model)
    if arguments.json is not None:  # before anything long is done for nothing
        require_writable(arguments.json, ".json", "--json")
    targets = _targets(arguments)
    if arguments.verify:
        return _verify(arguments, targets)
    if arguments.board is None:
        return _every_board(arguments, targets)
    return _one_board(arguments, targets[0])


def _refuse_unheeded(arguments) -> None:
    """UserError naming the first option that has no effect with the others."""
    if arguments.family is not None and not arguments.calibrate:
        raise UserError("--family goes with --calibrate; a board has its family")
    if arguments.kind is not None and not arguments.calibrate:
        raise UserError("--kind goes with --calibrate; a model has its kind of core")
    if arguments.calibrate:
        others = ("model", "board", "variant", "toolchain", "streams", "cores", "json")
        others += ("no_picture", "verify")
        _refuse(arguments, "--calibrate", others)
    elif arguments.verify:
        if arguments.no_picture:
            raise UserError("--verify draws no picture; leave --no-picture out")
        _refuse(arguments, "--verify", ("streams", "cores", "json"))
    else:
        for option in ("jobs", "scheduler"):
            if getattr(arguments, option) is not None:
                raise UserError(f"--{option} goes with --verify or --calibrate, which synthesize")
        if arguments.board is None and arguments.no_picture:
            raise UserError("--no-picture needs --board; of all boards there is no picture")
    for option in ("variant", "toolchain", "streams", "cores"):
        if getattr(arguments, option) is not None and arguments.board is None:
            raise UserError(f"--{option} is for one board; name it with --board")
    if arguments.streams == AUTO and arguments.cores is not None:
        raise UserError(f"--streams {AUTO} chooses the cores, too; leave --cores out")
    if arguments.verify and arguments.toolchain is not None:
        raise UserError("--verify synthesizes for the whole device; leave --toolchain out")


def _refuse(arguments, mode: str, others: tuple[str, ...]) -> None:
    for option in others:
        if getattr(arguments, option):
            given = arguments.model if option == "model" else f"--{option.replace('_', '-')}"
            raise UserError(f"{mode} does not heed {given}; leave one of them out")


def _targets(arguments) -> list[Board]:
    """The boards to search for, variants one by one."""
    if arguments.board is not None:
        target = board(arguments.board, arguments.variant, synthesized=True)
        if arguments.toolchain is not None:
            target = for_toolchain(target, arguments.toolchain)
        return [target]
    return boards_with_budget()


def _one_board(arguments, target: Board) -> int:
    """The exit status of :data:`STATUS`."""
    from .decoder.lanes import TooManyBits
    from .interleaved.report import print_together, refuse_imported
    from .picture import matplotlib_missing, picture
    from .report import document, print_search
    from .search import choose, search
    from .streamed.search import can_be_streamed

    artifact = open_model(arguments.model, imported=True)
    for option in ("streams", "cores"):
        if getattr(arguments, option) is not None:
            refuse_imported(artifact, option)
    target = target.with_streams(several_streams(arguments))
    if arguments.streams == AUTO:
        found = print_together(artifact, target, output_console())
        _write_json(arguments, document(artifact.name, found, target))
        return 0 if choose(found) is not None else NO_FIT
    drawn = not arguments.no_picture and not matplotlib_missing()
    if drawn:
        _check_picture()
    try:
        streams, cores = arguments.streams or 1, arguments.cores or 1
        candidates = search(artifact.model, target, streams=streams, cores=cores)
    except TooManyBits as error:
        if can_be_streamed(artifact.model, target):
            return _streamed(arguments, artifact, target)
        output_console().print(str(error), markup=False, soft_wrap=True)
        _write_json(arguments, document(artifact.name, [], target))
        return NO_FIT
    if choose(candidates) is None and can_be_streamed(artifact.model, target):
        return _streamed(arguments, artifact, target)
    print_search(artifact.name, candidates, target, output_console())
    if not arguments.no_picture and matplotlib_missing():
        status.print(f"no picture: {matplotlib_missing()}", markup=False, soft_wrap=True)
    elif drawn:
        name = _file_name(_searched(arguments, artifact))
        path = PICTURE_DIRECTORY / f"fit-{target.label}-{name}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, picture(artifact.name, candidates, target))
        status.print(str(path))
    _write_json(arguments, document(artifact.name, candidates, target))
    return 0 if choose(candidates) is not None else NO_FIT


def _streamed(arguments, artifact, target: Board) -> int:
    """As :func:`_one_board`, of a model that the core reads from external memory."""
    from .streamed.report import document, print_choices
    from .streamed.search import best, search

    found = search(artifact.model, target)
    print_choices(artifact.name, found, target, output_console())
    _write_json(arguments, document(artifact.name, found, target))
    return NO_FIT if best(found) is None else 0


def _check_picture() -> None:
    """Before the search, that takes a while."""
    try:
        with made_directory(PICTURE_DIRECTORY):
            pass
    except UserError as error:
        place = PICTURE_DIRECTORY.absolute()
        raise UserError(
            f"the picture goes to {place}: {str(error).partition(';')[0]}; work in another "
            "directory, or add --no-picture"
        ) from None


def _every_board(arguments, targets: list[Board]) -> int:
    """As :func:`_one_board`."""
    from .report import choices_table, document, from_memory, no_board_fits
    from .search import search_all

    artifact = open_model(arguments.model, imported=True)
    found = search_all(artifact.model, targets)
    output_console().print(choices_table(artifact.name, found))
    remark = from_memory(artifact, found)
    if remark:
        output_console().print(remark, markup=False, soft_wrap=True)
    refusal = None if remark else no_board_fits(artifact.name, found)
    if refusal:
        output_console().print(refusal, markup=False, soft_wrap=True)
    _write_json(arguments, [document(artifact.name, c, target) for target, c in found])
    return NO_FIT if refusal else 0


def _write_json(arguments, content) -> None:
    if arguments.json is not None:
        write_whole(Path(arguments.json), json.dumps(content, indent=1) + "\n")


def _searched(arguments, artifact: Artifact) -> str:
    """The model, and what else the search was told."""
    several = [
        f"{number}-{name}"
        for name, number in (("streams", arguments.streams), ("cores", arguments.cores))
        if number not in (None, 1)
    ]
    return "-".join(filter(None, (artifact.name, *several, arguments.toolchain)))


def _file_name(model: str) -> str:
    return "".join(c if c.isalnum() or c in "-._" else "-" for c in model)


def _verify(arguments, targets: list[Board]) -> int:
    from .verify import NoChoice, print_verdict, verify

    verdicts = []
    for target in targets:
        try:
            verdict = verify(
                arguments.model, target, jobs=arguments.jobs, scheduler=arguments.scheduler
            )
        except NoChoice as error:
            if len(targets) == 1:
                raise
            output_console().print(str(error), markup=False, soft_wrap=True)
            continue
        print_verdict(verdict, arguments.model, target, output_console())
        verdicts.append(verdict.passed)
    return 0 if verdicts and all(verdicts) else NO_FIT


def _calibrate(arguments) -> None:
    from .calibrate import calibrate
    from .report import print_calibration

    names = list(CALIBRATED) if arguments.family is None else [arguments.family]
    for name in names:
        if name not in FAMILIES:
            raise UserError(f"unknown family {name!r}; known: {', '.join(FAMILIES)}")
    if arguments.kind not in (None, *KINDS):
        raise UserError(f"unknown kind {arguments.kind!r}; known: {', '.join(KINDS)}")
    kinds = KINDS if arguments.kind is None else [arguments.kind]
    data = calibrate(names, kinds, jobs=arguments.jobs, scheduler=arguments.scheduler)
    print_calibration(data, names, kinds, output_console())


if __name__ == "__main__":
    run(main)
