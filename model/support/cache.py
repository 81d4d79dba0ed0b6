"""Results of long tool runs, kept by the digest of everything they depend on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Not a POSIX system: two processes may do the same work, both correctly.
    fcntl = None

LEFT_OVER_DAYS = 2
"""No run takes longer without writing anything."""


def cache_directory() -> Path:
    """``$XDG_CACHE_HOME/gateformer``, or ``~/.cache/gateformer``; made if needed."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(base) / "gateformer"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


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
    path = cache_directory() / name
    if path.exists():
        return path
    _remove_left_over(path.parent)
    with exclusive(path):
        if not path.exists():
            with tempfile.TemporaryDirectory(prefix="work-", dir=path.parent) as work:
                target = Path(work) / name
                make(Path(work), target)
                os.replace(target, path)
    return path


def _remove_left_over(directory: Path) -> None:
    """Work directories of processes that were killed: those that nothing has touched for days."""
    before = time.time() - LEFT_OVER_DAYS * 86_400
    for work in directory.glob("work-*"):
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
