"""Speed of an accelerator: the wall clock of its host, and its own cycles."""

from __future__ import annotations

import dataclasses
import time

from gateformer.model.support.errors import UserError

from .run import AcceleratorRuns

QUEUED = 16
"""Tokens that OUTPUT holds at least (``MIN_OUTPUT_DEPTH`` of gateware.host.host_interface): a run
of so many never waits for its reader."""


@dataclasses.dataclass(frozen=True)
class Bench:
    """One greedy generation, prompt and generated tokens apart.

    The prompt's share reaches from the start to the first generated token; the other
    ``generated_tokens`` are those after it. ``…_seconds`` are of the host's clock, reading every
    token. ``…_cycles`` are the core's own, measured in runs so short that it never waits for the
    host; ``waiting_cycles`` are those that it waited in the long one.
    """

    prompt_tokens: int
    prompt_seconds: float
    prompt_cycles: int
    generated_tokens: int
    generated_seconds: float
    generated_cycles: int
    waiting_cycles: int
    clock_khz: int

    def __str__(self) -> str:
        lines = []
        for name, tokens, seconds, cycles in (
            ("prompt", self.prompt_tokens, self.prompt_seconds, self.prompt_cycles),
            ("generated", self.generated_tokens, self.generated_seconds, self.generated_cycles),
        ):
            core = cycles / (self.clock_khz * 1e3)
            lines.append(
                f"{name}: {tokens} tokens; {seconds * 1e3:.3f} ms of wall clock, "
                f"{_rate(tokens, seconds)} tokens/s; {cycles} core cycles, "
                f"{cycles / tokens:.1f} per token, {_rate(tokens, core)} tokens/s at "
                f"{self.clock_khz / 1000:g} MHz"
            )
        return "\n".join([*lines, f"the core waited {self.waiting_cycles} cycles for its reader"])


def _rate(tokens: int, seconds: float) -> str:
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
    total = runs.last.cycles
    prompt_cycles = _cycles(runs, prompt, tokens[:1])
    generated_cycles = 0
    for begin in range(0, len(tokens) - 1, QUEUED - 1):
        fed, chunk = prompt + tokens[:begin], tokens[begin : begin + QUEUED]
        generated_cycles += _cycles(runs, fed, chunk) - _cycles(runs, fed, chunk[:1])
    return Bench(
        prompt_tokens=len(prompt),
        prompt_seconds=first - started,
        prompt_cycles=prompt_cycles,
        generated_tokens=len(tokens) - 1,
        generated_seconds=ended - first,
        generated_cycles=generated_cycles,
        waiting_cycles=total - prompt_cycles - generated_cycles,
        clock_khz=runs.info.clock_khz,
    )


def _cycles(runs: AcceleratorRuns, prompt: list[int], expected: list[int]) -> int:
    """Core cycles of a run whose tokens are left in OUTPUT until it has ended."""
    runs.start(prompt, len(expected), runs.greedy)
    cycles = runs.finish().cycles
    found = [runs.registers.read("OUTPUT")["token"] for _ in expected]
    if found != expected:
        raise UserError(
            f"{runs.registers.name}: the core generated {found} after having generated {expected} "
            "from the same prompt; its timing is not met, or another program uses it"
        )
    return cycles
