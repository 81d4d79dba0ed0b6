"""The core of any model, by the version of its number contract."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.contract.integer_model import IntegerModel

from ..compiler.program import Program
from ..compiler.reload_image import Section
from ..core import taps
from ..core.core import Core
from ..core.interleaved_core import InterleavedCore
from ..core.several_cores import SeveralCores
from ..core.taps import TapPort
from ..decoder import taps as decoder_taps
from ..decoder.core import DecoderCore
from ..decoder.program import DecoderProgram
from ..plan.hw_config import HwConfig
from ..streamed.core import StreamedCore
from ..streamed.program import StreamedProgram

AnyProgram = Program | DecoderProgram


def compile_model(model: IntegerModel | DecoderModel, hw: HwConfig) -> AnyProgram:
    """The program of a core for ``model``; UserError as those of the two kinds."""
    kind = DecoderProgram if isinstance(model, DecoderModel) else Program
    return kind(model, hw)


def build_core(
    program: AnyProgram,
    *,
    dsp: str = "generic",
    further: Sequence[Section] = (),
    taps: bool = False,
) -> Core | DecoderCore | InterleavedCore | SeveralCores | StreamedCore:
    """The core of a program; parameters as :class:`gateware.core.core.Core`."""
    if isinstance(program, StreamedProgram):
        return StreamedCore(program, dsp=dsp, taps=taps)
    if isinstance(program, DecoderProgram):
        return DecoderCore(program, dsp=dsp, taps=taps)
    if program.hw.cores > 1:
        return SeveralCores(program, dsp=dsp, taps=taps)
    if program.streams > 1:
        return InterleavedCore(program, dsp=dsp, taps=taps)
    return Core(program, dsp=dsp, further=further, taps=taps)


def tap_ports(program: AnyProgram) -> list[TapPort]:
    """All tap ports of a core."""
    return _taps(program).tap_ports(program)


def check_taps(
    program: AnyProgram, records: dict[str, np.ndarray], tokens: list[int], prompt_length: int
) -> int:
    """Compare recorded taps with the reference: :func:`gateware.core.taps.check_taps`."""
    return _taps(program).check_taps(program, records, tokens, prompt_length)


def _taps(program: AnyProgram):
    return decoder_taps if isinstance(program, DecoderProgram) else taps
