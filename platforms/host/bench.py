"""Speed of an accelerator: the wall clock of its host, and its own cycles."""

from __future__ import annotations

import dataclasses
import time

from gateformer.model.support.counted import counted
from gateformer.model.support.errors import UserError

from .image_registers import stalled
from .run import AcceleratorRuns, RunCounts

QUEUED = 16
"""Tokens that OUTPUT holds at least (``MIN_OUTPUT_DEPTH`` of gateware.host.host_interface): a run
of so many never waits for its reader."""
STREAMED_BENCH = 64
"""Tokens of a measurement with a model in external memory: it takes seconds, too."""


@dataclasses.dataclass(frozen=True)
class Bench:
    """One greedy generation, prompt and generated tokens apart.

    The prompt's share reaches from the start to the first generated token; the other
    ``generated_tokens`` are those after it. ``…_seconds`` are of the host's clock, reading every
    token. ``…_cycles`` are the core's own, measured in runs so short that it never waits for the
    host; ``waiting_cycles`` are those that it waited in the long one. ``…_stalls``: those of the
    core's cycles in which a model in external memory made it wait; None for others.
    """

    prompt_tokens: int
    prompt_seconds: float
    prompt_cycles: int
    generated_tokens: int
    generated_seconds: float
    generated_cycles: int
    waiting_cycles: int
    clock_khz: int
    prompt_stalls: int | None = None
    generated_stalls: int | None = None

    def __str__(self) -> str:
        lines = []
        for name in ("prompt", "generated"):
            tokens, seconds, cycles, stalls = (
                getattr(self, f"{name}_{what}")
                for what in ("tokens", "seconds", "cycles", "stalls")
            )
            core = cycles / (self.clock_khz * 1e3)
            lines.append(
                f"{name}: {counted(tokens, 'token')}; {seconds * 1e3:.3f} ms of wall clock, "
                f"{rate(tokens, seconds)} tokens/s; {cycles:,} core cycles, "
                f"{cycles / tokens:,.1f} per token, {rate(tokens, core)} tokens/s at "
                f"{self.clock_khz / 1000:g} MHz"
                + ("" if stalls is None else f"; it {stalled(stalls, cycles)}")
            )
        return "\n".join([*lines, f"the core waited {self.waiting_cycles:,} cycles for its reader"])


def rate(tokens: int, seconds: float) -> str:
    """Tokens per second, as they are shown."""
    return f"{tokens / seconds:,.0f}" if seconds > 0 else "–"


def run_bench(runs: AcceleratorRuns, prompt: list[int], count: int) -> Bench:
    """Measure a greedy run of ``count`` tokens.

    Raises UserError if there would be no token after the first, the core does not answer, or it
    generates other tokens when it is asked again.
    """
    if count < 2:
        raise UserError(
            f"a measurement needs at least 2 generated tokens, not {count}; ask for more, or "
            "shorten the prompt"
        )
    settings = runs.greedy
    started = time.perf_counter()
    first, tokens = None, []
    for token in runs.tokens(prompt, count, settings):
        tokens.append(token)
        first = first or time.perf_counter()
    ended = time.perf_counter()
    long = runs.last
    first_run = _counts(runs, prompt, tokens[:1])
    generated_cycles = generated_stalls = 0
    for begin in range(0, len(tokens) - 1, QUEUED - 1):
        fed, chunk = prompt + tokens[:begin], tokens[begin : begin + QUEUED]
        whole, begun = _counts(runs, fed, chunk), _counts(runs, fed, chunk[:1])
        generated_cycles += whole.cycles - begun.cycles
        generated_stalls += (whole.stalls or 0) - (begun.stalls or 0)
    streamed = long.stalls is not None
    # a memory is not as fast in one run as in another: only what the core itself takes compares
    waiting = (long.cycles - (long.stalls or 0)) - (first_run.cycles - (first_run.stalls or 0))
    waiting -= generated_cycles - generated_stalls
    return Bench(
        prompt_tokens=len(prompt),
        prompt_seconds=first - started,
        prompt_cycles=first_run.cycles,
        generated_tokens=len(tokens) - 1,
        generated_seconds=ended - first,
        generated_cycles=generated_cycles,
        waiting_cycles=max(waiting, 0) if streamed else waiting,
        clock_khz=runs.info.clock_khz,
        prompt_stalls=first_run.stalls,
        generated_stalls=generated_stalls if streamed else None,
    )


def _counts(runs: AcceleratorRuns, prompt: list[int], expected: list[int]) -> RunCounts:
    """Counts of a run whose tokens are left in OUTPUT until it has ended."""
    runs.start(prompt, len(expected), runs.greedy)
    counts = runs.finish()
    found = [runs.registers.read("OUTPUT")["token"] for _ in expected]
    if found != expected:
        raise UserError(
            f"{runs.registers.name}: the core generated {found} after having generated {expected} "
            "from the same prompt; its timing is not met, or another program uses it"
        )
    return counts
