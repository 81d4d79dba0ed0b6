"""The tokenizer that belongs to a model's file, wherever its family keeps it."""

from __future__ import annotations

from pathlib import Path

from ..contract.artifact import load
from ..contract.decoder.model import Vocabulary
from ..floating.checkpoints import artifact_twin, gguf_model, llama2c, nanogpt
from ..floating.checkpoints.gguf_file import read_tokenizer
from ..floating.checkpoints.source import SourceModel
from ..support.errors import UserError
from ..text.codec import TextCodec
from ..text.codec_arrays import from_arrays, to_arrays
from ..text.readers.gguf_metadata import codec_of_metadata
from ..text.readers.hugging_face import read_directory, read_model
from ..text.readers.llama2c import read_tokenizer_bin
from ..text.readers.nanogpt import read_meta

BESIDE = {
    llama2c.KIND: ("tok{vocab_size}.bin", "tokenizer.bin"),
    nanogpt.KIND: ("meta.pkl",),
}
"""Names of tokenizers that lie beside a checkpoint that does not hold one."""


def source_codec(path: Path, source: SourceModel, tokenizer: Path | None = None) -> TextCodec:
    """The tokenizer of the model at ``path``, or of ``tokenizer``, a file or a directory.

    Raises UserError if there is none, saying where it was looked for, or if it is damaged.
    """
    size = source.shape.vocab_size
    if tokenizer is not None:
        return _read(tokenizer, size)
    if path.is_dir():
        return read_directory(path, size)
    if source.kind == gguf_model.KIND:
        return codec_of_metadata(str(path), read_tokenizer(path), size)
    if source.kind == artifact_twin.KIND:
        vocabulary = load(path).model.vocabulary
        return from_arrays(vocabulary.arrays, vocabulary.facts)
    names = [name.format(vocab_size=size) for name in BESIDE[source.kind]]
    for name in names:
        if (beside := path.with_name(name)).is_file():
            return _read(beside, size)
    raise UserError(
        f"{path} has no tokenizer beside it ({' or '.join(names)}); name one with --tokenizer"
    )


def _read(path: Path, size: int) -> TextCodec:
    if path.is_dir():
        return read_directory(path, size)
    if path.suffix == ".pkl":
        return read_meta(path, size)
    if path.suffix == ".bin":
        return read_tokenizer_bin(path, size)
    if path.suffix == ".model":
        return read_model(path, size)
    if path.suffix == ".json":
        return read_directory(path.parent, size)
    raise UserError(
        f"tokenizer {path} is of no known kind; expected a directory with tokenizer.json, "
        "tokenizer.model, or vocab.json and merges.txt, a SentencePiece model (.model), a llama2.c "
        "tokenizer (.bin) or nanoGPT's meta.pkl"
    )


def kept(codec: TextCodec) -> Vocabulary:
    """What an artifact keeps of a tokenizer."""
    return Vocabulary(*to_arrays(codec))
