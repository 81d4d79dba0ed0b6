"""What a command reads: no output of it may replace that, however it is named.

A command's main function is :func:`protecting`, and says with :func:`reading` what its options
name. From then on, whatever is written by :mod:`model.support.whole_file`, and what
:func:`model.support.directories.require_writable` is asked about before the work, is held against
it.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .errors import UserError

_COMPANIONS = re.compile(
    r"(generation_)?config\.json|(tokenizer|special_tokens|added_tokens|vocab|merges)[\w.]*|"
    r".*\.index\.json|.*-\d+-of-\d+\.\w+"
)
"""Files beside a checkpoint's weights that are read with them, its other parts among them."""
_EXPORTED = (".onnx", ".pt2")
"""What a directory of a checkpoint may have from an earlier export, which a new one replaces."""

_frames: list[dict] = []
_file_of: list[Callable[[str], Path]] = []


def protecting(main: Callable) -> Callable:
    """Decorator of a command's main function: what it is :func:`reading` is safe until it ends."""

    @functools.wraps(main)
    def protected(*arguments, **options):
        _frames.append({})
        try:
            return main(*arguments, **options)
        finally:
            _frames.pop()

    return protected


def reading(**inputs: str | os.PathLike | Iterable | None) -> None:
    """Say what the command reads, by the names of its options: paths, names of models, or lists."""
    if _frames:
        _frames[-1].update(inputs)


def refuse_replacing(out: Path, option: str | None = None, **inputs) -> None:
    """Raise UserError if ``out`` is one of the inputs, or a file that belongs to one.

    ``inputs``: besides those that the command is :func:`reading`. ``option`` named ``out``.
    """
    if not out.exists():
        return
    advice = f"name another {option}" if option else "choose another place"
    for name, path in (file for known in (inputs, *_frames) for file in _files(known)):
        if not path.exists():
            continue
        if out.samefile(path):
            raise UserError(f"{out} is the {name}, which would be overwritten; {advice}")
        if any(part.exists() and out.samefile(part) for part in _parts(path, out)):
            raise UserError(
                f"{out} belongs to the {name} {path}, and would be overwritten; {advice}"
            )


def files_of_names(file_of: Callable[[str], Path]) -> None:
    """From now on, what is no path may be a name, whose file ``file_of`` tells."""
    _file_of.append(file_of)


def _files(inputs: dict) -> Iterator[tuple[str, Path]]:
    for option, given in inputs.items():
        several = [given] if given is None or isinstance(given, str | os.PathLike) else given
        for value in several:
            if value is not None:
                name = option.replace("_", " ")
                yield name, Path(value)
                if not os.path.dirname(value):
                    yield from ((name, file_of(os.fspath(value))) for file_of in _file_of)


def _parts(path: Path, out: Path) -> Iterator[Path]:
    """Files that belong to the input ``path``, those that ``out`` could be."""
    if path.is_dir():
        if out.suffix not in _EXPORTED and out.resolve().is_relative_to(path.resolve()):
            yield out
        yield from (part for part in path.iterdir() if part.suffix not in _EXPORTED)
    else:
        beside = path.resolve().parent.iterdir()
        yield from (part for part in beside if _COMPANIONS.fullmatch(part.name))
