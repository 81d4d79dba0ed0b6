"""32 bits that name a whole design."""

from __future__ import annotations

import ast
import importlib.util
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
    those that describe the hardware, as :func:`sources_of`.
    """
    sources = sources_of(classes)
    return int(digest(design_digest(program), *map(str, facts), *sources)[:8], 16)


def sources_of(classes: Iterable[type]) -> list[str]:
    """What the files of classes say, as :func:`.design_digest.code`: those of the classes, of their
    bases in :mod:`platforms`, and all from which these take constants (names in capitals)."""
    modules = {
        base.__module__
        for cls in classes
        for base in cls.__mro__
        if base.__module__.startswith(PLATFORMS)
    }
    left = list(modules)
    while left:
        further = _of_constants(left.pop()) - modules
        modules |= further
        left += further
    return [code(_file(module)) for module in sorted(modules)]


def _of_constants(module: str) -> set[str]:
    """Modules of ours from whose constants a module's depend."""
    found, package = set(), module.rpartition(".")[0]
    for node in ast.walk(ast.parse(_file(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and any(name.name.isupper() for name in node.names):
            source = "." * node.level + (node.module or "")
            found.add(importlib.util.resolve_name(source, package))
    return {name for name in found if name.startswith(PLATFORMS)}


def _file(module: str) -> Path:
    return Path(inspect.getsourcefile(importlib.import_module(module)))
