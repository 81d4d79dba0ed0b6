"""Files of Python packages, for digests of what results depend on."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType


def sources(package: ModuleType) -> list[Path]:
    """Every Python file of a package and of the packages in it, in the order of their paths."""
    (directory,) = map(Path, package.__path__)
    return sorted(directory.rglob("*.py"))
