"""Firmware for the processor of a Zynq-7000 board: C sources and two headers to ELF and BIN.

Beside them goes the script with which U-Boot starts it (:mod:`platforms.firmware.boot_script`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from gateformer.gateware.host import register_documents
from gateformer.gateware.host.identification import Identification
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.contract.integer_model import IntegerModel
from gateformer.model.support import compiler
from gateformer.model.support.whole_file import write_whole

from ..boards.target import Processor
from ..host.image_file import IMAGE_FILE
from ..support.tools import run_tool
from ..synthesis.synthesis import TOP
from .boot_script import FILE as SCRIPT
from .boot_script import boot_commands, script_image
from .elf_file import read_elf
from .model import model_header

SOURCES = Path(__file__).with_name("source")
LINKER_SCRIPT = "zynq.ld"
ELF, BIN = "gateformer.elf", "gateformer.bin"
FIRMWARE_FILES = (ELF, BIN, SCRIPT)
"""Everything that :func:`build_firmware` writes."""
ARM_C = compiler.Language("ARM C", "ARM_CC", ("arm-none-eabi-gcc",), "cc")

_GCC = ("-mcpu=cortex-a9", "-marm", "-mfloat-abi=soft")
_ZIG = ("-target", "arm-freestanding-eabi", "-mcpu=cortex_a9-neon-vfp3-vfp3d16-vfp2")
_FLAGS = (
    *("-std=c11", "-Os", "-Wall", "-Wextra", "-Werror"),
    *("-ffreestanding", "-fno-builtin", "-nostdlib", "-fno-sanitize=all", "-fno-stack-protector"),
    *("-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-ffunction-sections"),
    # with the MMU off all memory is strongly ordered, where such an access is a fault
    "-mno-unaligned-access",
    # no symbols: they would name the compiler's temporary files
    *("-s", "-Wl,--build-id=none", "-Wl,--gc-sections", "-Wl,-z,max-page-size=4096"),
    f"-Wl,-T,{LINKER_SCRIPT}",
)


def build_firmware(
    model: IntegerModel | DecoderModel,
    name: str,
    identification: Identification,
    processor: Processor,
    directory: Path,
    memory_bytes: int | None = None,
) -> list[Path]:
    """Write ELF, BIN and U-Boot's script into ``directory``; their paths.

    The same arguments give the same bytes. ``memory_bytes`` is the size of the board's DDR memory,
    from address 0 on, in which the image of a streamed model must fit; None: the most there can be.

    The compiler is ``$ARM_CC``, arm-none-eabi-gcc or ziglang, the first that there is.

    Raises
    ------
    UserError
        If there is no compiler, the model has a token that no console can show, or the files
        cannot be written.
    ToolError
        If the compiler fails.
    """
    command = compiler.find_compiler(ARM_C, "the firmware")
    header = model_header(model, name, identification, processor, memory_bytes)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for source in sorted(SOURCES.iterdir()):
            shutil.copy(source, work)
        (work / "model.h").write_text(header, encoding="utf-8")
        declared = register_documents.header(identification.registers)
        (work / "registers.h").write_text(declared, encoding="utf-8")
        sources = sorted(path.name for path in work.iterdir() if path.suffix in (".c", ".S"))
        target = _ZIG if "ziglang" in command else _GCC
        run_tool(
            [*command, *target, *_FLAGS, *sources, "-o", ELF],
            work,
            environment={"SOURCE_DATE_EPOCH": "0"},
            name=os.path.basename(command[0]) if target is _GCC else "ziglang",
        )
        elf = (work / ELF).read_bytes()
    weights = None if identification.image is None else IMAGE_FILE
    script = script_image(boot_commands(f"{TOP}.bit", BIN, weights), name)
    files = {ELF: elf, BIN: read_elf(elf).image(), SCRIPT: script}
    for file, content in files.items():
        write_whole(directory / file, content)
    return [directory / file for file in files]
