"""Long runs side by side: on this machine by joblib, on several by dask.distributed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateformer.model.support.errors import UserError

from ..support.progress import console


def run_jobs(
    function: Callable, items: Sequence, *, what: str, jobs: int = 1, scheduler: str | None = None
) -> Iterator[tuple]:
    """(item, ``function(item)``) of every item, in the order in which they are done.

    A progress bar named ``what`` counts them. ``jobs``: processes on this machine. ``scheduler``:
    address of a running dask scheduler, whose workers have this program installed.

    Raises
    ------
    UserError
        If ``jobs`` is below 1, the engine is not installed or the scheduler can't be reached.
    """
    if jobs < 1:
        raise UserError(f"jobs must be at least 1, not {jobs}")
    if scheduler is not None:
        results = _on_scheduler(function, items, scheduler)
    elif jobs > 1:
        results = _in_processes(function, items, jobs)
    else:
        results = ((item, function(item)) for item in items)
    columns = (
        TextColumn(what, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield from progress.track(results, total=len(items))


def _in_processes(function: Callable, items: Sequence, jobs: int) -> Iterator[tuple]:
    try:
        import joblib
    except ModuleNotFoundError:
        raise UserError("--jobs needs joblib: pip install joblib") from None
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
    yield from parallel(joblib.delayed(_pair)(function, item) for item in items)


def _pair(function: Callable, item):
    return item, function(item)


def _on_scheduler(function: Callable, items: Sequence, scheduler: str) -> Iterator[tuple]:
    try:
        from dask import distributed
    except ModuleNotFoundError:
        raise UserError("--scheduler needs dask: pip install 'dask[distributed]'") from None
    try:
        client = distributed.Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise UserError(f"no dask scheduler at {scheduler}: {error}") from None
    with client:
        futures = client.map(_pair, [function] * len(items), items, pure=False)
        for _, result in distributed.as_completed(futures, with_results=True):
            yield result
