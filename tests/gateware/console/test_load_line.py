"""An image bit by bit on the serial line, with the real core."""

import random

import pytest

from gateformer.gateware.console.load_messages import ENQ
from gateformer.gateware.console.system import ConsoleSystem
from tests.support.console.bench import END, compiled
from tests.support.console.load_bench import label, packed, program, words
from tests.support.serial_peer import SerialPeer

pytestmark = pytest.mark.slow  # minutes of simulation, bit by bit

DIVISOR = 4
BAUD = 25_000
SECOND = DIVISOR * BAUD


class Line:
    """A serial peer and the system of model 1."""

    def __init__(self):
        system = ConsoleSystem(program(), name="m1", build_id=1, clock_hz=SECOND, baud=BAUD)
        self.simulation = compiled(system, "console load line")
        self.simulation.set("rx", 1)
        self.peer = SerialPeer(DIVISOR)

    def read(self, end: bytes, limit: int) -> bytes:
        """What is sent up to ``end``, in at most so many cycles."""
        peer, simulation, last = self.peer, self.simulation, self.peer.now + limit
        while not peer.received.endswith(end):
            assert peer.now < last, bytes(peer.received)
            peer.cycle(simulation)
        content = bytes(peer.received)
        peer.received.clear()
        return content

    def load(self, send) -> bytes:
        """The answer to an image that ``send`` sends."""
        self.peer.send(b"/load\r")
        self.read(bytes([ENQ]), 20_000)
        send(self.peer)
        return self.read(END, 40 * DIVISOR * len(words(1)) + 3 * SECOND)


def test_images_on_the_line():
    content, rng, line = packed(words(2)), random.Random(5), Line()
    line.read(END, 10_000)
    at = rng.randrange(100, len(content) - 100)

    def whole(peer):
        peer.send(content)

    def missing_stop_bit(peer):
        peer.send(content[:at])
        peer.send(bytes([content[at] ^ 0x10]), stop=0)
        peer.send(content[at + 1 :])

    def lost_byte(peer):
        peer.send(content[:at] + content[at + 1 :])

    def line_break(peer):
        peer.send(content[:at])
        peer.send_break(31)
        peer.send(content[at:])

    loaded = b"# loaded " + label(2) + b"\r\n" + END
    refused = b"! image refused: "
    for fault in (missing_stop_bit, lost_byte, line_break):
        answer = line.load(fault)
        assert answer.startswith(refused) and b"; there is no model; /load one\r\n" in answer
        assert answer.removeprefix(refused).startswith((b"broken off", b"its checksum is wrong"))
    assert line.load(whole) == loaded
    line.peer.send(b"/info\r")
    assert line.read(END, 50_000).startswith(b"/info\r\n# model " + label(2))
    assert line.peer.broken == 0
