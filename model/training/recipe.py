"""What decides a trained model: its settings, and those of the presets."""

from __future__ import annotations

import dataclasses

from ..contract.config import ModelConfig
from ..floating.choices import TEACHER_WEIGHT, TEMPERATURE, QuantizationChoices, check_settings
from ..support.errors import UserError
from .checks import check_count, check_rate, check_seed

SOURCES = ("init", "teacher", "writer")
"""Settings of a recipe that name other models."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that decides the trained model, except the corpus.

    Parameters
    ----------
    config : ModelConfig
    steps, float_steps : int, of the quantized and the float phase
    fixed_steps : int, of a third phase in which the matrices' integers stay; 0: there is none
    lr, float_lr, fixed_lr : float, their peak learning rates
    batch : int, windows per step
    seed : int
    init : str, optional: artifact or float checkpoint whose weights replace the float phase
    teacher : str, optional: artifact or float checkpoint that both phases learn from, too
    temperature, teacher_weight : float, see :func:`model.training.distillation.distillation_loss`
    writer : str, optional: artifact or float checkpoint whose text is half of every batch of the
        quantized phase, see :mod:`model.training.teacher_text`
    written : int, windows that it writes
    average : float, decay per step of the mean of the parameters that is the result of
        the phases after the float one, see :class:`model.training.loop.Phase`; 0: none
    choices : QuantizationChoices

    Raises UserError for a number out of range.
    """

    config: ModelConfig
    steps: int = 4000
    float_steps: int = 4000
    fixed_steps: int = 0
    lr: float = 6e-3
    float_lr: float = 3e-3
    fixed_lr: float = 3e-3
    batch: int = 64
    seed: int = 1337
    init: str | None = None
    teacher: str | None = None
    temperature: float = TEMPERATURE
    teacher_weight: float = TEACHER_WEIGHT
    writer: str | None = None
    written: int = 16384
    average: float = 0.0
    choices: QuantizationChoices = dataclasses.field(default_factory=QuantizationChoices)

    def __post_init__(self):
        for name in ("steps", "float_steps", "batch", "written"):
            check_count(name, getattr(self, name), 1)
        check_count("fixed_steps", self.fixed_steps, 0)
        for name in ("lr", "float_lr", "fixed_lr"):
            check_rate(name, getattr(self, name))
        for _, digits in self.config.digits:
            self.choices.weight_limits(digits)
        check_seed(self.seed)
        if not 0 <= self.average < 1:
            raise UserError(f"average must be at least 0 and below 1, not {self.average:g}")
        check_settings(self.temperature, self.teacher_weight)
        if self.writer is not None and self.batch < 2:
            raise UserError(f"batch must be at least 2 with a writer, not {self.batch}")


PRESET_SETTINGS = {
    "shakespeare-115k": {
        **{"steps": 8000, "lr": 1.2e-2, "average": 0.98, "fixed_steps": 1000},
        "choices": QuantizationChoices(weights_return=True),
    },
    "shakespeare-115k-2t": {"steps": 6000},
    "shakespeare-zybo": {"float_steps": 3000, "steps": 2500},
    "stories-zybo": {"float_steps": 3000, "steps": 2500},
}
"""Where the recipe of a preset differs from the defaults."""


def preset_choices(preset: str) -> QuantizationChoices:
    """How the recipe of a preset quantizes."""
    return PRESET_SETTINGS.get(preset, {}).get("choices", QuantizationChoices())


def preset_recipe(preset: str, config: ModelConfig, **given) -> Recipe:
    """The recipe of a preset; what is ``given``, and not None, replaces its settings.

    Of other ``steps`` than the preset's, the steps with fixed integers are the same share.
    """
    own, given = PRESET_SETTINGS.get(preset, {}), {k: v for k, v in given.items() if v is not None}
    settings = own | given
    if "fixed_steps" in own and "steps" in given and "fixed_steps" not in given:
        settings["fixed_steps"] = round(own["fixed_steps"] * given["steps"] / own["steps"])
    return Recipe(config=config, **settings)
