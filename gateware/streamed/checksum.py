"""The checksum of an image in external memory: in numbers, and as gateware that reads it all."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import C, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..memory.bus import MemoryShape
from ..memory.stream_reader import segment_layout

SUM_BITS = 64
"""Of each of the two sums; less where a word has less."""


def sum_bits(word_bits: int) -> int:
    """Width of a sum for words of ``word_bits``."""
    return min(SUM_BITS, word_bits)


def turns(word_bits: int) -> list[int]:
    """By how many bits each piece of a word, the lowest first, is rotated to the left."""
    bits = sum_bits(word_bits)
    pieces = word_bits // bits
    return [i * bits // pieces for i in range(pieces)]


def checksum(words: np.ndarray) -> tuple[int, int]:
    """The two sums of an image's words, uint8 [n, word_bytes].

    A word is folded: its pieces of 64 bits, rotated by :func:`turns`, exclusive or. The first sum
    is that of all folded words, the second that of the first one's values after each word, both
    modulo 2**64. So any bit that is wrong, and words or ports in another order, are found.
    """
    word_bits = 8 * words.shape[1]
    bits = sum_bits(word_bits)
    pieces = np.ascontiguousarray(words).view(f"<u{bits // 8}").astype(np.uint64)
    folded = np.zeros(len(words), np.uint64)
    for i, turn in enumerate(turns(word_bits)):
        piece = pieces[:, i]
        if turn:
            piece = piece << np.uint64(turn) | piece >> np.uint64(bits - turn)
        folded ^= piece
    mask = (1 << bits) - 1
    if bits < SUM_BITS:
        folded &= np.uint64(mask)
    first = np.cumsum(folded, dtype=np.uint64)
    return int(first[-1]) & mask, int(first.sum(dtype=np.uint64)) & mask


class ImageCheck(wiring.Component):
    """Reads an image from its first word to the last, and compares its checksum.

    Parameters
    ----------
    memory : MemoryShape
    words : int, of the image
    expected : (int, int), of :func:`checksum`

    Members
    -------
    begin : In(1), a pulse while not ``busy``
    base : In, the image's first stripe
    segments : Out(stream of :func:`gateware.memory.stream_reader.segment_layout`)
    words : In(stream of words), of the segment; always taken while ``busy``
    faulty : In(1), the memory has answered with an error: what came is not trusted
    busy : Out(1)
    good, bad : Out(1)
        The last image that was read whole is the expected one, or is not; neither from ``begin``
        on.
    """

    def __init__(self, memory: MemoryShape, *, words: int, expected: tuple[int, int]):
        self._memory, self._words, self._expected = memory, words, expected
        super().__init__(
            {
                "begin": In(1),
                "base": In(memory.stripe_bits),
                "segments": Out(stream.Signature(segment_layout(memory))),
                "words": In(stream.Signature(8 * memory.word_bytes)),
                "faulty": In(1),
                "busy": Out(1),
                "good": Out(1),
                "bad": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        out, words = self.segments, self.words
        word_bits = 8 * self._memory.word_bytes
        bits = sum_bits(word_bits)
        folded = Signal(bits, reset_less=True)
        came = Signal()
        sums = [Signal(bits, name=f"sum{i}", reset_less=True) for i in range(2)]
        equal = Signal(2, reset_less=True)
        left = Signal(range(self._words + 1), reset_less=True)
        m.d.comb += [
            out.p.stripe.eq(self.base),
            out.p.words.eq(self._words),
            words.ready.eq(self.busy),
        ]
        fold = C(0, bits)
        for i, turn in enumerate(turns(word_bits)):
            fold = fold ^ words.payload.word_select(i, bits).rotate_left(turn)
        m.d.sync += [
            folded.eq(fold),
            came.eq(words.valid & words.ready),
            equal.eq(Cat(a == b for a, b in zip(sums, self._expected, strict=True))),
        ]
        with m.If(came):
            m.d.sync += [sums[0].eq(sums[0] + folded), left.eq(left - 1)]
            m.d.sync += sums[1].eq(sums[1] + sums[0] + folded)
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"), m.If(self.begin):
                m.d.sync += [self.good.eq(0), self.bad.eq(0), left.eq(self._words)]
                m.d.sync += [part.eq(0) for part in sums]
                m.next = "OFFER"
            with m.State("OFFER"):
                m.d.comb += out.valid.eq(1)
                with m.If(out.ready):
                    m.next = "READ"
            with m.State("READ"), m.If(left == 0):
                m.next = "COMPARE"
            with m.State("COMPARE"):
                m.next = "TELL"
            with m.State("TELL"):
                good = equal.all() & ~self.faulty
                m.d.sync += [self.good.eq(good), self.bad.eq(~good)]
                m.next = "IDLE"
        return m
