"""Packages of the optional extras: a missing one is one line that says what to install."""

from __future__ import annotations

import importlib.util

from .errors import UserError


def require(packages: dict[str, str], extra: str) -> None:
    """Raise UserError for the first of ``packages`` (name to purpose) that is not installed."""
    for package, purpose in packages.items():
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"{purpose} needs {package}, which is not installed; "
                f"run: pip install 'gateformer[{extra}]'"
            )
