"""What the firmware must know to take the image of another model, as a part of its C header."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.lib import data

from gateformer.gateware.compiler.reload_image import SIGNATURE_TAPS, UNIT
from gateformer.gateware.console.load_messages import (
    LABEL_BYTES,
    VERDICTS,
    LoadMessage,
    LoadTexts,
    label_text,
)
from gateformer.gateware.console.messages import TEMPERATURE_STEPS, Message
from gateformer.gateware.console.texts import ConsoleTexts
from gateformer.gateware.console.vocabulary import (
    NEWLINE,
    TEMPERATURE_LAYOUT,
    TEXT_BYTES,
    TEXT_LAYOUT,
    vocabulary_depth,
)
from gateformer.gateware.core.loader import Refusal

from .image import table_words

IN_PARTS = {LoadMessage.LABEL, *VERDICTS.values()} - {LoadMessage.LOADED}
"""What the header has not as a message: the label is a table's, refusals have two parts."""
SAME_REGISTERS = ("ENGINE_ROWS", "ENGINE_COLS", "ARRAY_LANES", "RELOAD_LIMITS")
"""What images depend on, beside what every run does."""


def messages(load: LoadTexts | None) -> list[Message | LoadMessage]:
    """All that are printed as a whole."""
    further = load.messages if load else ()
    return [*Message, *(message for message in further if message not in IN_PARTS)]


def load_lines(texts: ConsoleTexts, constants: dict[str, int]) -> list[str]:
    """The lines of the header.

    Parameters
    ----------
    texts : ConsoleTexts
        With ``load``.
    constants : dict
        The identification registers, by name.
    """
    load = texts.load
    tables = table_words(texts.config.vocab_size)
    defines = {
        "IMAGE_SHAPE": f"0x{load.shape:08X}u",
        "TABLE_WORDS": f"{tables}u",
        "CORE_WORDS": f"{load.words - tables}u",
        # the polynomial of checksum and signature, bit 31 that of x^0
        "CRC_TAPS": f"0x{SIGNATURE_TAPS:08X}u",
        "TEXT_ENTRIES": f"{vocabulary_depth(texts.config.vocab_size) - TEMPERATURE_STEPS}u",
        "TEMPERATURES": f"{TEMPERATURE_STEPS}u",
        "LABEL_BYTES": f"{LABEL_BYTES}u",
        "TEXT_BYTES": f"{TEXT_BYTES}u",
        "NEWLINE": f"0x{NEWLINE:X}u",
        **_fields("TOKEN", TEXT_LAYOUT),
        **_fields("TEMPERATURE", TEMPERATURE_LAYOUT),
    }
    same = (f'{{"{name}", GATEFORMER_{name}, 0x{constants[name]:X}u}}' for name in SAME_REGISTERS)
    causes = _causes(texts)
    return [
        *(f"#define {name} {value}" for name, value in defines.items()),
        "",
        "// Values of LOAD_STATUS.refusal.",
        "enum refusal {",
        *(f"\tREFUSAL_{refusal.name} = {refusal.value}," for refusal in Refusal),
        "};",
        f"#define IMAGE_REFUSALS {len(Refusal)}u",
        "",
        "// What is said of a refusal, then of what is left: none, or the old model.",
        f"#define IMAGE_REFUSAL_TEXTS {_strings(causes.get(each, '') for each in Refusal)}",
        f"#define IMAGE_LEFT_TEXTS {_strings(_left(texts, kept) for kept in (False, True))}",
        "",
        "// Registers that must be as they were when this was built: name, offset, value.",
        "#define IMAGE_REGISTERS {" + ", ".join(same) + "}",
        "",
    ]


def built_in_label(texts: ConsoleTexts) -> str:
    """Name and digest of the model that the firmware was built with, as a C string."""
    return _string(label_text(texts.name, texts.identification.digest).rstrip("\0"))


def _causes(texts: ConsoleTexts) -> dict[Refusal, str]:
    """The gateware's texts of refusals, up to what is left."""
    return {
        refusal: _verdict(texts, message)[0] + "; "
        for (refusal, _), message in VERDICTS.items()
        if refusal is not Refusal.NONE
    }


def _left(texts: ConsoleTexts, kept: bool) -> str:
    return _verdict(texts, VERDICTS[Refusal.ABORTED, kept])[1]


def _verdict(texts: ConsoleTexts, message: LoadMessage) -> list[str]:
    """Cause and what is left."""
    return texts.text(message)[0].split("; ", 1)


def _fields(prefix: str, layout: data.StructLayout) -> dict[str, str]:
    """In which word of the image a field is, and where in it."""
    defines = {}
    for name, field in layout:
        word, low = divmod(field.offset, UNIT)
        mask = (1 << field.width) - 1
        defines[f"{prefix}_{name.upper()}(words)"] = f"((words)[{word}] >> {low} & 0x{mask:X}u)"
    return defines


def _strings(texts: Iterable[str]) -> str:
    return "{" + ", ".join(map(_string, texts)) + "}"


def _string(text: str) -> str:
    """A C string of UTF-8."""
    return '"' + "".join(map(_escaped, text.encode())) + '"'


def _escaped(byte: int) -> str:
    plain = 0x20 <= byte < 0x7F and chr(byte) not in '"\\?'
    return chr(byte) if plain else f"\\{byte:03o}"
