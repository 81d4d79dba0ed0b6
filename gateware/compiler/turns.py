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

BEGIN_LATENCY = 1
"""Cycles from the one in which a slot is given to a token to its first turn."""

PROMPT_LATENCY = 3
"""Cycles from the one in which a slot is given to a token of a prompt to the one in which the next
one is wanted; it is taken in the one before."""

LEND_LATENCY = 1
"""Cycles from the one in which a stream's slot is found idle to the one in which another stream's
token gets it."""

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
    """Where a stream is in its sequence."""

    def __init__(self, program: Program, number: int, sequence: Sequence):
        self.number, self.sequence = number, sequence
        self.wants: float = sequence.start + START_LATENCY - BEGIN_LATENCY
        self.position = 0
        self.last: _Token | None = None
        self.tokens: list[int] = []
        self.end = math.inf  # the last cycle in which it is not idle
        self._ctx_len = program.model.config.ctx_len

    @property
    def borrows(self) -> bool:
        """Its next token may have any slot."""
        return 0 < self.position < self.sequence.prompt - 1

    def begin(self, cycle: int, slot: _Slot) -> None:
        """The next token's program, in the slot that it gets in a cycle."""
        predict = self.position >= self.sequence.prompt - 1
        slot.token = _Token(self, self.position, predict, cycle + BEGIN_LATENCY, self.last)
        self.last = slot.token
        slot.free = self.wants = math.inf
        if not predict:
            self.position += 1
            self.wants = cycle + PROMPT_LATENCY

    def known(self, cycle: int) -> None:
        """The program chose a token."""
        self.tokens.append(cycle + 1)
        if len(self.tokens) == self.sequence.count or self.position == self._ctx_len - 1:
            self.end = cycle + 1
        else:
            self.position += 1
            self.wants = cycle + TOKEN_LATENCY - BEGIN_LATENCY


class _Token:
    """A token's way through the program."""

    def __init__(
        self, stream: _Stream, position: int, predict: bool, ready: float, before: _Token | None
    ):
        self.stream, self.position, self.predict, self.ready = stream, position, predict, ready
        self.place = self.queries = 0
        self.has_ended = False
        self._before = before

    @property
    def may_query(self) -> bool:
        """The one before has had its turn at as many queries, and this one."""
        if self._before is not None and self._before.has_ended:
            self._before = None
        return self._before is None or self._before.queries > self.queries


@dataclasses.dataclass
class _Slot:
    """``free``: from when on nothing runs in it; ``stream``: whose it is, if it has a sequence."""

    number: int
    stream: _Stream | None
    token: _Token | None = None
    free: float = 0

    def spare_from(self, cycle: int) -> float:
        """When it can be lent, not before a cycle."""
        found = max(cycle, self.free)
        if self.stream is None or found <= self.stream.sequence.start:
            return found
        return max(found, self.stream.end + 1)


class Turns:
    """The streams of a core, cycle by cycle, as :mod:`gateware.core.slots` and
    :mod:`gateware.core.interleaver` do it.

    A slot gets its stream's tokens; while that is idle, those that borrow one, the lowest stream's
    in the lowest slot. In every cycle, but for the one after a turn, the first slot from the one
    behind the last turn's on whose instruction may begin gets a turn: of the urgent ones, if there
    are any.

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

        The core was reset before the first start, or the last turn was the last slot's.
        """
        streams = [_Stream(self._program, n, each) for n, each in sorted(sequences.items())]
        owners = {stream.number: stream for stream in streams}
        slots = [_Slot(n, owners.get(n)) for n in range(self._program.streams)]
        lending, now = _Lending(streams, slots), 0
        while True:
            begins = {slot.number: self._may_begin(slot.token) for slot in slots if slot.token}
            turn = max(now, min(begins.values(), default=math.inf))
            change = lending.next_change
            if change < turn:
                lending.step(change)
            elif turn < math.inf:
                ready = [slot for slot in slots if begins.get(slot.number, math.inf) <= turn]
                self._give(min(ready, key=self._order), turn)
                now = turn + TURN_CYCLES
            else:
                break
        return {number: owners[number].tokens for number in sequences}

    def _order(self, slot: _Slot) -> tuple[bool, int]:
        urgent = self._program.interleaving.requests[slot.token.place].urgent
        return not urgent, (slot.number - self._last - 1) % self._program.streams

    def _may_begin(self, token: _Token) -> float:
        """The cycle from which on its instruction may, if no other one begins before."""
        request = self._program.interleaving.requests[token.place]
        if request.queries and not token.may_query:
            return math.inf
        lanes = self._quiet if request.quiet else self._free
        waits_for = [self._locks[name] for name in request.locks]
        if request.settled:
            waits_for.append(self._settled)
        return max(token.ready, lanes[request.lane], *waits_for)

    def _give(self, slot: _Slot, now: int) -> None:
        program, interleaving, token = self._program, self._program.interleaving, slot.token
        place, position, stream = token.place, token.position, token.stream
        turn, request = interleaving.turns[place], interleaving.requests[place]
        end = now + interleaving.duration(place, position)
        ends = turn.ends_token or (turn.ends_prompt_token and not token.predict)
        self._last = slot.number
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
        token.queries += request.queries
        if not ends:
            token.place += 1
            token.ready = end + turn.wait
            return
        slot.token, slot.free, token.has_ended = None, end, True
        if token.predict:
            last_beat = now + ISSUE_LATENCY + program.instructions[place].beats(position) - 1
            sequence = stream.sequence
            known = last_beat + program.choice_latency(sequence.sampled, sequence.top_k)
            self._locks["sampler"] = known + 1
            stream.known(known)


class _Lending:
    """What slot each stream's next token gets, and when."""

    def __init__(self, streams: list[_Stream], slots: list[_Slot]):
        self._streams, self._slots = streams, slots
        self._found: tuple[_Stream, _Slot] | None = None  # in the last step's cycle
        self._next = 0

    @property
    def next_change(self) -> float:
        """The next cycle in which a token may get a slot, or one may be found."""
        if self._found is not None:
            return self._next
        times = []
        for stream in self._streams:
            times.append(max(stream.wants, self._slots[stream.number].free))
            if stream.borrows and stream.wants < math.inf:
                first = max(self._next, stream.wants)
                times.append(min(slot.spare_from(first) for slot in self._slots))
        return max(self._next, min(times, default=math.inf))

    def step(self, cycle: int) -> None:
        """What happens in a cycle; nothing does in those left out."""
        asking, own = [], []
        for stream in self._streams:
            if stream.wants <= cycle:
                is_free = self._slots[stream.number].free <= cycle
                (own if is_free else asking).append(stream)
        asking = [stream for stream in asking if stream.borrows]
        spare = [slot for slot in self._slots if slot.spare_from(cycle) == cycle]
        lends = self._found is not None and self._found[0] in asking
        if lends:
            stream, slot = self._found
            stream.begin(cycle, slot)
        for stream in own:
            stream.begin(cycle, self._slots[stream.number])
        self._found = (asking[0], spare[0]) if asking and spare and not lends else None
        self._next = cycle + LEND_LATENCY
