"""The console of an imported model with a stand-in core, byte for byte as docs/console.md says."""

import random

import pytest

from gateformer.gateware.parts.receive_queue import QUEUE_DEPTH
from tests.gateware.console.test_protocol import ENTERS, random_piece
from tests.support.console.bench import CTRL_C, END
from tests.support.console.check import checked
from tests.support.console.imported import (
    BOS,
    SINGLE,
    SIZE,
    codec_of_characters,
    codec_of_pieces,
    imported_console,
    imported_device,
    imported_model,
)
from tests.support.console.model import MARK
from tests.support.console.stand_in_core import CTX_LEN

MODELS = {
    "pieces": imported_model(codec_of_pieces()),
    "characters": imported_model(codec_of_characters(), prefix=()),
}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


@pytest.fixture
def pieces():
    """A pair of device and Python model, of a vocabulary of sub-words."""
    return pair_of(MODELS["pieces"])


def pair_of(model):
    return checked(imported_device(model), imported_console(model))


@pytest.fixture
def pair(model):
    return pair_of(model)


class TestCommands:
    def test_information_and_help(self, pair):
        pair(b"/info\r/help\r")

    def test_top_p(self, pair):
        pair(b"/top-p\r/top-p 0.95\r/top-p\r/top-p 1\r/top-p 0.01\r/top-p .5\r/top-p 1.0\r")
        for refused in (b"0", b"0.0", b"00.00", b"1.01", b"2", b"x", b"0.001"):
            answer = pair(b"/top-p %s\r/top-p\r" % refused)
            assert b"! top-p must be 0.01 to 1.00\r\n" in answer

    def test_every_setting_reaches_the_core(self, pair):
        pair(b"/temperature 1.37\r/top-k 7\r/seed 305419896\r/tokens 9\rabc\r/seed\r")
        for hundredths in (1, 2, 33, 50, 95, 99, 100):
            pair(b"/top-p %d.%02d\r/tokens 2\rab\r" % divmod(hundredths, 100))
        for hundredths in (0, 1, 33, 254, 255):
            pair(b"/temperature %d.%02d\r/tokens 2\rab\r" % divmod(hundredths, 100))


class TestNumbers:
    @pytest.mark.parametrize(
        "line", [b"\\7;", b"a\\007;b", b"\\127;\\0;", b"\\1;a", b"a\\1;", b"\\/\\12;\\n\\\\"]
    )
    def test_tokens(self, pair, line):
        answer = pair(line + b"\r")
        assert b"\x02" in answer and b"! " not in answer

    @pytest.mark.parametrize(
        "line", [b"\\128;", b"\\0127;", b"\\1000", b"\\;", b"\\1", b"a\\12x", b"\\1\\2;", b"\\1/"]
    )
    def test_refused(self, pair, line):
        refusal = b"! after a backslash comes n, \\, / or a token's number below 128 and ;; line"
        assert refusal in pair(line + b"\r")

    def test_are_removed_as_a_whole(self, pair):
        echo = pair(b"a\\12;\b\r")
        assert echo.startswith(b"a\\12;" + 4 * b"\b \b" + b"\r\n")
        pair(b"a\\12\b\r")
        pair(b"\\\b\\1\b\\127;\b\bab\r")
        pair(b"\\n\b1;\r")  # what has been the backslash of a newline
        pair(b"\\12;\\12;\\n\\3;\b\b\b\b4;\r")

    def test_an_error_is_removed_first(self, pair):
        pair(b"a\\12x\b;\r")
        pair(b"a\\128\b7;\r")
        pair(b"a\\128;\b\b\bb\r")
        pair("a\\12é\b;\r".encode())
        pair(b"a\\x\b12;\r")

    def test_mark(self, pair):
        for where in range(6):
            content = [*b"a\\12;\b"]
            content.insert(where, MARK)
            pair([*content, 0x0D])


class TestCharacters:
    def test_of_several_bytes(self, pair):
        pair("aéß€中b\r".encode())
        pair("aé\bb€\b\bc\r".encode())
        pair("é".encode()[:1] + b"\b" + "中".encode()[:2] + b"\bab\r")
        pair("中".encode()[:2] + b"ab\r")
        pair("Z\r😀\r\xff\r".encode())  # no tokens
        pair("a😀\bé\r".encode())
        pair(b"\xc0\x80\r\xff\r\x80\r")

    def test_do_not_fit_in_part(self, pieces):
        room = CTX_LEN - 3
        for end in ("é", "€", "中"):
            for before in range(room - 4, room + 1):
                pieces(b"a" * before + end.encode() + b"\r")
                pieces(b"a" * before + end.encode() + b"b\b\bb\r")
        pieces(b"a" * (room - 1) + b"\\12;\r" + b"a" * room + b"\\12;\b\b\r")

    def test_the_second_round_is_as_long_as_its_own_character(self, pieces):
        """An escape after a removed character of several bytes is one byte again."""
        pieces("\\né\b\bn\\né\b\b12;\r".encode())


class TestOpening:
    def test_comes_before_every_prompt(self, pieces):
        assert b"# prompt 4 tokens" in pieces(b"a\r")
        assert b"# prompt 3 tokens" in pieces(b"\\%d;\r" % BOS)
        assert b"# prompt 5 tokens" in pieces(b"a\\%d;\r" % BOS)
        assert b"# prompt 4 tokens" in pieces(b"\\%d;\bb\r" % BOS)

    def test_counts_in_the_context(self, pieces):
        room = CTX_LEN - 3
        assert b"less the 3 before every prompt" in pieces(b"a" * (room + 1) + b"\r")
        assert b"# prompt 40 tokens, text 1 tokens" in pieces(b"/tokens 0\r" + b"a" * room + b"\r")

    def test_not_before_bench(self, pieces):
        assert b"# prompt 1 tokens, text 40 tokens, " in pieces(b"a\r/bench\r")

    def test_is_there_after_commands(self, pieces):
        pieces(b"/seed 123456789\r/help\rabc\r/top-k 00000000000000000000007\rabc\r")


class TestStop:
    def test_ends_a_generation(self, pair):
        ends = [pair(b"/seed %d\rab\r" % seed).rsplit(b" ", 2)[-2] for seed in range(30)]
        assert {b"stop\r\n\x04>", b"context\r\n\x04>"} == set(ends)

    @pytest.mark.parametrize("tokens, line", [(1, b"ab"), (0, b"a" * (CTX_LEN - 3))])
    def test_in_the_last_place(self, pieces, tokens, line):
        """Also if the count or the context ends there."""
        pieces(b"/tokens %d\r" % tokens)
        lines = [b"/seed %d\r%s\r" % (seed * 999, line) for seed in range(200)]
        batches = [b"".join(lines[start : start + 4]) for start in range(0, len(lines), 4)]
        answer = b"".join(map(pieces, batches))
        assert answer.count(b" tokens, text 1 tokens, ") == len(lines)
        assert answer.count(b"end: stop\r\n") > 0

    def test_the_core_is_free_for_the_next_line(self, pair):
        pair(b"".join(b"/seed %d\rab\r" % seed for seed in range(6)))


class TestTyping:
    def test_text_is_bytes(self, pair):
        """Whatever tokens come, in a hundred texts, newlines and controls among them."""
        sent = b"".join(pair(b"/temperature 2\r/seed %d\rab\r" % (seed * 7)) for seed in range(40))
        assert b"?" in sent

    @pytest.mark.parametrize("seed", range(6))
    def test_fuzz(self, model, seed):
        rng = random.Random(seed)
        device, console = imported_device(model), imported_console(model)
        for _ in range(40):
            items = random_items(rng)
            assert device.ask(items) == b"".join(map(console.handle, items))
            if rng.random() < 0.1:
                assert device.ask([CTRL_C]) == console.interrupt()

    def test_ctrl_c_at_any_moment(self, model):
        """Nothing hangs, and nothing is left of the line, its rubouts or its generation."""
        rng = random.Random(4)
        device, console = imported_device(model), imported_console(model)
        script = b"a\\12;\\1\b\b\xc3\xa9\b\xe2\x82\xac\r/bench\r\\7;\\9;b\r\\12x\b;\xc3\r"
        setting = b"/seed 5\r"
        expected = b"".join(map(console.handle, setting + b"ab\r"))
        for _ in range(50):
            device.feed(script[rng.randrange(len(script)) :])
            device.simulation.step(rng.randrange(rng.choice([60, 900, 5000])))
            device.feed([CTRL_C])
            assert device.settle().endswith(END)
            assert device.ask(setting + b"ab\r") == expected

    def test_stall(self, model):
        device = imported_device(model, stall=0.9)
        device.QUIET = 20_000
        answer = device.ask(b"/temperature 0\rabc\r")
        assert answer.endswith(END) and b"end: " in answer


def random_items(rng) -> list:
    items = []
    while len(items) < rng.randrange(5, 200):
        piece = random_imported_piece(rng)
        items += [MARK] if piece is MARK else [byte for byte in piece if byte != CTRL_C]
    return items[:QUEUE_DEPTH]


def random_imported_piece(rng):
    kind = rng.random()
    if kind < 0.2:
        number = rng.choice([rng.randrange(SIZE), rng.randrange(SIZE), rng.randrange(2000), BOS])
        text = b"\\%0*d;" % (rng.randrange(1, 4), number)
        return text[: rng.choice([9, 9, 9, 2, 3, 4])]
    if kind < 0.25:
        return rng.choice("éß€中😀".encode().split(b" ")) * rng.choice([1, 1, 7])
    if kind < 0.3:
        return b"".join(rng.choices(SINGLE, k=3))
    if kind < 0.33:
        return rng.choice(ENTERS) + b"/top-p " + rng.choice([b"0", b"0.5", b"1", b"1.1"]) + b"\r"
    return random_piece(rng)
