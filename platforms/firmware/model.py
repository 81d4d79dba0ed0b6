"""What the firmware must know of a model and a board, as one C header."""

from __future__ import annotations

from collections.abc import Iterable

from gateformer.gateware.compiler.program import PROMPT_OVERHEAD
from gateformer.gateware.console import messages as console_messages
from gateformer.gateware.console.dialect import TOP_P, TOP_P_STEPS, Dialect
from gateformer.gateware.console.imported.pieces import Pieces
from gateformer.gateware.console.load_messages import LoadMessage
from gateformer.gateware.console.messages import DECIMALS
from gateformer.gateware.console.settings import DEFAULT_SEED, DEFAULT_TEMPERATURE, DEFAULT_TOP_K
from gateformer.gateware.console.vocabulary import (
    NEWLINE,
    TEXT_BYTES,
    temperature_entries,
    token_texts,
)
from gateformer.gateware.host.identification import WORD_DIGITS, Identification
from gateformer.gateware.host.streamed_registers import STREAM_BYTES
from gateformer.gateware.plan.layout import Layout
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.contract.integer_model import IntegerModel

from ..boards.target import Processor
from ..families.zynq_address import BASE_ADDRESS
from . import load as firmware_load
from .c_text import array, braces, defines, enum, macro
from .image import firmware_load_texts
from .imported_model import encoder, imported_lines, room
from .pace import SIGN_OF_LIFE, SIGN_OF_LIFE_MS
from .streamed import bench_tokens, streamed_lines
from .texts import (
    REGISTERS,
    SPECIAL,
    FirmwareTexts,
    ImportedFirmwareTexts,
    concealed,
    messages,
    text_lines,
)

UART_BASES = (0xE000_0000, 0xE000_1000)
"""UG585, appendix B."""
START_CYCLES = PROMPT_OVERHEAD
"""Busy cycles of a run before its first prompt token's program: that token is taken at once."""


def model_header(
    model: IntegerModel | DecoderModel,
    name: str,
    identification: Identification,
    processor: Processor,
    memory_bytes: int | None = None,
) -> str:
    """The header: constants, texts, vocabulary and the multipliers of all temperatures.

    ``identification`` is that of the build; of it, the firmware insists on what depends on the
    model, and tells the rest as the registers do. ``memory_bytes`` as
    :func:`platforms.firmware.build.build_firmware`. Raises UserError as
    :func:`gateware.console.vocabulary.token_texts`, or :meth:`Pieces.of` of an imported model.
    """
    config, hw = model.config, identification.hw
    imported = isinstance(model, DecoderModel)
    texts = _imported_texts if imported else _trained_texts
    texts = texts(model, concealed(name), identification)
    load, dialect = texts.load, texts.dialect
    answers = list(dialect.answers)
    if load:
        answers.insert(len(dialect.commands), LoadMessage.IMAGE)
    most = config.ctx_len
    if imported:
        most = room(model, Pieces.of(model), encoder(model) is not None)
    depth = max(most, console_messages.MAX_COMMAND)
    constants = identification.constants
    digest = [word for key, word in constants.items() if key.startswith("ARTIFACT_HASH")]
    lines = [
        "// Written by platforms/firmware/model.py; do not edit.",
        "#ifndef MODEL_H",
        "#define MODEL_H",
        "",
        "#include <stdint.h>",
        "",
        *defines(
            ACCELERATOR_BASE=f"0x{BASE_ADDRESS:08X}u",
            UART_BASE=f"0x{UART_BASES[processor.uart]:08X}u",
            PROCESSOR_CLOCK_HZ=f"{processor.clock_hz}u",
            EXPECTED_MAGIC=f"0x{constants['MAGIC']:08X}u",
            EXPECTED_SPEC_VERSION=f"{constants['SPEC_VERSION']}u",
            IMPORTED=int(imported),
            RELOAD=int(hw.reload),
            STREAMED=int(identification.image is not None),
            STREAMS=f"{identification.streams}",
            STREAM_BYTES=f"0x{STREAM_BYTES:X}u",
            BUILD_ID=f"0x{identification.build_id:08X}u",
            PACKING=f'"{identification.hw.packing}"',
            VOCAB_SIZE=f"{config.vocab_size}u",
            CTX_LEN=f"{config.ctx_len}u",
            MOST_DIGITS=f"{len(str(config.vocab_size - 1))}u",
            ROOM=f"{most}u",
            LINE_DEPTH=f"{depth}u",
            LINE_LIMIT=f"{2 ** (2 * depth - 1).bit_length() - 1}u",
            MAX_COMMAND=f"{console_messages.MAX_COMMAND}u",
            START_CYCLES=f"{START_CYCLES}u",
            DECIMALS=f"{DECIMALS}u",
            SETTINGS=f"{dialect.settings}u",
            COUNT_LIMIT=f"{console_messages.COUNT_LIMIT}u",
            BENCH_TOKENS=f"{bench_tokens(identification) or console_messages.COUNT_LIMIT}u",
            SETTING_LIMITS=braces(f"{most}u" for _, most in _settings(dialect, config)),
            SETTING_DEFAULTS=braces(f"{first}u" for first, _ in _settings(dialect, config)),
            ETX=console_messages.ETX,
            EOT=console_messages.EOT,
            SIGN_OF_LIFE=SIGN_OF_LIFE,
            SIGN_OF_LIFE_MS=f"{SIGN_OF_LIFE_MS}u",
            SPECIAL=f"0x{SPECIAL:X}u",
            TEXT_END=f"0x{SPECIAL | console_messages.END:X}u",
        ),
        "",
        enum("message", [f"MESSAGE_{message.name}" for message in messages(texts)]),
        enum(
            "number",
            [*(f"NUMBER_{n.name}" for n in dialect.numbers), *map("NUMBER_{}".format, REGISTERS)],
        ),
        enum("command_code", [f"COMMAND_{macro(command)}" for command in texts.commands]),
        *defines(
            NUMBERS=f"{len(dialect.numbers) + len(REGISTERS)}u",
            UNKNOWN_COMMAND=f"{len(texts.commands)}u",
            ANSWERS=_messages(answers),
            REFUSALS=_messages(dialect.refusals),
            ENDINGS=_messages(dialect.endings),
        ),
        "",
        *(firmware_load.load_lines(texts, constants) if load else ()),
        *(streamed_lines(identification.image, memory_bytes) if identification.image else ()),
        "// Names of the commands, by their codes.",
        array("char *const", "command_names", (f'"{command}"' for command in texts.commands)),
        *text_lines(texts),
        *(imported_lines(model, dialect, digest) if imported else _tables(model, digest, texts)),
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def _trained_texts(model, name, identification) -> FirmwareTexts:
    hw, load = identification.hw, None
    if hw.reload:
        load = firmware_load_texts(model, Layout(model.config, hw), identification.limits)
    return FirmwareTexts(name, identification, load)


def _imported_texts(model, name, identification) -> ImportedFirmwareTexts:
    opening = len(Pieces.of(model).opening)
    return ImportedFirmwareTexts(name, identification, None, opening)


def _settings(dialect: Dialect, config: ModelConfig) -> list[tuple[int, int]]:
    """First value and largest one of every setting, by its command."""
    top_k = min(DEFAULT_TOP_K, config.vocab_size)
    found = {
        "temperature": (DEFAULT_TEMPERATURE, console_messages.TEMPERATURE_STEPS - 1),
        "top-k": (top_k, config.vocab_size),
        TOP_P: (TOP_P_STEPS, TOP_P_STEPS),
        "seed": (DEFAULT_SEED, console_messages.SEED_LIMIT),
        "tokens": (0, console_messages.COUNT_LIMIT),
    }
    return [found[name] for name in dialect.commands[: dialect.settings]]


def _tables(model: IntegerModel, digest: list[int], texts: FirmwareTexts) -> list[str]:
    """The tables of the model; with ``/load`` these are pointers, at first to the built-in ones."""
    prefix = "built_in_" if texts.load else ""
    characters, shown = _vocabulary(model)
    multipliers = (
        braces([entry["mult"], entry["shift"]])
        for entry in temperature_entries(model.logit_scale, model.config.vocab_size)
    )
    row = f"[{TEXT_BYTES + 1}]"
    lines = [
        "struct multiplier {",
        "\tuint8_t mult, shift;",
        "};",
        "",
        "// The model's digest.",
        array("uint32_t", f"{prefix}digest", (f"0x{word:0{WORD_DIGITS}X}u" for word in digest)),
        "// The bytes of each token's character, the last one lowest; all ones without a text.",
        array("uint32_t", f"{prefix}characters", characters),
        "// What is sent for each token: the number of bytes, then these.",
        array("uint8_t", f"{prefix}token_texts[]{row}", shown),
        "// Of a temperature in hundredths.",
        array("struct multiplier", f"{prefix}multipliers", multipliers),
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
        shown.append(braces([len(content), *content]))
    return characters, shown


def _messages(messages: Iterable) -> str:
    return braces(f"MESSAGE_{message.name}" for message in messages)
