"""``gateformer console``: scripts, ports, /bench, wrong arguments."""

import io
import sys

import pytest
from serial.tools.list_ports_common import ListPortInfo

from gateformer.model.support.errors import UserError
from gateformer.platforms.console import bench as console_bench
from gateformer.platforms.console import console
from gateformer.platforms.console import link as console_link
from gateformer.platforms.console import session as console_session
from gateformer.platforms.console.client import Answer, ConsoleClient
from gateformer.platforms.console.link import SerialLink
from tests.support.console.fake_console import HELP, INFO, NO_TOKEN, WELCOME, FakeConsole
from tests.support.user_error import no_integer

FIRST = f"{INFO[0]}\n"
COUNTS = "# prompt 6 tokens, text 7 tokens, 2500 cycles, 50000 waiting, end: count\n"


def test_a_script(console_main):
    script = "ROMEO:\n/seed 7\r\n\n/seed\nRÖM\\n"
    with FakeConsole() as device:
        status, output = console_main(device.port, stdin=script.encode())
    assert status == 0
    assert output == (
        f"{FIRST}to be\n\n{COUNTS}# seed 7\n# seed 7\nto be\n\n"
        "# prompt 4 tokens, text 7 tokens, 2500 cycles, 50000 waiting, end: count\n"
    )
    assert device.lines == [b"/info", b"ROMEO:", b"/seed 7", b"/seed", "RÖM\\n".encode()]


def test_a_script_with_refused_lines_fails_at_its_end(console_main):
    with FakeConsole() as device:
        status, output = console_main(device.port, stdin=b"user@host\n\x1b[1m\n/seed\n")
    assert status == 2
    assert output == (
        f"{FIRST}{NO_TOKEN}\n"
        "! control character 1b (character 1) cannot be sent; line ignored\n# seed 1\n"
    )


LOST_END = "! the end of the answer was lost; the serial line is noisy\n"


@pytest.fixture
def impatient(monkeypatch):
    """What does not come is missed soon."""

    def link(port, baud):
        return SerialLink(port, baud, patience=0.3, answer_patience=0.3)

    monkeypatch.setattr(console, "SerialLink", link)


@pytest.mark.parametrize(
    ("line", "spoiled", "shown"),
    [
        ("/top-k", b"# top-k 20\r\n", f"# top-k 20\n{LOST_END}"),
        ("/top-k", b"", LOST_END),
        ("/top-k", b"$ top-k 20\r\n\x04> ", "$ top-k 20\n"),
        ("ROMEO:", b"", f"to be\n\n{LOST_END}"),
        ("ROMEO:", b"\x03\r\n", f"to be\n\n{LOST_END}"),
        (
            "ROMEO:",
            b"and\x04> ",
            "to be\nand\n! the end of the text was lost; the serial line is noisy\n",
        ),
    ],
)
def test_a_script_with_a_spoiled_answer_fails_at_its_end(
    console_main, impatient, line, spoiled, shown
):
    with FakeConsole() as device:
        device.spoiled[line.encode()] = spoiled
        status, output = console_main(device.port, stdin=f"/tokens\n{line}\n/tokens 5\n".encode())
    assert output == f"{FIRST}# tokens 0\n{shown}# tokens 5\n"
    assert status == 2


def test_a_script_whose_device_was_reset_fails_at_its_end(monkeypatch, capsys):
    class Script(io.StringIO):
        def readline(self):
            device.send(WELCOME)
            device.wait_until_sent()
            return super().readline()

    with FakeConsole() as device:
        client = ConsoleClient(SerialLink(device.port))
        client.synchronize()
        monkeypatch.setattr(sys, "stdin", Script("/seed\n"))
        status = console_session.Session(client).run()
    note = INFO[0].replace("#", "! unasked, perhaps after a reset:")
    assert (status, capsys.readouterr().out) == (2, f"{FIRST}{note}\n# seed 1\n")


@pytest.mark.parametrize("line", [b"/info", b"/bench", b"/seed", rb"\n", b"/seed 1"])
def test_bench_with_a_spoiled_answer_is_none(line):
    with FakeConsole() as device:
        client = ConsoleClient(
            SerialLink(device.port, patience=0.3, answer_patience=0.3, bench_patience=0.3)
        )
        client.synchronize()
        device.spoiled[line] = b""
        with pytest.raises(UserError) as error:
            console_bench.run_bench(client, lambda: False)
    assert str(error.value) == (
        "/bench came to nothing: the end of the answer was lost; the serial line is noisy; "
        "try again"
    )


def test_bench_may_be_silent_for_longer_than_other_answers():
    with FakeConsole() as device:
        link = SerialLink(device.port)
        client, patiences = ConsoleClient(link), {}
        ask = client.ask

        def note(line, interrupted=lambda: False, patience=None):
            patiences[line] = patience
            return ask(line, interrupted, patience)

        client.ask = note
        client.synchronize()
        console_bench.run_bench(client, lambda: False)
    assert patiences.pop("/bench") == link.bench_patience > link.answer_patience
    assert set(patiences.values()) == {None}


def test_bytes_that_are_no_utf8_reach_the_device(console_main):
    with FakeConsole() as device:
        console_main(device.port, stdin=b"a\xffb\n")
    assert device.lines == [b"/info", b"a\xffb"]


def test_quit_leaves(console_main):
    with FakeConsole() as device:
        status, output = console_main(device.port, stdin=b"/quit \n/seed\n")
    assert (status, output) == (0, FIRST)
    assert device.lines == [b"/info"]


def test_help_is_the_devices_and_ours(console_main):
    with FakeConsole() as device:
        _, output = console_main(device.port, stdin=b"/help\n")
    assert output == (
        FIRST
        + "".join(f"{line}\n" for line in HELP)
        + "# /quit, Ctrl-D: leave; Ctrl-C: stop the generation\n"
    )


def rows(output):
    """First cell of each row of a table to the others."""
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines()]
    return {row[0]: row[1:] for row in cells if row}


def test_bench(console_main):
    with FakeConsole() as device:
        _, output = console_main(device.port, stdin=b"/seed 5\n/bench\n/seed\n")
    table = rows(output)
    assert table["prompt, tokens"] == ["1", "1"]
    assert table["generated, tokens"] == ["16", "7"]
    assert table["core, cycles"] == ["4,000", "2,500"]
    assert table["core, cycles per token"] == ["250.0", "357.1"]
    assert table["core, tokens per second at 25 MHz"] == ["100,000", "70,000"]
    assert table["core, ms at 25 MHz"] == ["0.16", "0.10"]
    assert table["waiting for the line, ms at 25 MHz"] == ["0.00", "2.00"]
    for number, core in enumerate((0.16, 2.10)):
        rest = float(table["sending the line, USB and this program, ms"][number].replace(",", ""))
        wall = float(table["wall clock, ms"][number].replace(",", ""))
        # the fake device is faster than the times that it claims
        assert rest == pytest.approx(max(wall - core, 0), abs=0.011)
    assert output.endswith("# the text's prompt: \\n\n# seed 5\n")


def test_bench_without_a_clock_or_counts():
    assert console_bench.parse_clock(Answer("", ("a", "b, clock 1200.5 kHz"), None)) == 1_200_500
    assert console_bench.parse_clock(Answer("", ("no clock",), None)) is None
    with pytest.raises(UserError) as error:
        console_bench.parse_counts(Answer("", (), "longer than the context"), 0.0)
    assert str(error.value) == (
        "the console sent no counts, but 'longer than the context'; try again"
    )


def test_bench_with_a_model_that_knows_none_of_its_prompts():
    with FakeConsole() as device:
        device.refuses_prompts = True
        client = ConsoleClient(SerialLink(device.port))
        client.synchronize()
        with pytest.raises(UserError) as error:
            console_bench.run_bench(client, lambda: False)
    assert str(error.value) == (
        "the console refuses every prompt of /bench: the model has no token for a character of "
        "the line; line ignored"
    )


def test_ctrl_c_stops_bench():
    with FakeConsole() as device:
        client = ConsoleClient(SerialLink(device.port))
        client.synchronize()
        device.text = b""  # without end
        presses = iter([False, False, False, True])
        with pytest.raises(UserError) as error:
            console_bench.run_bench(client, lambda: next(presses, True))
        assert str(error.value) == "/bench was stopped"
        assert client.ask("/seed").information == ("seed 1",)


def test_without_a_port_the_ports_are_listed(console_main, monkeypatch, capsys):
    found = [ListPortInfo(f"/dev/ttyUSB{i}") for i in (1, 0)]
    for port in found:
        port.description, port.hwid = "ULX3S FPGA 85K", "USB VID:PID=0403:6015"
    nothing = ListPortInfo("/dev/ttyS0")
    monkeypatch.setattr(console_link.list_ports, "comports", lambda: [*found, nothing])
    others = "gateformer console sim, or gateformer console firmware"
    with pytest.raises(UserError) as error:
        console_main()
    assert str(error.value) == (
        f"name a port: gateformer console /dev/ttyUSB0; without a board: {others}"
    )
    assert capsys.readouterr().out == (
        "/dev/ttyUSB0  ULX3S FPGA 85K\n/dev/ttyUSB1  ULX3S FPGA 85K\n"
    )
    found.clear()
    with pytest.raises(UserError) as error:
        console_main()
    assert str(error.value) == (
        f"no serial ports found; is the board plugged in? Without one: {others}"
    )
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["COM1", "--model", "shakespeare-115k"],
            "--model goes with sim or firmware, or with an imported model; the tokens of "
            "shakespeare-115k are characters, and a board has its model built in",
        ),
        (["sim", "--baud", "9600"], "--baud is of a serial port; sim has none"),
        (["firmware", "--baud", "9600"], "--baud is of a serial port; firmware has none"),
        (["COM1", "--baud", "0"], no_integer("--baud", "from 1 to 100000000", 0)),
        (["COM1", "--baud", "x"], no_integer("--baud", "from 1 to 100000000", "x")),
    ],
)
def test_wrong_arguments(console_main, arguments, message):
    with pytest.raises(UserError) as error:
        console_main(*arguments)
    assert str(error.value) == message
