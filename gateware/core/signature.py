"""The signature of what the memories of a loader hold, folded from what a sweep reads."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from ..compiler.reload_image import FIRST_SIGNATURE, SIGNATURE_TAPS, UNIT
from ..parts.delay import delayed

READ_CYCLES = 16
"""Cycles of the sweep per read: more than any memory's latency and that of the folding."""

FOLD_INPUTS = 6
"""Inputs of the first folding stage's parities: those of a look-up table."""


def swept_signature(
    m: Module, words: Sequence[Value], begin: Value, checking: Value, step: Signal
) -> Signal:
    """The signature of the words that are read: one step every ``READ_CYCLES``.

    Parameters
    ----------
    words : what is read of each section; 0 of those that are not being swept
    begin : an image follows, whose signature starts anew
    checking : the sweep reads
    step : driven here, in the last cycle of each word
    """
    signature = Signal(UNIT, reset_less=True)
    turn = Signal(range(READ_CYCLES))
    with m.If(checking):
        m.d.sync += turn.eq(turn + 1)
    with m.Else():
        m.d.sync += turn.eq(0)
    m.d.sync += step.eq(turn == READ_CYCLES - 2)
    shifted = Mux(signature[0], SIGNATURE_TAPS, 0) ^ (signature >> 1)
    following = Cat(shifted[bit] ^ _parity(m, words, bit) for bit in range(UNIT))
    with m.If(begin):
        m.d.sync += signature.eq(FIRST_SIGNATURE)
    with m.Elif(step):
        m.d.sync += signature.eq(following)
    return signature


def _parity(m: Module, words: Sequence[Value], bit: int) -> Value:
    """Parity of bits ``bit``, ``bit`` + 32, … of all the words, 2 cycles later.

    Each stage makes full look-up tables, and leaves what is over for the next one.
    """
    inputs = [word[i] for word in words for i in range(bit, len(word), UNIT)]
    inputs.reverse()  # the widest word last, so that it fills the tables
    for stage in range(2):
        full = len(inputs) // FOLD_INPUTS * FOLD_INPUTS
        parities = [
            functools.reduce(operator.xor, inputs[i : i + FOLD_INPUTS])
            for i in range(0, full, FOLD_INPUTS)
        ]
        staged = delayed(m, Cat(parities, inputs[full:]), 1, name=f"parity{bit}_{stage}")
        inputs = list(staged)
    return functools.reduce(operator.xor, inputs, Const(0, 1))
