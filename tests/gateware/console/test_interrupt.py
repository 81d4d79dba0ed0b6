"""Ctrl-C at any moment of the console with a stand-in core, as docs/console.md says."""

import random
import re

import pytest

from tests.support.console.bench import COUNTS, CTRL_C, END, Device, settled_device
from tests.support.console.model import HELP, console_model
from tests.support.console.stand_in_core import CTX_LEN, VOCABULARY, StandInCore


@pytest.fixture
def device():
    return settled_device()


class TestInterrupt:
    def test_while_typing(self, device):
        for line in (b"", b"abc", b"/see", b"Z", b"a\\", b"a\xc3"):
            assert device.ask(line) == line
            assert device.ask([CTRL_C]) == b"\r\n" + END
            assert device.ask(b"/seed\r") == b"/seed\r\n# seed 1\r\n" + END

    def test_forgets_what_waits(self, device):
        answer = device.ask([*b"/help\r/seed 5\r/seed 6\r", CTRL_C, *b"/seed\r"])
        assert answer.endswith(b"/seed\r\n# seed 1\r\n" + END)
        assert b"seed 5" not in answer

    def test_counts_of_a_stopped_generation(self, device):
        device.ask(b"/temperature 1\r")
        device.feed(b"abc\r")
        device.simulation.step(1200)
        answer = device.ask([CTRL_C])
        prompt, text, cycles, _, end = COUNTS.search(answer).groups()
        assert (prompt, end) == (b"3", b"stopped")
        assert 5 < int(text) < CTX_LEN - 5
        assert 0 <= int(cycles) - StandInCore.cycles(3, int(text)) <= StandInCore.CYCLES
        assert answer.count(END) == 1
        # it has used its seed; the next generation is whole
        assert device.ask(b"/seed\r") == b"/seed\r\n# seed 2\r\n" + END
        assert COUNTS.search(device.ask(b"abc\r"))[5] == b"context"

    @pytest.mark.parametrize("stall", [0.0, 0.9])
    def test_at_any_moment(self, stall):
        """Nothing hangs, every answer is whole and ends once, and nothing is left of the line."""
        rng = random.Random(int(stall * 10))
        device = TimedDevice(stall=stall)
        device.QUIET = 2500 if not stall else 10_000
        device.settle()
        script = b"ab\\n\xe2\x82\xac\r/bench\r/temperature 1.5\r/help\rabZ\r/seed 77\r\nab\bc\r"
        shared = 0
        for _ in range(120 if not stall else 40):
            device.feed(b"/seed 1\r")
            device.settle()
            device.feed(script[rng.randrange(len(script)) :])
            device.simulation.step(rng.randrange(rng.choice([60, 900, 9000])))
            times = rng.choice([1, 1, 3])
            for _ in range(times):
                device.feed([CTRL_C])
                device.simulation.step(rng.randrange(1, 300))
            answer = device.settle()
            assert answer.endswith(END)
            check_shape(answer)
            shared += device.check_ends(times)
            answer = device.ask(b"/tokens\r")
            assert answer == b"/tokens\r\n# tokens 0\r\n" + END
        assert shared > 3  # an end or more that several of them had in common

    def test_around_an_end(self):
        """Ctrl-C in each cycle around the end of an answer: it shares that end, or has another.

        Where the end is depends on the number unit's turns, by up to 32 cycles.
        """
        device = TimedDevice()
        device.QUIET = 600
        device.settle()
        device.ask(b"/tokens 1\r")
        device.ask(b"a\r")
        duration = int(device.ends[-1] - device.source.taken()[-1])
        ends = []
        for cycles in range(duration - 50, duration + 50):
            device.feed(b"a\r")
            device.simulation.step(cycles)
            device.feed([CTRL_C])
            answer = device.settle()
            device.check_ends(1)
            counts, *others = answer.partition(b"\x03\r\n")[2].split(END)[:-1]
            assert COUNTS.fullmatch(counts + END)[5] == b"count"
            assert others in ([], [b"\r\n"])
            ends.append(len(others))
        assert (ends[0], ends[-1]) == (0, 1)

    def test_an_lf_after_ctrl_c_is_an_enter(self, device):
        """Whenever the Ctrl-C came after a CR: that LF does not belong to the CR."""
        for cycles in range(1, 16):
            device.feed(b"\r")
            device.simulation.step(cycles)
            device.feed([CTRL_C])
            device.settle()
            assert device.ask(b"\n") == b"\r\n" + END, cycles

    def test_with_every_stop_the_next_text_is_right(self, device):
        model = console_model()
        for command in (b"/temperature 0\r", b"/tokens 6\r"):
            device.ask(command)
            b"".join(map(model.handle, command))
        for cycles in range(30, 700, 37):
            device.feed(b"ab\\nc\r")
            device.simulation.step(cycles)
            device.ask([CTRL_C])
            assert device.ask(b"abc\r") == b"".join(map(model.handle, b"abc\r"))


class TimedDevice(Device):
    """Knows when ends were sent and when Ctrl-C arrived."""

    ON_THE_WAY = 4
    """Cycles from the arrival of Ctrl-C to its effect; an end that is sent meanwhile is either."""

    def read(self):
        """As of Device; ``ends``: the cycles in which an EOT was taken, since the last time."""
        cycles, values = self.sink.read()
        self.ends = cycles[values["sent__payload"][:, 0] == END[0]]
        return super().read()

    def check_ends(self, times):
        """Behind each of the latest ``times`` Ctrl-C there is one end: its own, or one that it
        shares with an answer or with the next Ctrl-C; whether several shared one."""
        shared = False
        arrived = [int(cycle) for cycle in self.source.taken()[-times:]]
        for cycle, following in zip(arrived, [*arrived[1:], None], strict=True):
            behind = [end for end in self.ends if cycle < end <= (following or end)]
            own = sum(end > cycle + self.ON_THE_WAY for end in behind)
            assert own <= 1
            if following is None:
                assert behind
            shared |= not behind
        return shared


def check_shape(answer: bytes):
    """Texts are closed, each is followed by its counts, and every other line is a known one."""
    outside = re.sub(rb"\x02[^\x02\x03]*\x03\r\n# prompt ", b"# prompt ", answer)
    assert not set(outside) & {0x02, 0x03}
    for line in outside.replace(END, b"").split(b"\r\n"):
        if line.startswith(b"# prompt"):
            assert COUNTS.match(line + b"\r\n" + END)
        elif line.startswith((b"# ", b"! ")):
            assert line in KNOWN_LINES


KNOWN_LINES = {
    *(line.encode() for line in HELP.format(vocab_size=len(VOCABULARY)).splitlines()),
    *(b"# temperature 1.50", b"# seed 1", b"# seed 7", b"# seed 77"),
    b"! the model has no token for a character of the line; line ignored",
}
