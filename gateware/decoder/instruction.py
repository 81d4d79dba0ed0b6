"""Instructions of the decoder core: two nested loops of beats, one beat per cycle."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from amaranth.lib import enum


class Source(enum.Enum, shape=4):
    """What a beat makes a number of.

    MATRIX
        Words of a row of weights times words of activations, summed up over the inner loop.
    ELEMENT
        One weight of the token's row: the token embedding.
    POSITION
        One number of the position's row of the position embedding.
    SCORE
        As MATRIX with keys and queries: a score of each segment, for the softmax.
    WEIGH
        Values times probabilities, added to the lanes' accumulators.
    LANE
        A lane's accumulator: a mean of values.
    NORM
        A number of the residual stream, for the norm.
    GROUP_SUMS
        Words of activations: their sums by group, for the minimums of the matrices that follow.
    MOVE
        None: a word of the stream goes to a buffer, or a buffer's word to the memory
        (:mod:`gateware.streamed`).
    PROGRAM
        None: words of the stream become the instructions that follow.
    """

    MATRIX = 0
    ELEMENT = 1
    POSITION = 2
    SCORE = 3
    WEIGH = 4
    LANE = 5
    NORM = 6
    GROUP_SUMS = 7
    MOVE = 8
    PROGRAM = 9


class Sink(enum.Enum, shape=3):
    """What becomes of a requantized number.

    ACTIVATION, KEY, VALUE
        Written to that memory, after it was turned if the instruction says so.
    GATE
        Through the activation function; with a gated feed-forward layer times the next number.
    LOAD, ADD
        The residual stream's, or added to it.
    LOGIT
        To the sampler.
    BUFFER
        Of MOVE: the parameters, or those of the position if ``turned``.
    """

    ACTIVATION = 0
    KEY = 1
    VALUE = 2
    GATE = 3
    LOAD = 4
    ADD = 5
    LOGIT = 6
    BUFFER = 7


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction; counts are at least 1.

    Attributes
    ----------
    name : str, for people and the taps
    source, sink : Source, Sink
    outer, inner : int
        Loop counts; ``outer`` is ``position + 1`` if ``per_position``.
    address : int
        First word of weights, keys or values; counts with every beat. With ELEMENT and POSITION
        the token's (position's) row is added to it, and it counts with the lane.
    outer_step : int
        Added to the address from the last beat of an inner loop to the next beat.
    store : int
        Index of the memory of weights of MATRIX and ELEMENT.
    activation : int
        First activation word of MATRIX, GROUP_SUMS and SCORE; counts with inner.
    lane : int
        First lane (LANE); counts with outer. Its ``segment``.
    parameter : int
        First word of multipliers and biases; counts with outer. ELEMENT takes the token's.
    shift, odd_shift : int
        Of the second requantizer; the other of every second result of a gated GATE.
    min_shift, odd_min_shift : int
        Of the minimums of groups; the other of every second row of a gated GATE.
    bits : int
        Index of the width that results are clamped to.
    score_shift : int
        Of the layer (SCORE).
    turned : bool
        Results are pairs that RoPE turns.
    word, start_lane, other_word, other_lane : int
        Place of the first result, and of the second of a pair; the next ones follow.
    lanes : int
        Numbers in a word of the memory that results go to.
    memory : int
        Of MOVE to KEY or VALUE: word of the external memory, from its first one of keys on, that
        position 0 has.
    gate_frac, hidden_shift : int
        Of GATE.
    norm : int
        Index of the norm whose factor LOAD and ADD prepare.
    wait : int
        Cycles between the last beat and the next instruction's first.
    ends_prompt_token, ends_token : bool
    slot : int
        Which slot of :mod:`gateware.streamed` it is for, less one; 0: for all of them. One that has
        no token skips it: a beat without effect.
    ends_stores : bool
        Of a MOVE to VALUE of one word: the last of a layer's.
    """

    name: str
    source: Source
    sink: Sink = Sink.ACTIVATION
    outer: int = 1
    per_position: bool = False
    inner: int = 1
    address: int = 0
    outer_step: int = 1
    activation: int = 0
    lane: int = 0
    segment: int = 0
    parameter: int = 0
    shift: int = 0
    odd_shift: int = 0
    bits: int = 0
    score_shift: int = 0
    turned: bool = False
    word: int = 0
    start_lane: int = 0
    other_word: int = 0
    other_lane: int = 0
    lanes: int = 1
    memory: int = 0
    gate_frac: int = 0
    hidden_shift: int = 0
    norm: int = 0
    wait: int = 0
    ends_prompt_token: bool = False
    ends_token: bool = False
    store: int = 0
    min_shift: int = 0
    odd_min_shift: int = 0
    slot: int = 0
    ends_stores: bool = False

    COUNTS: ClassVar[tuple[str, ...]] = ("outer", "inner", "lanes")
    OPTIONAL: ClassVar[tuple[str, ...]] = (
        "store",
        "min_shift",
        "odd_min_shift",
        "slot",
        "ends_stores",
    )

    def outer_count(self, position: int) -> int:
        return position + 1 if self.per_position else self.outer

    def beats(self, position: int) -> int:
        """Beats issued at ``position``, one per cycle."""
        return self.outer_count(position) * self.inner
