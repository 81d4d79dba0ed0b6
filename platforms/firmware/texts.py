"""The console's texts as the firmware has them: numbers and registers' values are left open."""

from __future__ import annotations

import re

from gateformer.gateware.console import messages as console_messages
from gateformer.gateware.console.dialect import Dialect
from gateformer.gateware.console.imported.texts import ImportedTexts
from gateformer.gateware.console.texts import ConsoleTexts
from gateformer.gateware.host.identification import Identification

from . import load as firmware_load
from .c_text import array
from .streamed import bench_tokens

SPECIAL = 0x100
"""Added to an entry of a text that stands for a number, or for the text's end."""
REGISTERS = ("BUILD", "ROWS", "COLS", "LANES", "CLOCK", "PACKING")
"""What the firmware reads at run time, in the texts of ``/info``; coded behind the dialect's
numbers. Those of an imported model's core are fewer."""
_PRIVATE = 0xE000
"""Characters from here on stand for REGISTERS until the text is encoded."""


def _open(line: str, **patterns: str) -> str:
    """The line with the first group of each pattern before what stands for the register.

    Raises ValueError unless the line has each pattern once.
    """
    for name, pattern in patterns.items():
        character = chr(_PRIVATE + REGISTERS.index(name))
        line, count = re.subn(pattern, rf"\g<1>{character}", line)
        if count != 1:
            raise ValueError(f"{line!r} must have {pattern!r} once")
    return line


_BUILD = {"BUILD": r"(build )[0-9a-f]{8}$"}
_SIZES = {"LANES": r"(\blanes )[\w.]+", "CLOCK": r"(\bclock )[\w.]+"}
_ENGINE = {"ROWS": r"(\brows )\w+", "COLS": r"(\bcols )\w+", "PACKING": r"(\bpacking )\w+"}


class FirmwareTexts(ConsoleTexts):
    """Those of a trained model."""

    def info(self) -> list[str]:
        model, shape, sizes = super().info()
        sizes = _with_streams(sizes, self.identification)
        return [_open(model, **_BUILD), shape, _open(sizes, **_ENGINE, **_SIZES)]


class ImportedFirmwareTexts(ImportedTexts):
    """Those of an imported one."""

    def info(self) -> list[str]:
        model, *shape, sizes = super().info()
        sizes = _with_streams(sizes, self.identification)
        return [_open(model, **_BUILD), *shape, _open(sizes, **_SIZES)]

    def help(self) -> list[str]:
        tokens = bench_tokens(self.identification)
        if tokens is None:
            return super().help()
        most = f"generates at most {tokens} tokens"
        return [line.replace("generates a whole context", most) for line in super().help()]


def _with_streams(sizes: str, identification: Identification) -> str:
    several = identification.streams > 1
    return f"{sizes}, streams {identification.streams}" if several else sizes


def concealed(name: str) -> str:
    """A model's name without characters that stand for something else here."""
    return "".join("?" if _is_private(character) else character for character in name)


def messages(texts: ConsoleTexts) -> list:
    """All that are printed as a whole."""
    return firmware_load.messages(texts.load) if texts.load else [*texts.dialect.messages]


def text_lines(texts: ConsoleTexts) -> list[str]:
    """All texts in C."""
    entries, begins = [], []
    for message in messages(texts):
        begins.append(len(entries))
        for part in texts.text(message):
            entries += _encoded(part, texts.dialect) if isinstance(part, str) else [SPECIAL | part]
        entries.append(SPECIAL | console_messages.END)
    return [
        "// All texts: bytes, and numbers that are marked as special.",
        array("uint16_t", "texts", map(str, entries)),
        "// Where each text begins.",
        array("uint32_t", "text_begins", map(str, begins)),
    ]


def _encoded(text: str, dialect: Dialect) -> list[int]:
    entries: list[int] = []
    for character in text:
        if _is_private(character):
            entries.append(SPECIAL | len(dialect.numbers) + ord(character) - _PRIVATE)
        else:
            entries += character.encode("utf-8", "replace")
    return entries


def _is_private(character: str) -> bool:
    return _PRIVATE <= ord(character) < _PRIVATE + len(REGISTERS)
