"""The image with which a Zynq board's firmware loads another model (docs/console.md).

Two images in a row: the tables of the firmware, which stay in the processor's memory, then the
core's. A fault in the first leaves the model that was there.
"""

from __future__ import annotations

from gateformer.gateware.compiler.reload_image import (
    Section,
    contents,
    image_size,
    image_words,
    model_image,
    shape_word,
)
from gateformer.gateware.console.image import console_sections, further_sections
from gateformer.gateware.console.load_messages import LoadTexts
from gateformer.gateware.plan.layout import Layout
from gateformer.gateware.plan.reload_limits import ReloadLimits
from gateformer.model.contract.integer_model import IntegerModel


def firmware_image(
    model: IntegerModel, layout: Layout, limits: ReloadLimits, *, name: str
) -> list[int]:
    """The image of a model for a core of that layout and those limits, with its firmware.

    Raises
    ------
    UserError
        If the model is not within the limits, or as
        :func:`gateware.console.vocabulary.token_texts`.
    """
    core = [entry.section for entry in contents(model, layout, limits)]
    tables = console_sections(model.vocabulary, model.logit_scale, name=name, digest=model.digest)
    shape = _tables_shape(layout, limits, core)
    return [*image_words(tables, shape), *model_image(model, layout, limits)]


def table_words(vocab_size: int) -> int:
    """Words of the first of the two images."""
    return image_size(further_sections(vocab_size))


def firmware_load_texts(model: IntegerModel, layout: Layout, limits: ReloadLimits) -> LoadTexts:
    """What the firmware says of images, which are of the same shape as ``model``."""
    core = [entry.section for entry in contents(model, layout, limits)]
    words = table_words(model.config.vocab_size) + image_size(core)
    return LoadTexts(words, _tables_shape(layout, limits, core), limits)


def _tables_shape(layout: Layout, limits: ReloadLimits, core: list[Section]) -> int:
    """The first word: that of no console in gateware, whose sections come in another order."""
    return shape_word(layout, limits, [*further_sections(layout.config.vocab_size), *core])
