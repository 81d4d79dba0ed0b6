"""When a streamed core's instructions may follow each other, if no word is late."""

from __future__ import annotations

import dataclasses
import itertools

from ..decoder.instruction import Instruction, Sink, Source
from ..decoder.timing import Timing
from .instruction_buffer import InstructionBuffer

SPACING = InstructionBuffer.SPACING


def with_waits(timing: Timing, plain: list[Instruction], half: int) -> list[Instruction]:
    """The instructions with the waits between them.

    MOVE and PROGRAM neither use the lanes nor give a number, so that an instruction waits for the
    one before them as if there were none. Words that are late only make the gaps longer, and so do
    the beats of a slot that has a token. The last one waits for nothing: the next token is far.

    Parameters
    ----------
    half : int, entries of a half of the parameters' buffer, which is written while the other one
        is in use
    """
    waited = [dataclasses.replace(plain[0])]
    starts, last, before = [0], least_beats(plain[0]) - 1, None
    in_use: dict[int, int] = {}  # by half: last beat of what takes parameters from there
    for number, (item, following) in enumerate(itertools.pairwise(plain)):
        if item.source not in (Source.MOVE, Source.PROGRAM):
            before = (item, last)
            in_use[item.parameter // half] = last
        start = max(last + 1, starts[-1] + SPACING)
        if item.source is Source.PROGRAM:
            start = max(start, last + InstructionBuffer.LATENCY)
        if following.source is Source.MOVE and following.sink is Sink.BUFFER:
            used = in_use.get(following.parameter // half)
            if used is not None and not following.turned:
                start = max(start, used + timing.value_latency)
        elif item.slot and following.source is item.source and following.slot != item.slot:
            pass  # the same in another slot, for which the one before has waited
        elif before is not None and following.source is not Source.PROGRAM:
            # what is stored is read where scores read it
            is_store = following.source is Source.MOVE
            reader = dataclasses.replace(following, source=Source.SCORE) if is_store else following
            start = max(start, before[1] + timing.gap(before[0], reader))
        waited[number] = dataclasses.replace(item, wait=start - last - 1)
        waited.append(following)
        starts.append(start)
        last = start + least_beats(following) - 1
    return waited


def least_beats(item: Instruction) -> int:
    """Of an instruction: one, where its slot may have no token."""
    return 1 if item.slot else item.beats(0)
