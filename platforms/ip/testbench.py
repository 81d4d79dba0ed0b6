"""What the testbench of an exported IP core does: steps on the bus, with the reference's tokens."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator

from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.host.identification import Identification
from gateformer.gateware.host.register import Register
from gateformer.gateware.host.registers import register, registers
from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.text.model_codec import codec_of
from gateformer.model.text.tokenizer import CharTokenizer

from ..simulation.generation import FAVOURITE_PROMPT, reference_of, settings_of

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


def steps(artifact: Artifact, program: AnyProgram, build_id: int, clock_khz: int) -> list[Step]:
    """Identification, a greedy run, a run that a reset ends, and a sampled run."""
    return _Steps(artifact).of(Identification.of(program, build_id, clock_khz).constants)


def longest_wait(program: AnyProgram) -> int:
    """Cycles of a run at the very most: all positions, with every option, twice."""
    options = {"sampled": True, "top_k": True}
    if isinstance(program.model, DecoderModel):
        options["top_p"] = True
    return 2 * sum(program.cycles_by_position(**options)) + 1000


def _prompt(artifact: Artifact) -> tuple[list[int], int]:
    """Tokens that fit a short context, and how many to generate."""
    model, config = artifact.model, artifact.model.config
    characters = () if isinstance(model, DecoderModel) else model.vocabulary
    if set(FAVOURITE_PROMPT) <= set(characters) and len(FAVOURITE_PROMPT) <= config.ctx_len:
        prompt = CharTokenizer(characters).encode(FAVOURITE_PROMPT)
    else:
        rng = random.Random(model.digest)
        length = min(4, (config.ctx_len + 1) // 2)
        prompt = [rng.randrange(config.vocab_size) for _ in range(length)]
    # where the context is short one token more than fits, which the core has to say
    return list(prompt), min(MOST_TOKENS, config.ctx_len - len(prompt) + 2)


class _Steps:
    """Steps for the accelerator of a model of either version."""

    def __init__(self, artifact: Artifact):
        self._model = model = artifact.model
        self._registers = registers(model.config, reload=True)  # which are all
        self._imported = isinstance(model, DecoderModel)
        self._pieces = codec_of(model).pieces
        self._prompt, self._count = _prompt(artifact)

    def of(self, constants: dict[str, int]) -> list[Step]:
        """All of them; ``constants`` are the words of the identification registers."""
        kind, vocab_size = settings_of(self._model), self._model.config.vocab_size
        further = {"top_p": 0.9} if self._imported else {}
        sampled = kind.from_user(
            temperature=1.0,
            top_k=max(vocab_size // 2, 1),
            seed=1,
            logit_scale=self._model.logit_scale,
            vocab_size=vocab_size,
            **further,
        )
        return [
            Step("RESET", 0, RESET_CYCLES, 0, "reset"),
            *self._at_rest("after the reset"),
            *(self._read(name, value, name) for name, value in constants.items()),
            *self._run("greedy", kind()),
            *self._start("interrupted", sampled),
            _pins(0b01, "interrupted: busy"),
            Step("RESET", 0, RESET_CYCLES, 0, "reset during a run"),
            *self._at_rest("after the reset during a run"),
            *self._run("sampled", sampled),
        ]

    def _at_rest(self, when: str) -> Iterator[Step]:
        yield self._read("STATUS", 0, f"{when}: idle")
        yield self._read("ERROR", 0, f"{when}: no errors")
        for name in ("GENERATE_COUNT", *(("TOP_P",) if self._imported else ())):
            yield self._read(name, self._register(name).reset, f"{when}: reset value")
        yield self._read("OUTPUT", 0, f"{when}: no token")
        yield _pins(0, f"{when}: neither busy nor context_full")

    def _start(self, name, settings) -> Iterator[Step]:
        temperature = self._register("TEMPERATURE").pack(
            mult=settings.temperature_mult, shift=settings.temperature_shift
        )
        yield self._write("GENERATE_COUNT", self._count, f"{name}: {self._count} tokens")
        yield self._write("TEMPERATURE", temperature, f"{name}: temperature")
        yield self._write("TOP_K", settings.top_k, f"{name}: top-k")
        if self._imported:
            yield self._write("TOP_P", settings.top_p, f"{name}: top-p")
        yield self._write("SEED", settings.seed, f"{name}: seed")
        for token in self._prompt:
            yield self._write("PROMPT", token, f"{name}: prompt {self._text(token)}")
        start = self._register("CONTROL").pack(start=1)
        yield self._write("CONTROL", start, f"{name}: start")

    def _run(self, name, settings) -> Iterator[Step]:
        reference = reference_of(self._model)
        tokens = list(reference.generate(self._prompt, self._count, settings))
        yield from self._start(name, settings)
        output, status = self._register("OUTPUT"), self._register("STATUS")
        for number, token in enumerate(tokens, 1):
            word = output.pack(token=token, last=number == len(tokens), valid=1)
            comment = f"{name}: token {number} of {len(tokens)}, {self._text(token)}"
            yield Step("TOKEN", output.offset, word, ALL, comment)
        done = status.field("done").mask
        yield Step("UNTIL", status.offset, done, done, f"{name}: done")
        full = len(tokens) < self._count
        yield self._read("STATUS", status.pack(done=1, context_full=full), f"{name}: all taken")
        yield self._read("TOKENS_GENERATED", len(tokens), f"{name}: tokens")
        yield self._read("ERROR", 0, f"{name}: no errors")
        yield _pins(full << 1, f"{name}: pins")

    def _register(self, name: str) -> Register:
        return register(name, self._registers)

    def _write(self, name: str, value: int, comment: str) -> Step:
        return Step("WRITE", self._register(name).offset, value, 0, comment)

    def _read(self, name: str, value: int, comment: str) -> Step:
        return Step("READ", self._register(name).offset, value, ALL, comment)

    def _text(self, token: int) -> str:
        """A token for a comment: whatever it is, on one line of ASCII."""
        piece = self._pieces[token] if token < len(self._pieces) else b""
        return ascii(piece.decode("utf-8", "backslashreplace"))


def _pins(value: int, comment: str) -> Step:
    return Step("PINS", 0, value, 0, comment)
