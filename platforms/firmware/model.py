"""What the firmware must know of a model and a board, as one C header."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gateformer.gateware.compiler.program import PROMPT_OVERHEAD
from gateformer.gateware.console import messages as console_messages
from gateformer.gateware.console.load_messages import LoadMessage
from gateformer.gateware.console.messages import COMMANDS, DECIMALS, Message, Number
from gateformer.gateware.console.settings import DEFAULT_SEED, DEFAULT_TEMPERATURE, DEFAULT_TOP_K
from gateformer.gateware.console.texts import ConsoleTexts
from gateformer.gateware.console.vocabulary import (
    NEWLINE,
    TEXT_BYTES,
    temperature_entries,
    token_texts,
)
from gateformer.gateware.host.identification import WORD_DIGITS, Identification
from gateformer.gateware.plan.layout import Layout
from gateformer.model.contract.integer_model import IntegerModel

from ..boards.target import Processor
from ..families.zynq_address import BASE_ADDRESS
from . import load as firmware_load
from .image import firmware_load_texts

UART_BASES = (0xE000_0000, 0xE000_1000)
"""UG585, appendix B."""
SPECIAL = 0x100
"""Added to an entry of a text that stands for a number, or for the text's end."""
START_CYCLES = PROMPT_OVERHEAD
"""Busy cycles of a run before its first prompt token's program: that token is taken at once."""
REGISTERS = ("BUILD", "ROWS", "COLS", "LANES", "CLOCK", "PACKING")
"""What the firmware reads at run time, in the texts of ``/info``; coded behind :class:`Number`."""
_PRIVATE = 0xE000
"""Characters from here on stand for REGISTERS until the text is encoded."""


class FirmwareTexts(ConsoleTexts):
    """The console's texts, with the registers' values left open."""

    def info(self) -> list[str]:
        model, shape, sizes = super().info()
        open_ = {name: chr(_PRIVATE + i) for i, name in enumerate(REGISTERS)}
        model = _replaced(r"build [0-9a-f]{8}$", f"build {open_['BUILD']}", model)
        values = ("ROWS", "COLS", "LANES", "PACKING", "CLOCK")
        parts = ("rows", "cols", "lanes", "packing", "clock")
        for part, name in zip(parts, values, strict=True):
            sizes = _replaced(rf"\b{part} [\w.]+", f"{part} {open_[name]}", sizes)
        return [model, shape, sizes]


def _replaced(pattern: str, replacement: str, text: str) -> str:
    result, count = re.subn(pattern, replacement, text)
    if count != 1:
        raise ValueError(f"{text!r} must have {pattern!r} once")
    return result


def model_header(
    model: IntegerModel, name: str, identification: Identification, processor: Processor
) -> str:
    """The header: constants, texts, vocabulary and the multipliers of all temperatures.

    ``identification`` is that of the build; of it, the firmware insists on what depends on the
    model, and tells the rest as the registers do. Raises UserError as
    :func:`gateware.console.vocabulary.token_texts`.
    """
    hidden = "".join("?" if _is_private(c) else c for c in name)
    config, hw, load = model.config, identification.hw, None
    if hw.reload:
        load = firmware_load_texts(model, Layout(config, hw), identification.limits)
    texts = FirmwareTexts(hidden, identification, load)
    answers = list(console_messages.ANSWERS)
    if load:
        answers.insert(len(COMMANDS), LoadMessage.IMAGE)
    depth = max(config.ctx_len, console_messages.MAX_COMMAND)
    constants = identification.constants
    digest = [word for key, word in constants.items() if key.startswith("ARTIFACT_HASH")]
    top_k = min(DEFAULT_TOP_K, config.vocab_size)
    limits = (
        console_messages.TEMPERATURE_STEPS - 1,
        config.vocab_size,
        console_messages.SEED_LIMIT,
        console_messages.COUNT_LIMIT,
    )
    lines = [
        "// Written by platforms/firmware/model.py; do not edit.",
        "#ifndef MODEL_H",
        "#define MODEL_H",
        "",
        "#include <stdint.h>",
        "",
        *_defines(
            ACCELERATOR_BASE=f"0x{BASE_ADDRESS:08X}u",
            UART_BASE=f"0x{UART_BASES[processor.uart]:08X}u",
            PROCESSOR_CLOCK_HZ=f"{processor.clock_hz}u",
            EXPECTED_MAGIC=f"0x{constants['MAGIC']:08X}u",
            EXPECTED_SPEC_VERSION=f"{constants['SPEC_VERSION']}u",
            RELOAD=int(hw.reload),
            BUILD_ID=f"0x{identification.build_id:08X}u",
            PACKING=f'"{identification.hw.packing}"',
            VOCAB_SIZE=f"{config.vocab_size}u",
            CTX_LEN=f"{config.ctx_len}u",
            LINE_DEPTH=f"{depth}u",
            LINE_LIMIT=f"{2 ** (2 * depth - 1).bit_length() - 1}u",
            MAX_COMMAND=f"{console_messages.MAX_COMMAND}u",
            START_CYCLES=f"{START_CYCLES}u",
            DECIMALS=f"{DECIMALS}u",
            SETTINGS=f"{console_messages.SETTINGS}u",
            COUNT_LIMIT=f"{console_messages.COUNT_LIMIT}u",
            SETTING_LIMITS=_braces(f"{limit}u" for limit in limits),
            SETTING_DEFAULTS=_braces([DEFAULT_TEMPERATURE, top_k, f"{DEFAULT_SEED}u", 0]),
            ETX=console_messages.ETX,
            EOT=console_messages.EOT,
            SPECIAL=f"0x{SPECIAL:X}u",
            TEXT_END=f"0x{SPECIAL | console_messages.END:X}u",
        ),
        "",
        _enum("message", [f"MESSAGE_{message.name}" for message in firmware_load.messages(load)]),
        _enum(
            "number", [*(f"NUMBER_{n.name}" for n in Number), *map("NUMBER_{}".format, REGISTERS)]
        ),
        _enum("command_code", [f"COMMAND_{_macro(command)}" for command in texts.commands]),
        *_defines(
            NUMBERS=f"{len(Number) + len(REGISTERS)}u",
            UNKNOWN_COMMAND=f"{len(texts.commands)}u",
            ANSWERS=_messages(answers),
            REFUSALS=_messages(console_messages.REFUSALS),
            ENDINGS=_messages(console_messages.ENDINGS),
        ),
        "",
        "struct multiplier {",
        "\tuint8_t mult, shift;",
        "};",
        "",
        *(firmware_load.load_lines(texts, constants) if load else ()),
        "// Names of the commands, by their codes.",
        _array("char *const", "command_names", (f'"{command}"' for command in texts.commands)),
        *_texts(texts),
        *_tables(model, digest, texts),
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def _texts(texts: FirmwareTexts) -> list[str]:
    entries, begins = [], []
    for message in firmware_load.messages(texts.load):
        begins.append(len(entries))
        for part in texts.text(message):
            entries += [SPECIAL | part] if isinstance(part, Number) else _encoded(part)
        entries.append(SPECIAL | console_messages.END)
    return [
        "// All texts: bytes, and numbers that are marked as special.",
        _array("uint16_t", "texts", map(str, entries)),
        "// Where each text begins.",
        _array("uint32_t", "text_begins", map(str, begins)),
    ]


def _encoded(text: str) -> list[int]:
    entries = []
    for character in text:
        if _is_private(character):
            entries.append(SPECIAL | len(Number) + ord(character) - _PRIVATE)
        else:
            entries += character.encode("utf-8", "replace")
    return entries


def _is_private(character: str) -> bool:
    return _PRIVATE <= ord(character) < _PRIVATE + len(REGISTERS)


def _tables(model: IntegerModel, digest: list[int], texts: FirmwareTexts) -> list[str]:
    """The tables of the model; with ``/load`` these are pointers, at first to the built-in ones."""
    prefix = "built_in_" if texts.load else ""
    characters, shown = _vocabulary(model)
    multipliers = (
        _braces([entry["mult"], entry["shift"]])
        for entry in temperature_entries(model.logit_scale, model.config.vocab_size)
    )
    row = f"[{TEXT_BYTES + 1}]"
    lines = [
        "// The model's digest.",
        _array("uint32_t", f"{prefix}digest", (f"0x{word:0{WORD_DIGITS}X}u" for word in digest)),
        "// The bytes of each token's character, the last one lowest; all ones without a text.",
        _array("uint32_t", f"{prefix}characters", characters),
        "// What is sent for each token: the number of bytes, then these.",
        _array("uint8_t", f"{prefix}token_texts[]{row}", shown),
        "// Of a temperature in hundredths.",
        _array("struct multiplier", f"{prefix}multipliers", multipliers),
    ]
    if texts.load:
        label = firmware_load.built_in_label(texts)
        lines += [
            f"static const char {prefix}label[] __attribute__((unused)) = {label};",
            "",
            "// Those of the model that the accelerator has; label: name and digest.",
            "extern const uint32_t *digest, *characters;",
            f"extern const uint8_t (*token_texts){row};",
            "extern const struct multiplier *multipliers;",
            "extern const char *label;",
            "",
        ]
    return lines


def _vocabulary(model: IntegerModel) -> tuple[list[str], list[str]]:
    characters, shown = [], []
    for text, entry in zip(model.vocabulary, token_texts(model.vocabulary), strict=True):
        content = b""
        if not entry.get("empty"):
            first = entry.get("first", 0)
            count = 1 if entry.get("control") else first + 1
            octets = entry["bytes"].to_bytes(TEXT_BYTES, "big")[TEXT_BYTES - 1 - first :]
            content = octets[:count]
        typed = b"\n" if entry["bytes"] == NEWLINE else text.encode()
        value = int.from_bytes(typed, "big") if text else 2 ** (8 * TEXT_BYTES) - 1
        characters.append(f"0x{value:X}u")
        shown.append(_braces([len(content), *content]))
    return characters, shown


def _macro(name: str) -> str:
    return name.upper().replace("-", "_")


def _messages(messages: Iterable[Message]) -> str:
    return _braces(f"MESSAGE_{message.name}" for message in messages)


def _braces(values: Iterable) -> str:
    return "{" + ", ".join(map(str, values)) + "}"


def _defines(**values) -> list[str]:
    return [f"#define {name} {value}" for name, value in values.items()]


def _enum(name: str, members: list[str]) -> str:
    return f"enum {name} {{\n" + "".join(f"\t{member},\n" for member in members) + "};\n"


def _array(kind: str, name: str, values: Iterable[str]) -> str:
    """An array that every file has, and the linker only where it is used."""
    suffix = "" if "[" in name else "[]"
    body = "".join(f"\t{value},\n" for value in values)
    return f"static const {kind} {name}{suffix} __attribute__((unused)) = {{\n{body}}};\n"
