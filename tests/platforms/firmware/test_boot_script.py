"""U-Boot's script is what mkimage makes of the same commands."""

import shutil
import struct
import subprocess
import zlib

import pytest

from gateformer.platforms.firmware.boot_script import BITSTREAM_ADDRESS, boot_commands, script_image

# SOURCE_DATE_EPOCH=0 mkimage -A arm -O linux -T script -C none -n golden -d (a file with "go 0\n")
MADE_BY_MKIMAGE = bytes.fromhex(
    "27051956c496a065000000000000000d0000000000000000a6d458c305020600"
    "676f6c64656e0000000000000000000000000000000000000000000000000000"
    "0000000500000000676f20300a"
)
COMMANDS = boot_commands("top.bit", "gateformer.bin")


def test_it_is_the_one_of_mkimage():
    assert script_image("go 0\n", "golden") == MADE_BY_MKIMAGE


@pytest.mark.skipif(shutil.which("mkimage") is None, reason="mkimage is not installed")
@pytest.mark.parametrize("name", ["shakespeare-115k", "n" * 40, ""])
def test_mkimage_makes_the_same_of_our_commands(tmp_path, name):
    (tmp_path / "commands").write_text(COMMANDS)
    kind = ["-A", "arm", "-O", "linux", "-T", "script", "-C", "none", "-n", name[:31]]
    subprocess.run(
        ["mkimage", *kind, "-d", tmp_path / "commands", tmp_path / "boot.scr"],
        env={"SOURCE_DATE_EPOCH": "0"},
        executable=shutil.which("mkimage"),
        check=True,
        capture_output=True,
    )
    assert script_image(COMMANDS, name) == (tmp_path / "boot.scr").read_bytes()


@pytest.mark.parametrize("name", ["tïny", "a model with a name of more than 31 bytes: ä"])
def test_its_checksums_hold(name):
    content = script_image(COMMANDS, name)
    header, body = content[:64], content[64:]
    fields = struct.unpack(">7I4B32s", header)
    assert fields[0] == 0x27051956 and fields[3] == len(body)
    assert fields[1] == zlib.crc32(header[:4] + bytes(4) + header[8:])
    assert fields[6] == zlib.crc32(body)
    assert fields[-1].endswith(b"\0")
    assert body == struct.pack(">2I", len(COMMANDS.encode()), 0) + COMMANDS.encode()


def test_the_fabric_comes_first_and_what_fails_ends_it():
    first, condition, *then = COMMANDS.splitlines()
    assert first == "echo gateformer: top.bit and gateformer.bin"
    steps = condition.removeprefix("if ").removesuffix("; then").split(" && ")
    assert steps == [
        f"fatload mmc 0 {BITSTREAM_ADDRESS:#x} top.bit",
        f"fpga loadb 0 {BITSTREAM_ADDRESS:#x} ${{filesize}}",
        "fatload mmc 0 0x100000 gateformer.bin",
    ]
    with_weights = boot_commands("top.bit", "gateformer.bin", "weights.bin").splitlines()
    assert with_weights[0] == "echo gateformer: top.bit, weights.bin and gateformer.bin"
    steps.insert(2, "fatload mmc 0 0x10000000 weights.bin")
    assert with_weights[1] == f"if {' && '.join(steps)}; then"
    assert with_weights[2:] == then
    assert [line.strip() for line in then] == ["dcache off", "icache off", "go 0x100000", "fi"]
