"""The exact times of any mix of streams, of one core or several."""

from __future__ import annotations

from collections.abc import Mapping

from .program import Program
from .turns import START_LATENCY, Sequence, Turns


def transfers(program: Program, sequences: Mapping[int, Sequence]) -> dict[int, list[int]]:
    """The cycles in which the tokens of each stream are transferred; of 2 streams or more.

    The cores are idle before their first start.
    """
    one, found = program.one_core, {}
    for core in range(program.hw.cores):
        first = core * one.streams
        own = {n - first: each for n, each in sequences.items() if 0 <= n - first < one.streams}
        if one.streams > 1:
            times = Turns(one).run(own)
        else:
            times = {n: _alone(one, each) for n, each in own.items()}
        found |= {first + n: cycles for n, cycles in times.items()}
    return {stream: found[stream] for stream in sequences}


def _alone(program: Program, sequence: Sequence) -> list[int]:
    """Those of a core with one stream."""
    options = {"sampled": sequence.sampled, "top_k": sequence.top_k}
    now, found = sequence.start + START_LATENCY, []
    for position in range(program.model.config.ctx_len):
        predict = position >= sequence.prompt - 1
        now += program.cycles(position, predict=predict, **(options if predict else {}))
        if predict:
            found.append(now - 1)
        if len(found) == sequence.count:
            break
    return found


def tokens_together(program: Program, prompt: int = 1) -> list[list[int]]:
    """Cycles of the greedy tokens of all streams, started in one cycle and to the end of their
    contexts."""
    one, sequence = program.one_core, Sequence(0, prompt, program.model.config.ctx_len)
    found = transfers(one, dict.fromkeys(range(one.streams), sequence))
    # the cores are equal
    return list(found.values()) * program.hw.cores


def cycles_together(program: Program) -> float:
    """Cycles per greedy token of all streams together, mean over their contexts, which they begin
    in one cycle, each with a token of a prompt."""
    stamps = tokens_together(program)
    return (max(map(max, stamps)) + 1) / sum(map(len, stamps))
