"""What a console needs of a model beside the core, as sections of the image that loads it."""

from __future__ import annotations

from collections.abc import Sequence

from gateformer.model.contract.integer_model import IntegerModel

from ..compiler.program import Program
from ..compiler.reload_image import Contents, Section, contents, image_size, image_words, shape_word
from ..plan.layout import Layout
from ..plan.reload_limits import ReloadLimits
from .load_messages import LABEL_BYTES, LoadTexts, label_text
from .vocabulary import TEXT_LAYOUT, vocabulary_depth, vocabulary_words

VOCABULARY, LABEL = "vocabulary", "label"
BYTE = 8


def further_sections(vocab_size: int) -> list[Section]:
    """The sections of :func:`console_sections`."""
    return [
        Section(VOCABULARY, TEXT_LAYOUT.size, vocabulary_depth(vocab_size)),
        Section(LABEL, BYTE, LABEL_BYTES),
    ]


def console_sections(
    vocabulary: Sequence[str], logit_scale: float, *, name: str, digest: str
) -> list[Contents]:
    """The sections that follow the core's: "vocabulary" and "label".

    "vocabulary": the words of :class:`gateware.console.vocabulary.ConsoleVocabulary`'s memory,
    texts first, then temperatures. "label": a byte per write of what ``/info`` shows as name and
    digest (:func:`gateware.console.load_messages.label_text`).

    Raises UserError as :func:`gateware.console.vocabulary.token_texts`.
    """
    writes = (
        vocabulary_words(vocabulary, logit_scale),
        list(label_text(name, digest).encode()),
    )
    sections = further_sections(len(vocabulary))
    return [Contents(*entry) for entry in zip(sections, writes, strict=True)]


def console_image(
    model: IntegerModel, layout: Layout, limits: ReloadLimits, *, name: str
) -> list[int]:
    """The image of a model for a core of that layout and those limits, with its console.

    Raises
    ------
    UserError
        If the model is not within the limits, or as
        :func:`gateware.console.vocabulary.token_texts`.
    """
    loaded = [
        *contents(model, layout, limits),
        *console_sections(model.vocabulary, model.logit_scale, name=name, digest=model.digest),
    ]
    return image_words(loaded, shape_word(layout, limits, [entry.section for entry in loaded]))


def load_texts(program: Program) -> LoadTexts:
    """What a console says of the images of its core, which has limits."""
    further = further_sections(program.model.config.vocab_size)
    sections = [*(entry.section for entry in program.contents), *further]
    shape = shape_word(program.layout, program.limits, sections)
    return LoadTexts(image_size(sections), shape, program.limits)
