"""A model that takes and gives text: tokens of its own vocabulary, and its integer function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..contract.artifact import Artifact
from ..contract.context_window import drawn, refed_window
from ..contract.decoder.model import DecoderModel
from ..contract.decoder.sampling import DecoderSampler, DecoderSettings
from ..contract.reference import check_request
from ..contract.sampling import SamplingSettings
from ..native.decoder_stream import DecoderStream
from ..native.stream import CompiledStream
from ..support.cores import default_threads
from ..support.errors import UserError
from ..text.chat import chat_tokens
from ..text.model_codec import codec_of, prompt_tokens


class _Room(NamedTuple):
    """What a request is checked against."""

    vocab_size: int
    ctx_len: int


class TextModel:
    """What generates text from an artifact of either version of the number contract.

    Parameters
    ----------
    artifact : Artifact
    threads : int or None, that share the work of a token of an imported model (None: one per
        physical core)

    Raises UserError if its vocabulary is damaged, a compiler is missing, or threads are given for a
    model that was trained here.
    """

    def __init__(self, artifact: Artifact, threads: int | None = None):
        self.model = model = artifact.model
        self.name, self.config = artifact.name, model.config
        self.imported = isinstance(model, DecoderModel)
        self.codec = codec_of(model)
        if self.imported:
            self._decoder = DecoderStream(model, threads=threads or default_threads())
        else:
            if threads is not None:
                raise UserError(
                    f"--threads is for imported models, and {self.name} was trained here; leave it "
                    "out"
                )
            self._stream = CompiledStream(model)

    def settings(self, temperature, top_k: int, top_p: float | None, seed: int) -> SamplingSettings:
        """What the sampler takes; UserError as ``from_user`` of the settings' class."""
        given = {
            "temperature": temperature,
            "top_k": top_k,
            "seed": seed,
            "logit_scale": self.model.logit_scale,
            "vocab_size": self.config.vocab_size,
        }
        if self.imported:
            return DecoderSettings.from_user(top_p=top_p, **given)
        if top_p is not None:
            raise UserError(
                f"--top-p is for imported models, and {self.name} was trained here; leave it out"
            )
        return SamplingSettings.from_user(**given)

    def encode(self, text: str) -> list[int]:
        """Token ids of a prompt, with the token that begins a text if the model has one."""
        return prompt_tokens(self.codec, text)

    def chat(self, says: str, system: str | None = None) -> list[int]:
        """Token ids of what a user says, by the model's chat template, up to the answer.

        Raises UserError if the model has no chat template.
        """
        if self.codec.chat_template is None:
            raise UserError(f"{self.name} has no chat template; leave --chat out")
        messages = [{"role": "system", "content": system}] if system is not None else []
        return chat_tokens(self.codec, [*messages, {"role": "user", "content": says}])

    def generate(
        self, prompt: list[int], count: int, settings: SamplingSettings, refeed: bool = False
    ) -> Iterator[int]:
        """Up to ``count`` tokens after ``prompt``; ``refeed`` goes on when the context is full.

        Ends before a token that ends a text. Raises UserError, at once, as ``Reference.generate``.
        """
        check_request(self._room, prompt, count)
        return self._generated(prompt, count, settings, refeed)

    def _generated(self, prompt, count, settings, refeed) -> Iterator[int]:
        found: list[int] = []
        while count > 0:
            fresh = []
            for token in self._sequence(prompt, count, settings):
                if token in self.codec.stop:
                    return
                fresh.append(token)
                yield token
            count -= len(fresh)
            found = [*prompt, *fresh]
            if not refeed:
                return
            prompt, settings = refed_window(found, self._room.ctx_len, settings)

    @property
    def _room(self) -> _Room:
        prefix = len(self.model.prefix) if self.imported else 0
        return _Room(self.config.vocab_size, self.config.ctx_len - prefix)

    def _sequence(self, prompt, count, settings) -> Iterator[int]:
        if not self.imported:
            yield from self._stream.generate(prompt, count, settings)
            return
        decoder = self._decoder
        decoder.reset()
        logits = decoder.last([*self.model.prefix, *prompt])
        yield from drawn(logits, DecoderSampler(settings), decoder, count, self.config.ctx_len)
