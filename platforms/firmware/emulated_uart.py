"""A UART of a Zynq-7000's processor as its software sees it.

Source: UG585, "Zynq-7000 TRM", chapter 19 and appendix B (uart); only what polling software uses.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable

FIFO_DEPTH = 64
FRAME_BITS = 10
CONTROL, MODE, INTERRUPT_STATUS = 0x00, 0x04, 0x14
BAUD_GENERATOR, STATUS, FIFO, BAUD_DIVIDER = 0x18, 0x2C, 0x30, 0x34
RECEIVE_RESET, SEND_RESET, RECEIVE_ENABLE, SEND_ENABLE = 1, 2, 4, 16
RECEIVE_EMPTY, RECEIVE_FULL, SEND_EMPTY, SEND_FULL, SENDING = (
    1 << 1,
    1 << 2,
    1 << 3,
    1 << 4,
    1 << 11,
)
OVERFLOW, FRAMING = 1 << 5, 1 << 6
MODE_8N1 = 0x20
DAMAGED = None
"""An item in the place of a byte without a stop bit, such as a break: it is received as 0."""


class EmulatedUart:
    """Both FIFOs, the line's speed, and the status bits.

    Time is a number of reference clock cycles that only grows; :meth:`advance` moves it.

    Parameters
    ----------
    speedup : float
        How many times faster than the dividers say the line is.

    Attributes
    ----------
    sent : bytearray
        What has left the port; the reader may remove it.
    """

    def __init__(self, speedup: float = 1.0):
        self._speedup = speedup
        self.sent = bytearray()
        self.coming: collections.deque[int | None] = collections.deque()
        self._received: collections.deque[int] = collections.deque()
        self._sending: collections.deque[int] = collections.deque()
        self._registers = {CONTROL: 0x128, MODE: 0, BAUD_GENERATOR: 0x28B, BAUD_DIVIDER: 0xF}
        self._events = 0
        self._now = self._next_receive = self._next_sent = 0.0

    @property
    def baud_cycles(self) -> int:
        """Reference clock cycles per bit, as the dividers say."""
        return self._registers[BAUD_GENERATOR] * (self._registers[BAUD_DIVIDER] + 1)

    def _frame(self) -> float:
        return FRAME_BITS * self.baud_cycles / self._speedup

    @property
    def quiet(self) -> bool:
        """Nothing is on its way, in either direction, and nothing waits to be read."""
        return not (self.coming or self._received or self._sending)

    def arrive(self, items: Iterable[int | None]) -> None:
        """Bytes, and DAMAGED ones, come over the line, one after the other, from now on."""
        if not self.coming:
            self._next_receive = self._now + self._frame()
        self.coming.extend(items)

    def advance(self, now: float) -> None:
        """It is ``now``."""
        self._now = now
        receives = self.coming and self._next_receive <= now
        if not receives and not (self._sending and self._next_sent <= now):
            return
        frame, control = self._frame(), self._registers[CONTROL]
        while self.coming and self._next_receive <= self._now:
            self._receive(self.coming.popleft(), control)
            self._next_receive += frame
        while self._sending and self._next_sent <= self._now:
            self.sent.append(self._sending.popleft())
            self._next_sent += frame

    def _receive(self, item: int | None, control: int) -> None:
        if not control & RECEIVE_ENABLE or self._registers[MODE] != MODE_8N1:
            return
        if item is DAMAGED:
            self._events |= FRAMING
        if len(self._received) == FIFO_DEPTH:
            self._events |= OVERFLOW
        else:
            self._received.append(item or 0)

    def read(self, offset: int) -> int:
        if offset == STATUS:
            return self._status()
        if offset == FIFO:
            return self._received.popleft() if self._received else 0
        if offset == INTERRUPT_STATUS:
            return self._events
        return self._registers.get(offset, 0)

    def _status(self) -> int:
        received, sending = len(self._received), len(self._sending)
        return (
            RECEIVE_EMPTY * (received == 0)
            | RECEIVE_FULL * (received == FIFO_DEPTH)
            | SEND_EMPTY * (sending <= 1)  # the last byte is in the shift register
            | SEND_FULL * (sending >= FIFO_DEPTH)
            | SENDING * (sending > 0)
        )

    def write(self, offset: int, value: int) -> None:
        if offset == FIFO:
            self._send(value & 0xFF)
        elif offset == INTERRUPT_STATUS:
            self._events &= ~value
        elif offset == CONTROL:
            if value & RECEIVE_RESET:
                self._received.clear()
            if value & SEND_RESET:
                self._sending.clear()
            self._registers[CONTROL] = value & ~(RECEIVE_RESET | SEND_RESET)
        else:
            self._registers[offset] = value

    def _send(self, byte: int) -> None:
        if not self._registers[CONTROL] & SEND_ENABLE or self._registers[MODE] != MODE_8N1:
            return
        if not self._sending:
            self._next_sent = self._now + self._frame()
        if len(self._sending) < FIFO_DEPTH:
            self._sending.append(byte)
