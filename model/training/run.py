"""What :mod:`model.training.train` does, as a function: the two phases and the artifact."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from ..contract import artifact
from ..contract.config import ModelConfig
from ..contract.windows import validation_windows
from ..floating.file import open_float
from ..floating.shape import FloatShape
from ..floating.structure import Compressible
from ..floating.torch_model import FloatModel
from ..support.errors import UserError
from ..support.processes import processes
from ..text.corpus import Corpus
from ..text.tokenizer import CharTokenizer
from .distillation import loss_of
from .float_phase import digest, float_phase, split, subset
from .loop import (
    LossFunction,
    Phase,
    evaluate,
    reuse_freed_memory,
    run_phase,
    sample_windows,
)
from .losses import CURVE, History, draw_losses
from .qat_model import QATModel
from .recipe import SOURCES, Recipe
from .teacher_text import TeacherText, open_writer

SCALE_LR = 0.3
"""Learning rate of learned scales, which are logarithms, relative to that of the weights."""
CALIBRATION_WINDOWS = 64


def train(recipe: Recipe, corpus: Corpus, out: Path, runs: Path, threads: int = 1) -> dict:
    """Train by ``recipe``, write the artifact ``out`` and the loss curve beside it.

    Checkpoints go to the existing directory ``runs`` and are named after the settings, so a run
    continues where one of the same settings stopped. Returns the facts stored in the artifact.

    Raises UserError if corpus and model do not fit each other, Interrupted after Ctrl-C.
    """
    torch.set_num_threads(threads)
    reuse_freed_memory()
    run = _Run(recipe, corpus, runs)
    run.write_text()
    histories = {}
    twin, histories["float"] = run.float_phase()
    model, histories["integer"] = run.quantized_phase(twin)
    histories["fixed"] = run.fixed_phase(model)
    info = {
        "recipe": dataclasses.asdict(recipe) | {"config": recipe.config.to_dict()} | run.sources,
        "corpus": {"name": corpus.name, "sha256": corpus.sha256},
        "val_loss_int": evaluate(model, run.validation),
        "val_loss_float": evaluate(twin, run.validation),
        "train_seconds": round(sum(history.seconds for history in histories.values())),
        "torch": torch.__version__,
    }
    if not processes().first:
        return info
    artifact.save(out, model.to_integer_model(run.tokenizer.vocabulary), twin.weights(), info)
    draw_losses(out.with_suffix(CURVE), {k: h for k, h in histories.items() if h.train})
    print(
        f"{out}: validation loss {info['val_loss_int']:.4f} nats as integers, "
        f"{info['val_loss_float']:.4f} as floats, on the last tenth of {corpus.name}"
    )
    return info


class _Run:
    """The data of a recipe's run and its phases."""

    def __init__(self, recipe: Recipe, corpus: Corpus, runs: Path):
        cfg = recipe.config
        corpus.require_windows(cfg.ctx_len)
        self.recipe, self.corpus, self.runs = recipe, corpus, runs
        self.tokenizer = CharTokenizer.from_text(corpus.text, cfg.vocab_size)
        self.train_tokens = torch.tensor(corpus.train_tokens(self.tokenizer))
        tokens = corpus.validation_tokens(self.tokenizer)
        self.validation = tuple(map(torch.from_numpy, validation_windows(tokens, cfg.ctx_len)))

    def float_phase(self) -> tuple[FloatModel, History]:
        recipe = self.recipe
        if recipe.init is not None:
            return _float_model_of(recipe.init, recipe.config), History()
        model = FloatModel(recipe.config, torch.Generator().manual_seed(recipe.seed))
        phase = float_phase(model, self._loss(model), recipe, self._checkpoint("float"))
        return model, run_phase(phase, self.train_tokens, subset(self.validation))

    def quantized_phase(self, twin: FloatModel) -> tuple[QATModel, History]:
        recipe, ctx_len = self.recipe, self.recipe.config.ctx_len
        seed = [recipe.seed, recipe.float_steps]  # windows that the float phase has not seen
        sample = sample_windows(self.train_tokens, ctx_len, CALIBRATION_WINDOWS, seed)
        model = QATModel(recipe.config, twin, sample[:, :-1], recipe.choices)
        phase = Phase(
            **self._integer("integer", model),
            steps=recipe.steps,
            lr=recipe.lr,
            seed=recipe.seed + 1,
        )
        return model, run_phase(phase, self.train_tokens, subset(self.validation))

    def fixed_phase(self, model: QATModel) -> History:
        """The matrices' integers stay as they are; the rest of the model is trained further."""
        recipe = self.recipe
        if not recipe.fixed_steps:
            return History()
        model.fix_weights()
        phase = Phase(
            **self._integer("fixed", model),
            steps=recipe.fixed_steps,
            lr=recipe.fixed_lr,
            seed=recipe.seed + 3,
        )
        return run_phase(phase, self.train_tokens, subset(self.validation))

    def _integer(self, name: str, model: QATModel) -> dict:
        """Settings that are alike in both phases of the quantized model."""
        scales, rest = split(model, lambda name: "log_" in name)
        return {
            **self._common(name, model),
            "groups": [
                {"params": scales, "lr_scale": SCALE_LR, "weight_decay": 0.0},
                {"params": rest, "lr_scale": 1.0, "weight_decay": 0.0},
            ],
            "batch": self.recipe.batch - self._written_batch,
            "more": self._written(model),
            "average": self.recipe.average,
        }

    def _common(self, name: str, model: nn.Module) -> dict:
        """Settings that are alike in all phases."""
        return {
            "name": name,
            "model": model,
            "loss": self._loss(model),
            "checkpoint": self._checkpoint(name),
        }

    def _checkpoint(self, phase: str) -> Path:
        return self.runs / f"{phase}-{self._key(phase)}.pt"

    def _loss(self, model: nn.Module) -> LossFunction:
        recipe = self.recipe
        return loss_of(model, recipe, self.tokenizer.vocabulary, recipe.config.ctx_len)

    @property
    def _written_batch(self) -> int:
        """Windows of each batch of the quantized phase that are the writer's."""
        return 0 if self.recipe.writer is None else self.recipe.batch // 2

    def write_text(self) -> None:
        """Let the writer write, if there is one, unless its text is there."""
        recipe, ctx_len = self.recipe, self.recipe.config.ctx_len
        if recipe.writer is None:
            return
        path = self._written_path()
        if processes().first and not path.exists():
            writer, vocabulary = recipe.writer, self.tokenizer.vocabulary
            places = (self.train_tokens, recipe.written, recipe.seed)
            open_writer(writer, vocabulary, ctx_len, *places).save(path)
        processes().wait()

    def _written(self, model: nn.Module) -> Callable[[int], Tensor] | None:
        """Loss of the writer's text by step, if there is one."""
        recipe = self.recipe
        if recipe.writer is None:
            return None
        text = TeacherText.load(self._written_path())
        return text.loss(model, self._written_batch, recipe.seed + 2)

    def _written_path(self) -> Path:
        """Where the writer's text is, by the settings that decide it."""
        recipe = self.recipe
        facts = [open_float(recipe.writer).sha256, self.corpus.sha256, self.tokenizer.vocabulary]
        facts += [recipe.config.ctx_len, recipe.written, recipe.seed]
        return self.runs / f"written-{digest(facts)}.safetensors"

    @property
    def sources(self) -> dict[str, dict]:
        """Names and digests of the models that the run starts from and learns from."""
        given = {name: getattr(self.recipe, name) for name in SOURCES}
        sources = {name: open_float(path) for name, path in given.items() if path is not None}
        return {name: {"name": s.name, "sha256": s.sha256} for name, s in sources.items()}

    def _key(self, phase: str) -> str:
        """Digest of the settings that decide the phase's result."""
        settings = dataclasses.asdict(self.recipe) | {"config": self.recipe.config.to_dict()}
        if phase == "float":
            del settings["config"]["digits"], settings["steps"], settings["lr"]
            settings["average"], settings["writer"], settings["choices"] = 0, None, None
        if phase != "fixed":
            settings["fixed_steps"] = 0
        for name in SOURCES:
            if settings[name] is not None:
                settings[name] = open_float(settings[name]).sha256
        # without what has no effect
        if settings["teacher"] is None:
            del settings["temperature"], settings["teacher_weight"]
        if not settings["fixed_steps"]:
            del settings["fixed_lr"]
        if settings["writer"] is None:
            del settings["written"]
        settings["corpus"] = self.corpus.sha256
        return digest(settings)


def _float_model_of(path: str, config: ModelConfig) -> FloatModel:
    source = open_float(path)
    wanted = FloatShape.of(config)
    if source.layout.architecture != Compressible.architecture:
        raise UserError(f"{path} has architecture {source.layout.architecture}, expected relu")
    for name, value in dataclasses.asdict(wanted).items():
        given = getattr(source.layout.shape, name)
        if given != value:
            raise UserError(f"{path} has {name} {given}, but the preset has {value}")
    return FloatModel.from_weights(config, source.model.weights())
