"""What the testbench of an exported IP core does: steps on the bus, with the reference's tokens."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.host.identification import Identification
from gateformer.gateware.host.registers import register
from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.text.tokenizer import CharTokenizer

from ..simulation.generation import FAVOURITE_PROMPT

MOST_TOKENS = 8
"""Tokens generated in a run: a large model's take any simulator minutes at most."""
RESET_CYCLES = 4
ALL = 0xFFFFFFFF


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing that the testbench does.

    Attributes
    ----------
    kind : str
        ``RESET`` for ``data`` cycles; ``WRITE``; ``READ`` what must equal ``data`` in the bits of
        ``mask``; ``UNTIL``, read again and again until it does; ``TOKEN``, read until the word is
        not 0, which then must equal ``data``; ``PINS``, {context_full, busy}, must equal ``data``.
    address, data, mask : int
    comment : str
    """

    kind: str
    address: int
    data: int
    mask: int
    comment: str


def steps(artifact: Artifact, program: Program, build_id: int, clock_khz: int) -> list[Step]:
    """Identification, a greedy run, a run that a reset ends, and a sampled run."""
    model = artifact.model
    prompt, count = _prompt(artifact)
    sampled = SamplingSettings.from_user(
        temperature=1.0,
        top_k=max(model.config.vocab_size // 2, 1),
        seed=1,
        logit_scale=model.logit_scale,
        vocab_size=model.config.vocab_size,
    )
    identification = Identification.of(program, build_id, clock_khz)
    return [
        Step("RESET", 0, RESET_CYCLES, 0, "reset"),
        *_at_rest("after the reset"),
        *(_read(name, value, name) for name, value in identification.constants.items()),
        *_run("greedy", artifact, prompt, count, SamplingSettings()),
        *_start("interrupted", artifact, prompt, count, sampled),
        _pins(0b01, "interrupted: busy"),
        Step("RESET", 0, RESET_CYCLES, 0, "reset during a run"),
        *_at_rest("after the reset during a run"),
        *_run("sampled", artifact, prompt, count, sampled),
    ]


def longest_wait(program: Program) -> int:
    """Cycles of a run at the very most: all positions, with every option, twice."""
    return 2 * sum(program.cycles_by_position(sampled=True, top_k=True)) + 1000


def _prompt(artifact: Artifact) -> tuple[list[int], int]:
    """Tokens that fit a short context, and how many to generate."""
    config, vocabulary = artifact.model.config, artifact.model.vocabulary
    if set(FAVOURITE_PROMPT) <= set(vocabulary) and len(FAVOURITE_PROMPT) <= config.ctx_len:
        prompt = CharTokenizer(vocabulary).encode(FAVOURITE_PROMPT)
    else:
        rng = random.Random(artifact.model.digest)
        length = min(4, (config.ctx_len + 1) // 2)
        prompt = [rng.randrange(config.vocab_size) for _ in range(length)]
    # where the context is short one token more than fits, which the core has to say
    return list(prompt), min(MOST_TOKENS, config.ctx_len - len(prompt) + 2)


def _at_rest(when: str) -> Iterator[Step]:
    yield _read("STATUS", 0, f"{when}: idle")
    yield _read("ERROR", 0, f"{when}: no errors")
    yield _read("GENERATE_COUNT", register("GENERATE_COUNT").reset, f"{when}: reset value")
    yield _read("OUTPUT", 0, f"{when}: no token")
    yield _pins(0, f"{when}: neither busy nor context_full")


def _start(name, artifact, prompt, count, settings) -> Iterator[Step]:
    temperature = register("TEMPERATURE").pack(
        mult=settings.temperature_mult, shift=settings.temperature_shift
    )
    yield _write("GENERATE_COUNT", count, f"{name}: {count} tokens")
    yield _write("TEMPERATURE", temperature, f"{name}: temperature")
    yield _write("TOP_K", settings.top_k, f"{name}: top-k")
    yield _write("SEED", settings.seed, f"{name}: seed")
    for token in prompt:
        yield _write("PROMPT", token, f"{name}: prompt {_text(artifact, token)}")
    yield _write("CONTROL", register("CONTROL").pack(start=1), f"{name}: start")


def _run(name, artifact, prompt, count, settings) -> Iterator[Step]:
    tokens = list(Reference(artifact.model).generate(prompt, count, settings))
    yield from _start(name, artifact, prompt, count, settings)
    for number, token in enumerate(tokens, 1):
        word = register("OUTPUT").pack(token=token, last=number == len(tokens), valid=1)
        comment = f"{name}: token {number} of {len(tokens)}, {_text(artifact, token)}"
        yield Step("TOKEN", register("OUTPUT").offset, word, ALL, comment)
    status = register("STATUS")
    done = status.field("done").mask
    yield Step("UNTIL", status.offset, done, done, f"{name}: done")
    full = len(tokens) < count
    yield _read("STATUS", status.pack(done=1, context_full=full), f"{name}: all taken")
    yield _read("TOKENS_GENERATED", len(tokens), f"{name}: tokens")
    yield _read("ERROR", 0, f"{name}: no errors")
    yield _pins(full << 1, f"{name}: pins")


def _write(name: str, value: int, comment: str) -> Step:
    return Step("WRITE", register(name).offset, value, 0, comment)


def _read(name: str, value: int, comment: str) -> Step:
    return Step("READ", register(name).offset, value, ALL, comment)


def _pins(value: int, comment: str) -> Step:
    return Step("PINS", 0, value, 0, comment)


def _text(artifact: Artifact, token: int) -> str:
    """A token for a comment: whatever it is, on one line of ASCII."""
    return ascii(artifact.model.vocabulary[token])
