"""Speed of an accelerator whose streams all generate at once."""

from __future__ import annotations

import dataclasses
import time

from gateformer.model.support.counted import counted
from gateformer.model.support.errors import UserError

from .bench import rate
from .image_registers import stalled
from .request import Request
from .streams import AcceleratorStreams


@dataclasses.dataclass(frozen=True)
class BenchTogether:
    """One greedy generation of every stream, begun at the same time with the same prompt.

    ``generated_tokens`` are each stream's after the first one, ``generated_cycles`` the core's for
    them, of the stream that took longest, ``seconds`` of the host's clock from the first token of
    any on. ``stalls``: those of the core's cycles in which it waited for the memory, prompts
    included, of ``cycles``; None for an accelerator without one.
    """

    streams: int
    prompt_tokens: int
    prompt_cycles: int
    generated_tokens: int
    generated_seconds: float
    generated_cycles: int
    cycles: int
    clock_khz: int
    stalls: int | None = None

    def __str__(self) -> str:
        total, cycles = self.streams * self.generated_tokens, self.generated_cycles
        core = cycles / (self.clock_khz * 1e3)
        stalls = "" if self.stalls is None else f"; it {stalled(self.stalls, self.cycles)}"
        return (
            f"{self.streams} streams together: {self.streams} prompts of "
            f"{counted(self.prompt_tokens, 'token')}, {self.prompt_cycles:,} core cycles; "
            f"{self.streams} texts of {counted(self.generated_tokens, 'token')}; "
            f"{self.generated_seconds * 1e3:.3f} ms of wall clock, "
            f"{rate(total, self.generated_seconds)} tokens/s; {cycles:,} core cycles, "
            f"{cycles / total:,.1f} per token, {rate(total, core)} tokens/s at "
            f"{self.clock_khz / 1000:g} MHz, {rate(self.generated_tokens, core)} of each{stalls}"
        )


def run_bench_together(streams: AcceleratorStreams, prompt: list[int], count: int) -> BenchTogether:
    """Measure greedy runs of ``count`` tokens, one of each stream.

    Raises UserError if there would be no token after the first, the core does not answer, or the
    streams generate different tokens.
    """
    if count < 2:
        raise UserError(
            f"a measurement needs at least 2 generated tokens, not {count}; ask for more, or "
            "shorten the prompt"
        )
    first_cycles, _, _ = _measure(streams, prompt, 1)
    cycles, seconds, stalls = _measure(streams, prompt, count)
    tokens = streams[0].last.tokens - 1
    return BenchTogether(
        streams=len(streams),
        prompt_tokens=len(prompt),
        prompt_cycles=max(first_cycles),
        generated_tokens=tokens,
        generated_seconds=seconds,
        generated_cycles=max(
            longer - shorter for longer, shorter in zip(cycles, first_cycles, strict=True)
        ),
        cycles=cycles[0],
        clock_khz=streams[0].info.clock_khz,
        stalls=stalls,
    )


def _measure(
    streams: AcceleratorStreams, prompt: list[int], count: int
) -> tuple[list[int], float, int | None]:
    """Cycles of each stream, seconds from the first token on, stalls of the first stream's run."""
    room = streams[0].info.config.ctx_len
    requests = [Request(prompt, count, streams[0].greedy, room) for _ in streams]
    found = [[] for _ in streams]
    begun = None
    for number, token in streams.together(requests):
        begun = begun or time.perf_counter()
        found[number].append(token)
    ended = time.perf_counter()
    for runs, tokens in zip(streams, found, strict=True):
        if tokens != found[0]:
            raise UserError(
                f"{runs.registers.name}: the core generated {tokens}, and the first stream "
                f"{found[0]} from the same prompt; its timing is not met"
            )
    counts = [runs.last for runs in streams]
    return [each.cycles for each in counts], ended - begun, counts[0].stalls
