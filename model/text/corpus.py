"""The text a model is trained on, with its validation split."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import urllib.error
import urllib.request
from pathlib import Path

from rich.progress import DownloadColumn, Progress

from ..support.cache import cache_directory
from ..support.errors import UserError
from ..support.terminal import Terminal
from ..support.whole_file import write_whole
from .tokenizer import CharTokenizer

TINY_SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)
TINY_SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"

CORPUS_HELP = "UTF-8 text file (default: Tiny Shakespeare, downloaded)"
"""Of the option ``--corpus`` of a command that trains."""

TRAIN_FRACTION = 0.9
"""The first 90 % train, the last 10 % validate (nanoGPT's split)."""

DOWNLOAD_TIMEOUT = 30
"""Seconds without an answer after which a download fails."""


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A text and where it comes from: ``name`` (file name) and ``sha256`` (hex, of the bytes)."""

    text: str
    name: str
    sha256: str

    @property
    def train(self) -> str:
        return self.text[: train_length(len(self.text))]

    @property
    def validation(self) -> str:
        return self.text[train_length(len(self.text)) :]

    @property
    def validation_name(self) -> str:
        """How messages call :attr:`validation`."""
        return f"the validation text, the last {1 - TRAIN_FRACTION:.0%} of {self.name},"

    def tokens(self, tokenizer: CharTokenizer) -> list[int]:
        """Token ids of the whole text; UserError naming line and column of a foreign character."""
        return tokenizer.encode(self.text, self.place)

    def train_tokens(self, tokenizer: CharTokenizer) -> list[int]:
        """The same of :attr:`train`."""
        return tokenizer.encode(self.train, self.place)

    def validation_tokens(self, tokenizer: CharTokenizer) -> list[int]:
        """The same of :attr:`validation`; lines are those of the file."""
        start = train_length(len(self.text))
        return tokenizer.encode(self.validation, lambda index: self.place(start + index))

    def place(self, index: int) -> str:
        """Where an editor shows the character: lines and columns count from 1."""
        line = self.text.count("\n", 0, index) + 1
        column = index - self.text.rfind("\n", 0, index)
        return f"line {line}, column {column} of {self.name}"

    def require_windows(self, ctx_len: int):
        """Raise UserError unless both splits hold a window of ``ctx_len`` + 1 characters."""
        needed = least_length(ctx_len)
        if len(self.text) < needed:
            raise UserError(
                f"corpus {self.name} has {len(self.text)} characters, but a context of {ctx_len} "
                f"needs at least {needed}; give a longer text"
            )


def train_length(length: int) -> int:
    """Characters of a text of ``length`` that are for training."""
    return int(TRAIN_FRACTION * length)


def least_length(ctx_len: int) -> int:
    """Shortest text whose splits both hold a window of ``ctx_len`` + 1 characters."""
    length = ctx_len + 1
    while min(train_length(length), length - train_length(length)) < ctx_len + 1:
        length += 1
    return length


def load_corpus(path: str | os.PathLike | None, what: str = "corpus") -> Corpus:
    """Corpus from a UTF-8 text file; Tiny Shakespeare (downloaded once) if ``path`` is None.

    ``what``: how messages call the text of an option that cannot be left out for that.
    Raises UserError if the file cannot be read or is not UTF-8, or if the download fails.
    """
    path = _cached_tiny_shakespeare() if path is None else Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        other = ", or leave --corpus out to download Tiny Shakespeare" if what == "corpus" else ""
        raise UserError(f"{what} {path} does not exist; give a UTF-8 text file{other}") from None
    except OSError as error:
        raise UserError(
            f"{what} {path} cannot be read: {error.strerror}; give a UTF-8 text file"
        ) from None
    if not data:
        raise UserError(f"{what} {path} is empty; give a UTF-8 text file")
    try:
        text = data.decode("utf-8")
        foreign = data.find(b"\0")  # UTF-8, but of small numbers in 16 or 32 bits, not of a text
    except UnicodeDecodeError as error:
        foreign = error.start
    if foreign >= 0:
        raise UserError(
            f"{what} {path} is not UTF-8 text: byte {foreign} is 0x{data[foreign]:02x}; convert it "
            "to UTF-8, or its tokens to text as docs/import.md says"
        )
    return Corpus(text, path.name, hashlib.sha256(data).hexdigest())


def _cached_tiny_shakespeare() -> Path:
    path = cache_directory() / "tinyshakespeare.txt"
    if not path.exists():
        data = _download(TINY_SHAKESPEARE_URL)
        digest = hashlib.sha256(data).hexdigest()
        if digest != TINY_SHAKESPEARE_SHA256:
            raise UserError(
                f"{TINY_SHAKESPEARE_URL} has SHA-256 {digest}, expected "
                f"{TINY_SHAKESPEARE_SHA256}; get the text elsewhere and give it with --corpus"
            )
        write_whole(path, data)
    return path


def _download(url: str) -> bytes:
    """Bytes behind ``url``, with a progress bar; UserError if they cannot be had."""
    columns = (*Progress.get_default_columns(), DownloadColumn())
    try:
        with (
            urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT) as response,
            Progress(*columns, console=Terminal(stderr=True)) as progress,
        ):
            size = int(response.headers.get("Content-Length") or 0) or None
            task = progress.add_task("Tiny Shakespeare", total=size)
            chunks = []
            while chunk := response.read(1 << 16):
                chunks.append(chunk)
                progress.advance(task, len(chunk))
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"cannot download {url}: {reason}; get the text elsewhere and give it with --corpus"
        ) from None
    return b"".join(chunks)
