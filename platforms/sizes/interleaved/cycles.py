"""The least cycles of several streams: cheap to tell, so that few designs need to be counted."""

from __future__ import annotations

from gateformer.gateware.compiler.interleaving import Lane

from ..program import SizedProgram


def least_cycles(program) -> float:
    """The least cycles that a token of all streams of a core together can take, mean over the
    context; with one stream those that it takes.

    A stream is not faster than alone, and a lane has one instruction at a time.
    """
    alone = program.mean_cycles
    if program.hw.streams == 1:
        return alone
    return max(alone / program.hw.streams, *_busy(program).values())


def _busy(program: SizedProgram) -> dict[Lane, float]:
    """Cycles of each lane for a token, mean over the context."""
    interleaving, ctx_len = program.interleaving, program.model.config.ctx_len
    cycles = dict.fromkeys(Lane, 0)
    for number, request in enumerate(interleaving.requests):
        cycles[request.lane] += sum(interleaving.duration(number, p) for p in range(ctx_len))
    return {lane: total / ctx_len for lane, total in cycles.items()}
