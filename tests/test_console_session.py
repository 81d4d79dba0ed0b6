"""``python -m platforms.console``: scripts, ports, /bench, wrong arguments."""

import io
import sys

import pytest
from serial.tools.list_ports_common import ListPortInfo

from model.errors import UserError
from platforms import console, console_bench, console_link
from platforms.console_client import Answer, ConsoleClient
from platforms.console_link import SerialLink
from tests.fake_console import FakeConsole

INFO = "# tiny · 0123456789abcdef · build 0000beef\n"
COUNTS = "# prompt 6 tokens, text 7 tokens, 2500 cycles, 50000 waiting, end: count\n"


@pytest.fixture
def console_main(monkeypatch, capsys):
    """Function of (arguments, standard input) to (exit status, standard output)."""

    def call(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "argv", ["console", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        return console.main(), capsys.readouterr().out

    return call


def test_a_script(console_main):
    script = "ROMEO:\n/seed 7\r\n\n/seed\nRÖM\\n"
    with FakeConsole() as device:
        status, output = console_main(device.port, stdin=script.encode())
    assert status == 0
    assert output == (
        f"{INFO}to be\n\n{COUNTS}# seed 7\n# seed 7\nto be\n\n"
        "# prompt 6 tokens, text 7 tokens, 2500 cycles, 50000 waiting, end: count\n"
    )
    assert device.lines == [b"/info", b"ROMEO:", b"/seed 7", b"/seed", "RÖM\\n".encode()]


def test_a_script_with_refused_lines_fails_at_its_end(console_main):
    with FakeConsole() as device:
        status, output = console_main(device.port, stdin=b"user@host\n\x1b[1m\n/seed\n")
    assert status == 2
    assert output == (
        f"{INFO}! the model has no token for a character of the line; line ignored\n"
        "! control character 1b (character 1) cannot be sent; line ignored\n# seed 1\n"
    )


def test_bytes_that_are_no_utf8_reach_the_device(console_main):
    with FakeConsole() as device:
        console_main(device.port, stdin=b"a\xffb\n")
    assert device.lines == [b"/info", b"a\xffb"]


def test_quit_leaves(console_main):
    with FakeConsole() as device:
        status, output = console_main(device.port, stdin=b"/quit \n/seed\n")
    assert (status, output) == (0, INFO)
    assert device.lines == [b"/info"]


def test_help_is_the_devices_and_ours(console_main):
    with FakeConsole() as device:
        _, output = console_main(device.port, stdin=b"/help\n")
    assert output == (
        f"{INFO}# /temperature /top-k /seed /tokens /info /bench /help\n"
        "# /quit, Ctrl-D: leave; Ctrl-C: stop the generation\n"
    )


def rows(output):
    """First cell of each row of a table to the others."""
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines()]
    return {row[0]: row[1:] for row in cells if row}


def test_bench(console_main):
    with FakeConsole() as device:
        _, output = console_main(device.port, stdin=b"/seed 5\n/bench\n/seed\n")
    table = rows(output)
    assert table["prompt, tokens"] == ["1", "2"]
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


def test_without_a_port_the_ports_are_listed(console_main, monkeypatch):
    found = [ListPortInfo(f"/dev/ttyUSB{i}") for i in (1, 0)]
    for port in found:
        port.description, port.hwid = "ULX3S FPGA 85K", "USB VID:PID=0403:6015"
    nothing = ListPortInfo("/dev/ttyS0")
    monkeypatch.setattr(console_link.list_ports, "comports", lambda: [*found, nothing])
    assert console_main() == (
        None,
        "/dev/ttyUSB0  ULX3S FPGA 85K\n/dev/ttyUSB1  ULX3S FPGA 85K\n"
        "type: python -m platforms.console /dev/ttyUSB0 (or sim)\n",
    )
    found.clear()
    assert console_main() == (
        None,
        "no serial ports found; is the board plugged in?\n"
        "type: python -m platforms.console PORT (or sim)\n",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["COM1", "--model", "x"], "--model goes with sim; a board has its model built in"),
        (["sim", "--baud", "9600"], "--baud is of a serial port; sim has none"),
        (["COM1", "--baud", "0"], "baud must be at least 1, not 0; most boards have 115200"),
        (["COM1", "--baud", "x"], "argument --baud: invalid int value: 'x'; see --help"),
    ],
)
def test_wrong_arguments(console_main, arguments, message):
    with pytest.raises(UserError) as error:
        console_main(*arguments)
    assert str(error.value) == message
