"""What the serial console of an imported model takes beyond a trained model's."""

from __future__ import annotations

from amaranth.utils import ceil_log2

from gateformer.gateware.console.dialect import TOP_P_STEPS
from gateformer.gateware.console.imported.pieces import Pieces
from gateformer.gateware.console.vocabulary import TEXT_BYTES
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.contract.decoder.sampling import TOP_P_ONE

from ...families.family import Family
from ..memory import MemoryShape, Style, map_memory
from ..resource_model import Prediction

LOGIC = Prediction(lut=256, ff=152, bram=0, dsp=0)
"""LUT4 and flip-flops, synthesized for ECP5 with the vocabulary of stories260K; of LUTs with more
inputs there are fewer."""
BYTE_BITS = 9


def console_more(family: Family, model: DecoderModel) -> Prediction:
    """Logic, and the memories of pieces, of characters and of top-p.

    A piece that another one ends with is counted again. Raises UserError as
    :meth:`gateware.console.imported.pieces.Pieces.of`.
    """
    pieces = Pieces.of(model)
    content = max(sum(map(len, pieces.texts)), 2)
    token = ceil_log2(model.config.vocab_size)
    # a LUT memory of the Gowin family begins empty
    small = Style.BLOCK if family.name == "gowin" else Style.AUTOMATIC
    shapes = [
        MemoryShape(len(pieces.texts), ceil_log2(content) + 1, Style.BLOCK, rom=True),
        MemoryShape(content, BYTE_BITS, Style.BLOCK, rom=True),
        MemoryShape(TOP_P_STEPS, TOP_P_ONE.bit_length(), small, rom=True),
    ]
    if pieces.of_characters:
        width = 8 * TEXT_BYTES + token
        shapes.append(MemoryShape(len(pieces.of_characters), width, Style.BLOCK, rom=True))
    mappings = [map_memory(family, shape) for shape in shapes]
    luts, brams = sum(m.lut for m in mappings), sum(m.bram for m in mappings)
    return LOGIC + Prediction(luts, 0, brams, 0, sites=luts + LOGIC.lut if family.sites else 0)
