"""The console's answers (docs/console.md): bytes to pieces of text and lines, as they come."""

from __future__ import annotations

import codecs
import dataclasses
import enum
import unicodedata

from ..firmware.pace import SIGN_OF_LIFE

STX, ETX, EOT = 0x02, 0x03, 0x04
PROMPT = b"> "
ANSWER_END = bytes([EOT]) + PROMPT
TEXT_END_LOST = "the end of the text was lost; the serial line is noisy"
_END_OF_LINE = "\r\n"


class Kind(enum.Enum):
    """What a piece of an answer is."""

    TEXT = "generated text, a part of it"
    TEXT_END = "the generated text is complete"
    INFORMATION = "a line that begins with #"
    REFUSAL = "a line that begins with !"
    OTHER = "a line that begins with neither: the serial line is noisy"
    NOTE = "a line of this program's, not of the device's"


@dataclasses.dataclass(frozen=True)
class Piece:
    """A part of an answer; ``text`` is printable, without the mark and the end of a line."""

    kind: Kind
    text: str = ""


class TextDecoder:
    """UTF-8 to what may be shown, however the bytes are cut.

    CR LF becomes a newline; any other control character but newline and tab becomes ``?``, so
    that no device can move the cursor or set colours.
    """

    def __init__(self):
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def decode(self, content: bytes, final: bool = False) -> str:
        """Text that is complete; ``final``: nothing comes after it."""
        text = self._held + self._utf8.decode(content, final)
        # half of a CR LF waits for its other half
        self._held = "\r" if text.endswith("\r") and not final else ""
        text = text.removesuffix(self._held).replace(_END_OF_LINE, "\n")
        return "".join(map(_visible, text))


def _visible(character: str) -> str:
    hidden = unicodedata.category(character) == "Cc" and character not in "\n\t"
    return "?" if hidden else character


def printable(content: bytes) -> str:
    """All of ``content`` as :class:`TextDecoder` shows it."""
    return TextDecoder().decode(content, final=True)


class AnswerReader:
    """One answer: from behind the echo of Enter to the ``> `` after EOT.

    Attributes
    ----------
    complete : bool
        Whether the ``> `` has come.
    """

    def __init__(self):
        self.complete = False
        self._line = bytearray()
        self._text: TextDecoder | None = None
        self._after_end: bytearray | None = None

    def feed(self, content: bytes) -> list[Piece]:
        """Pieces that are complete with ``content``; bytes after the answer are dropped."""
        pieces, text = [], bytearray()
        for byte in content:
            if byte == SIGN_OF_LIFE:
                continue
            if self._after_end is not None:
                self._after_end.append(byte)
                self.complete = len(self._after_end) >= len(PROMPT)
            elif self._text is not None and byte not in (ETX, EOT):
                text.append(byte)
            else:
                if self._text is not None:
                    pieces += self._end_text(bytes(text))
                    text.clear()
                    if byte == EOT:
                        pieces.append(Piece(Kind.NOTE, TEXT_END_LOST))
                pieces += self._outside_text(byte)
        if self._text is not None and (shown := self._text.decode(bytes(text))):
            pieces.append(Piece(Kind.TEXT, shown))
        return pieces

    def _end_text(self, content: bytes) -> list[Piece]:
        shown = self._text.decode(content, final=True)
        self._text = None
        return [*([Piece(Kind.TEXT, shown)] if shown else []), Piece(Kind.TEXT_END)]

    def _outside_text(self, byte: int) -> list[Piece]:
        if byte == STX and not self._line:
            self._text = TextDecoder()
        elif byte == EOT:
            self._after_end = bytearray()
            return self._end_line()
        elif byte == ord("\n"):
            return self._end_line()
        elif byte != ETX:
            self._line.append(byte)
        return []

    def _end_line(self) -> list[Piece]:
        """The line so far; an empty one is only the end of the text before it."""
        line = printable(bytes(self._line).removesuffix(b"\r"))
        self._line.clear()
        for kind, mark in ((Kind.INFORMATION, "# "), (Kind.REFUSAL, "! ")):
            if line.startswith(mark):
                return [Piece(kind, line.removeprefix(mark))]
        return [Piece(Kind.OTHER, line)] if line else []
