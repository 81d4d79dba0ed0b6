"""The script with which U-Boot starts a Zynq board from an SD card: ``boot.scr``.

U-Boot's ``distro_bootcmd`` looks for a file of this name and executes it. It is the legacy image
of U-Boot's ``include/image.h``: a header of 64 bytes, all numbers with their highest byte first,
then the length of the text, zero, and the text.
"""

from __future__ import annotations

import struct
import zlib

from ..families.zynq_address import FIRMWARE_ADDRESS, FIRMWARE_BYTES, IMAGE_FILE_ADDRESS

FILE = "boot.scr"
BITSTREAM_ADDRESS = 0x0200_0000
"""Where the bitstream lies until the fabric has it: behind the firmware's memory."""
assert BITSTREAM_ADDRESS >= FIRMWARE_ADDRESS + FIRMWARE_BYTES

_HEADER = struct.Struct(">7I4B32s")
_MAGIC = 0x2705_1956
_OS_LINUX, _ARCHITECTURE_ARM, _TYPE_SCRIPT, _UNCOMPRESSED = 5, 2, 6, 0


def boot_commands(bitstream: str, firmware: str, weights: str | None = None) -> str:
    """U-Boot's commands: bitstream, image of the weights if there is one, then firmware, files of
    the card's first partition."""
    address = FIRMWARE_ADDRESS
    files = [bitstream, *([weights] if weights else []), firmware]
    image = f"fatload mmc 0 {IMAGE_FILE_ADDRESS:#x} {weights} && " if weights else ""
    return (
        f"echo gateformer: {', '.join(files[:-1])} and {files[-1]}\n"
        f"if fatload mmc 0 {BITSTREAM_ADDRESS:#x} {bitstream} && "
        f"fpga loadb 0 {BITSTREAM_ADDRESS:#x} ${{filesize}} && "
        f"{image}fatload mmc 0 {address:#x} {firmware}; then\n"
        "\tdcache off\n"
        "\ticache off\n"
        f"\tgo {address:#x}\n"
        "fi\n"
    )


def script_image(commands: str, name: str) -> bytes:
    """The file, without a date; of ``name`` up to 31 bytes are kept."""
    text = commands.encode()
    content = struct.pack(">2I", len(text), 0) + text
    title = name.encode()[:31]

    def header(checksum: int) -> bytes:
        return _HEADER.pack(
            *(_MAGIC, checksum, 0, len(content), 0, 0, zlib.crc32(content)),
            *(_OS_LINUX, _ARCHITECTURE_ARM, _TYPE_SCRIPT, _UNCOMPRESSED, title),
        )

    return header(zlib.crc32(header(0))) + content
