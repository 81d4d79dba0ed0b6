"""What is written into a running core to make it another model's: sections, words, checks.

An image is a sequence of 32-bit words (docs/reload.md):

1. the shape: 32 bits that only cores have into which it fits (:func:`shape_word`);
2. each section, word by word, lowest 32 bits first, the last ones padded with zeros;
3. the signature of what was written;
4. the CRC of all that (:data:`CHECKSUM`).

The CRC is of what arrived. The signature is of what the memories hold: a sweep reads them again,
``signature = shifted(signature) ^ folded(words read)`` once per address.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import operator
from collections.abc import Iterable

from amaranth.lib import crc, data
from amaranth.utils import ceil_log2

from gateformer.model.contract import arith
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.integer_model import IntegerModel
from gateformer.model.support.cache import digest

from ..engines.ternary.packing import weight_format
from ..parts.integers import ceil_div
from ..plan.layout import Layout
from ..plan.reload_limits import SCALE_WIDTH, ReloadLimits
from .memory_images import MemoryImages, build_images

FORMAT_VERSION = 1
UNIT = 32
"""Bits of a word of the image."""

CHECK_BITS = 16
"""Bits per step of the checksum, the lowest of a word first."""

CHECKSUM = crc.Algorithm(
    crc_width=UNIT,
    polynomial=0xC5,
    initial_crc=0xFFFFFFFF,
    reflect_input=True,
    reflect_output=True,
    xor_output=0xFFFFFFFF,
)(CHECK_BITS)
"""CRC of 32 bits with x^32 + x^7 + x^6 + x^2 + 1. It is primitive: like Ethernet's, it finds all
errors of two bits in images of up to 512 MiB, and all bursts of up to 32 bits. It takes a third of
the logic, since in a step of 16 bits nothing comes round twice."""

SIGNATURE_TAPS = int(f"{0xC5:032b}"[::-1], 2)
"""Feedback of the signature, of the same polynomial; its period is longer than any sweep."""

FIRST_SIGNATURE = 0xFFFFFFFF

DIGEST_WORDS = 8
DIGEST, CONSTANTS, SCALES, ARRAY, WEIGHTS = "digest", "constants", "scales", "array", "weights"


@dataclasses.dataclass(frozen=True)
class Section:
    """A memory, or the part of one, that is loaded.

    Parameters
    ----------
    name : str
    width : int
        Bits of what is written at once.
    depth : int
        Addresses, from 0.
    parts : int
        Writes per address, the lowest bits of its word first.
    swept : bool
        It is read again, and goes into the signature.
    """

    name: str
    width: int
    depth: int
    parts: int = 1
    swept: bool = True

    @property
    def units(self) -> int:
        """Words of the image per write."""
        return ceil_div(self.width, UNIT)

    @property
    def size(self) -> int:
        """Words of the image."""
        return self.units * self.parts * self.depth


@dataclasses.dataclass(frozen=True)
class Contents:
    """A section and what it is to hold: one unsigned integer per write, in order."""

    section: Section
    writes: list[int]


def constants_layout(config: ModelConfig, limits: ReloadLimits) -> data.StructLayout:
    """Numbers of a model that are in no memory.

    ``token_mult`` and ``position_mult``, and for each layer which of ``limits.shifts`` its score
    shift is.
    """
    mult = arith.MULT_MAX.bit_length()
    select = ceil_log2(limits.score_shifts)
    return data.StructLayout(
        {
            "token_mult": mult,
            "position_mult": mult,
            "shift_selects": data.ArrayLayout(select, config.n_layers),
        }
    )


def digest_words(model_digest: str) -> list[int]:
    """The model's digest as the registers ARTIFACT_HASH show it."""
    return [int(model_digest[8 * i : 8 * i + 8], 16) for i in range(DIGEST_WORDS)]


def contents(
    model: IntegerModel, layout: Layout, limits: ReloadLimits, images: MemoryImages | None = None
) -> list[Contents]:
    """All that is loaded, in the image's order; ``images`` are those of the same arguments.

    The digest comes first: nothing that the model computes depends on it, so it is not swept.

    Raises UserError if the model is not within the limits.
    """
    limits.check(model)
    images = images or build_images(model, layout, limits)
    rows = layout.rows
    constants = constants_layout(model.config, limits)
    constant = constants.const(
        {
            "token_mult": model.token_mult,
            "position_mult": model.position_mult,
            "shift_selects": [limits.shifts.index(shift) for shift in model.score_shifts],
        }
    )
    scale_mask = (1 << SCALE_WIDTH) - 1
    scales = [
        sum((scale & scale_mask) << SCALE_WIDTH * row for row, scale in enumerate(word))
        for word in images.scale_words
    ]
    group = 8 * rows
    loaded = images.array_words[: layout.key_base(0)]
    groups = [
        word >> group * i & (1 << group) - 1 for word in loaded for i in range(layout.memory_groups)
    ]
    weight_width = weight_format(layout.hw.packing).width(rows, layout.hw.cols)
    return [
        Contents(Section(DIGEST, UNIT, DIGEST_WORDS, swept=False), digest_words(model.digest)),
        Contents(Section(CONSTANTS, constants.size, 1), [constant.as_value().value]),
        Contents(Section(SCALES, SCALE_WIDTH * rows, len(scales)), scales),
        Contents(Section(ARRAY, group, len(loaded), layout.memory_groups), groups),
        Contents(
            Section(WEIGHTS, weight_width, len(images.weight_words)), list(images.weight_words)
        ),
    ]


def shape_word(layout: Layout, limits: ReloadLimits, sections: Iterable[Section]) -> int:
    """32 bits that a core has in common with the images that fit it, and with no others."""
    facts = {
        "format": FORMAT_VERSION,
        "spec": arith.SPEC_VERSION,
        "config": layout.config.to_dict(),
        "sizes": [layout.hw.rows, layout.hw.cols, layout.hw.lanes, layout.hw.packing],
        "limits": dataclasses.asdict(limits),
        "sections": [dataclasses.asdict(section) for section in sections],
    }
    return int(digest(json.dumps(facts, sort_keys=True))[:8], 16)


def image_size(sections: Iterable[Section]) -> int:
    """Words of an image: shape, sections, signature and CRC."""
    return 1 + sum(section.size for section in sections) + 2


def image_words(loaded: list[Contents], shape: int) -> list[int]:
    """The complete image of a shape and its contents, 32 bits each."""
    words = [shape]
    for entry in loaded:
        for write in entry.writes:
            words += [write >> UNIT * i & 0xFFFFFFFF for i in range(entry.section.units)]
    words.append(signature(loaded))
    return [*words, checksum(words)]


def checksum(words: Iterable[int]) -> int:
    """The CRC of an image's words before it, 32 bits."""
    mask = (1 << CHECK_BITS) - 1
    steps = range(0, UNIT, CHECK_BITS)
    return CHECKSUM.compute(word >> shift & mask for word in words for shift in steps)


def model_image(model: IntegerModel, layout: Layout, limits: ReloadLimits) -> list[int]:
    """The image of a model for a core of that layout and those limits.

    Raises UserError if the model is not within the limits.
    """
    loaded = contents(model, layout, limits)
    return image_words(loaded, shape_word(layout, limits, [entry.section for entry in loaded]))


def shifted(state: int) -> int:
    """The signature so far, before what is read next goes into it."""
    return state >> 1 ^ (SIGNATURE_TAPS if state & 1 else 0)


def folded(word: int) -> int:
    """32 bits, bit i the parity of bits i, i + 32, … of a word of any width."""
    result = 0
    while word:
        result ^= word & 0xFFFFFFFF
        word >>= UNIT
    return result


def signature(loaded: list[Contents]) -> int:
    """32 bits of all that a sweep reads.

    It reads section after section, address after address, part after part. The other memories are
    read at address 0 (part 0), and what they hold goes into the signature, too.
    """
    swept = [entry for entry in loaded if entry.section.swept]
    resting = functools.reduce(operator.xor, (folded(entry.writes[0]) for entry in swept))
    result = FIRST_SIGNATURE
    for entry in swept:
        others = resting ^ folded(entry.writes[0])
        for write in entry.writes:
            result = shifted(result) ^ others ^ folded(write)
    return result
