"""What docs/import.md says to do with a file of tokens: run as it stands there."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

DOCUMENT = Path(__file__).parents[3] / "docs" / "import.md"
TEXT = "O time, thou must untangle this, not I:\nnaïve – it is too hard a knot.\n" * 3


def command(mark: str) -> str:
    """The one command of the document that has ``mark``."""
    blocks = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if mark in block]
    return found


def run(text: str, place: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(text, shell=True, cwd=place, check=True, env={**os.environ, "PATH": path})


def test_characters(tmp_path):
    itos = dict(enumerate(sorted(set(TEXT))))
    stoi = {character: token for token, character in itos.items()}
    (tmp_path / "meta.pkl").write_bytes(pickle.dumps({"itos": itos, "stoi": stoi}))
    np.array([stoi[character] for character in TEXT], np.uint16).tofile(tmp_path / "val.bin")
    run(command("meta.pkl"), tmp_path)
    assert (tmp_path / "val.txt").read_text(encoding="utf-8") == TEXT


def test_byte_pairs(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    end = "<|endoftext|>"
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=[end],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    tokens = [*tokenizer.encode(TEXT).ids, tokenizer.token_to_id(end)]
    np.array(tokens * 2, np.uint16).tofile(tmp_path / "val.bin")
    run(command("tokenizer.json"), tmp_path)
    assert (tmp_path / "val.txt").read_text(encoding="utf-8") == (TEXT + "\n") * 2
