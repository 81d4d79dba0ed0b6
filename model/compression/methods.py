"""The methods of ``gateformer compress``: each makes a compressed model from a session's source."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..contract import artifact
from ..contract.config import ModelConfig
from ..contract.integer_model import IntegerModel
from ..floating.fake_quant import Scheme, integer_weights, learned_activation_steps, quantize_model
from ..floating.file import save_float
from ..floating.structure import Compressible
from ..floating.torch_model import FloatModel
from ..support.errors import UserError
from ..training.qat_model import QATModel
from ..training.recipe import Recipe
from ..training.run import train
from ..training.torch_integer import IntegerForward
from . import magnitude_pruning, structured_pruning
from .model_size import float_bytes, integer_bytes, quantized_bytes, sparse_bytes
from .session import Session

SIMULATED = (
    "no: sums, norms and softmax are float; the method `integer` makes the gateware's integers"
)


@dataclasses.dataclass
class Compressed:
    """A compressed model.

    Parameters
    ----------
    model : nn.Module, its forward gives logits in nats
    n_bytes : int, of its weights
    save : function of a path that writes it
    gate : str or None, key of :data:`model.compression.result.GATES`
    config : ModelConfig or None, and ``gateware`` : str, see
    :class:`model.compression.result.Result`
    """

    model: nn.Module
    n_bytes: int
    save: Callable[[Path], None]
    gate: str | None
    config: ModelConfig | None
    gateware: str


class IntegerLogits(nn.Module):
    """An integer model as a module without parameters: logits in nats."""

    def __init__(self, model: IntegerModel):
        super().__init__()
        self.integer = model
        self._forward = IntegerForward.of(model)

    def forward(self, tokens: Tensor) -> Tensor:
        return self._forward.logits(tokens) * self.integer.logit_scale


def quantize(session: Session, scheme: Scheme, settings: dict) -> Compressed:
    """Simulated quantization; trained if the session's tuning has steps."""
    layout, model = session.source.layout, session.fresh_model()
    quantize_model(model, layout, scheme, session.calibration_windows()[0])
    session.tune(model, settings["method"], settings)
    integers = integer_weights(model)
    steps = learned_activation_steps(model, layout)
    state = session.source.model.state_dict()
    with parametrize.cached():
        state = {name: _parameter(model, name) for name in state}
    trained = session.tuning.steps > 0
    gate = None
    if not trained and scheme.bits == 8 and scheme.granularity == "channel":
        gate = "int8-ptq"
    elif trained and scheme.bits == 4:
        gate = "int4-qat"
    return Compressed(
        model=model,
        n_bytes=quantized_bytes(
            state,
            layout.weights(scheme.bits, 8),
            {name: step.numel() for name, (_, step) in integers.items()},
            len(steps),
        ),
        save=lambda path: save_float(
            path, layout, state, session.source.vocabulary, integers, steps, settings
        ),
        gate=gate,
        config=None,
        gateware=SIMULATED,
    )


def _parameter(model: nn.Module, name: str) -> Tensor:
    path, _, attribute = name.rpartition(".")
    return getattr(model.get_submodule(path), attribute).detach()


def integers(session: Session, digits, out: Path, settings: dict, threads: int) -> Compressed:
    """The gateware's integer function of ``digits`` ternary digits per weight.

    Calibrated only without tuning steps, else trained by :mod:`model.training.run`, which writes
    ``out``.
    """
    source, tuning = session.source, session.tuning
    if source.layout.architecture != Compressible.architecture:
        raise UserError(
            f"{source.name} has architecture {source.layout.architecture}, but the gateware's "
            "integers need relu; use ptq or qat"
        )
    config = source.layout.shape.to_model_config(digits)
    if tuning.steps:
        names = ("lr", "batch", "seed", "steps", "teacher", "temperature", "teacher_weight")
        values = {name: getattr(tuning, name) for name in names}
        recipe = Recipe(config=config, init=str(source.path), **values)
        train(recipe, session.corpus, out, session.runs, threads)
        return measure(str(out))
    twin = FloatModel.from_weights(config, source.model.weights())
    calibrated = QATModel(config, twin, session.calibration_windows()[0])
    model = calibrated.to_integer_model(source.vocabulary)
    artifact.save(out, model, twin.weights(), settings)
    return _integer_result(model, gate=None)


def measure(path: str) -> Compressed:
    """The integers of an artifact as they are; their gate if they are ternary and trained."""
    loaded = artifact.open_model(path)
    ternary = {digits for _, digits in loaded.model.config.digits} == {1}
    trained = ternary and "recipe" in loaded.info
    return _integer_result(loaded.model, "ternary-qat" if trained else None)


def _integer_result(model: IntegerModel, gate: str | None) -> Compressed:
    return Compressed(
        model=IntegerLogits(model),
        n_bytes=integer_bytes(model),
        save=lambda path: None,
        gate=gate,
        config=model.config,
        gateware="yes: this artifact, bit for bit",
    )


def prune(session: Session, fraction: float, scope: str, rounds: int, settings: dict) -> Compressed:
    """Magnitude pruning in rounds, each followed by the tuning's steps."""
    magnitude_pruning.check_settings(fraction, scope, rounds)
    layout, model = session.source.layout, session.fresh_model()
    for number, part in enumerate(magnitude_pruning.round_fractions(fraction, rounds)):
        magnitude_pruning.prune_to(model, layout.matrices, part, scope)
        session.tune(model, settings["method"], settings, number)
    magnitude_pruning.bake(model, layout.matrices)
    state = model.state_dict()
    return _float_result(
        session,
        model,
        layout,
        n_bytes=sparse_bytes(state, [f"{name}.weight" for name in layout.matrices]),
        gate="pruned-50" if fraction == 0.5 and session.tuning.steps else None,
        note="its shape, after `integer`; zeros save no cycles",
        settings=settings,
    )


def remove(session: Session, heads: int, units: int, settings: dict) -> Compressed:
    """Structured pruning, followed by the tuning's steps."""
    windows = session.calibration_windows()
    model, layout = structured_pruning.remove(
        session.fresh_model(), session.source.layout, windows, heads, units
    )
    session.tune(model, settings["method"], settings)
    return _float_result(
        session,
        model,
        layout,
        n_bytes=float_bytes(model.state_dict()),
        gate="one-head-less" if (heads, units) == (1, 0) and session.tuning.steps else None,
        note="its shape, after `integer`",
        settings=settings,
    )


def finetune(session: Session, settings: dict) -> Compressed:
    """Training of the float model alone, with a teacher if the tuning has one."""
    model = session.fresh_model()
    session.tune(model, settings["method"], settings)
    return _float_result(
        session,
        model,
        session.source.layout,
        n_bytes=float_bytes(model.state_dict()),
        gate=None,
        note="its shape, after `integer`",
        settings=settings,
    )


def _float_result(
    session: Session,
    model: nn.Module,
    layout: Compressible,
    n_bytes: int,
    gate: str | None,
    note: str,
    settings: dict,
) -> Compressed:
    try:
        config, gateware = layout.gateware_config(), note
    except UserError as error:
        config, gateware = None, f"no: {error}"
    state = model.state_dict()
    return Compressed(
        model=model,
        n_bytes=n_bytes,
        save=lambda path: save_float(path, layout, state, session.source.vocabulary, info=settings),
        gate=gate,
        config=config,
        gateware=gateware,
    )


def source_bytes(session: Session) -> int:
    """Bytes of the float source's weights."""
    with torch.no_grad():
        return float_bytes(session.source.model.state_dict())
