"""Results of long tool runs, kept by the digest of everything they depend on."""

from __future__ import annotations

import atexit
import contextlib
import errno
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .errors import NO_ROOM, ToolError, UserError

try:
    import fcntl
except ImportError:  # Not a POSIX system: two processes may do the same work, both correctly.
    fcntl = None

LEFT_OVER_DAYS = 2
"""No run takes longer without writing anything."""
WORK = "work-"
"""How the names of directories begin in which a result is made."""
PROBE = 1 << 16
"""Bytes; with less room than this, a directory is no place for a cache."""

_instead: dict[Path | None, Path] = {}
"""Directories of this process alone, by the cache that could not be used."""
_written: set[Path] = set()
"""Caches that a file was written to."""


def cache_directory() -> Path:
    """``$XDG_CACHE_HOME/gateformer``, or ``~/.cache/gateformer``; made if needed.

    A relative ``$XDG_CACHE_HOME`` is ignored, as the XDG base directory specification has it.

    If nothing can be written there, one line on stderr says so, and it is a directory that ends
    with this process.
    """
    directory = _usual_directory()
    if directory not in _instead:
        try:
            if directory is None:
                raise OSError(errno.ENOENT, "there is no home directory")
            directory.mkdir(parents=True, exist_ok=True)
            _try_to_write(directory)
            return directory
        except OSError as error:
            go_without(directory, error.strerror)
    return _instead[directory]


def _usual_directory() -> Path | None:
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (base if base.is_absolute() else Path.home() / ".cache") / "gateformer"
    except RuntimeError:  # there is no home
        return None


def _try_to_write(directory: Path) -> None:
    if directory not in _written:
        with tempfile.NamedTemporaryFile(dir=directory, prefix=WORK) as file:
            file.write(bytes(PROBE))
        _written.add(directory)


def go_without(directory: Path | None, reason: str) -> None:
    """From now on, this process keeps what it makes in a directory of its own, and says so.

    The tools that this one starts keep theirs there, too. Raises UserError if there is no place.
    """
    try:
        made = tempfile.mkdtemp(prefix="gateformer-")
    except OSError as error:
        raise UserError(
            f"cannot write temporary files: {error.strerror}; set TMPDIR to a place with room"
        ) from None
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    name = "the cache" if directory is None else f"the cache {directory}"
    print(f"{name} cannot be used ({reason}); going on without it", file=sys.stderr)
    _instead[directory] = Path(made)
    os.environ.setdefault("YOWASP_CACHE_DIR", str(_instead[directory] / "YoWASP"))
    os.environ.setdefault("MPLCONFIGDIR", str(_instead[directory] / "matplotlib"))


def digest(*parts: str) -> str:
    """SHA-256 (hex) of the texts, each with its length, so that no two lists collide."""
    hasher = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        hasher.update(f"{len(encoded)}:".encode())
        hasher.update(encoded)
    return hasher.hexdigest()


def cached_file(name: str, make: Callable[[Path, Path], None]) -> Path:
    """The cached file called ``name``; ``make(work_directory, target)`` writes it if it is missing.

    ``make`` works in a directory of its own, and the file appears in the cache only when it is
    complete. Of two processes that need the same file, one makes it and the other waits.
    """
    directory = cache_directory()
    try:
        return _made_once(directory / name, make)
    except (OSError, ToolError) as error:
        # a tool does not tell why it could not write
        number = getattr(error, "errno", None)
        full = number in NO_ROOM or shutil.disk_usage(directory).free < PROBE
        if not full or directory in _instead.values():
            raise
        go_without(_usual_directory(), os.strerror(number if number in NO_ROOM else errno.ENOSPC))
    return _made_once(cache_directory() / name, make)


def _made_once(path: Path, make: Callable[[Path, Path], None]) -> Path:
    if path.exists():
        return path
    _remove_left_over(path.parent)
    with exclusive(path):
        if not path.exists():
            with tempfile.TemporaryDirectory(prefix=WORK, dir=path.parent) as work:
                target = Path(work) / path.name
                make(Path(work), target)
                os.replace(target, path)
    return path


def _remove_left_over(directory: Path) -> None:
    """Work directories of processes that were killed: those that nothing has touched for days."""
    before = time.time() - LEFT_OVER_DAYS * 86_400
    for work in directory.glob(f"{WORK}*"):
        with contextlib.suppress(OSError):
            if max(path.stat().st_mtime for path in (work, *work.iterdir())) < before:
                shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """One process at a time for each ``path``; the others wait."""
    if fcntl is None:
        yield
        return
    with open(path.with_name(f".{path.name}.lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
