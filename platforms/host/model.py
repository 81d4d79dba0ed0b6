"""What a host must know of a model: its text, its scale and its digest."""

from __future__ import annotations

import dataclasses
import os

from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.support.errors import UserError
from gateformer.model.text.tokenizer import CharTokenizer


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
    return open_model(model)


@dataclasses.dataclass(frozen=True)
class HostModel:
    """The part of an artifact that is not in the accelerator.

    Parameters
    ----------
    name : str
    digest : str, 64 hexadecimal digits
    logit_scale : float, nats per unit of the integer logits
    vocabulary : tuple of str, one per token
    """

    name: str
    digest: str
    logit_scale: float
    vocabulary: tuple[str, ...]

    @classmethod
    def of(cls, artifact) -> HostModel:
        """That of a :class:`model.contract.artifact.Artifact`."""
        model = artifact.model
        return cls(artifact.name, model.digest, model.logit_scale, model.vocabulary)

    @classmethod
    def open(cls, name: str) -> HostModel:
        """That of a shipped name, an artifact file or ``random:…``.

        Raises UserError as :func:`open_artifact`.
        """
        return cls.of(open_artifact(name))

    def tokenizer(self) -> CharTokenizer:
        return CharTokenizer(self.vocabulary)

    def settings(self, temperature, top_k: int | None, seed: int) -> SamplingSettings:
        """As :meth:`SamplingSettings.from_user`, with the same errors."""
        return SamplingSettings.from_user(
            temperature=temperature,
            top_k=top_k,
            seed=seed,
            logit_scale=self.logit_scale,
            vocab_size=len(self.vocabulary),
        )
