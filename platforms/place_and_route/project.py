"""The build directory that a toolchain turns into a bitstream: written, run, removed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from amaranth.hdl import Elaboratable

from gateformer.model.support.cache import digest
from gateformer.model.support.errors import ToolError, UserError
from gateformer.model.support.whole_file import all_or_none, write_whole

from ..boards.board import Board
from ..boards.nextpnr import environment_variable
from ..support.progress import working
from ..support.tools import run_tool
from ..synthesis.synthesis import NETLIST_NAME, TOP, build_plan, synthesize_top
from .toolchain import Toolchain, made_suffixes, toolchain

LOG_NAME = "toolchain.log"
FAILED_SUFFIX = ".timing-not-met"
"""After the name of a bitstream that may not work at the design's clock."""
MANIFEST_NAME = ".project.json"
"""Says which files of the build directory this program wrote, and for which toolchain."""


@dataclasses.dataclass(frozen=True)
class Project:
    """A build directory that its toolchain can turn into a bitstream, unattended.

    Attributes
    ----------
    directory : Path
    board : Board
    toolchain : str
    files : list of Path
        Design, constraints and scripts.
    """

    directory: Path
    board: Board
    toolchain: str
    files: list[Path]

    @property
    def tools(self) -> Toolchain:
        return toolchain(self.board, self.toolchain)

    @property
    def script(self) -> str:
        """Name of the script that makes the bitstream."""
        return f"build_{TOP}.sh"

    @property
    def bitstream(self) -> Path:
        """Where the tools put it; see :meth:`has_bitstream`."""
        return self.directory / f"{TOP}{self.tools.bitstream_suffix}"

    @property
    def failed_bitstream(self) -> Path:
        """Where it is put if it misses the clock."""
        return self.directory / f"{self.bitstream.name}{FAILED_SUFFIX}"

    @property
    def changed_ns(self) -> int:
        """When the design last changed: the newest time of a file, nanoseconds."""
        return max((path.stat().st_mtime_ns for path in self.files), default=0)

    def is_current(self, path: Path) -> bool:
        """Whether ``path`` is there and about this design: none of the files is newer than it."""
        return path.exists() and path.stat().st_mtime_ns >= self.changed_ns

    def has_bitstream(self) -> bool:
        """Whether there is a bitstream of this design."""
        return self.is_current(self.bitstream)

    @property
    def products(self) -> list[Path]:
        """What is made beside the bitstream, of the same content."""
        return [self.directory / f"{TOP}{suffix}" for suffix in self.tools.products]

    def remove_bitstream(self) -> None:
        """Bitstream, or one that missed its clock, and the log of the run that made it."""
        log = self.directory / LOG_NAME
        for path in (self.bitstream, self.failed_bitstream, *self.products, log):
            path.unlink(missing_ok=True)


def choose_toolchain(board: Board, wanted: str | None = None, directory: Path | None = None) -> str:
    """``wanted``, or else the first one that is installed, or else the board's preferred one.

    If none is installed and ``directory`` was written for one of them, it stays with that one:
    it may have been finished on another machine. Raises UserError if the board does not know
    ``wanted``.
    """
    if wanted is None:
        installed = [name for name in board.toolchains if not toolchain(board, name).missing()]
        written_for = None if directory is None else _manifest(directory).get("toolchain")
        kept = [name for name in board.toolchains if name == written_for]
        return (*installed, *kept, *board.toolchains)[0]
    if wanted not in board.toolchains:
        known = ", ".join(board.toolchains)
        raise UserError(f"unknown toolchain {wanted!r} for {board.name}; known: {known}")
    return wanted


def write_project(
    top: Elaboratable,
    board: Board,
    directory: Path,
    toolchain: str | None = None,
    *,
    synthesis: bool = True,
) -> Project:
    """Write the complete build directory; needs none of the toolchain's tools.

    Without ``synthesis`` it lacks the netlist that all but Vivado start from, unless one of the
    same design is there.

    A file that is there already with the same content keeps its time, by which reports are
    known to be this design's. If any file changes, an earlier bitstream goes before it, and so
    do files that were written for another toolchain. Raises UserError as
    :func:`choose_toolchain`.
    """
    chosen = choose_toolchain(board, toolchain, directory)
    plan = build_plan(top, board, chosen)
    directory.mkdir(parents=True, exist_ok=True)
    contents = {
        name: content if isinstance(content, str) else content.decode()
        for name, content in plan.files.items()
    }
    if chosen != "vivado" and synthesis:
        netlist = synthesize_top(top, board).netlist
        contents[NETLIST_NAME] = board.family.placeable(netlist.read_text(encoding="utf-8"))
    elif chosen != "vivado" and not _changed(directory, contents):
        kept = _text(directory / NETLIST_NAME)
        if kept is not None:
            contents[NETLIST_NAME] = kept
    project = Project(directory, board, chosen, [directory / name for name in contents])
    changed = _changed(directory, contents)
    left_over = _left_over(directory, contents)
    if changed or left_over:
        project.remove_bitstream()
    for path in left_over:
        path.unlink()
    written = {name: digest(text) for name, text in contents.items()}
    manifest = {"toolchain": chosen, "files": written}
    with all_or_none(directory / name for name in changed):
        for name in changed:
            write_whole(directory / name, contents[name])
        if _manifest(directory) != manifest:
            write_whole(directory / MANIFEST_NAME, json.dumps(manifest, indent=2) + "\n")
    return project


def remove_project(directory: Path) -> list[str]:
    """Remove what :func:`write_project` wrote and the tools made of it; the names.

    Files that were edited stay.
    """
    results = [
        f"{TOP}{suffix}{failed}" for suffix in made_suffixes() for failed in ("", FAILED_SUFFIX)
    ]
    paths = [*_left_over(directory, {}), *(directory / name for name in results)]
    there = list(dict.fromkeys(path for path in paths if path.is_file()))
    # the notes last: while a file is there, they say whose it is
    for path in (*there, directory / MANIFEST_NAME):
        path.unlink(missing_ok=True)
    return [path.name for path in there]


def _changed(directory: Path, contents: Mapping[str, str]) -> list[str]:
    return [name for name, text in contents.items() if _text(directory / name) != text]


def _text(path: Path) -> str | None:
    """Content of a file, None if there is none."""
    if not path.is_file():
        return None
    return path.read_text(encoding="utf-8", errors="replace")


def _manifest(directory: Path) -> dict:
    """What :func:`write_project` noted in the directory; empty if it did not."""
    try:
        manifest = json.loads(_text(directory / MANIFEST_NAME) or "{}")
    except ValueError:
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _left_over(directory: Path, contents: Mapping[str, str]) -> list[Path]:
    """Files of an earlier project that are not in this one, and are still as they were written."""
    written = _manifest(directory).get("files", {})
    paths = [(directory / name, noted) for name, noted in written.items() if name not in contents]
    return [path for path, noted in paths if path.is_file() and digest(_text(path)) == noted]


def run_script(project: Project) -> Path:
    """Run the vendor's tools to the bitstream, whose path is returned; the log is kept beside it.

    Raises ToolError if a tool fails or leaves no bitstream.
    """
    with working(f"{project.toolchain}: place, route and bitstream"):
        found = project.tools.found()
        paths = {environment_variable(tool): path for tool, path in found.items() if path}
        log = run_tool(["sh", project.script], project.directory, environment=paths)
    write_whole(project.directory / LOG_NAME, log)
    if not project.bitstream.exists():
        raise ToolError(f"{project.toolchain} left no {project.bitstream}")
    return project.bitstream


def advice(project: Project, missing: list[str]) -> str:
    """One line: what to install, and which command then finishes."""
    install = project.tools.install
    command = f"cd {project.directory} && sh {project.script}"
    if not missing:
        return f"no bitstream yet; run: {command}"
    if install.startswith("pip"):
        return f"no bitstream yet: {', '.join(missing)} not found; {install}, then run: {command}"
    return (
        f"no bitstream yet: {install} so that {', '.join(missing)} "
        f"{'is' if len(missing) == 1 else 'are'} on the PATH, then run: {command}"
    )
