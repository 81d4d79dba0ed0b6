"""The results in a file of ``gateformer bench --json``, to be drawn again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..support.errors import UserError
from .measure import Measurement
from .report import RATE_NAMES, SCHEMA_VERSION

FILE_SUFFIX = ".json"
"""What tells such a file from a model."""


def read_results(path: Path) -> tuple[str, list[Measurement]]:
    """The model's name and its rows.

    A file has quartiles, not the single times: each row gets the five repeats per token that have
    these quartiles. UserError if it is no benchmark with the rates of every position.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["schema_version"] != SCHEMA_VERSION or not facts["rows"]:
            raise ValueError
        return str(facts["model"]), [_result(row) for row in facts["rows"]]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(
            f"{path} is no benchmark of schema version {SCHEMA_VERSION} with its positions; "
            "write one with gateformer bench MODEL --json FILE"
        ) from None


def _result(row: dict) -> Measurement:
    rates = [row["by_position"]["tokens_per_second"][name] for name in RATE_NAMES]
    low, median, high = np.array(rates, dtype=float)
    if median.ndim != 1 or not (np.isfinite(rates).all() and (low > 0).all()):
        raise ValueError
    if not ((low <= median) & (median <= high)).all():
        raise ValueError
    names = ("key", "label", "function", "how", "streams", "threads", "same_tokens")
    facts = {name: row[name] for name in names}
    seconds = 1 / np.array([low, low, median, high, high])
    return Measurement(**facts, seconds=seconds, position=row["by_position"]["first_position"])
