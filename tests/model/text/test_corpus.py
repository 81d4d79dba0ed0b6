"""The corpus: its split, its download and what it says about bad input."""

import hashlib
import io
import os
import re
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from gateformer.model.support.errors import UserError
from gateformer.model.text import corpus
from gateformer.model.text.corpus import Corpus, least_length, load_corpus

DOWNLOADED = b"First Citizen:\nBefore we proceed any further, hear me speak.\n"


def raises(message):
    return pytest.raises(UserError, match=f"^{re.escape(message)}$")


class Response(io.BytesIO):
    """What urlopen gives."""

    headers = {"Content-Length": str(len(DOWNLOADED))}  # noqa: RUF012


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    """An empty cache and a server that has DOWNLOADED; the list of requested addresses."""
    requests = []

    def urlopen(url, timeout):
        requests.append(url)
        return Response(DOWNLOADED)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    digest = hashlib.sha256(DOWNLOADED).hexdigest()
    monkeypatch.setattr(corpus, "TINY_SHAKESPEARE_SHA256", digest)
    return requests


def test_split_is_first_nine_tenths_and_rest():
    text = "".join(chr(33 + i % 90) for i in range(1019))
    parts = Corpus(text, "text", "")
    assert len(parts.train) == 917
    assert parts.train + parts.validation == text


def test_corpus_is_decoded_and_identified(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("naïve\n".encode())
    loaded = load_corpus(path)
    assert loaded == Corpus("naïve\n", "text.txt", hashlib.sha256(path.read_bytes()).hexdigest())


def test_missing_file(tmp_path):
    path = tmp_path / "no.txt"
    with raises(
        f"corpus {path} does not exist; give a UTF-8 text file, or leave --corpus out to download "
        "Tiny Shakespeare"
    ):
        load_corpus(path)


def test_unreadable_file(tmp_path):
    with raises(f"corpus {tmp_path} cannot be read: Is a directory; give a UTF-8 text file"):
        load_corpus(tmp_path)


def test_empty_file(tmp_path):
    path = tmp_path / "empty.txt"
    path.touch()
    with raises(f"--also {path} is empty; give a UTF-8 text file"):
        load_corpus(path, "--also")


def test_not_utf8(tmp_path):
    path = tmp_path / "latin1.txt"
    path.write_bytes(b"na\xefve")
    with raises(
        f"corpus {path} is not UTF-8 text: byte 2 is 0xef; convert it to UTF-8, or its tokens to "
        "text as docs/import.md says"
    ):
        load_corpus(path)


def test_small_tokens_are_no_text(tmp_path):
    """As in nanoGPT's files of 16-bit tokens, of which each byte may be one of UTF-8."""
    path = tmp_path / "val.bin"
    path.write_bytes(np.arange(1, 65, dtype="<u2").tobytes())
    with raises(
        f"corpus {path} is not UTF-8 text: byte 1 is 0x00; convert it to UTF-8, or its tokens to "
        "text as docs/import.md says"
    ):
        load_corpus(path)


def test_too_short_names_both_lengths():
    with raises(
        "corpus a.txt has 100 characters, but a context of 16 needs at least 161; "
        "give a longer text"
    ):
        Corpus("x" * 100, "a.txt", "").require_windows(16)


@pytest.mark.parametrize("ctx_len", [1, 7, 16, 128])
def test_least_length_is_enough_and_least(ctx_len):
    length = least_length(ctx_len)
    enough, short = (Corpus("x" * n, "", "") for n in (length, length - 1))
    enough.require_windows(ctx_len)
    assert min(len(enough.train), len(enough.validation)) >= ctx_len + 1
    assert min(len(short.train), len(short.validation)) < ctx_len + 1


def test_download_is_kept(downloads, tmp_path):
    first, second = load_corpus(None), load_corpus(None)
    assert first == second
    assert first.text == DOWNLOADED.decode()
    assert downloads == [corpus.TINY_SHAKESPEARE_URL]
    assert os.listdir(tmp_path / "gateformer") == ["tinyshakespeare.txt"]


def test_download_with_wrong_checksum_is_not_kept(downloads, tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "TINY_SHAKESPEARE_SHA256", "0" * 64)
    with raises(
        f"{corpus.TINY_SHAKESPEARE_URL} has SHA-256 {hashlib.sha256(DOWNLOADED).hexdigest()}, "
        f"expected {'0' * 64}; get the text elsewhere and give it with --corpus"
    ):
        load_corpus(None)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "error, reason",
    [
        (urllib.error.URLError("no route to host"), "no route to host"),
        (TimeoutError("timed out"), "timed out"),
    ],
)
def test_failed_download(downloads, monkeypatch, error, reason):
    def urlopen(url, timeout):
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with raises(
        f"cannot download {corpus.TINY_SHAKESPEARE_URL}: {reason}; "
        "get the text elsewhere and give it with --corpus"
    ):
        load_corpus(None)


def test_tiny_shakespeare():
    data = os.environ.get("GATEFORMER_DATA")
    if not data:
        pytest.skip("GATEFORMER_DATA does not name a directory with tinyshakespeare/input.txt")
    loaded = load_corpus(Path(data) / "tinyshakespeare" / "input.txt")
    assert loaded.sha256 == corpus.TINY_SHAKESPEARE_SHA256
    assert (len(loaded.train), len(loaded.validation)) == (1_003_854, 111_540)
