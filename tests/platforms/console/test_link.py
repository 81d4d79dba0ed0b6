"""Serial ports that open, and those that do not."""

import errno

import pytest
import serial

from gateformer.model.support.errors import UserError
from gateformer.platforms.console import link as console_link
from gateformer.platforms.console.link import SerialLink
from tests.support.console.fake_console import FakeConsole


def test_a_port_belongs_to_one_program():
    with FakeConsole() as device:
        first = SerialLink(device.port)
        with pytest.raises(UserError) as error:
            SerialLink(device.port)
        first.close()
        SerialLink(device.port).close()
    assert str(error.value) == f"{device.port} is in use by another program; close that one first"


def test_no_such_port(monkeypatch):
    found = []
    monkeypatch.setattr(console_link, "serial_ports", lambda: found)
    with pytest.raises(UserError) as error:
        SerialLink("/dev/ttyNone")
    assert str(error.value) == (
        "there is no serial port /dev/ttyNone; found: none; is the board plugged in?"
    )
    found += [serial.tools.list_ports_common.ListPortInfo(f"/dev/ttyUSB{i}") for i in range(2)]
    with pytest.raises(UserError) as error:
        SerialLink("/dev/ttyNone")
    assert str(error.value) == (
        "there is no serial port /dev/ttyNone; found: /dev/ttyUSB0, /dev/ttyUSB1"
    )


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (
            errno.EACCES,
            "no permission to open /dev/ttyNone; join the group that has it (sudo usermod -a -G "
            "dialout $USER), then log in again",
        ),
        (errno.EBUSY, "/dev/ttyNone is in use by another program; close that one first"),
        (errno.EIO, "cannot open /dev/ttyNone: Input/output error"),
    ],
)
def test_a_port_that_does_not_open(monkeypatch, number, message):
    def refuse(*arguments, **options):
        raise serial.SerialException(number, "in pyserial's words")

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(UserError) as error:
        SerialLink("/dev/ttyNone")
    assert str(error.value) == message


def test_a_file_is_no_port(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(UserError) as error:
        SerialLink(str(path))
    assert str(error.value) == f"{path} is no serial port, or it cannot do 115200 baud"
