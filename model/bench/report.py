"""Results of a benchmark as JSON (schema in docs/bench.md) and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from .measure import Measurement

SCHEMA_VERSION = 1
BASELINE = "torch-kv"
"""Row whose speed counts as 1, if it is there."""
RATE_NAMES = ("lower_quartile", "median", "upper_quartile")


def document(
    results: Sequence[Measurement], skipped: Mapping[str, str], facts: Mapping[str, object]
) -> dict:
    """JSON-ready form of everything."""
    return {
        "schema_version": SCHEMA_VERSION,
        **facts,
        "rows": [_row(result, results) for result in results],
        "skipped": dict(skipped),
    }


def _row(result: Measurement, results: Sequence[Measurement]) -> dict:
    return {
        "key": result.key,
        "label": result.label,
        "function": result.function,
        "how": result.how,
        "streams": result.streams,
        "threads": result.threads,
        "same_tokens": result.same_tokens,
        "tokens_per_second": _rates(result.tokens_per_second()),
        "ratio_to_baseline": ratio(result, results),
        "by_position": {
            "first_position": result.position,
            "tokens_per_second": _rates(result.by_position()),
        },
    }


def _rates(values) -> dict:
    return dict(zip(RATE_NAMES, values.tolist(), strict=True))


def ratio(result: Measurement, results: Sequence[Measurement]) -> float | None:
    """Speed relative to that of the row BASELINE, by the medians; None without that row."""
    base = next((r for r in results if r.key == BASELINE), None)
    if base is None:
        return None
    return float(result.tokens_per_second()[1] / base.tokens_per_second()[1])


def table(results: Sequence[Measurement], facts: Mapping) -> Table:
    """Medians with quartiles, microseconds per token at three positions, and ratios."""
    first, count = results[0].position, results[0].seconds.shape[1]
    places = sorted({0, count // 2, count - 1})
    machine = facts["machine"]
    shown = Table(
        title=f"{facts['model']}: {count} greedy tokens, {facts['repeats']} repeats",
        caption=f"{machine['processor']}, {machine['cores']} cores, {machine['c_compiler']}; "
        f"load {machine['load']}",
    )
    shown.add_column("platform", overflow="fold")
    shown.add_column("tokens/s", justify="right")
    shown.add_column("quartiles", justify="right")
    for place in places:
        shown.add_column(f"µs at {first + place}", justify="right")
    shown.add_column("× KV", justify="right")
    shown.add_column("function, how", overflow="fold")
    for result in results:
        low, median, high = result.tokens_per_second()
        at = 1e6 / result.by_position()[1]
        times = ratio(result, results)
        shown.add_row(
            result.label,
            f"{median:,.0f}",
            "" if low == high else f"{low:,.0f} … {high:,.0f}",
            *(f"{at[place]:,.2f}" for place in places),
            "" if times is None else f"{times:,.2f}",
            f"{result.function}, {result.how}",
        )
    return shown
