"""What ``gateformer bench-decoder`` compares: ways of running an imported model on processors.

Tokens are given, not chosen: speed does not depend on which they are, and so all rows do the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from ..contract.decoder.model import DecoderModel
from ..native.decoder_stream import DecoderStream
from ..support.errors import UserError
from ..support.optional import require

BEGIN = 8
"""Tokens that are there when steps begin to count."""


@dataclasses.dataclass(frozen=True)
class DecoderRow:
    """``read(tokens)`` begins a sequence with several tokens at once, ``step(token)`` goes on; each
    ends when the logits of the next token are there."""

    key: str
    label: str
    read: Callable[[list[int]], None]
    step: Callable[[int], None]

    def timed(
        self, tokens: list[int], prompt: int, count: int, clock: Callable[[], float]
    ) -> tuple[float, float]:
        """Seconds of reading ``prompt`` of the tokens, and ``count`` one by one after BEGIN."""
        begun = clock()
        self.read(tokens[:prompt])
        read = clock() - begun
        self.read(tokens[:BEGIN])
        begun = clock()
        for token in tokens[BEGIN : BEGIN + count]:
            self.step(token)
        return read, clock() - begun


def stream_row(model: DecoderModel, threads: int) -> DecoderRow:
    """The integer function in C."""
    stream = DecoderStream(model, threads=threads)

    def read(tokens: list[int]) -> None:
        stream.reset()
        stream.last(tokens)

    label = f"gateformer, integers in C ({stream.instructions})"
    return DecoderRow("stream", label, read, stream.step)


def llama_row(path: Path, model: DecoderModel, threads: int) -> DecoderRow:
    """A GGUF file of the same model in llama.cpp.

    Raises UserError if llama-cpp-python is missing, or the file is no model or one of another
    vocabulary.
    """
    require({"llama_cpp": "--against"}, "llama")
    import llama_cpp

    if not path.is_file():
        raise UserError(f"--against {path}: there is no such file; name a GGUF file of the model")
    try:
        llama = llama_cpp.Llama(
            str(path),
            n_ctx=model.config.ctx_len,
            n_batch=model.config.ctx_len,
            n_threads=threads,
            n_threads_batch=threads,
            verbose=False,
        )
    except (ValueError, AssertionError) as error:
        raise UserError(
            f"--against {path}: llama.cpp cannot load it; name a GGUF file of the model"
        ) from error
    if llama.n_vocab() != model.config.vocab_size:
        raise UserError(
            f"--against {path} has a vocabulary of {llama.n_vocab()}, but the artifact one of "
            f"{model.config.vocab_size}; name a GGUF file of the same model"
        )

    def read(tokens: list[int]) -> None:
        llama.reset()
        llama.eval(tokens)

    version = getattr(llama_cpp, "__version__", "")
    label = f"llama.cpp (llama-cpp-python {version}), {path.name}"
    return DecoderRow("llama.cpp", label, read, lambda token: llama.eval([token]))
