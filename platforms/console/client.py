"""The peer of the console: lines that arrive as they were sent, answers as they come."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator

from gateformer.model.support.errors import UserError

from .answer import ANSWER_END, PROMPT, AnswerReader, Kind, Piece
from .link import POLL, Link

ENTER, CTRL_C, CTRL_U = b"\r", b"\x03", b"\x15"
END_OF_LINE = b"\r\n"
QUEUE = 256
"""Bytes that the device keeps while it can't handle them."""
AHEAD = QUEUE - 1
"""Bytes sent ahead of their echo, so that Ctrl-U finds room behind them."""
TRIES = 3
QUIET = 0.1
"""Seconds without a byte that end what was cut short; a USB adapter delays bytes by up to 16 ms."""


Interrupted = Callable[[], bool]
"""Asked at least every 50 ms during an answer; true: the user wants it to stop."""


class UnsendableLine(UserError):
    """The line holds a character that would not be a part of it; nothing was sent."""


class NoisyLine(UserError):
    """The device's echo is not what was sent, again and again."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """A whole answer: its text, its lines of information, its first refusal.

    ``notes`` are of its pieces of the kinds NOTE and OTHER: it is not as the device sent it.
    """

    text: str
    information: tuple[str, ...]
    refusal: str | None
    notes: tuple[str, ...] = ()


class _Mismatch(Exception):
    """Byte ``index`` of a line was echoed as ``echo``, b"" if not at all."""

    def __init__(self, index: int, echo: bytes):
        self.index = index
        self.echo = echo


def _not_interrupted() -> bool:
    return False


class ConsoleClient:
    """Talks to a console through ``link``.

    Every wait is bounded; what never comes is a UserError.

    Parameters
    ----------
    link : Link
    """

    def __init__(self, link: Link):
        self.link = link

    def synchronize(self) -> None:
        """Stop and forget whatever the device was doing, up to a fresh ``> ``.

        Raises UserError if no console answers.
        """
        # twice, since opening a port may garble the first byte
        for _ in range(2):
            self.link.write(CTRL_C)
            if self._skip_to(ANSWER_END, self.link.patience / 2):
                return
        raise UserError(f"no console answers on {self.link.name}: {self.link.hint}")

    def ask(
        self,
        line: str,
        interrupted: Interrupted = _not_interrupted,
        patience: float | None = None,
    ) -> Answer:
        """The whole answer to ``line``; as :meth:`answer`."""
        pieces = list(self.answer(line, interrupted, patience))
        refusals = [piece.text for piece in pieces if piece.kind is Kind.REFUSAL]
        return Answer(
            text="".join(piece.text for piece in pieces if piece.kind is Kind.TEXT),
            information=tuple(p.text for p in pieces if p.kind is Kind.INFORMATION),
            refusal=refusals[0] if refusals else None,
            notes=tuple(p.text for p in pieces if p.kind in (Kind.NOTE, Kind.OTHER)),
        )

    def answer(
        self,
        line: str,
        interrupted: Interrupted = _not_interrupted,
        patience: float | None = None,
    ) -> Iterator[Piece]:
        """Send ``line`` and yield its answer piece by piece.

        Parameters
        ----------
        interrupted : Interrupted
            Whenever it is true, the device gets Ctrl-C; the answer goes on to its end.
        patience : float, optional
            Seconds without a byte after which the end is lost; the link's ``answer_patience``.

        Raises
        ------
        UnsendableLine
            If the line has a control character other than TAB.
        NoisyLine
            If the echo differs in each of three tries.
        UserError
            If the connection broke, or the device fell silent.
        """
        content = _encode(line)
        yield from self._unasked()
        yield from self.receive(self._send(line, content), interrupted, patience)

    def send_line(self, line: str) -> bytes:
        """Send ``line``; the first bytes of its answer. Errors as of :meth:`answer`."""
        return self._send(line, _encode(line))

    def _unasked(self) -> list[Piece]:
        """What came since the last answer: a board that is reset introduces itself."""
        reader, pieces = AnswerReader(), []
        end = time.monotonic() + self.link.patience
        while time.monotonic() < end and (content := self.link.read(0)):
            if reader.complete:
                reader = AnswerReader()
            pieces += reader.feed(content)
        lines = [piece.text for piece in pieces if piece.text]
        return [Piece(Kind.NOTE, f"unasked, perhaps after a reset: {text}") for text in lines]

    def _send(self, line: str, content: bytes) -> bytes:
        """Send the line and, once all of it is echoed, Enter; the first bytes of the answer."""
        for _ in range(TRIES):
            try:
                self._send_echoed(content)
                return self._send_enter(len(content))
            except _Mismatch as error:
                mismatch = error
            self._forget(mismatch.index == len(content))
        raise self._noisy(line, content, mismatch)

    def _send_echoed(self, content: bytes) -> None:
        sent = echoed = 0
        while echoed < len(content):
            fresh = content[sent : echoed + AHEAD]
            if fresh:
                self.link.write(fresh)
                sent += len(fresh)
            echo = self.link.read(self.link.patience)
            if not echo:
                raise _Mismatch(echoed, b"")
            for byte in echo:
                if echoed == sent or byte != content[echoed]:
                    raise _Mismatch(min(echoed, len(content) - 1), bytes([byte]))
                echoed += 1

    def _send_enter(self, index: int) -> bytes:
        """Send Enter and compare its echo; what came behind the echo."""
        self.link.write(ENTER)
        echo, end = b"", time.monotonic() + self.link.patience
        while len(echo) < len(END_OF_LINE) and END_OF_LINE.startswith(echo):
            content = self.link.read(max(end - time.monotonic(), 0))
            if not content:
                raise _Mismatch(index, echo)
            echo += content
        if not echo.startswith(END_OF_LINE):
            raise _Mismatch(index, echo[:1])
        return echo.removeprefix(END_OF_LINE)

    def _forget(self, perhaps_entered: bool) -> None:
        """Make the device forget a line of which the echo differs."""
        if not perhaps_entered:
            self.link.write(CTRL_U)
            if self._skip_to(END_OF_LINE + PROMPT, self.link.patience):
                return
        # what was echoed wrongly may have been an Enter, which only Ctrl-C takes back
        self.synchronize()

    def receive(
        self,
        content: bytes = b"",
        interrupted: Interrupted = _not_interrupted,
        patience: float | None = None,
    ) -> Iterator[Piece]:
        """The answer that begins with ``content``; as :meth:`answer`."""
        reader, link = AnswerReader(), self.link
        patience = link.answer_patience if patience is None else patience
        latest = time.monotonic() + patience
        stop_by = None
        while True:
            yield from reader.feed(content)
            if reader.complete:
                break
            if interrupted():
                link.write(CTRL_C)
                stop_by = time.monotonic() + link.patience
            content = link.read(POLL)
            now = time.monotonic()
            if content:
                latest = now + patience
            if now >= (latest if stop_by is None else stop_by):
                self._resynchronize()
                yield Piece(Kind.NOTE, "the end of the answer was lost; the serial line is noisy")
                return
        if stop_by is not None:
            # the generation may have ended by itself, so that Ctrl-C has an answer of its own
            self._skip_to(b"", link.patience)

    def _resynchronize(self) -> None:
        try:
            self.synchronize()
        except UserError:
            raise UserError(
                f"the console on {self.link.name} fell silent within an answer; reset the board "
                "and start again"
            ) from None

    def _skip_to(self, end: bytes, seconds: float) -> bool:
        """Drop bytes up to ``end`` with silence behind it; whether it came in that time."""
        tail, limit = b"", time.monotonic() + seconds
        while (now := time.monotonic()) < limit:
            ended = tail.endswith(end)
            content = self.link.read(QUIET if ended else limit - now)
            if ended and not content:
                return True
            tail = (tail + content)[-max(len(end), 1) :]
        return False

    def _noisy(self, line: str, content: bytes, mismatch: _Mismatch) -> NoisyLine:
        if mismatch.index == len(content):
            place, byte = "Enter", ENTER
        else:
            ends = itertools.accumulate(len(_encode(character)) for character in line)
            number = sum(end <= mismatch.index for end in ends)
            place = f"character {number + 1} ({line[number]!r})"
            byte = content[mismatch.index : mismatch.index + 1]
        came = mismatch.echo.hex() or "nothing"
        return NoisyLine(
            f"the line to {self.link.name} is noisy: at {place}, {byte.hex()} was sent and {came} "
            f"came back, {TRIES} times; check the cable, or build with a lower baud rate"
        )


def _encode(line: str) -> bytes:
    for number, character in enumerate(line, 1):
        if character != "\t" and (character < " " or character == "\x7f"):
            raise UnsendableLine(
                f"control character {ord(character):02x} (character {number}) cannot be sent; "
                "line ignored"
            )
    # bytes that are no UTF-8 went through as surrogates; the device refuses them
    return line.encode("utf-8", "surrogateescape")
