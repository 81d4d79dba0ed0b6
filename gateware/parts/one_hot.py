"""State machines with a register for each state."""

from __future__ import annotations

import contextlib
import functools
import operator

from amaranth.hdl import C, Module, Signal


class OneHot:
    """A state machine like ``m.FSM()``, whose states are one bit each.

    What happens in a state depends on a single register then, and the next state on a few: for
    machines of so many states that the decoding of a number would be most of their paths. It
    begins, also after a reset, in ``init``. As with ``m.next``, the last ``next`` that applies
    counts.

    ::

        with OneHot(m, "WAIT") as fsm:
            with fsm.state("WAIT"), m.If(start):
                fsm.next = "WORK"
            with fsm.state("WORK"):
                fsm.next = "WAIT"

    Raises ValueError, at the end of the block, for a ``next`` that is no state, and at a state
    that there is already.
    """

    def __init__(self, m: Module, init: str):
        self._m, self._init = m, init
        self._at: dict[str, Signal] = {}
        self._going: dict[str, dict[str, Signal]] = {}  # by the present, then by the next state
        self._present: str | None = None

    def __enter__(self) -> OneHot:
        return self

    def __exit__(self, error, *_):
        if error is None:
            self._connect()

    @contextlib.contextmanager
    def state(self, name: str):
        """What is added inside happens in this state."""
        if name in self._going:
            raise ValueError(f"state {name} is there twice")
        self._going[name] = {}
        with self._m.If(self.ongoing(name)):
            self._present = name
            yield
            self._present = None

    def ongoing(self, name: str) -> Signal:
        """High while in the state."""
        if name not in self._at:
            self._at[name] = Signal(name=_label("at", name), init=name == self._init)
        return self._at[name]

    @property
    def next(self):
        """Set in a state: which one follows."""
        raise AttributeError("the next state can only be set")

    @next.setter
    def next(self, name: str):
        going = self._going[self._present]
        if name not in going:
            going[name] = Signal(name=_label(self._present, "to", name))
        self._m.d.comb += [signal.eq(other == name) for other, signal in going.items()]

    def _connect(self):
        targets = {name for going in self._going.values() for name in going}
        for name in sorted({self._init, *self._at, *targets}):
            if name not in self._going:
                raise ValueError(f"{name} is no state")
        for name, going in self._going.items():
            leaving = _any(signal for other, signal in going.items() if other != name)
            coming = _any(to[name] for of, to in self._going.items() if name in to and of != name)
            self._m.d.sync += self._at[name].eq(coming | (self._at[name] & ~leaving))


def _label(*words: str) -> str:
    return "_".join(words).lower().replace(" ", "_")


def _any(signals):
    return functools.reduce(operator.or_, signals, C(0, 1))
