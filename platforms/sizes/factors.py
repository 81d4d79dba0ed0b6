"""Factors of counts that measured points follow, and the counts of a point of the data file."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model

from .facts import AnyModel, core_facts, sizer
from .units import UnitFacts


@functools.lru_cache(maxsize=64)
def _facts_of(model: str, hw: HwConfig) -> dict[str, UnitFacts]:
    return core_facts(sizer(loaded(model))(hw))


@functools.lru_cache(maxsize=8)
def loaded(model: str) -> AnyModel:
    """The model of a point."""
    return open_model(model, imported=True).model


def hw_of(point: Mapping) -> HwConfig:
    """Its hardware."""
    several = {name: point.get(name, 1) for name in ("streams", "cores")}
    return HwConfig(*point["sizes"], **several)


def facts_of(point: Mapping) -> dict[str, UnitFacts]:
    """Facts of the core whose model and sizes a point of the data file has."""
    return _facts_of(point["model"], hw_of(point))


def fit_factors(terms: Sequence[Mapping[str, float]], wanted: Sequence[float]) -> dict:
    """Non-negative factors of the named terms with the least sum of squared relative errors."""
    names = list(dict.fromkeys(name for row in terms for name in row))
    matrix = np.array([[row.get(name, 0) for name in names] for row in terms], float)
    values = np.array(wanted, float)
    weights = 1 / np.maximum(np.abs(values), 1)
    scales = np.maximum(np.abs(matrix).max(axis=0), 1e-12)
    found = nonnegative_least_squares(matrix / scales * weights[:, None], values * weights)
    return {
        name: round(float(factor), 5)
        for name, factor in zip(names, found / scales, strict=True)
        if factor > 0
    }


def nonnegative_least_squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """x >= 0 with the least ``|a x - b|``, by the active sets of Lawson and Hanson.

    C. L. Lawson, R. J. Hanson, "Solving Least Squares Problems", 1974, chapter 23.
    """
    n = a.shape[1]
    x, passive = np.zeros(n), np.zeros(n, bool)
    tolerance = 1e-10 * max(np.abs(a.T @ b).max(), 1)
    for _ in range(10 * n):
        gradient = np.where(passive, -np.inf, a.T @ (b - a @ x))
        if gradient.max() <= tolerance:
            break
        # the first of counts that all points have in the same proportion, not what rounding likes
        best = int(np.argmax(gradient >= gradient.max() - tolerance))
        passive[best] = True
        while True:
            trial = np.zeros(n)
            trial[passive] = np.linalg.lstsq(a[:, passive], b, rcond=None)[0]
            if not passive.any() or trial[passive].min() > 0:
                break
            blocked = passive & (trial <= 0)
            step = np.min(x[blocked] / (x[blocked] - trial[blocked]))
            x += step * (trial - x)
            passive &= x > tolerance * 1e-3
        x = trial
    return x
