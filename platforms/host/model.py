"""What a host must know of a model: its text, its scale and its digest."""

from __future__ import annotations

import dataclasses
import os

from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.support.errors import UserError
from gateformer.model.text.chat import chat_tokens
from gateformer.model.text.codec import TextCodec
from gateformer.model.text.model_codec import codec_of, prompt_tokens


def open_artifact(model):
    """A :class:`model.contract.artifact.Artifact` as it is; that of a shipped name, a file or
    ``random:…``.

    Raises UserError as :func:`model.contract.artifact.open_model`, and if safetensors is missing.
    """
    if not isinstance(model, str | os.PathLike):
        return model
    try:
        from gateformer.model.contract.artifact import open_model
    except ImportError as error:
        raise UserError(
            f"reading the model {model} needs {error.name}, which is not installed; "
            "run: pip install safetensors"
        ) from None
    return open_model(model, imported=True)


@dataclasses.dataclass(frozen=True)
class HostModel:
    """The part of an artifact that is not in the accelerator.

    Parameters
    ----------
    name : str
    digest : str, 64 hexadecimal digits
    logit_scale : float, nats per unit of the integer logits
    codec : TextCodec
    vocab_size : int
        Tokens of the model, of which the last ones may have no text.
    prefix : tuple of int
        Tokens that are fed before every text.
    imported : bool
        The model is of version 2 of the number contract.
    """

    name: str
    digest: str
    logit_scale: float
    codec: TextCodec
    vocab_size: int
    prefix: tuple[int, ...] = ()
    imported: bool = False

    @classmethod
    def of(cls, artifact) -> HostModel:
        """That of a :class:`model.contract.artifact.Artifact`."""
        model = artifact.model
        imported = isinstance(model, DecoderModel)
        return cls(
            name=artifact.name,
            digest=model.digest,
            logit_scale=model.logit_scale,
            codec=codec_of(model),
            vocab_size=model.config.vocab_size,
            prefix=model.prefix if imported else (),
            imported=imported,
        )

    @classmethod
    def open(cls, name: str) -> HostModel:
        """That of a shipped name, an artifact file or ``random:…``.

        Raises UserError as :func:`open_artifact`.
        """
        return cls.of(open_artifact(name))

    def encode(self, text: str) -> list[int]:
        """Tokens of a prompt, the one that begins a text included.

        Raises UserError if the vocabulary lacks a character, there is no token, or the package is
        missing that encodes for this model.
        """
        return prompt_tokens(self.codec, text)

    def chat(self, says: str, system: str | None = None) -> list[int]:
        """Tokens of what a user says, by the model's chat template, up to the answer.

        Raises UserError if the model has no template.
        """
        messages = [] if system is None else [{"role": "system", "content": system}]
        return chat_tokens(self.codec, [*messages, {"role": "user", "content": says}])

    def settings(
        self, temperature, top_k: int | None, seed: int, top_p: float | None = None
    ) -> SamplingSettings:
        """As ``from_user`` of the settings' class, with the same errors."""
        given = {
            "temperature": temperature,
            "top_k": top_k,
            "seed": seed,
            "logit_scale": self.logit_scale,
            "vocab_size": self.vocab_size,
        }
        if self.imported:
            return DecoderSettings.from_user(top_p=top_p, **given)
        if top_p is not None:
            raise UserError(
                f"top-p is for imported models, and {self.name} was trained here; leave it out"
            )
        return SamplingSettings.from_user(**given)
