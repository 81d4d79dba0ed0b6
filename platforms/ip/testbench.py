"""What the testbench of an exported IP core does: steps on the bus, with the reference's tokens."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator

from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.host.identification import Identification
from gateformer.gateware.host.register import Register
from gateformer.gateware.host.registers import register, registers
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.text.model_codec import codec_of
from gateformer.model.text.tokenizer import CharTokenizer

from ..simulation.generation import FAVOURITE_PROMPT, is_large, reference_of, settings_of
from .memory_verilog import MOST_WAIT, memory_base

MOST_TOKENS = 8
"""Tokens generated in a run: a large model's take any simulator minutes at most."""
LARGE_TOKENS = 2
"""The same, and the tokens of a prompt, of a model that is too large for block memories."""
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
    """Identification, a greedy run, a run that a reset ends, and a sampled run.

    Of a model in external memory also what comes before a run, its image read against the checksum,
    and a run that ``abort`` ends.
    """
    steps = _StreamedSteps(artifact, program) if _is_streamed(program) else _Steps(artifact)
    return steps.of(Identification.of(program, build_id, clock_khz).constants)


def longest_wait(program: AnyProgram) -> int:
    """Cycles of a run, or of the image's reading, at the very most: all positions, with every
    option, twice; with external memory the last position instead of every one of a few."""
    options = {"sampled": True, "top_k": True}
    if isinstance(program.model, DecoderModel):
        options["top_p"] = True
    if _is_streamed(program):
        token = program.cycles(program.model.config.ctx_len - 1, **options)
        image = program.facts.image_bytes // program.memory.word_bytes
        return min(MOST_WAIT * (3 * MOST_TOKENS * token + image) + 1000, ALL)
    return 2 * sum(program.cycles_by_position(**options)) + 1000


def _is_streamed(program: AnyProgram) -> bool:
    return isinstance(program, StreamedProgram)


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
    if is_large(artifact):
        return prompt[:LARGE_TOKENS], LARGE_TOKENS
    # where the context is short one token more than fits, which the core has to say
    return list(prompt), min(MOST_TOKENS, config.ctx_len - len(prompt) + 2)


class _Steps:
    """Steps for the accelerator of a model of either version."""

    def __init__(self, artifact: Artifact, *, streamed: bool = False):
        self._model = model = artifact.model
        self._registers = registers(model.config, reload=True, streamed=streamed)  # which are all
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
            *self._prepare("after the reset"),
            *self._run("greedy", kind()),
            *self._interrupted(sampled),
            *self._start("interrupted", sampled),
            _pins(0b01, "interrupted: busy"),
            Step("RESET", 0, RESET_CYCLES, 0, "reset during a run"),
            *self._at_rest("after the reset during a run"),
            *self._prepare("after the reset during a run"),
            *self._run("sampled", sampled),
        ]

    def _prepare(self, when: str) -> Iterator[Step]:
        """What a core needs after a reset, before it can run."""
        yield from ()

    def _interrupted(self, settings) -> Iterator[Step]:
        """Further ways of ending a run."""
        yield from ()

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


class _StreamedSteps(_Steps):
    """Steps for the accelerator of a model in external memory."""

    def __init__(self, artifact: Artifact, program: StreamedProgram):
        super().__init__(artifact, streamed=True)
        self._base = memory_base(program.facts)

    def _at_rest(self, when: str) -> Iterator[Step]:
        yield from super()._at_rest(when)
        yield self._read("IMAGE_STATUS", 0, f"{when}: no image is known")

    def _prepare(self, when: str) -> Iterator[Step]:
        """A start that is refused, then the image is read and found to be the model's."""
        control = self._register("CONTROL")
        yield self._write("PROMPT", self._prompt[0], f"{when}: a prompt")
        yield self._write("CONTROL", control.pack(start=1), f"{when}: start without an image")
        refused = self._register("ERROR").pack(image_not_verified=1)
        yield self._read("ERROR", refused, f"{when}: refused")
        yield self._write("CONTROL", control.pack(abort=1, clear_errors=1), f"{when}: forget it")
        yield self._write("IMAGE_ADDRESS", self._base, f"{when}: where the image is")
        yield self._write("CONTROL", control.pack(verify=1), f"{when}: verify")
        status = self._register("IMAGE_STATUS")
        busy = status.field("verifying").mask
        yield Step("UNTIL", status.offset, 0, busy, f"{when}: it is read")
        yield self._read("IMAGE_STATUS", status.pack(verified=1), f"{when}: it is the model's")

    def _interrupted(self, settings) -> Iterator[Step]:
        """A run that ``abort`` ends while bursts are under way; the image is still good."""
        control = self._register("CONTROL")
        yield from self._start("aborted", settings)
        yield _pins(0b01, "aborted: busy")
        for name in ("GENERATE_COUNT", "TOP_K", "SEED"):  # which takes the bus some cycles
            yield Step("READ", self._register(name).offset, 0, 0, f"aborted: {name}")
        yield self._write("CONTROL", control.pack(abort=1), "aborted: abort")
        yield self._read("STATUS", 0, "aborted: idle")
        verified = self._register("IMAGE_STATUS").pack(verified=1)
        yield self._read("IMAGE_STATUS", verified, "aborted: the image is good")


def _pins(value: int, comment: str) -> Step:
    return Step("PINS", 0, value, 0, comment)
