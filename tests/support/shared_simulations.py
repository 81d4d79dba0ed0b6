"""Simulations that the tests of a process share, since building one takes seconds."""

import functools

from gateformer.gateware.memory.bus import Response

_MADE = []


def shared(make):
    """``make``, whose SimulatedRegisters are the same for equal arguments.

    Whoever takes them aborts what runs; :func:`reset_all` stands between two modules.
    """

    @functools.cache
    def made(*arguments):
        _MADE.append(make(*arguments))
        return _MADE[-1]

    return made


def reset_all() -> None:
    """As after power-up, with memories that are well: whatever the tests before have left."""
    for registers in _MADE:
        registers.reset()
        if registers.memory is not None:
            registers.memory.refuse(0, 0, Response.OKAY)
