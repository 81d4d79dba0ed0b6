"""Which stream's turn it is, in every cycle: the exact times of any mix of streams."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from .interleaving import ISSUE_LATENCY, LOCKS, TURN_CYCLES, Lane
from .program import Program

START_LATENCY = 3
"""Cycles from ``start`` to the first turn, if a token of the prompt is there: it is taken, and
wanted, and its program begun."""

PROMPT_LATENCY = 2
"""Cycles from the end of a prompt token's program to the next one's first turn."""

TOKEN_LATENCY = 2
"""Cycles from the one in which a token is known to the next one's first turn; it is on the output
stream in the one between."""


@dataclasses.dataclass(frozen=True)
class Sequence:
    """What a stream generates, as far as it matters for the time it takes.

    Attributes
    ----------
    start : int, cycle in which ``start`` is high; the stream is idle
    prompt : int, number of tokens, which are there at once
    count : int, of tokens, at least 1; they are taken at once, and end with the context
    sampled, top_k : bool
    """

    start: int
    prompt: int
    count: int
    sampled: bool = False
    top_k: bool = False


class _Stream:
    """Where a stream is in its sequence and in the program."""

    def __init__(self, program: Program, number: int, sequence: Sequence):
        self.number, self.sequence = number, sequence
        self.ready = sequence.start + START_LATENCY
        self.place = self.position = 0
        self.tokens: list[int] = []
        self._ctx_len = program.model.config.ctx_len

    @property
    def predict(self) -> bool:
        return self.position >= self.sequence.prompt - 1

    @property
    def ended(self) -> bool:
        return self.ready == math.inf

    def next_token(self, ready: int) -> None:
        self.ready, self.place = ready, 0
        self.position += 1

    def known(self, cycle: int) -> None:
        """The program chose a token."""
        self.tokens.append(cycle + 1)
        if len(self.tokens) == self.sequence.count or self.position == self._ctx_len - 1:
            self.ready = math.inf
        else:
            self.next_token(cycle + TOKEN_LATENCY)


class Turns:
    """The streams of a core, cycle by cycle, as :mod:`gateware.core.interleaver` does it.

    In every cycle, but for the one after a turn, the first stream from the one behind the last
    turn's on whose instruction may begin gets a turn: of the urgent ones, if there are any.

    Parameters
    ----------
    program : Program, of several streams
    """

    def __init__(self, program: Program):
        self._program = program
        self._last = program.streams - 1
        self._free = dict.fromkeys(Lane, 0)
        self._quiet = dict.fromkeys(Lane, 0)
        self._settled = 0
        self._locks = dict.fromkeys(LOCKS, 0)

    def run(self, sequences: Mapping[int, Sequence]) -> dict[int, list[int]]:
        """The cycles in which the tokens of each stream are transferred.

        The core was reset before the first start, or the last turn was the last stream's.
        """
        program = self._program
        streams = [_Stream(program, n, sequence) for n, sequence in sequences.items()]
        now = 0
        while not all(stream.ended for stream in streams):
            begins = [self._may_begin(stream) for stream in streams]
            now = max(now, min(begins))
            candidates = [s for s, begin in zip(streams, begins, strict=True) if begin <= now]
            self._give(min(candidates, key=self._order), now)
            now += TURN_CYCLES
        return {stream.number: stream.tokens for stream in streams}

    def _order(self, stream: _Stream) -> tuple[bool, int]:
        urgent = self._program.interleaving.requests[stream.place].urgent
        return not urgent, (stream.number - self._last - 1) % self._program.streams

    def _may_begin(self, stream: _Stream) -> float:
        """The cycle from which on its instruction may, if no other one begins before."""
        request = self._program.interleaving.requests[stream.place]
        lanes = self._quiet if request.quiet else self._free
        waits_for = [self._locks[name] for name in request.locks]
        if request.settled:
            waits_for.append(self._settled)
        return max(stream.ready, lanes[request.lane], *waits_for)

    def _give(self, stream: _Stream, now: int) -> None:
        program, interleaving = self._program, self._program.interleaving
        place, position = stream.place, stream.position
        turn, request = interleaving.turns[place], interleaving.requests[place]
        end = now + interleaving.duration(place, position)
        ends = turn.ends_token or (turn.ends_prompt_token and not stream.predict)
        self._last = stream.number
        self._free[request.lane] = end
        self._quiet[request.lane] = end + interleaving.gap_after(place)
        changed = interleaving.residual_gap_after(place)
        if changed is not None:
            self._settled = end + changed
        for name in request.locks:
            self._locks[name] = math.inf
        if turn.frees_array or ends:
            self._locks["array"] = end
        if turn.frees_squares:
            self._locks["squares"] = end
        if not ends:
            stream.place += 1
            stream.ready = end + turn.wait
        elif turn.ends_token:
            last_beat = now + ISSUE_LATENCY + program.instructions[place].beats(position) - 1
            sequence = stream.sequence
            known = last_beat + program.choice_latency(sequence.sampled, sequence.top_k)
            self._locks["sampler"] = known + 1
            stream.known(known)
        else:
            stream.next_token(end + PROMPT_LATENCY)
