"""What ``gateformer compress`` does, as functions: methods on a float model, measured."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from ..contract.windows import validation_windows
from ..evaluation import agreement
from ..floating.file import FloatSource, open_float
from ..support.errors import UserError
from ..support.progress import track
from ..support.terminal import Terminal
from ..text.corpus import Corpus
from ..text.tokenizer import CharTokenizer
from ..training.checks import check_tuning
from ..training.distillation import TEACHER_WEIGHT, TEMPERATURE, loss_of
from ..training.loop import (
    Phase,
    Windows,
    evaluate,
    run_phase,
    sample_windows,
)
from ..training.run import CALIBRATION_WINDOWS, SCALE_LR
from .result import Losses

VALIDATION_SUBSET = 64
"""Windows that the loss is shown on during training."""
EVALUATION_WINDOWS = 8
"""Windows that are computed at once."""

CONTINUATION = ((4, 32), (2, 64))
"""Part of the context, and most characters, that a prompt has and that follow it."""


@dataclasses.dataclass(frozen=True)
class Tuning:
    """Training after or during compression.

    Parameters
    ----------
    steps : int, 0 for none
    lr : float, peak learning rate
    batch : int, windows per step
    seed : int
    teacher : str, optional: float model to learn from, too (:mod:`model.training.distillation`)
    temperature, teacher_weight : float

    Raises UserError for a number out of range.
    """

    steps: int = 500
    lr: float = 1e-3
    batch: int = 64
    seed: int = 1337
    teacher: str | None = None
    temperature: float = TEMPERATURE
    teacher_weight: float = TEACHER_WEIGHT

    def __post_init__(self):
        check_tuning(dataclasses.asdict(self))


class Session:
    """A float source with its texts, ready to be tuned and measured.

    Parameters
    ----------
    source : FloatSource
    corpus : Corpus, what is trained and validated on; its characters must be in the vocabulary
    runs : Path, existing directory of the checkpoints
    tuning : Tuning
    calibration : Corpus, optional: text for activations and importance (default: training text)
    windows : int, most validation windows that are measured; 0 for all

    Raises UserError if a text is too short, or has a character that the model lacks.
    """

    def __init__(
        self,
        source: FloatSource,
        corpus: Corpus,
        runs: Path,
        tuning: Tuning,
        calibration: Corpus | None = None,
        windows: int = 0,
    ):
        self.source, self.corpus, self.runs, self.tuning = source, corpus, runs, tuning
        self.calibration, self.most_windows = calibration, windows
        self.ctx_len = source.layout.shape.ctx_len
        self.tokenizer = CharTokenizer(source.vocabulary)
        corpus.require_windows(self.ctx_len)
        self.train_tokens = torch.tensor(corpus.train_tokens(self.tokenizer))
        self.validation_tokens = torch.tensor(corpus.validation_tokens(self.tokenizer))
        self.validation = self.windows_of(self.validation_tokens, corpus.validation_name)
        self._calibration = self.train_tokens
        if calibration is not None:
            self._calibration = torch.tensor(calibration.tokens(self.tokenizer))
            if len(self._calibration) <= self.ctx_len:
                raise UserError(
                    f"calibration text {calibration.name} has {len(self._calibration)} characters, "
                    f"but one window needs {self.ctx_len + 1}; give a longer text"
                )

    def windows_of(self, tokens: Tensor, what: str) -> Windows:
        """Evenly spaced windows of the text ``what``, at most as many as were asked for."""
        pair = validation_windows(tokens.numpy(), self.ctx_len, what)
        inputs, targets = map(torch.from_numpy, pair)
        return _spread(self.most_windows or len(inputs), inputs, targets)

    def calibration_windows(self) -> Windows:
        """Inputs and targets that activations and importance are measured on."""
        sample = sample_windows(
            self._calibration, self.ctx_len, CALIBRATION_WINDOWS, [self.tuning.seed]
        )
        return sample[:, :-1], sample[:, 1:]

    def fresh_model(self) -> nn.Module:
        """A copy of the source's model."""
        return copy.deepcopy(self.source.model)

    def tune(self, model: nn.Module, name: str, settings: dict, number: int = 0) -> None:
        """Train ``model`` in place; resumes from the checkpoint of the same settings.

        ``settings`` (JSON-ready) are what was done to the model, ``number`` which training of
        these settings it is. Raises Interrupted after Ctrl-C.
        """
        tuning = self.tuning
        if not tuning.steps:
            return
        named = list(model.named_parameters())
        scales = [parameter for key, parameter in named if key.endswith("log_step")]
        rest = [parameter for key, parameter in named if not key.endswith("log_step")]
        groups = [{"params": rest, "lr_scale": 1.0, "weight_decay": 0.0}]
        if scales:
            groups.append({"params": scales, "lr_scale": SCALE_LR, "weight_decay": 0.0})
        phase = Phase(
            name=name,
            model=model,
            loss=loss_of(model, self.tuning, self.source.vocabulary, self.ctx_len),
            groups=groups,
            steps=tuning.steps,
            batch=tuning.batch,
            lr=tuning.lr,
            seed=tuning.seed + number,
            checkpoint=self.runs / f"{name}-{self._key(settings)}-{number}.pt",
        )
        run_phase(phase, self.train_tokens, _spread(VALIDATION_SUBSET, *self.validation))

    def _key(self, settings: dict) -> str:
        tuning = dataclasses.asdict(self.tuning)
        if self.tuning.teacher is not None:
            tuning["teacher"] = open_float(self.tuning.teacher).sha256
        facts = [settings, tuning, self.source.sha256, self.corpus.sha256]
        if self.calibration is not None:
            facts.append(self.calibration.sha256)
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]

    def losses(self, model: nn.Module, other_texts: list[Corpus]) -> list[Losses]:
        """Losses of ``model`` and the source on the validation text and on whole other texts.

        Characters of other texts that the model lacks are left out and counted.
        """
        rows = [self._losses(model, self.corpus.name, self.validation, 0)]
        known = set(filter(None, self.source.vocabulary))
        for text in other_texts:
            kept = "".join(character for character in text.text if character in known)
            windows = self.windows_of(torch.tensor(self.tokenizer.encode(kept)), text.name)
            rows.append(self._losses(model, text.name, windows, len(text.text) - len(kept)))
        return rows

    def _losses(self, model: nn.Module, text: str, windows: Windows, left_out: int) -> Losses:
        totals = [
            _mean_over(windows, f"{text}: {name}", lambda part, m=m: evaluate(m, part))
            for name, m in (("compressed", model), ("float", self.source.model))
        ]
        return Losses(text, len(windows[0]), *totals, left_out)

    def agreement(self, model: nn.Module) -> dict:
        """Equal choices of ``model`` and the source (:class:`model.compression.result.Result`)."""
        length, count = (min(max(1, self.ctx_len // part), most) for part, most in CONTINUATION)
        number = min(agreement.PROMPTS, self.most_windows or agreement.PROMPTS)
        prompts = agreement.fixed_prompts(self.validation_tokens, length, number)
        by_position = agreement.agreement(model, self.source.model, prompts, count)

        @torch.no_grad()
        def same(part: Windows) -> float:
            chosen = (m(part[0]).argmax(-1) for m in (model, self.source.model))
            return torch.eq(*chosen).float().mean().item()

        return {
            "greedy": sum(by_position) / count,
            "by_position": [round(value, 4) for value in by_position],
            "argmax": _mean_over(self.validation, "same first choice", same),
        }


def _spread(count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
    """``count`` evenly spaced rows of each, or all."""
    rows = torch.linspace(0, len(tensors[0]) - 1, min(count, len(tensors[0]))).round().long()
    return tuple(tensor[rows] for tensor in tensors)


def _mean_over(windows: Windows, title: str, measure: Callable[[Windows], float]) -> float:
    """Mean of a measure over windows, a few at once, with a progress bar."""
    total = 0.0
    parts = list(zip(*(tensor.split(EVALUATION_WINDOWS) for tensor in windows), strict=True))
    for part in track(parts, title, Terminal(stderr=True)):
        total += measure(part) * len(part[0])
    return total / len(windows[0])
