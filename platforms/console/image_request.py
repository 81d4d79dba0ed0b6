"""What image a console takes: as it says itself, or as the report of its build does."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

from gateformer.gateware.console.image import console_image
from gateformer.gateware.plan.hw_config import PACKINGS, HwConfig
from gateformer.gateware.plan.layout import Layout
from gateformer.gateware.plan.reload_limits import ReloadLimits
from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.config import ModelConfig
from gateformer.model.support.errors import UserError

from ..boards.board import board
from ..boards.target import PROCESSOR
from ..firmware.image import firmware_image
from ..host.load import ANOTHER_SHAPE, SHAPE, check_shape, fixed_model
from ..support.build_directory import REPORT

_IMAGE = re.compile(r"image (\d+) words, shape ([0-9a-f]{8}), limits (\d+) (\d+) (\d+) (\d+)")
_FACT = re.compile(r"(\w+) (\w+)")


@dataclasses.dataclass(frozen=True)
class ImageRequest:
    """What an image must be.

    Parameters
    ----------
    where : str
        Whose it is, for messages.
    config : ModelConfig
    hw : HwConfig
    limits : ReloadLimits
    makers : tuple of function
        :func:`console_image`, :func:`firmware_image`, or both if it is not known which.
    first : (int, int), optional
        Number of words, and the first one.
    """

    where: str
    config: ModelConfig
    hw: HwConfig
    limits: ReloadLimits
    makers: tuple[Callable, ...] = (console_image, firmware_image)
    first: tuple[int, int] | None = None

    def image(self, artifact: Artifact) -> bytes:
        """The image of a model, words of 4 bytes, lowest byte first.

        Raises UserError if the model does not fit (names what differs), or has a token that no
        console can show.
        """
        model = artifact.model
        check_shape(self.where, self.config, model.config)
        layout = Layout(model.config, self.hw)
        known = self.first is None and model.config != self.config
        for make in () if known else self.makers:
            words = make(model, layout, self.limits, name=artifact.name)
            if self.first in (None, (len(words), words[0])):
                return b"".join(word.to_bytes(4, "little") for word in words)
        raise UserError(f"{self.where}: {ANOTHER_SHAPE}; build one for this model")


def parse_request(where: str, info: tuple[str, ...], line: str) -> ImageRequest:
    """From the lines of ``/info`` and the one about images; without their ``# ``.

    Raises UserError if they say something else.
    """
    facts = dict(_FACT.findall(" ".join(info[-2:])))
    image = _IMAGE.fullmatch(line)
    try:
        if not image:
            raise ValueError
        count, shape, *limits = image.groups()
        return ImageRequest(
            where,
            ModelConfig(**{name: int(facts[name]) for name in SHAPE}),
            HwConfig(
                *(int(facts[name]) for name in ("rows", "cols", "lanes")), _packing(where, facts)
            ),
            ReloadLimits(*map(int, limits)),
            first=(int(count), int(shape, 16)),
        )
    except (KeyError, ValueError):
        said = " / ".join((*info[-2:], line))
        raise UserError(
            f"{where} does not say what images it takes, but {said!r}; try again, or build it with "
            "this version of the program"
        ) from None


def _packing(where: str, facts: dict[str, str]) -> str:
    if facts["packing"] not in PACKINGS:
        raise UserError(
            f"{where}: packing is {facts['packing']}, expected {' or '.join(PACKINGS)}; build "
            "bitstream and firmware again, with the same options"
        )
    return facts["packing"]


def built_request(directory: Path) -> ImageRequest:
    """From a build directory.

    Raises UserError if it has no report that can be read, or its build takes no images.
    """
    path = directory / REPORT
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        target, hardware = content["board"], dict(content["hardware"])
        limits = hardware.pop("limits")
        sizes = {field.name: hardware[field.name] for field in dataclasses.fields(HwConfig)}
        config = ModelConfig.from_dict(content["model"]["config"])
        processor = board(target["name"], target["variant"]).console == PROCESSOR
        limits = limits and ReloadLimits(**limits)
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror}; name the directory of a build, like build/zybo"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is no report of this version; build again") from None
    if limits is None:
        raise fixed_model(str(directory))
    make = firmware_image if processor else console_image
    return ImageRequest(str(directory), config, HwConfig(**sizes), limits, (make,))
