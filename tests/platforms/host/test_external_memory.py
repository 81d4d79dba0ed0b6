"""Memory of Linux devices for an image, made of files; and the command that loads one."""

import errno
import os
import sys

import pytest

from gateformer.model.support.cli import run
from gateformer.platforms.families.zynq_address import AFI_ADDRESS, AFI_STEP
from gateformer.platforms.host import external_memory, generate, machine, memory_ports
from gateformer.platforms.host.driver import Accelerator
from gateformer.platforms.host.external_memory import MappedMemory, open_memory
from gateformer.platforms.host.memory_ports import find_ports
from tests.support.user_error import message

SIZE = 1 << 16
PLACES = (
    "name a buffer of u-dma-buf, or ADDRESS:SIZE of memory that Linux leaves alone (docs/zynq.md)"
)


@pytest.fixture
def buffers(tmp_path, monkeypatch):
    """Two buffers of u-dma-buf."""
    monkeypatch.setattr(external_memory, "DMA_BUFFERS", tmp_path / "class")
    monkeypatch.setattr(external_memory, "DEVICES", tmp_path)
    for number in range(2):
        facts = tmp_path / "class" / f"udmabuf{number}"
        facts.mkdir(parents=True)
        (facts / "phys_addr").write_text(f"0x{0x1F10_0000 + number * SIZE:x}\n")
        (facts / "size").write_text(f"{SIZE}\n")
        (tmp_path / f"udmabuf{number}").write_bytes(bytes(SIZE))
    return tmp_path


@pytest.mark.parametrize("name, number", [(None, 0), ("udmabuf1", 1), ("/dev/udmabuf1", 1)])
def test_a_buffer_of_u_dma_buf(buffers, name, number):
    memory = open_memory(name)
    assert (memory.address, memory.size) == (0x1F10_0000 + number * SIZE, SIZE)
    memory.write(4096, b"weights")
    memory.close()
    memory.close()
    content = (buffers / f"udmabuf{number}").read_bytes()
    assert content == bytes(4096) + b"weights" + bytes(SIZE - 4103)


@pytest.mark.parametrize("memory", ["0x2000:0x1000", "8192:4096", (0x2000, 0x1000)])
def test_physical_memory(tmp_path, monkeypatch, memory):
    device = tmp_path / "mem"
    device.write_bytes(bytes(SIZE))
    monkeypatch.setattr(external_memory, "MEMORY", str(device))
    found = open_memory(memory)
    assert (found.address, found.size) == (0x2000, 0x1000)
    found.write(8, b"x")
    found.close()
    assert device.read_bytes().index(b"x") == 0x2008


def test_memory_that_there_is_not(buffers, monkeypatch):
    assert message(open_memory, "udmabuf7") == f"udmabuf7 is no memory for an image: {PLACES}"
    (buffers / "class/udmabuf0/size").write_text("nonsense")
    assert message(open_memory, None) == f"udmabuf0 is no memory for an image: {PLACES}"
    for text in ("0x1000:", "1000:x", "-4096:1", "4096:0", "1:2:3"):
        assert message(open_memory, text) == (
            f"{text} is no memory for an image: expected two numbers as 0x10000000:0x8000000, "
            f"where it begins and its bytes; {PLACES}"
        )
    assert message(open_memory, "4097:5") == (
        "memory begins at 0x1001, which is not a multiple of 4096; name memory that begins with a "
        "page"
    )
    monkeypatch.setattr(external_memory, "DMA_BUFFERS", buffers / "none")
    assert message(open_memory, None).startswith(
        f"there is no memory for an image: {buffers / 'none'} has no buffer; load the module "
    )


def test_a_device_that_cannot_be_opened(buffers, monkeypatch):
    def refuse(path, flags):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    assert message(MappedMemory, str(buffers / "udmabuf0"), 0, SIZE + 1).startswith(
        f"cannot map 65,537 bytes at 0x0 of {buffers / 'udmabuf0'}: mmap length is greater than"
    )
    monkeypatch.setattr(external_memory.os, "open", refuse)
    assert message(open_memory, "udmabuf0") == (
        f"cannot open {buffers / 'udmabuf0'}: no permission; use sudo, or give the device to your "
        "group by a udev rule (docs/zynq.md)"
    )
    assert message(open_memory, "0x1000:0x1000") == (
        "cannot open /dev/mem: no permission; use sudo, and memory that the device tree reserves "
        "with no-map (docs/zynq.md)"
    )


@pytest.fixture
def afi(tmp_path, monkeypatch):
    """Registers of the ports in a file; the machine is a Zynq-7000."""
    device = tmp_path / "mem"
    with device.open("wb") as file:
        file.truncate(AFI_ADDRESS + 4 * AFI_STEP)
    tree = tmp_path / "compatible"
    tree.write_bytes(b"digilent,zynq-zybo-z7\0xlnx,zynq-7000\0")
    monkeypatch.setattr(memory_ports, "MEMORY", str(device))
    monkeypatch.setattr(machine, "COMPATIBLE", tree)
    return device


def word_at(device, address, value=None) -> int:
    with device.open("r+b") as file:
        file.seek(address)
        if value is None:
            return int.from_bytes(file.read(4), "little")
        return file.write(value.to_bytes(4, "little"))


@pytest.mark.parametrize("count, used", [(1, {0}), (2, {0, 2}), (4, {0, 1, 2, 3})])
def test_the_ports_in_use_are_set_to_64_bits(afi, count, used):
    for port in range(4):
        word_at(afi, AFI_ADDRESS + port * AFI_STEP, 0x5)
        word_at(afi, AFI_ADDRESS + port * AFI_STEP + 0x14, 0xF01)
    ports = find_ports()
    assert ports.widen(count) == []
    ports.close()
    for port in range(4):
        first = AFI_ADDRESS + port * AFI_STEP
        found = word_at(afi, first), word_at(afi, first + 0x14)
        assert found == ((0x4, 0xF00) if port in used else (0x5, 0xF01))


def test_no_ports_are_touched_elsewhere(afi):
    """There, none is at 32 bits: that is no question of permission."""
    word_at(afi, AFI_ADDRESS, 0x5)
    for names in (b"raspberrypi,4\0", b"xlnx,zynqmp-sck-kv-g-revB\0xlnx,zynqmp\0"):
        machine.COMPATIBLE.write_bytes(names)
        assert find_ports().widen(4) == []
    machine.COMPATIBLE.unlink()
    assert find_ports().widen(4) == []
    assert word_at(afi, AFI_ADDRESS) == 0x5


def test_ports_that_may_not_be_accessed(afi):
    afi.unlink()
    assert find_ports() is None


def refused(monkeypatch, capsys, *arguments) -> str:
    monkeypatch.setattr(sys, "argv", ["gateformer accelerator", *arguments])
    with pytest.raises(SystemExit) as ended:
        run(generate.main)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_options_that_need_another(monkeypatch, capsys):
    assert refused(monkeypatch, capsys, "--memory", "udmabuf0") == (
        "error: --memory is for --weights; give both, or leave --memory out\n"
    )
    assert "leave one of them out" in refused(
        monkeypatch, capsys, "--weights", "weights.bin", "--load", "model"
    )


def test_the_command_loads_an_image_and_generates(tmp_path, monkeypatch, capsys):
    from tests.support.imported import small_streamed as small

    simulated = small.simulated_registers()
    small.write_weights(tmp_path / "weights.bin")

    def opened(*given, **options):
        return Accelerator(simulated, small.artifact(), timeout=60)

    monkeypatch.setattr(generate, "Accelerator", opened)
    monkeypatch.setattr(external_memory, "_buffer", lambda name: simulated.memory)
    command = ["--weights", str(tmp_path / "weights.bin"), "--memory", "udmabuf0"]
    for more, expected in (
        ([], "; verified"),
        (["--prompt", "the cat", "--tokens", "2"], "the cat"),
    ):
        monkeypatch.setattr(sys, "argv", ["gateformer accelerator", *command, *more])
        generate.main()
        assert expected in capsys.readouterr().out
    (tmp_path / "weights.bin").write_bytes(b"nothing of the kind")
    assert refused(monkeypatch, capsys, *command) == (
        f"error: {tmp_path / 'weights.bin'} is no image of a model's weights; build one: "
        "weights.bin\n"
    )
