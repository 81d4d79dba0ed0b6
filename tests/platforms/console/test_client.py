"""The console's client against a device on a pseudo-terminal: docs/console.md from both ends."""

import random

import pytest

from gateformer.model.support.errors import UserError
from gateformer.platforms.console.answer import Kind, Piece
from gateformer.platforms.console.client import ConsoleClient, NoisyLine, UnsendableLine
from gateformer.platforms.console.link import SerialLink
from tests.support.console.fake_console import INFO, NO_TOKEN, WELCOME, FakeConsole

COUNTS = "prompt 6 tokens, text 7 tokens, 2500 cycles, 50000 waiting, end: count"


SHORT = 0.3
"""Seconds of patience where the device is to be found silent."""


def connect(device, patience=2.0):
    client = ConsoleClient(SerialLink(device.port, patience=patience, answer_patience=patience))
    client.synchronize()
    return client


def test_a_prompt_is_answered_with_text_and_counts():
    with FakeConsole() as device:
        answer = connect(device).ask("ROMEO:")
    assert answer.text == "to be\n"
    assert answer.information == (COUNTS,)
    assert answer.refusal is None
    assert device.lines == [b"ROMEO:"]


def test_answers_follow_their_lines():
    with FakeConsole() as device:
        client = connect(device)
        assert client.ask("").information == ()
        assert client.ask("/seed 12").information == ("seed 12",)
        assert client.ask("/seed").information == ("seed 12",)
        assert client.ask("/none").refusal == "unknown command; /help lists them"
        assert client.ask("a@").refusal == NO_TOKEN.removeprefix("! ")
        assert client.ask("/info").information == tuple(line.removeprefix("# ") for line in INFO)
        assert client.ask("/seed").notes == ()
    assert device.lines == [b"", b"/seed 12", b"/seed", b"/none", b"a@", b"/info", b"/seed"]


def test_no_more_bytes_are_sent_ahead_than_the_queue_holds():
    rng = random.Random(1)
    line = "".join(rng.choice("abc ß€\t") for _ in range(3000))
    with FakeConsole() as device:
        assert connect(device).ask(line).text == "to be\n"
    assert device.lines == [line.encode()]
    assert not device.overflowed and not device.hasty


@pytest.mark.parametrize("answers_ctrl_c", [False, True])
def test_ctrl_c_stops_a_generation_that_is_shown_as_it_comes(answers_ctrl_c):
    with FakeConsole(b"", answers_ctrl_c=answers_ctrl_c) as device:
        client, asked = connect(device), iter([False, False, True])
        pieces = list(client.answer("a", lambda: next(asked, False)))
        assert device.stops == 2  # the first one synchronized
        assert pieces[0].kind is Kind.TEXT
        assert pieces[-1].text.endswith("end: count" if answers_ctrl_c else "end: stopped")
        assert client.ask("/seed").information == ("seed 2",)


@pytest.mark.parametrize(
    "garbage", [b"\x00\xff", b"# half a li", WELCOME, b"\x02text> \x03\r\n\x04> "]
)
def test_synchronizes_with_whatever_is_on_its_way(garbage):
    with FakeConsole(garbage=garbage) as device:
        assert connect(device).ask("/seed").information == ("seed 1",)


def test_synchronizes_with_a_generation_that_goes_on():
    with FakeConsole(b"") as device:
        first = connect(device)
        assert next(first.answer("a")).kind is Kind.TEXT
        first.link.close()
        assert connect(device).ask("/seed").information == ("seed 2",)


def test_a_reset_between_two_lines_is_told():
    with FakeConsole() as device:
        client = connect(device)
        device.send(WELCOME)
        device.wait_until_sent()
        pieces = list(client.answer("/seed"))
    assert pieces == [
        Piece(Kind.NOTE, f"unasked, perhaps after a reset: {INFO[0].removeprefix('# ')}"),
        Piece(Kind.INFORMATION, "seed 1"),
    ]


@pytest.mark.parametrize("echo", [b"#", b"", b"##", b"\r\n", b"\x04> "])
@pytest.mark.parametrize("index", [0, 3, 5])
def test_a_line_that_came_back_changed_is_sent_again(index, echo):
    wrong = {index, index + 6}  # of the first and, mostly, of the second try

    def corrupt(number, byte):
        return echo if number in wrong else bytes([byte])

    with FakeConsole(corrupt=corrupt) as device:
        client = connect(device, 2.0 if echo else SHORT)
        assert client.ask("ROMEO:").text == "to be\n"
    assert device.lines == [b"ROMEO:"]


@pytest.mark.parametrize(("echo", "came"), [(b"#", "23"), (b"", "nothing"), (b"\xff\xfe", "ff")])
def test_a_noisy_line_is_an_error_that_names_the_character(echo, came):
    with FakeConsole(corrupt=lambda _, byte: echo if byte == 0x89 else bytes([byte])) as device:
        client = connect(device, 2.0 if echo else SHORT)
        with pytest.raises(NoisyLine) as error:
            client.ask("RÖMÉ")
        assert str(error.value) == (
            f"the line to {device.port} is noisy: at character 4 ('É'), 89 was sent and {came} "
            "came back, 3 times; check the cable, or build with a lower baud rate"
        )
        assert client.ask("/seed").information == ("seed 1",)  # nothing is left of it
    assert device.lines == [b"/seed"]


def test_an_enter_that_does_not_arrive_is_sent_again_with_its_line():
    with FakeConsole() as device:
        client = connect(device, SHORT)
        device.lost_enters = 2
        assert client.ask("ROMEO:").text == "to be\n"
        device.lost_enters = 3
        with pytest.raises(NoisyLine) as error:
            client.ask("ROMEO:")
    assert str(error.value) == (
        f"the line to {device.port} is noisy: at Enter, 0d was sent and nothing came back, "
        "3 times; check the cable, or build with a lower baud rate"
    )
    assert device.lines == [b"ROMEO:"]


def test_an_answer_without_end_is_told():
    with FakeConsole() as device:
        client = connect(device, SHORT)
        device.spoiled[b"/seed"] = b"# seed 1\r\n"
        assert list(client.answer("/seed")) == [
            Piece(Kind.INFORMATION, "seed 1"),
            Piece(Kind.NOTE, "the end of the answer was lost; the serial line is noisy"),
        ]
        device.spoiled[b"/seed"] = b"\xb5eed 1\r\n\x04"
        note = "the end of the answer was lost; the serial line is noisy"
        assert client.ask("/seed").notes == ("\N{REPLACEMENT CHARACTER}eed 1", note)
        assert client.ask("/seed").information == ("seed 1",)


def test_an_answer_may_take_the_patience_that_is_asked_for():
    with FakeConsole() as device:
        link = SerialLink(device.port, patience=SHORT, answer_patience=3600.0)
        client = ConsoleClient(link)
        client.synchronize()
        device.spoiled[b"/seed"] = b""
        assert client.ask("/seed", patience=SHORT).notes
    assert device.lines == [b"/seed"]


@pytest.mark.parametrize("baud", [300, 9600, 115_200])
def test_patience_has_room_for_what_is_on_the_line(baud):
    with FakeConsole() as device:
        link = SerialLink(device.port, baud)
        link.close()
        own = SerialLink(device.port, baud, patience=1, answer_patience=2, bench_patience=3)
    seconds = 400 * 10 / baud
    assert (link.patience, link.answer_patience) == (2 + seconds, 10 + seconds)
    assert link.bench_patience == 600 + seconds
    assert [own.patience, own.answer_patience, own.bench_patience] == [
        n + seconds for n in (1, 2, 3)
    ]


def test_silence_is_an_error():
    with FakeConsole(silent=True) as device, pytest.raises(UserError) as error:
        connect(device, SHORT)
    assert str(error.value) == (
        f"no console answers on {device.port}: is the bitstream loaded, is the baud rate 115200?"
    )


def test_silence_within_an_answer_is_an_error():
    with FakeConsole(b"") as device:
        pieces = connect(device, SHORT).answer("a")
        next(pieces)
        device.silent = True
        with pytest.raises(UserError) as error:
            list(pieces)
    assert str(error.value) == (
        f"the console on {device.port} fell silent within an answer; reset the board and start "
        "again"
    )


def test_a_device_that_disappears_is_an_error():
    with FakeConsole(vanish_after=4) as device, pytest.raises(UserError) as error:
        list(connect(device).answer("ROMEO:"))
    assert str(error.value) == (
        f"the connection to {device.port} broke; plug the board in and start again"
    )


def test_control_characters_are_not_sent():
    with FakeConsole() as device, pytest.raises(UnsendableLine) as error:
        connect(device).ask("ö\x03")
    assert str(error.value) == "control character 03 (character 2) cannot be sent; line ignored"
    assert device.stops == 1
    assert device.lines == []
