"""What the firmware must know of the image of a model in external memory, for its C header."""

from __future__ import annotations

from gateformer.gateware.host.identification import Identification
from gateformer.gateware.memory.bus import Response
from gateformer.gateware.streamed.ports import ImageFacts

from ..families.zynq_address import (
    AFI_ADDRESS,
    AFI_NARROW,
    AFI_READ_CONTROL,
    AFI_STEP,
    AFI_WRITE_CONTROL,
    HP_PORTS,
    IMAGE_FILE_ADDRESS,
    MEMORY_END,
)
from ..host.bench import STREAMED_BENCH
from ..host.image_file import HEADER_BYTES, IMAGE_FILE, MAGIC, OFFSETS
from .c_text import braces, defines, macro

CRC_TAPS = 0xEDB8_8320
"""Polynomial of zlib's CRC-32, bit 31 that of x^0."""


def bench_tokens(identification: Identification) -> int | None:
    """How many tokens ``/bench`` generates at most, as the Linux driver; None: a whole context."""
    return None if identification.image is None else STREAMED_BENCH


def streamed_lines(facts: ImageFacts, memory_bytes: int | None = None) -> list[str]:
    """The lines of the header; ``memory_bytes`` is the size of the board's memory, if known."""
    end = MEMORY_END if memory_bytes is None else min(memory_bytes, MEMORY_END)
    kind = [int.from_bytes(MAGIC[i : i + 4], "little") for i in range(0, len(MAGIC), 4)]
    return [
        "// The file of the image, and the ports through which the accelerator reads it.",
        *defines(
            IMAGE_FILE=f'"{IMAGE_FILE}"',
            IMAGE_FILE_ADDRESS=f"0x{IMAGE_FILE_ADDRESS:08X}u",
            IMAGE_HEADER_BYTES=f"{HEADER_BYTES}u",
            IMAGE_KIND=braces(f"0x{word:08X}u" for word in kind),
            **{f"IMAGE_{macro(name)}_AT": f"{offset}u" for name, offset in OFFSETS.items()},
            IMAGE_CRC_TAPS=f"0x{CRC_TAPS:08X}u",
            MEMORY_END=f"0x{end:08X}u",
            MEMORY_PORTS=braces(HP_PORTS[facts.memory.ports]),
            AFI_ADDRESS=f"0x{AFI_ADDRESS:08X}u",
            AFI_STEP=f"0x{AFI_STEP:X}u",
            AFI_READ_CONTROL=f"0x{AFI_READ_CONTROL:X}u",
            AFI_WRITE_CONTROL=f"0x{AFI_WRITE_CONTROL:X}u",
            AFI_NARROW=f"{AFI_NARROW}u",
            RESPONSE_SLVERR=f"{Response.SLVERR.value}u",
            RESPONSE_DECERR=f"{Response.DECERR.value}u",
        ),
        "",
    ]
