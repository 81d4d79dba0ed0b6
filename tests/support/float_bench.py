"""Tiny float models, texts and a command line for the tests of compression."""

from __future__ import annotations

from pathlib import Path

import torch

from gateformer.model.compression import compress
from gateformer.model.compression.result import Result
from gateformer.model.contract.config import ModelConfig
from gateformer.model.floating.file import save_float
from gateformer.model.floating.presets import fresh_model
from gateformer.model.floating.shape import FloatShape
from gateformer.model.floating.structure import Compressible, GPT2Layout, SquaredReLULayout
from gateformer.model.text.tokenizer import CharTokenizer

torch.set_num_threads(1)

TEXT = "".join(f"{n} sheep and {n * n % 97} goats. " for n in range(150))
SIZES = ModelConfig(vocab_size=128, d_model=24, n_heads=3, n_layers=2, d_ff=32, ctx_len=16)
LAYOUTS = {
    "relu": Compressible(SIZES),
    "squared relu": SquaredReLULayout(SIZES),
    "gpt2": GPT2Layout(SIZES),
    "wide heads": Compressible(FloatShape(128, 20, 2, 12, 2, 28, 16)),
}
VOCABULARY = CharTokenizer.from_text(TEXT, 128).vocabulary


def model_of(name: str, seed: int = 1) -> tuple[torch.nn.Module, Compressible]:
    """An untrained model whose weights, norms and biases are all off their start."""
    layout = LAYOUTS[name]
    model = fresh_model(layout, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval(), layout


def windows(count: int = 4, seed: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Random inputs and targets."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, 128, (count, 17), generator=generator)
    return tokens[:, :-1], tokens[:, 1:]


class Bench:
    """A directory with a corpus and a float checkpoint for each architecture."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.corpus = directory / "corpus.txt"
        self.corpus.write_text(TEXT)
        for name in LAYOUTS:
            model, layout = model_of(name)
            save_float(self.source(name), layout, model.state_dict(), VOCABULARY)

    def source(self, name: str) -> Path:
        return self.directory / f"{name.replace(' ', '-')}.safetensors"

    def arguments(self, method: str, architecture: str = "relu", **options) -> list[str]:
        """Command line of a tiny run; an option's underscores become hyphens."""
        defaults = {
            "corpus": self.corpus,
            "results": self.directory / "results",
            "runs": self.directory / "runs",
        }
        parts = [method, str(self.source(architecture))]
        for option, value in {**defaults, **options}.items():
            parts += [f"--{option.replace('_', '-')}", str(value)]
        return parts

    def run(self, method: str, architecture: str = "relu", **options) -> Result:
        return compress.run(self.arguments(method, architecture, **options))
