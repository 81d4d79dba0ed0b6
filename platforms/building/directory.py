"""Where a build goes, and whose files are there: one directory holds one design.

``build/<board>`` is the default model's. Another model, and each size, clock or ``--reload`` that
is asked for, adds its name, so that nothing is replaced that was built with other options. What is
left in a directory by a design that has since changed, because the model file did, say, is removed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import Artifact
from gateformer.model.support.directories import made_directory
from gateformer.model.support.errors import UserError
from gateformer.model.support.whole_file import write_whole

from ..boards.target import Board
from ..firmware.build import FIRMWARE_FILES
from ..host.image_file import IMAGE_FILE
from ..ip.export import is_export
from ..ip.readme import FILES as IP_FILES
from ..place_and_route.project import LOG_NAME, MANIFEST_NAME, remove_project
from ..place_and_route.reports import report_names
from ..support.progress import console as status
from ..synthesis.synthesis import LOG_NAME as SYNTHESIS_LOG
from .report import REPORT

ROOT = Path("build")
DESIGN_NAME = ".design.json"
"""Says which design the files of the directory are of."""
IP_DIRECTORY = "ip"
TIMELINE_NAME = "timeline.svg"
_SIZES = ("rows", "cols", "lanes", "packing", "streams", "cores", "ports")
_OUTPUTS = (
    *(REPORT, TIMELINE_NAME, SYNTHESIS_LOG, LOG_NAME, *FIRMWARE_FILES),
    IMAGE_FILE,
    *report_names("vivado"),
    *report_names("nextpnr"),
    *(f"{IP_DIRECTORY}/{name}" for name in IP_FILES),
)


def build_directory(target: Board, artifact: Artifact, arguments, default_model: str) -> Path:
    """The directory of a run of ``build.py``: ``--out``, or one below ``build``.

    Raises UserError if ``--out`` names something that is no build directory.
    """
    if arguments.out is not None:
        return _given(Path(arguments.out))
    parts = [target.label]
    if artifact.name != default_model:
        parts.append(_file_name(artifact))
    for name in _SIZES:
        value = getattr(arguments, name)
        if value is not None:
            parts.append(str(value) if name == "packing" else f"{name}{value}")
    if arguments.clock is not None:
        parts.append(f"{arguments.clock:g}mhz")
    if arguments.reload:
        parts.append("reload")
    return ROOT / "-".join(parts)


def _file_name(artifact: Artifact) -> str:
    """The model's name as a part of a file's name; a random one's is its digest."""
    if artifact.name.startswith("random:"):
        return f"random-{artifact.model.digest[:8]}"
    return re.sub(r"[^\w.-]", "-", Path(artifact.name).name.removesuffix(".safetensors"))


def _given(directory: Path) -> Path:
    if directory.exists() and not directory.is_dir():
        raise UserError(f"--out {directory} is a file; name a directory")
    ours = any((directory / name).exists() for name in (DESIGN_NAME, MANIFEST_NAME))
    if not ours and directory.exists() and any(directory.iterdir()):
        raise UserError(
            f"--out {directory}: it is not empty and no build directory; choose another"
        )
    return directory


@contextlib.contextmanager
def design_directory(
    directory: Path, target: Board, artifact: Artifact, program: AnyProgram, clock_mhz: float
) -> Iterator[None]:
    """With ``directory``, made if need be, for one design; what another one left there goes.

    It goes with a line that names it; so is named what is there of a build that is interrupted.
    Raises UserError as :func:`.made_directory`.
    """
    design = {
        "board": target.label,
        "device": target.device,
        "model": artifact.name,
        "model_digest": artifact.model.digest,
        "hardware": dataclasses.asdict(program.hw),
        "clock_mhz": clock_mhz,
    }
    if isinstance(program, StreamedProgram):
        design |= {"streams": program.streams, "ports": program.memory.ports}
    note = directory / DESIGN_NAME
    with made_directory(directory):
        before = _noted(note)
        if before not in (None, design):
            removed = _remove_outputs(directory)
            if removed:
                _say(directory, f"removed what was of another design: {', '.join(removed)}")
        if before != design:
            write_whole(note, json.dumps(design, indent=2) + "\n")
        stamps = _stamps(directory)
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            made = [name for name, stamp in _stamps(directory).items() if stamps.get(name) != stamp]
            if made:
                _say(directory, f"not finished, it has {', '.join(made)}; build again for the rest")
            raise
        finally:
            if [path.name for path in directory.iterdir()] == [DESIGN_NAME]:
                note.unlink()


def _say(directory: Path, what: str) -> None:
    status.print(f"{directory}: {what}", markup=False, highlight=False, soft_wrap=True)


def _stamps(directory: Path) -> dict[str, int]:
    """When each file of a build was written last, by its name."""
    found = (path for path in sorted(directory.rglob("*")) if path.name != DESIGN_NAME)
    return {
        path.relative_to(directory).as_posix(): path.stat().st_mtime_ns
        for path in found
        if path.is_file()
    }


def _noted(path: Path) -> dict | None:
    """The note, None if there is none; one that can't be read is no design's."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}


def _remove_outputs(directory: Path) -> list[str]:
    """What ``build.py`` wrote, the names of what was there; not project files that were edited."""
    removed = remove_project(directory)
    for name in _OUTPUTS:
        path = directory / name
        is_ours = path.parent == directory or is_export(path.parent)
        if is_ours and path.is_file():
            removed.append(name)
    for name in removed:
        (directory / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # there is none, or something is in it
        (directory / IP_DIRECTORY).rmdir()
    return removed
