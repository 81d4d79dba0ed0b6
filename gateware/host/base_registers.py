"""The registers that every accelerator has, and those of a trained model that is fixed."""

from __future__ import annotations

from .register import Access, Field, Register

ACCELERATOR_MAGIC = int.from_bytes(b"GTF1", "little")
"""What MAGIC reads: the bytes "GTF1" in a little-endian memory."""

HASH_WORDS = 8
TOKEN_BITS = 16
"""Width of a token in OUTPUT."""

OUTPUT_LEVEL_BITS = 12
PROMPT_LEVEL_BITS = 16


def _constant(name: str, offset: int, description: str) -> Register:
    return Register(name, offset, Access.RO, (Field("value", 0, 32, description),), description)


def error_flag(bit: int, name: str, description: str) -> Field:
    return Field(name, bit, 1, description)


_IDENTIFICATION = (
    _constant("MAGIC", 0x000, f'"GTF1" (0x{ACCELERATOR_MAGIC:08X})'),
    _constant(
        "SPEC_VERSION",
        0x004,
        "version of the integer contract (gateformer.model.contract.arith.SPEC_VERSION)",
    ),
    _constant("BUILD_ID", 0x008, "first 32 bits of the build's identification"),
    _constant("CLOCK_KHZ", 0x00C, "clock frequency of the core in kHz"),
    _constant("VOCAB_SIZE", 0x010, "tokens in the vocabulary"),
    _constant("D_MODEL", 0x014, "width of the residual stream"),
    _constant("N_HEADS", 0x018, "attention heads"),
    _constant("N_LAYERS", 0x01C, "layers"),
    _constant("D_FF", 0x020, "width of the feed-forward hidden vector"),
    _constant("CTX_LEN", 0x024, "tokens in the context"),
    _constant("ENGINE_ROWS", 0x028, "rows of the ternary engine"),
    _constant("ENGINE_COLS", 0x02C, "columns of the ternary engine"),
    _constant("ARRAY_LANES", 0x030, "lanes of the INT8 array"),
    *(
        _constant(
            f"ARTIFACT_HASH_{i}",
            0x040 + 4 * i,
            f"digits {8 * i} to {8 * i + 7} of the model's digest, the first one in bits 31 to 28",
        )
        for i in range(HASH_WORDS)
    ),
)

_OPERATION = (
    Register(
        "CONTROL",
        0x080,
        Access.WO,
        (
            Field("start", 0, 1, "generate from the tokens that PROMPT holds now"),
            Field("abort", 1, 1, "stop at once and forget prompt and output; wins over start"),
            Field("clear_errors", 2, 1, "clear all flags of ERROR"),
        ),
        "Commands; a bit acts when it is written 1",
        "start: clears done, CYCLES and TOKENS_GENERATED; refused, with flags in ERROR and nothing "
        "else, while busy, or when the prompt or a setting is invalid. abort: clears done",
    ),
    Register(
        "STATUS",
        0x084,
        Access.RO,
        (
            Field("busy", 0, 1, "generating"),
            Field("done", 1, 1, "the last run has ended; all its tokens were put into OUTPUT"),
            Field("context_full", 2, 1, "the last run ended because the context was full"),
            Field("error", 3, 1, "a flag of ERROR is set"),
            Field("output_level", 4, OUTPUT_LEVEL_BITS, "tokens to be read from OUTPUT"),
            Field("prompt_level", 16, PROMPT_LEVEL_BITS, "tokens in PROMPT not yet taken"),
        ),
        "State of the accelerator",
    ),
    Register(
        "ERROR",
        0x088,
        Access.RW1C,
        (
            error_flag(0, "prompt_overflow", "a token was written to a full PROMPT, and dropped"),
            error_flag(1, "token_outside_vocabulary", "such a token was written, and dropped"),
            error_flag(2, "start_while_busy", "start while busy, ignored"),
            error_flag(3, "settings_locked", "a setting was written while busy, and ignored"),
            error_flag(4, "prompt_empty", "start with an empty prompt, ignored"),
            error_flag(5, "prompt_too_long", "start with more than CTX_LEN tokens, ignored; abort"),
            error_flag(6, "count_zero", "start with GENERATE_COUNT 0, ignored"),
            error_flag(7, "top_k_too_large", "start with TOP_K above VOCAB_SIZE, ignored"),
        ),
        "What went wrong; a flag stays until it is cleared",
    ),
    Register(
        "PROMPT",
        0x08C,
        Access.WO,
        (Field("token", 0, 32, "0 to VOCAB_SIZE - 1"),),
        "The prompt; holds CTX_LEN + 1 tokens. While busy, the next prompt may be written",
        "appends a token",
        whole=True,
    ),
    Register(
        "OUTPUT",
        0x090,
        Access.RO,
        (
            Field("token", 0, TOKEN_BITS, "the oldest token generated"),
            Field("last", 30, 1, "it is the last one of its run"),
            Field("valid", 31, 1, "there is a token; if not, all bits are 0"),
        ),
        "The generated tokens. When it is full, generation waits",
        "reading takes the token out",
    ),
)

_SETTINGS = (
    Register(
        "GENERATE_COUNT",
        0x0A0,
        Access.RW,
        (Field("value", 0, 16, "tokens to generate, at least 1", reset=1),),
        "Length of a run; it ends earlier when the context is full",
    ),
    Register(
        "TEMPERATURE",
        0x0A4,
        Access.RW,
        (
            Field("mult", 0, 8, "factor of a logit's distance; 0: greedy"),
            Field("shift", 8, 5, "right shift after it"),
        ),
        "Temperature, as gateformer.model.contract.sampling.SamplingSettings",
    ),
    Register(
        "TOP_K",
        0x0A8,
        Access.RW,
        (Field("value", 0, 32, "tokens that stay, up to VOCAB_SIZE; 0: all"),),
        "Top-k",
    ),
    Register(
        "SEED",
        0x0AC,
        Access.RW,
        (Field("value", 0, 32, "any number"),),
        "Seed of the random numbers, used at start",
    ),
)

_COUNTERS = (
    Register(
        "CYCLES_LOW",
        0x0C0,
        Access.RO,
        (Field("value", 0, 32, "bits 31 to 0"),),
        "Clock cycles in which the core was busy, since start",
        "reading keeps the upper half for CYCLES_HIGH",
    ),
    Register(
        "CYCLES_HIGH",
        0x0C4,
        Access.RO,
        (Field("value", 0, 32, "bits 63 to 32"),),
        "Upper half of the cycles, of the moment when CYCLES_LOW was read",
    ),
    Register(
        "TOKENS_GENERATED",
        0x0C8,
        Access.RO,
        (Field("value", 0, 32, "tokens"),),
        "Tokens put into OUTPUT since start",
    ),
)

REGISTERS = (*_IDENTIFICATION, *_OPERATION, *_SETTINGS, *_COUNTERS)
"""All registers of an accelerator whose model is fixed, by rising offset."""
