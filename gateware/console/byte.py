"""What kind of byte was typed."""

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .vocabulary import TEXT_BYTES

CR, LF, BS, DEL, CTRL_U = 0x0D, 0x0A, 0x08, 0x7F, 0x15
SLASH, BACKSLASH, LETTER_N = ord("/"), ord("\\"), ord("n")
KINDS = data.StructLayout(
    {
        "cr": 1,
        "lf": 1,
        "erase": 1,
        "rubout": 1,
        "n": 1,
        "slash": 1,
        "backslash": 1,
        "printable": 1,
        "continues": 1,
        "ascii": 1,
        "following": range(TEXT_BYTES),
    }
)
"""What a byte is; ``following``: bytes of its character that come after it, in UTF-8."""


class ByteDecoder(wiring.Component):
    """Says what kind of byte it is, in registers: a cycle after ``byte``.

    Members
    -------
    byte : In(8), is_ : Out(KINDS)
    """

    byte: In(8)
    is_: Out(KINDS)

    def elaborate(self, platform):
        m = Module()
        byte, is_ = self.byte, self.is_
        m.d.sync += [
            is_.cr.eq(byte == CR),
            is_.lf.eq(byte == LF),
            is_.erase.eq(byte == CTRL_U),
            is_.rubout.eq((byte == BS) | (byte == DEL)),
            is_.n.eq(byte == LETTER_N),
            is_.slash.eq(byte == SLASH),
            is_.backslash.eq(byte == BACKSLASH),
            is_.printable.eq(~byte[7] & byte[5:7].any()),
            is_.continues.eq(byte[6:8] == 0b10),
            is_.ascii.eq(~byte[7]),
            is_.following.eq(0),
        ]
        with m.Switch(byte):
            for length, pattern in ((2, "110-----"), (3, "1110----"), (4, "11110---")):
                with m.Case(pattern):
                    m.d.sync += is_.following.eq(length - 1)
        return m
