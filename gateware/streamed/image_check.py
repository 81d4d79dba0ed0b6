"""The reader of a streamed core between its two users: the image's check, and a run."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring

from ..memory.stream_reader import StreamReader
from .checksum import ImageCheck


def check_image(m: Module, core, reader: StreamReader, abort, faulty, segments, words) -> None:
    """Let a :class:`.checksum.ImageCheck` take the reader while it reads the image.

    Parameters
    ----------
    core : StreamedCore, whose ports say when, and what came of it
    reader : StreamReader
    abort : Value, ends the check
    faulty : Value, the memory has answered with an error: from the cycle before words with it show
    segments, words : streams, those of the reader while no image is checked; words stop with an
        error of the memory
    """
    program = core.program
    check = ImageCheck(
        program.memory,
        words=program.first_cache * program.memory.stripe_words,
        expected=program.checksum,
    )
    m.submodules.check = ResetInserter(abort & check.busy)(check)
    faultless = Signal(reset_less=True)
    m.d.sync += faultless.eq(~faulty)
    m.d.comb += [
        check.begin.eq(core.verify),
        check.base.eq(core.base),
        check.faulty.eq(~faultless),
        core.verifying.eq(check.busy),
        core.verified.eq(check.good),
        core.mismatched.eq(check.bad),
        check.words.payload.eq(reader.words.payload),
        words.payload.eq(reader.words.payload),
    ]
    with m.If(check.busy):
        wiring.connect(m, check.segments, reader.segments)
        m.d.comb += check.words.valid.eq(reader.words.valid)
        m.d.comb += reader.words.ready.eq(check.words.ready)
    with m.Else():
        m.d.comb += [
            reader.segments.valid.eq(segments.valid),
            reader.segments.payload.eq(segments.payload),
            segments.ready.eq(reader.segments.ready),
            words.valid.eq(reader.words.valid & faultless),
            reader.words.ready.eq(words.ready),
        ]
