"""Is the choice the best? Synthesizes it with its rivals and compares."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from gateformer.gateware.host.any_core import compile_model
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import UserError

from ..boards.board import Board, board
from ..families.family import UNITS, Resources
from ..synthesis.synthesis import synthesize_top
from .decoder.lanes import TooManyBits
from .families import ROOM, limits, short_name
from .jobs import run_jobs
from .report import MARK, exact_text, tokens_per_second
from .search import Candidate, choose, search

WITHIN = 0.05
"""How much slower than the best of the grid the choice may be."""
GRID = 6
"""Tops to synthesize, at most."""
SPREAD = 0.12
"""Candidates whose predicted LUTs are this much (of the limit) above it may still fit."""


class NoChoice(UserError):
    """No sizes of a model fit a board."""


@dataclasses.dataclass(frozen=True)
class GridPoint:
    """One whole top to synthesize."""

    model: str
    board: str
    variant: str | None
    candidate: Candidate


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was synthesized, and whether the choice passed."""

    chosen: Candidate
    best: Candidate | None
    rows: list[tuple[Candidate, Resources]]

    @property
    def slower(self) -> float:
        """How much slower than the best that really fits the choice is; 0: it is the best."""
        return 0 if self.best is None else self.chosen.cycles / self.best.cycles - 1

    @property
    def passed(self) -> bool:
        chosen_fits = any(c == self.chosen for c, _ in self.rows) and self.best is not None
        return chosen_fits and self.slower <= WITHIN


def grid(candidates: Sequence[Candidate], chosen: Candidate, target: Board) -> list[Candidate]:
    """The choice, and the sizes most likely to prove it wrong.

    Those that are faster and predicted to be just too large. Slower ones can't be better: cycles
    are exact, and a choice that does not really fit has failed whatever else does. Of candidates
    with the same cycles only the one with the fewest LUTs counts.
    """
    most = (1 + SPREAD) * limits(target.family, target.budget, target.limits)["lut"]
    rivals, seen = [], set()
    for candidate in sorted(candidates, key=lambda c: (c.cycles, c.need.lut)):
        if candidate.cycles >= chosen.cycles or candidate.cycles in seen:
            continue
        if candidate.need.lut <= most and not _more_than_lut(candidate):
            seen.add(candidate.cycles)
            rivals.append(candidate)
    # the ones that come closest to the limit from above are the likeliest to fit after all
    return [chosen, *sorted(rivals, key=lambda c: c.need.lut)[: GRID - 1]]


def _more_than_lut(candidate: Candidate) -> bool:
    return bool(set(candidate.exceeded) - set(ROOM))


def verify(name: str, target: Board, *, jobs: int = 1, scheduler: str | None = None) -> Verdict:
    """Synthesize the grid of a model on a board. Raises NoChoice if no sizes fit."""
    try:
        candidates = search(open_model(name, imported=True).model, target)
    except TooManyBits as error:
        raise NoChoice(str(error)) from None
    chosen = choose(candidates)
    if chosen is None or not chosen.fits:
        raise NoChoice(f"no sizes of {name} fit {target.label}; there is no choice to verify")
    points = [
        GridPoint(name, target.argument, target.variant, candidate)
        for candidate in grid(candidates, chosen, target)
    ]
    results = run_jobs(synthesized, points, what="synthesis", jobs=jobs, scheduler=scheduler)
    rows = [(point.candidate, resources) for point, resources in results]
    rows.sort(key=lambda row: row[0].cycles)
    fitting = [c for c, resources in rows if fits(resources, target)]
    best = min(fitting, key=lambda c: c.cycles, default=None)
    if chosen not in fitting:
        best = None
    return Verdict(chosen, best, rows)


def fits(resources: Resources, target: Board) -> bool:
    """Whether what was synthesized is within the limits of a choice."""
    most = limits(target.family, target.budget, target.limits)
    return all(getattr(resources, unit) <= most[unit] for unit in (*UNITS, *_sites(target)))


def _sites(target: Board) -> tuple[str, ...]:
    return ("sites",) if target.family.sites else ()


def synthesized(point: GridPoint) -> Resources:
    """Resources of the board's whole top, as ``build.py`` makes it."""
    target = board(point.board, point.variant)
    artifact = open_model(point.model, imported=True)
    program = compile_model(artifact.model, point.candidate.hw)
    options = target.top_options(artifact.name)
    top = target.build_top(program, target.default_clock_mhz, **options)
    return target.family.count(synthesize_top(top, target).cells)


def print_verdict(verdict: Verdict, name: str, target: Board, out: Console) -> None:
    """Predicted and synthesized counts of the grid, and the verdict."""
    table = Table(title=f"{name} on {target.title}: synthesized around the choice")
    table.add_column("")
    table.add_column("sizes")
    kinds = ("lut", *_sites(target))
    for heading in ("mean cycles", "tokens/s"):
        table.add_column(heading, justify="right")
    for heading in [
        h for k in kinds for h in (f"{short_name(k)} predicted", "synthesized", "error")
    ]:
        table.add_column(heading, justify="right")
    for heading in ("FF", "BRAM", "DSP", "fits"):
        table.add_column(heading, justify="right")
    for candidate, resources in verdict.rows:
        table.add_row(
            MARK if candidate == verdict.chosen else "",
            candidate.text,
            f"{candidate.cycles:,.1f}",
            f"{tokens_per_second(candidate, target):,.0f}",
            *(cell for kind in kinds for cell in _compared(candidate, resources, kind)),
            f"{resources.ff:,}",
            exact_text(candidate.need.bram, resources.bram),
            exact_text(candidate.need.dsp, resources.dsp),
            "yes" if fits(resources, target) else "no",
        )
    out.print(table)
    out.print(conclusion(verdict), soft_wrap=True)


def _compared(candidate: Candidate, resources: Resources, kind: str) -> tuple[str, str, str]:
    """Predicted, synthesized, and the error."""
    predicted, counted = getattr(candidate.need, kind), getattr(resources, kind)
    return f"{predicted:,.0f}", f"{counted:,}", f"{predicted / counted - 1:+.1%}"


def conclusion(verdict: Verdict) -> str:
    """The verdict in one line."""
    chosen = verdict.chosen.text
    if verdict.best is None:
        return f"failed: the choice {chosen} does not fit"
    if verdict.best.cycles == verdict.chosen.cycles:
        return f"passed: the choice {chosen} is the fastest of the grid that fits"
    word = "passed" if verdict.passed else "failed"
    return (
        f"{word}: the choice {chosen} takes {verdict.slower:.1%} more cycles than "
        f"{verdict.best.text}, the fastest of the grid that fits"
    )
