"""The console with a stand-in core, byte for byte as docs/console.md says."""

import random
import re

import pytest

from gateformer.gateware.parts.receive_queue import QUEUE_DEPTH
from tests.support.console.bench import COUNTS, CTRL_C, END, Device, settled_device
from tests.support.console.check import checked
from tests.support.console.model import HELP, MARK, console_model
from tests.support.console.stand_in_core import CTX_LEN, VOCABULARY, StandInCore


@pytest.fixture
def device():
    return settled_device()


@pytest.fixture
def pair(device):
    return checked(device, console_model())


class TestCommands:
    def test_information(self, device):
        assert device.ask(b"/info\r") == (
            b"/info\r\n"
            b"# model t\xc3\xafny, digest 030405060708090a, build 00c0ffee\r\n"
            b"# n_layers 1, d_model 4, n_heads 2, d_ff 8, ctx_len 40, vocab_size 64\r\n"
            b"# rows 2, cols 4, lanes 4, packing 2bit, clock 12.5 MHz\r\n\x04> "
        )
        expected = HELP.format(vocab_size=64).replace("\n", "\r\n").encode()
        assert device.ask(b"/help\r") == b"/help\r\n" + expected + END

    def test_defaults_and_values(self, device):
        for command, value, changed in (
            ("temperature", "0.80", "2.55"),
            ("top-k", "20", "64"),
            ("seed", "1", "4294967295"),
            ("tokens", "0", "65535"),
        ):
            for argument, shown in (("", value), (f" {changed}", changed), ("", changed)):
                line = f"/{command}{argument}"
                answer = f"{line}\r\n# {command} {shown}\r\n".encode() + END
                assert device.ask(f"{line}\r".encode()) == answer

    @pytest.mark.parametrize(
        "command, shown, arguments",
        [
            ("temperature", "2.55", ["2.56", "3", "1.", ".5", "1.234", "x", "1 ", "-1", "1.5.1"]),
            ("top-k", "64", ["65", "x", "6 4", "1.0", "4294967296"]),
            ("seed", "4294967295", ["4294967296", "9" * 20, "0x1", "1.5", "+1", "6:", "6/"]),
            ("tokens", "65535", ["65536", "100000", " 1 2"]),
        ],
    )
    def test_refused_values(self, device, command, shown, arguments):
        before = device.ask(f"/{command}\r".encode())
        for argument in arguments:
            line = f"/{command} {argument}"
            answer = f"{line}\r\n! {command} must be 0 to {shown}\r\n".encode() + END
            assert device.ask(f"{line}\r".encode()) == answer
        assert device.ask(f"/{command}\r".encode()) == before

    @pytest.mark.parametrize(
        "line",
        [
            *("/", "/x", "/see", "/seeds", "/seed5", "/Seed 5", "/info 1", "/bench x", "/ seed"),
            *("//", "/" + "a" * 31, "/seed " + "0" * 26 + "1"),
        ],
    )
    def test_unknown(self, device, line):
        refusal = b"! unknown command; /help lists them\r\n"
        assert device.ask(line.encode() + b"\r") == line.encode() + b"\r\n" + refusal + END

    def test_longest_command(self, device):
        line = b"/seed " + b"0" * 24 + b"17"
        assert device.ask(line + b"\r") == line + b"\r\n# seed 17\r\n" + END

    def test_every_temperature(self, pair):
        """The text depends on both multipliers, so it shows that they are Python's."""
        for hundredths in [0, 1, 255, *random.Random(3).sample(range(256), 20)]:
            pair(b"/temperature %d.%02d\r/tokens 2\rab\r" % divmod(hundredths, 100))


class TestTyping:
    @pytest.mark.parametrize(
        "line, refusal",
        [
            ("aZb", "the model has no token for a character of the line; line ignored"),
            ("aä", "the model has no token for a character of the line; line ignored"),
            (b"a\xffb", "the model has no token for a character of the line; line ignored"),
            (b"a\xc3", "the model has no token for a character of the line; line ignored"),
            (b"\xc0\x80", "the model has no token for a character of the line; line ignored"),
            (b"\x80a", "the model has no token for a character of the line; line ignored"),
            ("a\\xb", "after a backslash comes n, \\ or /; line ignored"),
            ("a\\", "after a backslash comes n, \\ or /; line ignored"),
            ("a" * (CTX_LEN + 1), f"longer than the context of {CTX_LEN} tokens; line ignored"),
            ("/" + "a" * 32, "unknown command; /help lists them"),
            ("/infö", "unknown command; /help lists them"),
            ("a\\xZ", "after a backslash comes n, \\ or /; line ignored"),
            ("Z\\x", "the model has no token for a character of the line; line ignored"),
        ],
    )
    def test_refusals(self, device, line, refusal):
        content = line if isinstance(line, bytes) else line.encode()
        assert device.ask(content + b"\r") == content + f"\r\n! {refusal}\r\n".encode() + END
        assert device.ask(b"/seed\r") == b"/seed\r\n# seed 1\r\n" + END

    @pytest.mark.parametrize("where", range(4))
    def test_mark(self, device, where):
        content = [*b"abc"]
        content.insert(where, MARK)
        refusal = b"! bytes were lost or damaged; line ignored\r\n"
        assert device.ask([*content, 0x0D]) == b"abc\r\n" + refusal + END
        assert device.ask(b"/seed\r") == b"/seed\r\n# seed 1\r\n" + END

    def test_mark_cannot_be_removed(self, device):
        refusal = b"! bytes were lost or damaged; line ignored\r\n"
        line = [*b"a", MARK, *b"bc\b\b\b\b\r"]
        assert device.ask(line) == b"abc\b \b\b \b\r\n" + refusal + END

    def test_enter(self, device):
        """An LF after a CR belongs to it, unless anything is in between."""
        assert device.ask(b"\r\n") == b"\r\n" + END
        assert device.ask(b"\n") == b"\r\n" + END
        assert device.ask(b"\n\r\n\n") == 3 * (b"\r\n" + END)
        assert device.ask(b"\r") + device.ask(b"\n") == b"\r\n" + END
        assert device.ask(b"\r") + device.ask([CTRL_C, 0x0A]) == 3 * (b"\r\n" + END)
        refusal = b"! bytes were lost or damaged; line ignored\r\n"
        assert device.ask([0x0D, MARK, 0x0A]) == b"\r\n" + END + b"\r\n" + refusal + END

    def test_editing(self, device):
        assert device.ask(b"\b\x7f") == b""
        echo = b"/sex\b \bed\b \b\b \bed"
        assert device.ask(b"/sex\bed\x7f\x7fed\r") == echo + b"\r\n# seed 1\r\n" + END
        assert device.ask(b"abc\x15") == b"abc\r\n> "
        assert device.ask(b"Z\x15\r") == b"Z\r\n> \r\n" + END
        # a command that was rubbed out whole, then a prompt
        assert device.ask(b"/i\b\b/seed\r") == b"/i\b \b\b \b/seed\r\n# seed 1\r\n" + END

    def test_rubout_repairs_a_line(self, pair):
        pair(b"/tokens 1\r")
        pair("abZä€".encode() + b"\b\b\b\bcd\r")
        pair(b"a\\x\b\bb\r")
        pair(b"a\\n\bn\\/\\\\\b\b\b\b\r")
        pair("é€\\n😀".encode() + b"\b\b\b\b\b\b\\/a\r")
        pair(b"a" * (CTX_LEN + 5) + 5 * b"\b" + b"\r")
        pair("a€".encode()[:3] + b"\bb\r")

    def test_echo_is_the_bytes(self, pair):
        pair("\\n\\\\ab\té\x00\x1bß€中😀\U0010ffff\uffff/x\\/\r".encode())

    @pytest.mark.parametrize("seed", range(4))
    def test_fuzz(self, device, seed):
        """Thousands of bytes, mostly interesting ones, and marks."""
        rng = random.Random(seed)
        model = console_model()
        for _ in range(40):
            items = random_items(rng)
            assert device.ask(items) == b"".join(map(model.handle, items))
            if rng.random() < 0.1:
                assert device.ask([CTRL_C]) == model.interrupt()


def random_items(rng) -> list:
    """At most as many items as the queue keeps."""
    items = []
    while len(items) < rng.randrange(5, 200):
        piece = random_piece(rng)
        items += [MARK] if piece is MARK else [byte for byte in piece if byte != CTRL_C]
    return items[:QUEUE_DEPTH]


CHARACTERS = [text.encode() for text in VOCABULARY if text and text not in "\n\x7f"]
ARGUMENTS = (
    *(b"0", b"5", b"64", b"65", b"0.8", b"2.55", b"2.56", b"1.", b".5", b"1.234", b"4294967295"),
    *(b"4294967296", b"42949672950", b"65535", b"65536", b"x", b"007", b"1 ", b"12345678901234567"),
    *(b"1.5", b"0.05", b"1:", b"1/", b"-1"),
)
NAMES = (b"temperature", b"top-k", b"seed", b"tokens", b"info", b"bench", b"help", b"se", b"")
ENTERS = (b"\r", b"\r\n", b"\n")


def random_piece(rng):
    kind = rng.random()
    if kind < 0.35:
        return b"".join(rng.choices(CHARACTERS[:30], k=rng.randrange(1, 6)))
    if kind < 0.45:
        return rng.choice(CHARACTERS)
    if kind < 0.52:
        return bytes([rng.randrange(256)])
    if kind < 0.58:
        return b"\\" + rng.choice([b"n", b"\\", b"/", b"x", b""])
    if kind < 0.70:
        return rng.choice([b"\b", b"\x7f"]) * rng.choice([1, 1, 1, 2, 5, 30, 60, 150])
    if kind < 0.73:
        return b"\x15"
    if kind < 0.76:
        return rng.choice(CHARACTERS)[:2]
    if kind < 0.79:
        return rng.choice(CHARACTERS[:20]) * rng.choice([30, 39, 40, 41, 90, 140])
    if kind < 0.81:
        return MARK
    if kind < 0.90:
        command = b"/" + rng.choice(NAMES)
        if rng.random() < 0.7:
            command += b" " * rng.choice([1, 1, 2]) + rng.choice(ARGUMENTS)
        return rng.choice([*ENTERS, b""]) + command + rng.choice(ENTERS)
    return rng.choice([*ENTERS, b"\n\r", b"\r\r"])


class TestGeneration:
    def test_settings_reach_the_core(self, pair):
        pair(b"abc\r")
        pair(b"/temperature 1.37\r/top-k 7\r/seed 305419896\r/tokens 9\rabc\r/seed\r")
        pair(b"/seed 4294967295\rabc\r/seed\r")  # the seed wraps around
        pair(b"/temperature 0\rabc\r/seed\r")  # greedy: the seed stays

    def test_context(self, pair):
        pair(b"a" * CTX_LEN + b"\r")
        pair(b"/tokens 1\r" + b"a" * CTX_LEN + b"\r")
        pair(b"/tokens 2\r" + b"a" * (CTX_LEN - 1) + b"\r")
        pair(b"/tokens 5\r" + b"a" * (CTX_LEN - 1) + b"\r")

    def test_bench(self, pair):
        answer = pair(b"/temperature 1\r/tokens 3\r/seed 9\r/bench\r/seed\r/tokens\r")
        counts = b"text 40 tokens, %d cycles, 0 waiting" % StandInCore.cycles(1, CTX_LEN)
        assert b"/bench\r\n# prompt 1 tokens, " + counts in answer

    def test_waiting_is_not_counted_as_cycles(self):
        plain, slow = Device(), Device(stall=0.99, seed=7)
        slow.QUIET = 100_000
        answers = []
        for device in (plain, slow):
            device.settle()
            answers.append(device.ask(b"/tokens 12\rabcd\r"))
        assert answers[0].split(b" cycles, ")[0] == answers[1].split(b" cycles, ")[0]
        waiting = [int(COUNTS.search(answer)[4]) for answer in answers]
        assert waiting[0] == 0
        assert waiting[1] > 100

    def test_bytes_wait_for_its_end(self, pair):
        pair(b"abc\r/seed\rab\r\n\nZ\r")

    def test_queue_overflow_is_told(self, device):
        """What does not fit is missing in one line, which is refused; the others are whole."""
        lines = [b"/seed %d\r" % number for number in range(10, 50)]
        answer = device.ask(b"abc\r" + b"".join(lines) + b"x" * 300)
        answer += device.ask(b"\r/seed\r")
        assert answer.count(b"! bytes were lost or damaged; line ignored\r\n") == 1
        stored = [int(n) for n in re.findall(rb"\n# seed (\d+)\r", answer)]
        assert len(stored) > 20
        assert stored[:-1] == list(range(10, 10 + len(stored) - 1))
        assert stored[-1] == stored[-2]
