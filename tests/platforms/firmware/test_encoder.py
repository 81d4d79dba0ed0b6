"""The firmware's encoder, compiled for this machine, cuts as the model's own tokenizer."""

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateformer.model.support import compiler
from gateformer.model.text.codec import TextCodec
from gateformer.model.text.readers.gguf_splits import GPT2, WORDS
from gateformer.model.text.readers.hugging_face import read_directory
from gateformer.model.text.readers.llama2c import read_tokenizer_bin
from gateformer.model.text.readers.pieces import codec_of_json
from gateformer.model.text.readers.sentencepiece import codec_of_scores
from gateformer.platforms.firmware.build import SOURCES
from gateformer.platforms.firmware.encoder import Encoder, encoder_of
from gateformer.platforms.firmware.encoder_tables import encoder_lines
from tests.support.checkpoints.gguf_vocabulary import byte_level, sentencepiece_model
from tests.support.text_lines import files

DEPTH = 4000
TEXTS = [
    "Once upon a time, there was a little girl named Lily.",
    "I'm we're WE'LL don'T it'ſ 12 a  b   c !!\n\n\n )\n  )\n\n  12345 ... \t\tx ",
    "  leading\n \n and trailing  \n",
    "é€😀中文 ½Ⅷ٣٤٥ naïve\u3000wide\u00a0nbsp\x85next",
    "''s 's'S '\n're're' 've 'LL",
    "▁literal ▁▁ x\u2581",
    "\x00\x7f\u0301a",
]


def tokenizers():
    return pytest.importorskip("tokenizers")


def json_codec(*steps, added=(), merges=None, ignore_merges=False) -> TextCodec:
    """A byte-level BPE that splits by ``steps``."""
    package = tokenizers()
    tokens, learned = byte_level(900)
    pairs = [tuple(merge.split(" ", 1)) for merge in learned]
    vocabulary = {text: token for token, text in enumerate(tokens)}
    model = package.models.BPE(vocabulary, pairs, ignore_merges=ignore_merges)
    tokenizer = package.Tokenizer(model)
    tokenizer.pre_tokenizer = package.pre_tokenizers.Sequence(list(steps))
    tokenizer.decoder = package.decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|end|>"])
    tokenizer.add_tokens([package.AddedToken(text, normalized=False) for text in added])
    return codec_of_json("test", tokenizer.to_str().encode())


def split(pattern):
    package = tokenizers()
    return package.pre_tokenizers.Split(package.Regex(pattern), "isolated")


def level(use_regex=False, add_prefix_space=False):
    return tokenizers().pre_tokenizers.ByteLevel(
        add_prefix_space=add_prefix_space, use_regex=use_regex
    )


def digits():
    return tokenizers().pre_tokenizers.Digits(individual_digits=True)


CODECS = {
    "gpt2": lambda: json_codec(level(use_regex=True)),
    "gpt2 by Split, added": lambda: json_codec(
        split(GPT2), level(), added=("time", "time,", "é€", "\n\n")
    ),
    "smollm": lambda: json_codec(digits(), level(use_regex=True)),
    "smollm by Split": lambda: json_codec(split(r"\p{N}"), split(GPT2), level()),
    "llama3": lambda: json_codec(split(WORDS % r"\p{N}{1,3}"), level(), ignore_merges=True),
    "qwen2": lambda: json_codec(split(WORDS % r"\p{N}"), level()),
    "no split": lambda: json_codec(level()),
    "digits only": lambda: json_codec(digits(), level()),
    "sentencepiece": lambda: scores(prefix=True),
    "sentencepiece, ties": lambda: scores(prefix=True, step=16),
    "sentencepiece without a prefix, added": lambda: scores(prefix=False, added={700: "time"}),
}


def scores(prefix, step=1, added=None) -> TextCodec:
    package = pytest.importorskip("sentencepiece")
    processor = package.SentencePieceProcessor(model_proto=sentencepiece_model())
    ids = range(processor.get_piece_size())
    kinds = {0: 2, 1: 3, 2: 3} | {i: 6 for i in ids if processor.is_byte(i)}
    texts = [processor.id_to_piece(i) for i in ids] + [text for text in (added or {}).values()]
    return codec_of_scores(
        "test",
        texts,
        [float(processor.get_score(i) // step) for i in ids] + [-1000.0] * len(added or {}),
        kinds,
        {1: "<s>", 2: "</s>"},
        added,
        prefix,
    )


@functools.cache
def compiled(name: str):
    """(codec, function from bytes to ids, or to None if a token is missing)."""
    return built(CODECS[name]())


def built(codec: TextCodec, depth: int = DEPTH):
    """As :func:`compiled`."""
    size = len(codec.pieces)
    encoder = encoder_of(codec, size)
    assert encoder is not None
    lines = ["#include <stdint.h>", f"#define VOCAB_SIZE {size}u", f"#define LINE_DEPTH {depth}u"]
    command = compiler.find_compiler(compiler.C, "this test")
    directory = Path(tempfile.mkdtemp())
    (directory / "model.h").write_text("\n".join([*lines, *encoder_lines(encoder)]))
    for file in ("encode.c", "encode.h", "split.c", "split.h"):
        shutil.copy(SOURCES / file, directory)
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run(
        [*command, *flags, "encode.c", "split.c", "-o", "e.so"], cwd=directory, check=True
    )
    library = ctypes.CDLL(directory / "e.so")

    def encode(text: bytes) -> list[int] | None:
        tokens, count = (ctypes.c_uint16 * depth)(), ctypes.c_uint32(0)
        result = library.encode(text, len(text), tokens, depth, ctypes.byref(count))
        assert result in (0, 1)
        return None if result else list(tokens[: count.value])

    return codec, encode


@pytest.mark.parametrize("name", CODECS)
def test_prose_and_corner_cases(name):
    codec, encode = compiled(name)
    for text in [*TEXTS, *(text[:3000] for text in files()[:6]), codec.pieces[-1].decode()]:
        assert encode(text.encode()[:DEPTH]) == codec.encode(text.encode()[:DEPTH].decode())


def test_a_long_text_that_no_split_divides_takes_no_square_of_its_length():
    """The board's processor has no cache then, and nobody hears of it meanwhile."""
    codec, encode = built(scores(prefix=True), 40_000)
    texts = [b"once upon a time " * repeats for repeats in (200, 2000)]

    def seconds(text):
        begun = time.process_time()
        encode(text)
        return time.process_time() - begun

    short, long = (min(seconds(text) for _ in range(5)) for text in texts)
    assert long < 35 * short  # 100 times with a square
    assert encode(texts[0]) == codec.encode(texts[0].decode())


def test_the_tables_of_many_words_are_written_at_once():
    """The length of each is asked for a few times, not once for every word behind it."""
    asked = [0]

    class Word(bytes):
        def __len__(self):
            asked[0] += 1
            return super().__len__()

    words = {Word(b"%05d" % number): number for number in range(2000)}
    lines = "".join(encoder_lines(Encoder(True, tuple(range(256)), (), words=words)))
    assert asked[0] < 10 * len(words)
    assert "{0, 5, 0},\n\t{5, 5, 1},\n\t{10, 5, 2}," in lines


DATA = os.environ.get("GATEFORMER_DATA")
REAL = {
    "GPT-2": lambda data: read_directory(data / "gpt2-tokenizer"),
    "stories260K": lambda data: read_tokenizer_bin(data / "stories260K/tok512.bin", 512),
}


@pytest.mark.skipif(not DATA, reason="GATEFORMER_DATA names no directory of real tokenizers")
@pytest.mark.parametrize("name", REAL)
def test_real_vocabularies_on_real_text(name):
    codec, encode = built(REAL[name](Path(DATA)))
    texts = [
        path.read_text(encoding="utf-8", errors="replace")[:200_000]
        for folder in ("tinystories", "wikitext-2")
        for path in sorted((Path(DATA) / folder).glob("*.t*"))
    ]
    assert texts
    for text in texts:
        for at in range(0, len(text), 700):
            part = text[at : at + 700]
            assert encode(part.encode()) == codec.encode(part)


ALPHABET = "aetxs 'RLlvm\n\r\t12½é中😀.,!\u3000\u0301"


@pytest.mark.parametrize("name", CODECS)
@given(data=st.data())
def test_any_text(name, data):
    codec, encode = compiled(name)
    text = data.draw(st.text(alphabet=ALPHABET, max_size=30) | st.text(max_size=12))
    assert encode(text.encode()) == codec.encode(text)
