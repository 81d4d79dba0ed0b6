"""The firmware of imported models, byte for byte as docs/console.md says, emulated."""

import random

import pytest

from gateformer.gateware.console.imported.pieces import Pieces
from gateformer.platforms.firmware.imported_model import encoder
from tests.gateware.console.test_imported_protocol import random_items
from tests.support.console.check import checked
from tests.support.console.imported import BOS, STOP
from tests.support.console.stand_in_core import CTX_LEN

from .imported_bench import MODELS, FirmwareConsole, ImportedDevice

QUICK = b"/top-k 0\r/tokens 2\r"
"""Of a run: top-k takes some 8,400 cycles for every token."""


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]()


@pytest.fixture
def pair(model):
    return pair_of(model)


@pytest.fixture
def pieces():
    return pair_of(MODELS["pieces"]())


def pair_of(model):
    assert encoder(model) is None
    ask = checked(ImportedDevice(model), FirmwareConsole(model))
    ask(QUICK)
    return ask


def test_welcome(model):
    assert ImportedDevice(model).welcome == FirmwareConsole(model).welcome()


def test_information_help_and_settings(pair):
    pair(b"/info\r/help\r/top-p\r/top-p 0.95\r/top-p\r/top-p 1\r/top-p 0.01\r/top-p .5\r")
    for refused in (b"0", b"0.0", b"00.00", b"1.01", b"2", b"x", b"0.001"):
        assert b"! top-p must be 0.01 to 1.00\r\n" in pair(b"/top-p %s\r/top-p\r" % refused)
    pair(b"/top-k 129\r/temperature 2.56\r/seed 4294967296\r/tokens 65536\r/load\r")


def test_every_setting_reaches_the_core(pair):
    pair(b"/temperature 1.37\r/seed 305419896\r/tokens 9\rabc\r/seed\rabc\r")
    pair(b"/tokens 2\r/top-k 7\rab\r/top-p 0.5\rab\r/top-k 0\rab\r/temperature 0\rab\r")
    for hundredths in (1, 33, 254, 255):
        pair(b"/top-p 1\r/temperature %d.%02d\rab\r" % divmod(hundredths, 100))


@pytest.mark.parametrize(
    "line", [b"\\7;", b"a\\007;b", b"\\127;\\0;", b"a\\1;", b"\\/\\12;\\n\\\\"]
)
def test_tokens_by_number(pair, line):
    answer = pair(line + b"\r")
    assert b"\x02" in answer and b"! " not in answer


@pytest.mark.parametrize(
    "line", [b"\\128;", b"\\0127;", b"\\1000", b"\\;", b"\\1", b"a\\12x", b"\\1\\2;", b"\\1/"]
)
def test_numbers_that_are_none(pair, line):
    assert b"or a token's number below 128 and ;; line" in pair(line + b"\r")


def test_numbers_are_removed_as_a_whole(pair):
    echo = pair(b"a\\12;\b\r")
    assert echo.startswith(b"a\\12;" + 4 * b"\b \b" + b"\r\n")
    pair(b"a\\12\b\r\\\b\\1\b\\127;\b\bab\r\\n\b1;\r\\12;\\12;\\n\\3;\b\b\b\b4;\r")
    pair(b"a\\12x\b;\ra\\128\b7;\ra\\128;\b\b\bb\ra\\x\b12;\r")
    pair("a\\12é\b;\r".encode())


def test_characters_of_several_bytes(pair):
    pair("aéß€中b\raé\bb€\b\bc\r".encode())
    pair("é".encode()[:1] + b"\b" + "中".encode()[:2] + b"\bab\r")
    pair("中".encode()[:2] + b"ab\rZ\r\xff\r\xc0\x80\r\x80\r" + "😀\ra😀\bé\r".encode())


def test_lines_that_are_too_long(pieces):
    room = CTX_LEN - 3
    for end in ("é", "中"):
        for before in range(room - 3, room + 1):
            pieces(b"a" * before + end.encode() + b"b\b\bb\b\r")
    pieces(b"a" * (room - 1) + b"\\12;\r" + b"a" * room + b"\\12;\b\b\r")


def test_what_comes_before_a_prompt(pieces):
    assert b"# prompt 4 tokens" in pieces(b"a\r")
    assert b"# prompt 3 tokens" in pieces(b"\\%d;\r" % BOS)
    assert b"# prompt 5 tokens" in pieces(b"a\\%d;\r" % BOS)
    assert b"# prompt 1 tokens, text 40 tokens, " in pieces(b"/bench\r")


def test_a_stop_token_ends_a_text(pieces):
    device = ImportedDevice(MODELS["pieces"]())
    console = FirmwareConsole(MODELS["pieces"]())
    pair = checked(device, console)
    pair(b"/top-k 0\r/temperature 2.55\r/tokens 30\r")
    answers = [pair(b"/seed %d\rab\r" % seed) for seed in range(40)]
    ended = [answer for answer in answers if b"end: stop\r\n" in answer]
    assert len(ended) >= 3 and len(ended) < 40, len(ended)
    assert not set(STOP) & {0}
    assert pair(b"/temperature 0\rab\r").count(b"end: ") == 1  # the core is free again


@pytest.mark.parametrize("seed", range(3))
def test_fuzz(model, seed):
    rng = random.Random(seed)
    device, console = ImportedDevice(model), FirmwareConsole(model)
    setup = QUICK + b"/temperature 0\r"
    assert device.ask(setup) == b"".join(map(console.handle, setup))
    for _ in range(15):
        items = without_settings(random_items(rng))
        assert device.ask(items) == b"".join(map(console.handle, items))


def without_settings(items):
    """The items without digits behind which a text would be long."""
    return [ord("x") if item == ord("k") else item for item in items]


def test_the_opening_is_the_consoles(model):
    assert len(Pieces.of(model).opening) in (0, 3)
