"""What a core and its drivers share, against what is published for programs of other people.

Registers and messages are declared once and both sides are made from the declaration; drivers,
device trees and images that exist hold these numbers, so here they are written out.
"""

import pytest

from gateformer.gateware.compiler.reload_image import (
    FORMAT_VERSION,
    Contents,
    Section,
    checksum,
    signature,
)
from gateformer.gateware.console import load_messages as console_load_messages
from gateformer.gateware.console import messages as console_messages
from gateformer.gateware.console.settings import DEFAULT_SEED, DEFAULT_TEMPERATURE, DEFAULT_TOP_K
from gateformer.gateware.console.system import DEFAULT_BAUD
from gateformer.gateware.core.loader import Refusal
from gateformer.gateware.engines.ternary.weight_decoder import three_in_five_code
from gateformer.gateware.host import base_registers, reload_registers
from gateformer.gateware.host.register import ADDRESS_WIDTH
from gateformer.gateware.parts import receive_queue
from gateformer.gateware.parts.uart import FRAME_BITS
from gateformer.platforms.console import answer as console_answer
from gateformer.platforms.console import load as console_load
from gateformer.platforms.console.link import DEFAULT_BAUD as CLIENT_BAUD
from gateformer.platforms.families import zynq_address

IDENTIFICATION = {
    **{"MAGIC": 0x000, "SPEC_VERSION": 0x004, "BUILD_ID": 0x008, "CLOCK_KHZ": 0x00C},
    **{"VOCAB_SIZE": 0x010, "D_MODEL": 0x014, "N_HEADS": 0x018, "N_LAYERS": 0x01C, "D_FF": 0x020},
    **{"CTX_LEN": 0x024, "ENGINE_ROWS": 0x028, "ENGINE_COLS": 0x02C, "ARRAY_LANES": 0x030},
    **{f"ARTIFACT_HASH_{i}": 0x040 + 4 * i for i in range(8)},
}
OTHERS = {
    "RELOAD_LIMITS": (
        *(0x034, "RO"),
        {"requantize_shift": (0, 6), "gain_shift": (6, 6), "score_shift": (12, 6)}
        | {"score_shifts": (18, 6), "packing": (24, 4)},
    ),
    "CONTROL": (0x080, "WO", {"start": (0, 1), "abort": (1, 1), "clear_errors": (2, 1)}),
    "STATUS": (
        *(0x084, "RO"),
        {"busy": (0, 1), "done": (1, 1), "context_full": (2, 1), "error": (3, 1)}
        | {"output_level": (4, 12), "prompt_level": (16, 16)},
    ),
    "ERROR": (
        *(0x088, "RW1C"),
        {"prompt_overflow": (0, 1), "token_outside_vocabulary": (1, 1)}
        | {"start_while_busy": (2, 1), "settings_locked": (3, 1), "prompt_empty": (4, 1)}
        | {"prompt_too_long": (5, 1), "count_zero": (6, 1), "top_k_too_large": (7, 1)}
        | {"not_loaded": (8, 1), "load_while_busy": (9, 1)},
    ),
    "PROMPT": (0x08C, "WO", {"token": (0, 32)}),
    "OUTPUT": (0x090, "RO", {"token": (0, 16), "last": (30, 1), "valid": (31, 1)}),
    "GENERATE_COUNT": (0x0A0, "RW", {"value": (0, 16)}),
    "TEMPERATURE": (0x0A4, "RW", {"mult": (0, 8), "shift": (8, 5)}),
    "TOP_K": (0x0A8, "RW", {"value": (0, 32)}),
    "SEED": (0x0AC, "RW", {"value": (0, 32)}),
    "CYCLES_LOW": (0x0C0, "RO", {"value": (0, 32)}),
    "CYCLES_HIGH": (0x0C4, "RO", {"value": (0, 32)}),
    "TOKENS_GENERATED": (0x0C8, "RO", {"value": (0, 32)}),
    "LOAD_CONTROL": (0x0D0, "WO", {"begin": (0, 1)}),
    "LOAD_DATA": (0x0D4, "WO", {"word": (0, 32)}),
    "LOAD_STATUS": (0x0D8, "RO", {"loaded": (0, 1), "loading": (1, 1), "refusal": (2, 3)}),
}
RELOAD_ONLY = {"RELOAD_LIMITS", "LOAD_CONTROL", "LOAD_DATA", "LOAD_STATUS"}

TRITS_OF_CODE = [
    *("0++", "00+", "0-+", "000", "0+-", "00-", "0--", "000"),
    *("+0+", "-0+", "+00", "-00", "+0-", "-0-", "000", "000"),
    *("++0", "-+0", "+-0", "--0", "0+0", "000", "0-0", "000"),
    *("+++", "-++", "+-+", "--+", "++-", "-+-", "+--", "---"),
]
"""Three trits, the first one left, of the five bits 0 to 31 in images and memories of "3in5"."""


@pytest.mark.parametrize("reload", [False, True])
def test_registers(reload):
    expected = {name: (at, "RO", {"value": (0, 32)}) for name, at in IDENTIFICATION.items()}
    expected |= {n: entry for n, entry in OTHERS.items() if reload or n not in RELOAD_ONLY}
    if not reload:
        offset, access, flags = expected["ERROR"]
        flags = {name: place for name, place in flags.items() if place[0] < 8}
        expected["ERROR"] = offset, access, flags
    built = reload_registers.RELOAD_REGISTERS if reload else base_registers.REGISTERS
    found = {
        entry.name: (
            entry.offset,
            entry.access.name,
            {field.name: (field.low, field.width) for field in entry.fields},
        )
        for entry in built
    }
    assert found == expected
    resets = {
        f"{entry.name}.{field.name}": field.reset
        for entry in built
        for field in entry.fields
        if field.reset
    }
    assert resets == {"GENERATE_COUNT.value": 1}
    assert ADDRESS_WIDTH == 12


def test_identification_words():
    assert base_registers.ACCELERATOR_MAGIC.to_bytes(4, "little") == b"GTF1"
    assert reload_registers.RELOAD_MAGIC.to_bytes(4, "little") == b"GTF2"


def test_zynq_addresses():
    assert zynq_address.BASE_ADDRESS == 0x43C00000
    assert zynq_address.FIRMWARE_ADDRESS == 0x00100000
    assert zynq_address.FIRMWARE_BYTES == 15 * 1024 * 1024


def test_reasons_of_a_refusal():
    expected = {"NONE": 0, "ABORTED": 1, "SHAPE": 2, "CHECKSUM": 3, "READBACK": 4}
    assert {reason.name: reason.value for reason in Refusal} == expected


def test_characters_of_the_console():
    control = {"STX": 2, "ETX": 3, "EOT": 4}
    for module in (console_messages, console_answer):
        assert {name: getattr(module, name) for name in control} == control
    assert console_load_messages.ENQ == 5 == console_load.ENQ[0]
    assert receive_queue.CTRL_C == 3
    assert console_messages.ANSWERED == "\x04> "
    assert console_messages.END_OF_LINE == "\r\n"
    commands = ("temperature", "top-k", "seed", "tokens", "info", "bench", "help")
    assert (*console_messages.COMMANDS, console_messages.LOAD_COMMAND) == (*commands, "load")


def test_settings_at_power_on():
    assert (DEFAULT_TEMPERATURE, DEFAULT_TOP_K, DEFAULT_SEED) == (80, 20, 1)
    assert (console_messages.TEMPERATURE_STEPS, console_messages.DECIMALS) == (256, 2)
    assert DEFAULT_BAUD == CLIENT_BAUD == 115200
    assert FRAME_BITS == 10


def _crc(words):
    """Bit by bit: x³² + x⁷ + x⁶ + x² + 1 reflected, from all ones, inverted at the end."""
    reflected = 0b10100011 << 24
    state = 0xFFFFFFFF
    for word in words:
        for bit in range(32):
            feedback = (state ^ word >> bit) & 1
            state = state >> 1 ^ reflected * feedback
    return state ^ 0xFFFFFFFF


def test_checksum_of_an_image():
    words = [0x12345678, 0xDEADBEEF, 0]
    assert checksum(words) == _crc(words) == 0xA7730659
    assert checksum([]) == 0


def test_signature_of_memories():
    """Before each word the register is shifted, with the reflected polynomial; the folded words
    at address 0 of the other swept memories go in, too."""
    contents = [
        Contents(Section("a", 40, 3), [0x1234567890, 1, 2**39]),
        Contents(Section("b", 5, 2), [31, 7]),
        Contents(Section("c", 8, 1, swept=False), [9]),
    ]
    state = 0xFFFFFFFF
    first = 0x34567890 ^ 0x12
    for words in ([first ^ 31, 1 ^ 31, 2**7 ^ 31], [31 ^ first, 7 ^ first]):
        for word in words:
            state = state >> 1 ^ (0b10100011 << 24) * (state & 1) ^ word
    assert signature(contents) == state == 0xAB37DC99
    assert FORMAT_VERSION == 1


def test_codes_of_three_trits():
    signs = {"+": 1, "0": 0, "-": -1}
    expected = [tuple(signs[sign] for sign in trits) for trits in TRITS_OF_CODE]
    assert [three_in_five_code(code) for code in range(32)] == expected
