"""Bytes and token ids of any tokenizer: what an artifact carries to read and write text."""

from __future__ import annotations

import codecs
import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence

from ..support.errors import UserError
from ..support.optional import require
from .sentencepiece_model import SentencePieceEncoder
from .tokenizer import CharTokenizer

KINDS = {"characters": None, "tokenizers": "tokenizer_json", "sentencepiece": "sentencepiece"}
"""The field that encodes, by the kind of tokenizer."""


@dataclasses.dataclass(frozen=True)
class TextCodec:
    """A vocabulary; decoding needs nothing beyond Python, encoding the package of its kind.

    Parameters
    ----------
    kind : "characters" (one token a character), "tokenizers" (``tokenizer_json`` encodes) or
        "sentencepiece" (the field of that name encodes)
    pieces : bytes of every token id; b"" for special tokens and ids without a text
    special : (id, text) of every special token, by id
    bos, eos : int or None
    stop : ids that end a generation
    add_bos : whether a prompt begins with ``bos``
    strip_first_space : whether a sequence loses the space it begins with (SentencePiece)
    chat_template : Jinja text or None
    tokenizer_json : JSON of Hugging Face's ``tokenizers``, or None
    sentencepiece : a model of SentencePiece, or None
    added : (id, text) of tokens that SentencePiece does not know: wherever their text stands, it
        is they

    Raises
    ------
    UserError
        If the parts do not fit together.
    """

    kind: str
    pieces: tuple[bytes, ...]
    special: tuple[tuple[int, str], ...] = ()
    bos: int | None = None
    eos: int | None = None
    stop: tuple[int, ...] = ()
    add_bos: bool = False
    strip_first_space: bool = False
    chat_template: str | None = None
    tokenizer_json: bytes | None = None
    sentencepiece: bytes | None = None
    added: tuple[tuple[int, str], ...] = ()

    def __post_init__(self):
        if self.kind not in KINDS:
            raise UserError(f"tokenizer kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        for field in filter(None, KINDS.values()):
            if (getattr(self, field) is not None) != (KINDS[self.kind] == field):
                raise UserError(f"a tokenizer of kind {self.kind} has the wrong {field}")
        named = [("special", token) for token, _ in self.special]
        named += [("added", token) for token, _ in self.added]
        named += [("stop", token) for token in self.stop]
        named += [(n, t) for n, t in (("bos", self.bos), ("eos", self.eos)) if t is not None]
        for name, token in named:
            if not 0 <= token < len(self.pieces):
                raise UserError(
                    f"{name} token {token} is outside the vocabulary of {len(self.pieces)}"
                )
        if self.add_bos and self.bos is None:
            raise UserError("add_bos needs a bos token, which the tokenizer lacks")
        if self.kind == "characters":
            _ = self._characters  # refuses what is not one character

    @classmethod
    def of_characters(cls, vocabulary: Sequence[str]) -> TextCodec:
        """Codec of a :class:`CharTokenizer`'s vocabulary."""
        return cls("characters", tuple(entry.encode("utf-8") for entry in vocabulary))

    @functools.cached_property
    def _characters(self) -> CharTokenizer:
        try:
            return CharTokenizer([piece.decode("utf-8") for piece in self.pieces])
        except UnicodeDecodeError:
            raise UserError("a piece of the character vocabulary is not UTF-8") from None

    @functools.cached_property
    def _tokenizer(self):
        require({"tokenizers": "encoding text for this model"}, "import")
        import tokenizers

        try:
            return tokenizers.Tokenizer.from_str(self.tokenizer_json.decode("utf-8"))
        except Exception as error:  # the package raises Exception itself
            line = " ".join(str(error).split())
            raise UserError(f"tokenizer.json of the model cannot be used: {line}") from None

    @functools.cached_property
    def _sentencepiece(self) -> SentencePieceEncoder:
        return SentencePieceEncoder(self.sentencepiece, self.added, self.special)

    def encode(self, text: str, special: bool = False) -> list[int]:
        """Token ids, without bos; ``special``: whether texts of special tokens become those."""
        if self.kind == "characters":
            return self._characters.encode(text)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:  # bytes of the command line that are no UTF-8
            raise UserError(
                f"character {text[error.start]!r} at position {error.start} is no Unicode "
                "character; give the text in UTF-8"
            ) from None
        if self.kind == "sentencepiece":
            ids = self._sentencepiece.encode(text, special)
        else:
            self._tokenizer.encode_special_tokens = not special
            ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        beyond = next((token for token in ids if token >= len(self.pieces)), None)
        if beyond is not None:
            raise UserError(f"token {beyond} is outside the vocabulary of {len(self.pieces)}")
        return ids

    def begun(self, ids: list[int]) -> list[int]:
        """A sequence with bos before it, if sequences begin so and this one does not yet."""
        return [self.bos, *ids] if self.add_bos and ids[:1] != [self.bos] else ids

    def puts_first(self, token: int) -> bool:
        """Whether the JSON's own post-processor begins every sequence with ``token``."""
        return self._tokenizer.encode("", add_special_tokens=True).ids[:1] == [token]

    def decode(self, ids: Iterable[int]) -> bytes:
        """Bytes of a whole sequence; UserError for an id outside the vocabulary."""
        ids = list(ids)
        for token in ids:
            if not 0 <= token < len(self.pieces):
                raise UserError(f"token {token} is outside the vocabulary of {len(self.pieces)}")
        text = b"".join(self.pieces[token] for token in ids)
        return text.removeprefix(b" ") if self.strip_first_space else text

    def stream(self, ids: Iterable[int], first: bool = True) -> Iterator[str]:
        """Text of each token as it comes, whole characters only; what remains at the end.

        ``first``: whether the sequence begins here, so that its first space may be dropped.
        Bytes that are no UTF-8 become U+FFFD. UserError for an id outside the vocabulary.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        strip = self.strip_first_space and first
        for token in ids:
            if not 0 <= token < len(self.pieces):
                raise UserError(f"token {token} is outside the vocabulary of {len(self.pieces)}")
            piece = self.pieces[token]
            if strip and piece:
                piece, strip = piece.removeprefix(b" "), False
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)
