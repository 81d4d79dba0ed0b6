"""Compiler: an imported model to the program and the memory images of its core."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np

from gateformer.model.contract.arith import round_shift
from gateformer.model.contract.decoder import arith
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError

from ..compiler.program import PROMPT_OVERHEAD, TOKEN_OVERHEAD
from ..engines.sampler.sampler import Sampler
from ..engines.sampler.scheme import VERSION_2
from ..parts.elaboration import may_stay_unused
from ..plan.hw_config import HwConfig
from .images import DecoderImages
from .instruction import Instruction
from .lanes import DecoderLanes
from .layout import DecoderLayout
from .serial.requantizer import Requantizer
from .serial.residual import Residual
from .softmax import DecoderSoftmax
from .tables import parameter_widths, position_width
from .timeline import SharedSpan, timeline
from .timing import Timing
from .token_program import TokenProgram


class DecoderProgram:
    """Everything that the core of ``model`` on hardware ``hw`` (its ``lanes``) consists of.

    Attributes
    ----------
    layout : DecoderLayout
    eps : tuple of int, those that the norms have
    images : DecoderImages
    widths : tuple of int, the widths that results are clamped to
    shifts : int, the largest of the second requantization
    sum_width : int, bits of a product of query and key
    instructions : list of Instruction, with waits

    Raises
    ------
    UserError
        Naming what this core does not have.
    """

    limits = None
    """No core of this kind is loaded with another model."""
    streams = 1
    """Texts side by side: several for a model in external memory only."""
    lanes_type = DecoderLanes

    def __init__(self, model: DecoderModel, hw: HwConfig):
        if hw.reload:
            raise UserError("the core of an imported model cannot be loaded with another one yet")
        if hw.all_streams > 1:
            raise UserError(
                "an imported model that is held on chip takes 1 stream, not "
                f"{hw.all_streams}; leave --streams out"
            )
        self.model, self.hw = model, hw
        self.layout = DecoderLayout(model.config, hw.lanes)
        self._compile()

    def _compile(self) -> None:
        """Instructions, units and latencies."""
        model = self.model
        self.images = self._empty_images()
        self._check_embedding()
        bits = model.config.bits
        self.widths = tuple(sorted(set(dataclasses.asdict(bits).values())))
        self.eps = tuple(sorted({norm.eps for norm in model.norms.values()}))
        plain = list(self._plain())
        self.shifts = max(max(item.shift, item.odd_shift) for item in plain)
        lanes, softmax, residual = self.build_lanes(), self.build_softmax(), self.build_residual()
        requantizer = self.build_requantizer()
        self.sum_width = lanes.sum_width
        self._sampler = self.build_sampler()
        may_stay_unused(lanes, softmax, residual, requantizer, self._sampler)
        # the reciprocal of the sum that the last beat of WEIGH adds to, for the beat after it
        reciprocal = softmax.RECIPROCAL_GAP + softmax.RECIPROCAL_LATENCY - 1
        self.timing = Timing(
            max(lanes.total_latency, reciprocal),
            requantizer.latency,
            softmax.maximum_latency,
            residual.prepare_gap + residual.prepare_latency,
        )
        self.instructions = self._with_waits(plain)

    def _with_waits(self, plain: list[Instruction]) -> list[Instruction]:
        return self.timing.with_waits(plain)

    def _plain(self) -> Iterator[Instruction]:
        """The instructions without waits; the images are filled on the way."""
        token = TokenProgram(self.model, self.layout, self.images, self.widths, self.eps)
        return token.instructions()

    @property
    def address_words(self) -> int:
        """Words that a beat's address tells apart."""
        return max(self.images.depth, self.layout.cache_words)

    @property
    def parameter_words(self) -> int:
        """Multipliers with their biases that a beat tells apart."""
        return len(self.images.parameters)

    @property
    def parameter_widths(self) -> tuple[int, int]:
        """Bits of a multiplier and of a bias, signed."""
        return parameter_widths(self.images.parameters)

    def _empty_images(self) -> DecoderImages:
        return DecoderImages(self.model, self.layout.lanes)

    @property
    def token_words(self) -> int:
        """Words of a row of the token embedding."""
        return self.layout.words(self.model.config.d_model)

    # new units for one core; ``dsp`` as of :mod:`gateware.parts.multiplier`

    def build_lanes(self, dsp: str = "generic") -> DecoderLanes:
        """Weights, keys, values and activations, and what multiplies them."""
        bits = self.model.config.bits
        activation = arith.limit(max(bits.norm, bits.attention, bits.hidden))
        return self.lanes_type(
            layout=self.layout,
            stores=self.images.stores,
            most_total=self._most_row * activation,
            dsp=dsp,
        )

    @functools.cached_property
    def _most_row(self) -> int:
        return max(matrix.row_bound for matrix in self.model.matrices.values())

    def build_softmax(self) -> DecoderSoftmax:
        """The softmax of their scores."""
        lanes = self.build_lanes()
        may_stay_unused(lanes)
        return DecoderSoftmax(
            segments=self.layout.segments,
            ctx_len=self.model.config.ctx_len,
            score_shifts=[layer.score_shift for layer in self.model.layers],
            sum_width=lanes.sum_width,
            dot_latency=lanes.sums_latency,
        )

    def build_residual(self, dsp: str = "generic") -> Residual:
        """The residual stream and its norms."""
        cfg = self.model.config
        return Residual(
            d_model=cfg.d_model,
            bits=cfg.bits.residual,
            layer_norm=cfg.norm == "layer",
            eps=self.eps,
            dsp=dsp,
        )

    def build_requantizer(self, dsp: str = "generic") -> Requantizer:
        """What every number of the core's engines goes through: as wide as any of them."""
        model, cfg = self.model, self.model.config
        lanes, residual = self.build_lanes(), self.build_residual()
        may_stay_unused(lanes, residual)
        embedding = model.position_embedding
        position = 1 if embedding is None else position_width(embedding)
        factor_width, bias_width = self.parameter_widths
        total_bits = (arith.PROBABILITY_MAX * cfg.ctx_len).bit_length()
        mean_shift = arith.RECIPROCAL_BITS - arith.MEAN_V_BITS + total_bits - 1
        entering = (lanes.total_width, lanes.mean_width, residual.centred_width, position)
        mean_width = DecoderSoftmax.mean_width(cfg.bits.value)
        return Requantizer(
            a_width=max(entering),
            b_width=max(residual.root_width, arith.RECIPROCAL_BITS + 1),
            factor_width=factor_width,
            bias_width=bias_width,
            first_shifts=max(2 ** len(residual.exponent) - 1, mean_shift),
            shifts=self.shifts,
            middle_width=max(lanes.total_width, residual.normalized_width, mean_width, position),
            widths=self.widths,
            dsp=dsp,
        )

    def build_sampler(self) -> Sampler:
        """A new one for one core."""
        return Sampler(
            vocab_size=self.model.config.vocab_size,
            logit_width=self.model.config.bits.logit,
            scheme=VERSION_2,
        )

    def cycles(
        self,
        position: int,
        *,
        sampled: bool = False,
        top_k: bool = False,
        top_p: bool = False,
        predict: bool = True,
    ) -> int:
        """Exact core cycles of the token at ``position``: as
        :meth:`gateware.compiler.program.Program.cycles`."""
        total = 0
        for item in self.instructions:
            total += self._duration(item, position)
            if not predict and item.ends_prompt_token:
                return total + PROMPT_OVERHEAD
        sampler = self._sampler
        choose = sampler.sampled_latency(top_k, top_p) if sampled else sampler.greedy_latency
        # the last beat's cycle is counted in the beats and in the latency after it
        return total - 1 + self.timing.value_latency + choose + TOKEN_OVERHEAD

    def _duration(self, item: Instruction, position: int) -> int:
        """Cycles from an instruction's first beat to the next one's."""
        return item.beats(position) + item.wait

    def cycles_by_position(self, **kwargs) -> list[int]:
        """:meth:`cycles` for every position of the context."""
        return [self.cycles(p, **kwargs) for p in range(self.model.config.ctx_len)]

    def timeline(self, position: int) -> list[SharedSpan]:
        """What every part does in the cycles of a greedy token at ``position``."""
        return timeline(self.instructions, position, self.cycles(position))

    def _check_embedding(self) -> None:
        """The sum of a token's and its position's embedding is limited, neither of them alone."""
        model, bits = self.model, self.model.config.bits.residual
        matrix = model.matrices["token_embedding"]
        rows = np.abs(matrix.weight(slice(None)).astype(np.int64)).max(axis=1)
        products = {"token_embedding": (rows * np.asarray(matrix.mult, np.int64), matrix.shift)}
        if model.position_embedding is not None:
            place = np.abs(np.asarray(model.position_embedding, np.int64)) * model.position_mult
            products["position_embedding"] = (place, model.position_shift)
        for name, (product, shift) in products.items():
            reached = int(round_shift(product, shift).max())
            if reached > arith.limit(bits):
                raise UserError(
                    f"{name} reaches {reached}, which a residual of {bits} bits does not hold; "
                    "import the model again"
                )
