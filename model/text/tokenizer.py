"""Characters to token ids and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..support.errors import UserError


class CharTokenizer:
    """One token per character.

    Parameters
    ----------
    vocabulary : sequence of str
        The character of each token id; an empty string for an id without a text.

    Raises
    ------
    UserError
        If an entry has more than one character or occurs twice.
    """

    def __init__(self, vocabulary: Sequence[str]):
        self.vocabulary = tuple(vocabulary)
        self._ids: dict[str, int] = {}
        for token, entry in enumerate(self.vocabulary):
            if len(entry) > 1:
                raise UserError(f"vocabulary entry {token} must be one character, not {entry!r}")
            if entry in self._ids:
                raise UserError(
                    f"vocabulary entries must differ, but {self._ids[entry]} and {token} are both "
                    f"{entry!r}"
                )
            if entry:
                self._ids[entry] = token

    @classmethod
    def from_text(cls, text: str, vocab_size: int) -> CharTokenizer:
        """Tokenizer of ``vocab_size`` ids for the characters of ``text``.

        Ids are character codes if all of them are below ``vocab_size``, else indices into the
        sorted distinct characters. Ids left over have empty strings.

        Raises UserError if the text has more distinct characters than ``vocab_size``.
        """
        characters = sorted(set(text))
        if len(characters) > vocab_size:
            raise UserError(
                f"the text has {len(characters)} distinct characters, but vocab_size is "
                f"{vocab_size}; raise it to at least {len(characters)}"
            )
        if all(ord(character) < vocab_size for character in characters):
            present = set(characters)
            return cls([chr(code) if chr(code) in present else "" for code in range(vocab_size)])
        return cls(characters + [""] * (vocab_size - len(characters)))

    def encode(
        self, text: str, place: Callable[[int], str] = lambda index: f"position {index}"
    ) -> list[int]:
        """Token ids; UserError naming the first character that the vocabulary lacks.

        ``place`` says where the user finds the character of an index into ``text``.
        """
        try:
            return [self._ids[character] for character in text]
        except KeyError:
            pass
        position = next(i for i, character in enumerate(text) if character not in self._ids)
        raise UserError(
            f"character {text[position]!r} at {place(position)} is not in the vocabulary, "
            f"which has {self._description()}"
        )

    def decode(self, ids: Sequence[int]) -> str:
        """Text of the token ids; UserError for an id outside the vocabulary."""
        for token in ids:
            if not 0 <= token < len(self.vocabulary):
                raise UserError(
                    f"token {token} is outside the vocabulary of {len(self.vocabulary)}"
                )
        return "".join(self.vocabulary[token] for token in ids)

    def _description(self) -> str:
        """The characters on one line, runs of neighbours as 'a'-'z'."""
        if not self._ids:
            return "no characters"
        runs: list[list[str]] = []
        for character in sorted(self._ids):
            if runs and ord(character) == ord(runs[-1][-1]) + 1:
                runs[-1][1:] = [character]
            else:
                runs.append([character])
        return ", ".join("-".join(repr(character) for character in run) for run in runs)
