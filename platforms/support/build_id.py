"""32 bits that name a whole design."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path

from gateformer.gateware.host.any_core import AnyProgram
from gateformer.model.support.cache import digest

from .design_digest import code, design_digest

PLATFORMS = __package__.rpartition(".")[0]
"""Package whose classes describe hardware."""


def build_id(program: AnyProgram, facts: Iterable[object], classes: Iterable[type]) -> int:
    """Digest of the core, of what was chosen around it, and of the sources of all that.

    ``facts``: clock, baud rate and whatever else the caller's hardware depends on. ``classes``:
    those whose files, and those of their bases in :mod:`platforms`, describe the hardware.
    """
    files = {
        Path(inspect.getsourcefile(base))
        for cls in classes
        for base in cls.__mro__
        if base.__module__.startswith(PLATFORMS)
    }
    sources = [code(path) for path in sorted(files)]
    return int(digest(design_digest(program), *map(str, facts), *sources)[:8], 16)
