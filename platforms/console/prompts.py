"""Prompts of an imported model: text that the model's own tokenizer cuts, sent by token numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError
from gateformer.model.text.model_codec import codec_of

NOTE = (
    "the model's tokenizer is not known here: text becomes a token per byte; with --model MODEL "
    "it is cut as the model learned it"
)
_IMPORTED = "norm "
"""What a line of ``/info`` begins with if the model is imported."""
_DIGEST = re.compile(r", digest ([0-9a-f]+), build ")
_PARTS = re.compile(r"\\([0-9]{1,9});|\\(.)|([^\\]+)|\\")
"""The number of a token, another escape, text, a backslash that nothing follows. More digits are no
token's anywhere, and Python converts no more than some thousands."""
_ESCAPES = {"n": "\n", "\\": "\\", "/": "/"}


class UnencodableLine(UserError):
    """The line is no text that the tokenizer takes; nothing was sent."""


class PromptEncoder:
    """Encodes prompts for one model.

    Parameters
    ----------
    artifact : Artifact
        Of an imported model.

    Raises
    ------
    UserError
        If the model has no tokenizer, or the package that encodes for it is missing.
    """

    def __init__(self, artifact: Artifact):
        self._name, self._digest = artifact.name, artifact.model.digest
        self._codec = codec_of(artifact.model)
        if self._codec.kind != "characters":
            self._codec.encode("a")  # names what is missing before a line is typed

    def check(self, info: Sequence[str]) -> None:
        """UserError if ``info``, the lines of ``/info``, tells of another model."""
        found = _DIGEST.search("\n".join(info))
        if found and not self._digest.startswith(found[1]):
            raise UserError(
                f"--model {self._name} has digest {self._digest[: len(found[1])]}, but the "
                f"console's model {found[1]}; give the model that it was built with"
            )

    def encode(self, line: str) -> str:
        """The line that is sent for a prompt: each token by its number.

        The escapes of docs/console.md mean the same in ``line``; it is sent as it is if one of them
        is malformed, which the console refuses, or if there are no tokens. Of a vocabulary of
        characters, too: what they are the console knows. Raises UnencodableLine if the tokenizer
        refuses the text.
        """
        if self._codec.kind == "characters":
            return line
        tokens: list[int] = []
        text = ""
        for number, escaped, plain in _PARTS.findall(line):
            if number:
                tokens += [*self._tokens(text), int(number)]
                text = ""
            elif plain or escaped in _ESCAPES:
                text += plain or _ESCAPES[escaped]
            else:
                return line
        tokens += self._tokens(text)
        return "".join(f"\\{token};" for token in tokens) or line

    def _tokens(self, text: str) -> list[int]:
        try:
            return self._codec.encode(text) if text else []
        except UserError as error:
            raise UnencodableLine(f"{error}; line ignored") from None


def encoder_of(artifact: Artifact) -> PromptEncoder | None:
    """What encodes prompts for a model; None if its tokens are characters anyway.

    Raises UserError as :class:`PromptEncoder`.
    """
    return PromptEncoder(artifact) if isinstance(artifact.model, DecoderModel) else None


def is_imported(info: Sequence[str]) -> bool:
    """Whether ``info``, the lines of ``/info``, tells of an imported model."""
    return any(line.startswith(_IMPORTED) for line in info)
