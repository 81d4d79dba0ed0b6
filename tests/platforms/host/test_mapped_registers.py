"""The page of a device that holds the registers: one line for each way in which it is refused."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateformer.gateware.host.registers import register
from gateformer.model.support.errors import UserError
from gateformer.platforms.host import generate, machine, mapped_registers
from gateformer.platforms.host.driver import Accelerator
from gateformer.platforms.host.mapped_registers import (
    SIZE,
    MappedRegisters,
    find_device,
    registers_address,
)
from gateformer.platforms.host.model import HostModel
from tests.support.fake_registers import CONSTANTS, DIGEST
from tests.support.user_error import message

from .test_driver_faults import MODEL


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A file in the place of a device, with the identification in it."""
    monkeypatch.setattr(mapped_registers, "FABRIC_STATE", tmp_path / "none")
    content = bytearray(SIZE)
    for offset, word in CONSTANTS.items():
        content[offset : offset + 4] = word.to_bytes(4, "little")
    path = tmp_path / "uio3"
    path.write_bytes(content)
    return path


def test_a_page_of_a_device(page):
    with Accelerator(page, MODEL, timeout=0.02) as accelerator:
        assert accelerator.info().digest == DIGEST
        assert "the core stopped before" in message(lambda: list(accelerator.generate("a")))
    content = page.read_bytes()
    assert content[register("CONTROL").offset] == register("CONTROL").pack(abort=1, clear_errors=1)
    assert content[register("PROMPT").offset :][:4] == bytes(4)
    with pytest.raises(UserError, match=rf"^{page} was closed; open it again$"):
        accelerator.generate("a").__next__()


def test_one_at_a_time(page):
    first = MappedRegisters(page)
    assert message(MappedRegisters, page) == (
        f"{page} is in use by another program, or by an Accelerator of this one; close that one "
        "first"
    )
    first.close()
    first.close()
    MappedRegisters(page).close()


def test_another_process_has_it(page):
    code = (
        "import sys; from gateformer.platforms.host.mapped_registers import MappedRegisters as M; "
    )
    code += "m = M(sys.argv[1], check_fabric=False); print('mine', flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", code, page],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout.readline() == "mine\n"
    assert message(MappedRegisters, page).startswith(f"{page} is in use by another program, or ")
    other.communicate("\n")
    MappedRegisters(page).close()


def test_a_refused_accelerator_gives_its_device_back(page):
    other = HostModel("other", "0" * 64, 0.001, MODEL.codec, MODEL.vocab_size)
    for _ in range(2):
        assert "ARTIFACT_HASH reads" in message(Accelerator, page, other)


def test_no_such_device(tmp_path, page):
    missing = tmp_path / "uio9"
    assert message(MappedRegisters, missing) == (
        f"cannot open {missing}: there is no such device; describe it in the device tree "
        "(docs/zynq.md), or name /dev/mem"
    )


def refuse_to_open(monkeypatch, number):
    def refuse(path, flags):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(mapped_registers.os, "open", refuse)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
@pytest.mark.parametrize(
    "device, expected",
    [
        (
            "/dev/uio0",
            "cannot open /dev/uio0: no permission; give the device to your group by the udev rule "
            "of docs/zynq.md, or use sudo",
        ),
        (
            "/dev/mem",
            "cannot open /dev/mem: no permission; use sudo, or a UIO device, which needs no root "
            "(docs/zynq.md)",
        ),
    ],
)
def test_no_permission(page, monkeypatch, device, expected, number):
    refuse_to_open(monkeypatch, number)
    assert message(MappedRegisters, device) == expected


@pytest.mark.parametrize(
    "number, reason",
    [
        (errno.ENOENT, "there is no such device"),
        (errno.EPERM, "no permission"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_without_a_board(tmp_path, monkeypatch, page, number, reason):
    monkeypatch.setattr(mapped_registers, "UIO_CLASS", tmp_path / "none")
    refuse_to_open(monkeypatch, number)
    assert message(MappedRegisters) == (
        "found no accelerator: there is no UIO device of its registers, and cannot open /dev/mem: "
        f"{reason}; on a Zynq board see docs/zynq.md; without a board run: gateformer build sim, "
        "or gateformer console sim"
    )


@pytest.mark.parametrize(
    "number, reason",
    [(errno.ENOENT, "there is no such device"), (errno.EIO, "Input/output error")],
)
def test_no_device_is_advised_that_failed(monkeypatch, page, number, reason):
    refuse_to_open(monkeypatch, number)
    assert message(MappedRegisters, "/dev/mem") == (
        f"cannot open /dev/mem: {reason}; name a UIO device (docs/zynq.md)"
    )


def test_what_cannot_be_mapped(tmp_path, page):
    short = tmp_path / "uio4"
    short.write_bytes(b"x")
    assert message(MappedRegisters, short) == (
        f"cannot map 4096 bytes at 0x0 of {short}: mmap length is greater than file size; name a "
        "UIO device or /dev/mem"
    )


def test_no_bitstream(tmp_path, page, monkeypatch):
    state = tmp_path / "state"
    state.write_text("unknown\n")
    monkeypatch.setattr(mapped_registers, "FABRIC_STATE", state)
    assert message(MappedRegisters, page) == (
        f"the fabric has no bitstream: {state} says 'unknown', expected 'operating'; load one "
        "(docs/zynq.md)"
    )
    MappedRegisters(page, check_fabric=False).close()
    state.write_text("operating\n")
    MappedRegisters(page).close()


def test_the_device_is_found_by_its_address(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped_registers, "UIO_CLASS", tmp_path)
    assert find_device(0x43C0_0000) == "/dev/mem"
    for name, address in (("uio0", "0x41000000"), ("uio1", "0x43c00000"), ("uio2", "nonsense")):
        (tmp_path / name / "maps/map0").mkdir(parents=True)
        (tmp_path / name / "maps/map0/addr").write_text(f"{address}\n")
    assert find_device(0x43C0_0000) == "/dev/uio1"


def test_the_device_tree_tells_where_the_registers_are(tmp_path, monkeypatch):
    tree = tmp_path / "compatible"
    monkeypatch.setattr(machine, "COMPATIBLE", tree)
    assert registers_address() == 0x43C0_0000
    tree.write_bytes(b"digilent,zynq-zybo-z7\0xlnx,zynq-7000\0")
    assert registers_address() == 0x43C0_0000
    tree.write_bytes(b"xlnx,zynqmp-sk-kv260-rev1\0xlnx,zynqmp-sk-kv260\0xlnx,zynqmp\0")
    assert registers_address() == 0x8000_0000
    monkeypatch.setattr(mapped_registers, "UIO_CLASS", tmp_path)
    (tmp_path / "uio3/maps/map0").mkdir(parents=True)
    (tmp_path / "uio3/maps/map0/addr").write_text("0x80000000\n")
    registers = tmp_path / "page"
    registers.write_bytes(bytes(SIZE))
    opened = []
    monkeypatch.setattr(mapped_registers.os, "open", lambda name, _: opened.append(name) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        MappedRegisters(check_fabric=False)
    assert opened == ["/dev/uio3"]


def test_the_command_wants_the_model_of_a_text(page, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["accelerator", "--device", str(page), "--prompt", "a"])
    monkeypatch.setattr(generate, "_check_places", lambda _: None)  # a file is no device
    assert message(generate.main) == (
        "text needs the model, which is unknown; give Accelerator the artifact of "
        "0708090a0b0c0d0e…, or use token ids and temperature 0"
    )
