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
from gateformer.model.support.file_facts import Facts

from ..boards.target import PROCESSOR
from ..firmware.image import firmware_image
from ..host.load import ANOTHER_SHAPE, SHAPE, check_shape, fixed_model
from ..support.build_directory import REPORT
from .link import SIMULATION

_NUMBER = "([0-9]{1,20})"
"""At most 64 bits: more digits are noise on the line."""
_LIMITS = " ".join([_NUMBER] * 4)
_IMAGE = re.compile(f"image {_NUMBER} words, shape ([0-9a-f]{{8}}), limits {_LIMITS}")
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


def built_files(directory: Path) -> list[Path]:
    """The report of a build, and the files that it says are the build's."""
    path = directory / REPORT
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["files"]
        return [path, *(directory / Path(name).name for name in names)]
    except (OSError, ValueError, KeyError, TypeError):  # as built_request tells
        return [path]


def built_request(directory: Path) -> ImageRequest:
    """From a build directory.

    Raises UserError if it has no report that can be read, or its build takes no images.
    """
    path = directory / REPORT
    try:
        content = Facts.parse(path, path.read_bytes())
        target, hardware = content.table("board"), content.table("hardware")
        config = ModelConfig.from_dict(content.table("model").table("config").content)
        simulated = target.text("name") == SIMULATION
        processor = not simulated and target.text("console") == PROCESSOR
        if "limits" not in hardware.content:  # it is null if the model is fixed
            raise UserError(f"{path}: hardware.limits is missing")
        limits = hardware.table("limits", default=None)
        if limits is not None:
            names = [field.name for field in dataclasses.fields(ReloadLimits)]
            limits = ReloadLimits(**{name: limits.integer(name, 0, 63) for name in names})
        hw = _sizes(hardware)
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror}; name the directory of a build, like build/zybo"
        ) from None
    except UserError as error:
        cause = str(error).removeprefix(f"{path}: ")
        raise UserError(f"{path} is no report of this version ({cause}); build again") from None
    if simulated:
        raise UserError(
            f"{directory} is a build of the simulation, which takes no image files; name a "
            "board's, like build/zybo"
        )
    if limits is None:
        raise fixed_model(str(directory))
    make = firmware_image if processor else console_image
    return ImageRequest(str(directory), config, hw, limits, (make,))


def _sizes(hardware: Facts) -> HwConfig:
    """The sizes of a report's section; UserError for one of another kind."""
    sizes = {}
    for field in dataclasses.fields(HwConfig):
        kind = type(field.default)
        value = hardware.content.get(field.name)
        if type(value) is not kind:
            raise hardware.refused(field.name, f"of type {kind.__name__}", value)
        sizes[field.name] = value
    return HwConfig(**sizes)
