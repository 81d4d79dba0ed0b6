"""A console with /load and its core, compiled; images of models for it."""

from __future__ import annotations

import dataclasses
import functools

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.compiler.reload_image import checksum
from gateformer.gateware.console.image import console_image, further_sections
from gateformer.gateware.console.load_messages import ENQ
from gateformer.gateware.console.system import ConsoleCore
from gateformer.model.contract.integer_model import IntegerModel
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.text.tokenizer import CharTokenizer
from tests.support import reload_bench

from .bench import END, compiled

SILENCE = 2 * 4096
"""Instead of a second."""
WORD_BYTES = 4
COUNT = 10
"""Tokens of a text."""


@functools.cache
def model(seed: int) -> IntegerModel:
    """Of one shape; each has its own order of the vocabulary and its own scale."""
    made = reload_bench.model("small", seed)
    vocabulary = made.vocabulary[seed:] + made.vocabulary[:seed]
    return dataclasses.replace(
        made, vocabulary=vocabulary, logit_scale=made.logit_scale * (1 + seed / 8)
    )


@functools.cache
def program():
    return Program(model(1), reload_bench.SHAPES["small"][1])


@functools.cache
def words(seed: int) -> list[int]:
    """The image of a model called ``m`` and its number."""
    return console_image(model(seed), program().layout, program().limits, name=f"m{seed}")


def packed(image: list[int]) -> bytes:
    return b"".join(word.to_bytes(WORD_BYTES, "little") for word in image)


def with_checksum(image: list[int]) -> list[int]:
    """The image with the CRC of what it has now."""
    return [*image[:-1], checksum(image[:-1])]


def section_starts() -> list:
    """(section, index of its first word in an image)."""
    starts, first = [], 1
    core = [entry.section for entry in program().contents]
    for section in (*core, *further_sections(model(1).config.vocab_size)):
        starts.append((section, first))
        first += section.size
    assert first + 2 == len(words(1))
    return starts


def reference(seed: int, prompt: str, temperature: float = 0.0) -> bytes:
    """The text that the console shows of a model, without top-k."""
    tokenizer = CharTokenizer(model(seed).vocabulary)
    settings = SamplingSettings.from_user(
        temperature=temperature,
        top_k=0,
        seed=5,
        logit_scale=model(seed).logit_scale,
        vocab_size=model(seed).config.vocab_size,
    )
    tokens = Reference(model(seed)).generate(tokenizer.encode(prompt), COUNT, settings)
    return tokenizer.decode(list(tokens)).replace("\n", "\r\n").encode()


def label(seed: int) -> bytes:
    return f"m{seed}, digest {model(seed).digest[:16]}".encode()


class LoadDevice:
    """The console of model 1, behind bytes."""

    def __init__(self):
        console = ConsoleCore(
            program(), name="m1", build_id=0xBEEF, clock_hz=1_000_000, silence=SILENCE
        )
        self.simulation = compiled(console, "console load")
        self._received = self.simulation.source("received")
        self._sent = self.simulation.sink("sent")
        self.welcome = self.read(b"> ")

    def read(self, end: bytes, limit: int = 400_000) -> bytes:
        """What is sent up to ``end``, after which nothing more may come."""
        content, last = b"", self.simulation.cycles + limit
        while not content.endswith(end):
            assert self.simulation.cycles < last, content
            self.simulation.step(500)
            content += self._taken()
        self.simulation.step(2 * SILENCE)
        assert not self._taken(), content
        return content

    def _taken(self) -> bytes:
        _, values = self._sent.read()
        self._sent.clear()
        return bytes(values["sent__payload"][:, 0].tolist())

    def feed(self, content: bytes) -> None:
        self._received.feed(content)

    def ask(self, line: bytes) -> bytes:
        """The answer of a line, without its echo and end."""
        self.feed(line + b"\r")
        answer = self.read(END)
        assert answer.startswith(line + b"\r\n")
        return answer.removeprefix(line + b"\r\n").removesuffix(END)

    def request(self) -> bytes:
        """The console waits for an image; its line about it."""
        self.feed(b"/load\r")
        content, asked = b"", b"/load\r\n"
        while not content.endswith(bytes([ENQ])):
            self.simulation.step(500)
            content += self._taken()
            assert len(content) < 200
        assert content.startswith(asked)
        return content[len(asked) : -1]

    def load(self, content: bytes) -> bytes:
        """What the console says of the bytes of an image."""
        self.request()
        self.feed(content)
        return self.read(END).removesuffix(END)

    def text(self, prompt: str) -> bytes:
        """The text that continues a prompt; the seed is 5."""
        self.ask(b"/seed 5")
        answer = self.ask(prompt.encode())
        assert answer[:1] == b"\x02" and b"\x03" in answer, answer
        return answer[1 : answer.index(b"\x03")]

    def is_model(self, seed: int) -> bool:
        """Texts, name and digest are those of that model."""
        self.ask(b"/top-k 0")
        self.ask(b"/tokens %d" % COUNT)
        for temperature in (0.0, 1.5):
            self.ask(b"/temperature %.1f" % temperature)
            if self.text("AB") != reference(seed, "AB", temperature):
                return False
        return self.ask(b"/info").startswith(b"# model " + label(seed) + b", build 0000beef\r\n")

    def has_no_model(self) -> bool:
        refusal = b"! no model; /load one\r\n"
        answers = {self.ask(line) for line in (b"AB", b"/bench", b"\\q")}
        return answers == {refusal} and self.ask(b"/info").startswith(b"# no model\r\n# n_layers 1")

    def reset(self) -> bytes:
        """What is sent after a reset."""
        self.simulation.set("reset", 1)
        self.simulation.step(3)
        self.simulation.set("reset", 0)
        self._taken()
        return self.read(END).removesuffix(END)
