"""Another model into a running accelerator, word by word over its registers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from gateformer.gateware.plan.hw_config import PACKINGS, HwConfig
from gateformer.gateware.plan.reload_limits import ReloadLimits
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError

from .info import AcceleratorInfo
from .register_access import RegisterFile

SHAPE = ("vocab_size", "d_model", "n_heads", "n_layers", "d_ff", "ctx_len")
ANOTHER_SHAPE = (
    "the core takes images of another shape (other digits per weight in some matrix, or another "
    "version of the program)"
)
REFUSALS = {
    1: "it was broken off (a reset, or another program?)",
    2: ANOTHER_SHAPE,
    3: "its checksum is wrong: words were lost or changed on their way",
    4: "the memories do not hold what was written",
}
"""Values of LOAD_STATUS.refusal."""


def image_for(registers: RegisterFile, info: AcceleratorInfo, artifact) -> list[int]:
    """The image of a :class:`model.contract.artifact.Artifact` for that accelerator.

    Raises
    ------
    UserError
        If the accelerator was built without ``--reload``, or the model does not fit it (names what
        differs), or Amaranth is missing, whose layouts the memories have.
    """
    if info.imported or isinstance(artifact.model, DecoderModel):
        raise UserError(
            f"{registers.name}: no accelerator takes an imported model at run time, or is of one "
            "and takes another; build a bitstream for the model"
        )
    if not info.reload:
        raise fixed_model(registers.name)
    check_shape(registers.name, info.config, artifact.model.config)
    try:
        from gateformer.gateware.compiler.reload_image import model_image
        from gateformer.gateware.plan.layout import Layout
    except ImportError as error:
        raise UserError(
            f"making the image of {artifact.name} needs {error.name}, which is not installed; "
            "run: pip install amaranth"
        ) from None
    limits = registers.read("RELOAD_LIMITS")
    if limits["packing"] >= len(PACKINGS):
        raise UserError(
            f"{registers.name}: RELOAD_LIMITS reads packing {limits['packing']}, expected 0 to "
            f"{len(PACKINGS) - 1}; load the bitstream again"
        )
    hw = HwConfig(info.rows, info.cols, info.lanes, PACKINGS[limits.pop("packing")])
    return model_image(artifact.model, Layout(artifact.model.config, hw), ReloadLimits(**limits))


def fixed_model(
    where: str, remedy: str = "build it with: gateformer build BOARD --reload"
) -> UserError:
    """An accelerator takes no models; ``remedy``: how to make one that does."""
    return UserError(f"{where}: the accelerator's model is fixed; {remedy}")


def check_shape(where: str, config: ModelConfig, other: ModelConfig) -> None:
    """UserError, naming the first difference, unless an accelerator may take the other model."""
    for name in SHAPE:
        have, wanted = getattr(config, name), getattr(other, name)
        if have != wanted:
            raise UserError(
                f"{where}: the accelerator has {name} {have}, the model {wanted}; only a model of "
                "the same shape can be loaded: build one for this model"
            )


def send_image(
    registers: RegisterFile,
    words: Sequence[int],
    timeout: float,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Load an image; the core must be idle. ``progress`` gets the number of words so far.

    Raises
    ------
    UserError
        If the core refuses it (names the cause), or has not decided within the timeout.
    """
    registers.write("LOAD_CONTROL", begin=1)
    for number, word in enumerate(words):
        registers.write("LOAD_DATA", word=word)
        if progress is not None:
            progress(number + 1)
    end = time.monotonic() + timeout
    while (status := registers.read("LOAD_STATUS"))["loading"]:
        if time.monotonic() >= end:
            raise UserError(
                f"{registers.name}: the core still waits for words of the image, or checks it, "
                f"after {timeout:g} s; load it again"
            )
    if not status["loaded"] or status["refusal"]:
        cause = REFUSALS.get(status["refusal"], f"cause {status['refusal']} is unknown")
        kept = "the old model is still there"
        if not status["loaded"]:
            kept = "it has no model now: load again"
        raise UserError(f"{registers.name}: the core refused the image: {cause}; {kept}")
