"""Firmware is reproducible, whoever builds it; what keeps it from being built is one line."""

import importlib.util
import re
import shutil
import struct

import pytest

from gateformer.gateware.host.identification import Identification
from gateformer.gateware.host.register_documents import header
from gateformer.gateware.host.reload_registers import RELOAD_REGISTERS
from gateformer.gateware.host.streamed_registers import STREAMED_REGISTERS
from gateformer.model.support import compiler
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board, boards
from gateformer.platforms.boards.target import PROCESSOR
from gateformer.platforms.building import flow
from gateformer.platforms.families.xc7 import XC7
from gateformer.platforms.families.zynq_address import FIRMWARE_ADDRESS, FIRMWARE_BYTES
from gateformer.platforms.firmware import build as firmware_build
from gateformer.platforms.firmware.boot_script import BITSTREAM_ADDRESS
from gateformer.platforms.firmware.build import ARM_C, SOURCES, build_firmware
from gateformer.platforms.firmware.elf_file import read_elf
from tests.platforms.building.test_build_cli import SIZES, TINY, build
from tests.support.every_command import run
from tests.support.small_accelerator import artifact, program


def built(directory, name="tiny", processor=None):
    model = artifact().model
    identification = Identification(model.config, program().hw, model.digest, 1, 125_000)
    directory.mkdir(exist_ok=True)
    processor = processor or board("zybo").processor
    paths = build_firmware(model, name, identification, processor, directory)
    return [path.read_bytes() for path in paths]


def test_two_builds_give_the_same_bytes(tmp_path):
    first = built(tmp_path / "one")
    assert built(tmp_path / "two") == first
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == [
        "boot.scr",
        "gateformer.bin",
        "gateformer.elf",
    ]
    assert built(tmp_path / "three", name="other") != first


def test_the_image_is_the_program_in_memory(tmp_path):
    elf, image, _ = built(tmp_path)
    loaded = read_elf(elf)
    ((address, content, size),) = loaded.segments
    assert address == FIRMWARE_ADDRESS and content == image and size > len(image)
    assert address <= loaded.entry < address + len(image)
    # U-Boot's go begins at the first byte: a branch to the entry
    (branch,) = struct.unpack_from("<I", image)
    assert branch >> 24 == 0xEA
    assert FIRMWARE_ADDRESS + 8 + 4 * (branch & 0xFFFFFF) == loaded.entry
    assert b"tiny" not in image  # texts are 16-bit entries
    assert "tiny".encode("utf-16-le") in image


def test_the_script_starts_this_image_behind_the_bitstream(tmp_path):
    script = built(tmp_path)[-1]
    assert b" top.bit && fpga loadb " in script
    assert f"fatload mmc 0 {FIRMWARE_ADDRESS:#x} gateformer.bin".encode() in script
    assert script.endswith(f"\tgo {FIRMWARE_ADDRESS:#x}\nfi\n".encode())
    largest_bitstream = 4_045_564  # xc7z020: UG585, table of bitstream lengths
    memory = (SOURCES / "zynq.ld").read_text()
    assert f"ORIGIN = {FIRMWARE_ADDRESS:#010x}, LENGTH = {FIRMWARE_BYTES >> 20}M" in memory
    # U-Boot's scriptaddr
    assert BITSTREAM_ADDRESS + largest_bitstream < 0x0300_0000


def test_each_board_has_its_serial_port(tmp_path):
    images = {name: built(tmp_path, processor=board(name).processor)[1] for name in ZYNQ}
    assert images["zybo"] == images["zybo-z7-20"] != images["cora-z7"]
    assert [board(name).processor.uart for name in ZYNQ] == [1, 1, 0]


ZYNQ = [
    name
    for name, target in boards().items()
    if target.console == PROCESSOR and target.family is XC7
]
"""The firmware is for the Zynq-7000's processor."""


def test_boards_with_a_processor_state_it():
    assert [name for name, target in boards().items() if target.processor] == ZYNQ


def test_registers_come_from_the_declaration():
    """No offset, mask or shift of the accelerator's is written in the sources."""
    declared = "".join(map(header, (RELOAD_REGISTERS, STREAMED_REGISTERS)))
    defined = set(re.findall(r"#define (GATEFORMER_\w+)", declared))
    text = "".join(path.read_text() for path in SOURCES.glob("*.[chS]"))
    used = set(re.findall(r"\bGATEFORMER_\w+", text))
    assert used and used <= defined
    assert "0x43C" not in text.upper()


@pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="there is no arm-none-eabi-gcc")
def test_the_other_compiler_builds_it_too(tmp_path, monkeypatch):
    monkeypatch.setenv("ARM_CC", "arm-none-eabi-gcc")
    first = built(tmp_path / "one")
    assert built(tmp_path / "two") == first


def test_no_compiler(tmp_path, monkeypatch):
    monkeypatch.delenv("ARM_CC", raising=False)
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError) as error:
        built(tmp_path)
    assert str(error.value) == (
        "no ARM C compiler found (arm-none-eabi-gcc or $ARM_CC), which the firmware needs; "
        "install one, or: pip install ziglang"
    )
    assert not list(tmp_path.iterdir())


def test_the_installed_compiler_comes_first(monkeypatch):
    monkeypatch.delenv("ARM_CC", raising=False)
    monkeypatch.setattr(compiler.shutil, "which", lambda name: f"/bin/{name}")
    assert compiler.find_compiler(ARM_C, "x") == ["arm-none-eabi-gcc"]


def test_an_interrupted_build_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(firmware_build, "run_tool", interrupt)
    with pytest.raises(KeyboardInterrupt):
        built(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command(tmp_path):
    result = build(tmp_path, "zybo", "--model", TINY, *SIZES, "--firmware", "--out", "build/fw")
    assert result.returncode == 0, result.stderr
    paths = [f"build/fw/{name}" for name in ("gateformer.elf", "gateformer.bin", "boot.scr")]
    assert result.stdout.splitlines() == paths
    image = (tmp_path / "build/fw/gateformer.bin").read_bytes()
    assert read_elf((tmp_path / "build/fw/gateformer.elf").read_bytes()).image() == image


@pytest.mark.parametrize("name, memory", [("cora-z7", 512 << 20), ("zybo", 1 << 30)])
def test_it_is_built_for_the_memory_of_the_board(tmp_path, monkeypatch, name, memory):
    given = []
    monkeypatch.setattr(flow, "build_firmware", lambda *facts: given.append(facts) or [])
    result = build(tmp_path, name, "--model", TINY, *SIZES, "--firmware")
    assert result.returncode == 0, result.stderr
    ((*_, size),) = given
    assert size == memory


def test_the_command_with_an_imported_model(tmp_path):
    """And the other modes that it has: a picture, an IP core."""
    model = "random:n_kv_heads=1,n_layers=1,d_model=8,d_ff=8,ctx_len=8,vocab_size=20"
    chosen = ("--model", model, "--lanes", "8", "--out", "build/fw")
    result = build(tmp_path, "zybo-z7-20", *chosen, "--firmware")
    assert result.returncode == 0, result.stderr
    assert "build/fw/gateformer.elf" in result.stdout.splitlines()
    result = build(tmp_path, "zybo-z7-20", *chosen, "--timeline")
    assert result.returncode == 0, result.stderr
    assert ">One token at position 4: " in (tmp_path / "build/fw/timeline.svg").read_text()
    result = build(tmp_path, "zybo-z7-20", *chosen, "--export", "ip", "--no-synthesis")
    assert result.returncode == 0, result.stderr
    assert "TOP_P" in (tmp_path / "build/fw/ip/gateformer_regs.h").read_text()


def test_the_command_loads_it(tmp_path, monkeypatch):
    monkeypatch.delenv("XSDB", raising=False)
    for name, status in (("openocd", 0), ("broken", 5)):
        tool = tmp_path / name
        tool.write_text(f'#!/bin/sh\nfor a in "$@"; do echo "given: $a"; done\nexit {status}\n')
        tool.chmod(0o755)
    options = ("zybo", "--model", TINY, *SIZES, "--firmware", "--program", "--out", "build/fw")
    monkeypatch.setenv("OPENOCD", str(tmp_path / "openocd"))
    # in a process of its own: the tool writes to its standard output
    result = run("build.py", *options, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert "given: load_image {build/fw/gateformer.elf}" in lines
    assert lines[-1] == "loaded by openocd: build/fw/gateformer.elf"

    monkeypatch.setenv("OPENOCD", str(tmp_path / "broken"))
    result = build(tmp_path, *options)
    assert result.returncode == 2
    assert result.stderr == "error: openocd failed with status 5; is the board connected?\n"

    for name in ("OPENOCD", "XSDB"):
        monkeypatch.setenv(name, str(tmp_path / "missing"))
    result = build(tmp_path, *options)
    assert result.returncode == 2
    assert result.stderr == (
        "error: --firmware --program needs openocd or xsdb on the PATH; install one, or leave "
        "--program out\n"
    )


@pytest.mark.parametrize("content", [b"", b"\x7fELF\x02\x01", b"MZ"])
def test_no_elf_file(content):
    with pytest.raises(ValueError, match=r"^no 32-bit little-endian ELF file$"):
        read_elf(content)
