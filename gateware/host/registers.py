"""The accelerator's registers, declared once.

From :data:`REGISTERS` come the decoder (:mod:`gateware.host.register_bank`), the document and the C
header (:mod:`gateware.host.register_documents`), and what Python drivers use (:func:`register`). To
write the document again::

    gateformer registers --document > docs/registers.md
"""

from __future__ import annotations

import dataclasses

from gateformer.model.support import cli

from . import register_documents
from .register import Access, Field, Register

ACCELERATOR_MAGIC = int.from_bytes(b"GTF1", "little")
"""What MAGIC reads: the bytes "GTF1" in a little-endian memory."""

RELOAD_MAGIC = int.from_bytes(b"GTF2", "little")
"""What MAGIC reads if the accelerator has :data:`RELOAD_REGISTERS`."""

HASH_WORDS = 8
TOKEN_BITS = 16
"""Width of a token in OUTPUT."""

OUTPUT_LEVEL_BITS = 12
PROMPT_LEVEL_BITS = 16


def _constant(name: str, offset: int, description: str) -> Register:
    return Register(name, offset, Access.RO, (Field("value", 0, 32, description),), description)


def _error(bit: int, name: str, description: str) -> Field:
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
            _error(0, "prompt_overflow", "a token was written to a full PROMPT, and dropped"),
            _error(1, "token_outside_vocabulary", "such a token was written, and dropped"),
            _error(2, "start_while_busy", "start while busy, ignored"),
            _error(3, "settings_locked", "a setting was written while busy, and ignored"),
            _error(4, "prompt_empty", "start with an empty prompt, ignored"),
            _error(5, "prompt_too_long", "start with more than CTX_LEN tokens, ignored; abort"),
            _error(6, "count_zero", "start with GENERATE_COUNT 0, ignored"),
            _error(7, "top_k_too_large", "start with TOP_K above VOCAB_SIZE, ignored"),
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

_RELOAD = (
    Register(
        "RELOAD_LIMITS",
        0x034,
        Access.RO,
        (
            Field("requantize_shift", 0, 6, "the largest shift of a matrix"),
            Field("gain_shift", 6, 6, "the largest shift of a norm"),
            Field("score_shift", 12, 6, "the smallest score shift"),
            Field("score_shifts", 18, 6, "score shifts from that on"),
            Field("packing", 24, 4, "0: 2bit, 1: 3in5"),
        ),
        "What a model must fit, beside the shape (gateformer.gateware.plan.reload_limits)",
    ),
    Register(
        "LOAD_CONTROL",
        0x0D0,
        Access.WO,
        (Field("begin", 0, 1, "an image follows; what was being loaded is forgotten"),),
        "Begins to load a model (docs/reload.md)",
        "refused, with a flag in ERROR and nothing else, while busy",
    ),
    Register(
        "LOAD_DATA",
        0x0D4,
        Access.WO,
        (Field("word", 0, 32, "the image's next word"),),
        "The image. Words that do not belong to one are dropped",
        "appends a word",
        whole=True,
    ),
    Register(
        "LOAD_STATUS",
        0x0D8,
        Access.RO,
        (
            Field("loaded", 0, 1, "the memories hold one complete model: start is obeyed"),
            Field("loading", 1, 1, "an image has begun and is not complete, or is being checked"),
            Field(
                "refusal",
                2,
                3,
                "why the last image was refused; 0: it was not, 1: aborted before its end, 2: for "
                "another shape, 3: wrong checksum, 4: the memories do not hold what was written",
            ),
        ),
        "State of the model in the memories",
    ),
)


def _with_flags(entry: Register, *fields: Field) -> Register:
    return dataclasses.replace(entry, fields=(*entry.fields, *fields))


_RELOAD_ERRORS = (
    _error(8, "not_loaded", "start without a complete model, ignored"),
    _error(9, "load_while_busy", "LOAD_CONTROL was written while busy, and ignored"),
)

RELOAD_REGISTERS = tuple(
    sorted(
        (
            *_RELOAD,
            *(
                _with_flags(entry, *_RELOAD_ERRORS) if entry.name == "ERROR" else entry
                for entry in REGISTERS
            ),
        ),
        key=lambda entry: entry.offset,
    )
)
"""All registers of an accelerator whose model can be loaded (``build.py --reload``)."""


def registers(reload: bool) -> tuple[Register, ...]:
    """The registers of an accelerator, by rising offset."""
    return RELOAD_REGISTERS if reload else REGISTERS


def register(name: str, reload: bool = True) -> Register:
    """The register called ``name``; KeyError if there is none.

    By default as of :data:`RELOAD_REGISTERS`, which have all that the others have.
    """
    return {entry.name: entry for entry in registers(reload)}[name]


def main(arguments: list[str] | None = None) -> int:
    """Print the document or the C header; returns the exit status."""
    parser = cli.ArgumentParser(
        prog="gateformer registers", description="Print what describes the registers."
    )
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--document", action="store_true", help="docs/registers.md")
    kind.add_argument("--header", action="store_true", help="a C header")
    chosen = parser.parse_args(arguments)
    render = register_documents.document if chosen.document else register_documents.header
    print(render(RELOAD_REGISTERS), end="")
    return 0


if __name__ == "__main__":
    cli.run(main)
