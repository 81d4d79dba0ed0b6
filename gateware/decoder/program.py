"""Compiler: an imported model to the program and the memory images of its core."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from gateformer.model.contract.decoder import arith
from gateformer.model.contract.decoder.matrix import Matrix
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError

from ..compiler.program import PROMPT_OVERHEAD, TOKEN_OVERHEAD
from ..engines.sampler.sampler import Sampler
from ..engines.sampler.scheme import VERSION_2
from ..parts.elaboration import may_stay_unused
from ..plan.hw_config import HwConfig
from .instruction import Instruction, Sink, Source
from .lanes import DecoderLanes
from .layout import DecoderLayout
from .softmax import DecoderSoftmax
from .timing import Timing


@dataclasses.dataclass(frozen=True)
class Place:
    """Of a matrix: its first word of weights and its first multiplier."""

    address: int
    parameter: int


class DecoderProgram:
    """Everything that the core of ``model`` on hardware ``hw`` (its ``lanes``) consists of.

    Attributes
    ----------
    layout : DecoderLayout
    eps : tuple of int, those that the norms have
    code_bits : int, of a weight in memory, signed
    weight_words : list of int, unsigned, lane 0 lowest
    parameters : list of (multiplier or gain, bias times its power of two)
    widths : tuple of int, the widths that results are clamped to
    sum_width : int, bits of a product of query and key
    instructions : list of Instruction, with waits

    Raises
    ------
    UserError
        Naming the matrix whose format has scales of groups, or what else this core does not have.
    """

    limits = None
    """No core of this kind is loaded with another model."""

    def __init__(self, model: DecoderModel, hw: HwConfig):
        if hw.reload:
            raise UserError("the core of an imported model cannot be loaded with another one yet")
        self.model, self.hw = model, hw
        self.layout = DecoderLayout(model.config, hw.lanes)
        for name, matrix in model.matrices.items():
            if matrix.format.group:
                raise UserError(
                    f"{name} has weights of format {matrix.format}, with scales of groups, which "
                    "cannot become gateware yet; import the model with --bits 8, 6, 5, 4 or trits:N"
                )
        self._check_embedding()
        bits = model.config.bits
        self.widths = tuple(sorted({*dataclasses.asdict(bits).values(), arith.LOGIT_BITS}))
        self.eps = tuple(sorted({norm.eps for norm in model.norms.values()}))
        self.code_bits = max(_code_bits(matrix) for matrix in model.matrices.values())
        self.weight_words: list[int] = []
        self.parameters: list[tuple[int, int]] = []
        self._places: dict[str, Place] = {}
        self.token_place = self._place("token_embedding")
        plain = list(self._token_program())
        lanes, softmax = self.build_lanes(), self.build_softmax()
        self.sum_width = lanes.sum_width
        self._sampler = self.build_sampler()
        may_stay_unused(lanes, softmax, self._sampler)
        self.timing = Timing(lanes.total_latency, softmax.maximum_latency)
        self.instructions = self.timing.with_waits(plain)

    @property
    def token_words(self) -> int:
        """Words of a row of the token embedding."""
        return self.layout.words(self.model.config.d_model)

    def build_lanes(self) -> DecoderLanes:
        """New ones for one core."""
        return DecoderLanes(
            layout=self.layout, code_bits=self.code_bits, weight_words=self.weight_words
        )

    def build_softmax(self) -> DecoderSoftmax:
        """A new one for one core."""
        lanes = self.build_lanes()
        may_stay_unused(lanes)
        return DecoderSoftmax(
            segments=self.layout.segments,
            ctx_len=self.model.config.ctx_len,
            score_shifts=[layer.score_shift for layer in self.model.layers],
            sum_width=lanes.sum_width,
            dot_latency=lanes.sums_latency,
        )

    def build_sampler(self) -> Sampler:
        """A new one for one core."""
        return Sampler(
            vocab_size=self.model.config.vocab_size,
            logit_width=arith.LOGIT_BITS,
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
            total += item.beats(position) + item.wait
            if not predict and item.ends_prompt_token:
                return total + PROMPT_OVERHEAD
        sampler = self._sampler
        choose = sampler.sampled_latency(top_k, top_p) if sampled else sampler.greedy_latency
        # the last beat's cycle is counted in the beats and in the latency after it
        return total - 1 + self.timing.value_latency + choose + TOKEN_OVERHEAD

    def cycles_by_position(self, **kwargs) -> list[int]:
        """:meth:`cycles` for every position of the context."""
        return [self.cycles(p, **kwargs) for p in range(self.model.config.ctx_len)]

    @functools.cached_property
    def norms(self) -> list[str]:
        """Names of norms in the order of the program."""
        return [item.name for item in self.instructions if item.source is Source.NORM]

    # Memory images

    def _place(self, name: str, rows=None) -> Place:
        matrix = self.model.matrices[name]
        order = np.arange(matrix.shape[0]) if rows is None else rows
        return self._add(
            name, matrix.weight(order), [matrix.mult[r] for r in order], _biases(matrix, order)
        )

    def _add(self, name, weights, mult, bias) -> Place:
        place = Place(len(self.weight_words), len(self.parameters))
        self.weight_words += self._words(weights)
        self.parameters += [(int(m), int(b)) for m, b in zip(mult, bias, strict=True)]
        self._places[name] = place
        return place

    def _words(self, weights: np.ndarray) -> list[int]:
        lanes, mask = self.layout.lanes, (1 << self.code_bits) - 1
        padded = np.pad(weights, ((0, 0), (0, -weights.shape[1] % lanes)))
        octets = padded.reshape(-1, lanes).astype(np.int64) & mask
        return [
            sum(int(code) << (i * self.code_bits) for i, code in enumerate(word)) for word in octets
        ]

    def _gains(self, name: str) -> int:
        norm, first = self.model.norms[name], len(self.parameters)
        bias = np.zeros(len(norm.gain), object)
        if norm.bias is not None:
            bias = np.asarray(norm.bias, object) << norm.bias_shift
        self.parameters += [(int(g), int(b)) for g, b in zip(norm.gain, bias, strict=True)]
        return first

    def _check_embedding(self) -> None:
        """A token's embedding is clamped only with its position's."""
        matrix, bits = self.model.matrices["token_embedding"], self.model.config.bits
        largest = np.abs(matrix.weight(slice(None)).astype(np.int64)).max(axis=1)
        limit = arith.round_shift(largest * matrix.mult.astype(np.int64), matrix.shift)
        if limit.max() > arith.limit(bits.residual):
            raise UserError(
                f"token_embedding reaches {limit.max()}, which a residual of {bits.residual} bits "
                "does not hold; import the model again"
            )

    # Program

    def _before(self, norm: str) -> int:
        """Index of the eps of the norm that follows."""
        return self.eps.index(self.model.norms[norm].eps)

    def _width(self, bits: int) -> int:
        return self.widths.index(bits)

    def _token_program(self):
        yield from self._embed()
        for layer in range(self.model.config.n_layers):
            yield from self._attention(layer)
            yield from self._feed_forward(layer)
        yield self._norm("final_norm")
        yield self._logits()

    def _embed(self):
        model, cfg = self.model, self.model.config
        wide, following = self._width(cfg.bits.residual), self._before("layers.0.attn_norm")
        learned = model.position_embedding is not None
        yield Instruction(
            "embed token" if learned else "embed",
            Source.ELEMENT,
            Sink.LOAD,
            outer=cfg.d_model,
            address=self.token_place.address,
            parameter=self.token_place.parameter,
            shift=model.matrices["token_embedding"].shift,
            bits=wide,
            norm=following,
        )
        if learned:
            parameter = len(self.parameters)
            self.parameters += [(model.position_mult, 0)] * cfg.d_model
            yield Instruction(
                "embed",
                Source.POSITION,
                Sink.ADD,
                outer=cfg.d_model,
                parameter=parameter,
                shift=model.position_shift,
                bits=wide,
                norm=following,
            )

    def _attention(self, layer: int):
        model, cfg, layout = self.model, self.model.config, self.layout
        at, bits, hd = f"layers.{layer}.", cfg.bits, cfg.head_dim
        scalars = model.layers[layer]
        rotary = model.rotary_cos is not None
        yield self._norm(f"{at}attn_norm")
        for part in layout.passes:
            for head in part.heads:
                yield self._rows(
                    f"{at}q",
                    f"{at}q_proj",
                    head.index,
                    bits.query,
                    rotary,
                    word=layout.query_base + part.query_word,
                    lane=head.lane,
                )
        base = layout.cache_base(layer)
        for kind, sink, width in (("k", Sink.KEY, bits.key), ("v", Sink.VALUE, bits.value)):
            for head in range(cfg.n_kv_heads):
                word, lane = layout.kv_place(head)
                turned = rotary and kind == "k"
                yield self._rows(
                    f"{at}{kind}",
                    f"{at}{kind}_proj",
                    head,
                    bits.query if turned else width,
                    turned,
                    sink=sink,
                    word=base + word,
                    lane=lane,
                )
        mult = len(self.parameters)
        self.parameters += [(int(m), 0) for m in model.attn_mult[layer]]
        for part in layout.passes:
            yield Instruction(
                f"{at}scores",
                Source.SCORE,
                per_position=True,
                inner=layout.head_words,
                address=base + part.kv_word,
                outer_step=layout.kv_words - layout.head_words + 1,
                activation=layout.query_base + part.query_word,
                score_shift=scalars.score_shift,
            )
            for word in range(layout.head_words):
                yield Instruction(
                    f"{at}probabilities",
                    Source.WEIGH,
                    per_position=True,
                    address=base + part.kv_word + word,
                    outer_step=layout.kv_words,
                )
                done = word * layout.segment_lanes
                for head in part.heads:
                    to, lane = divmod(head.index * hd + done, layout.lanes)
                    yield Instruction(
                        f"{at}attn",
                        Source.LANE,
                        outer=min(layout.segment_lanes, hd - done),
                        lane=head.lane,
                        segment=head.segment,
                        parameter=mult + head.kv_head * hd + done,
                        shift=scalars.attn_shift,
                        bits=self._width(bits.attention),
                        word=to,
                        start_lane=lane,
                    )
        yield self._add_to_residual(f"{at}attn_residual", f"{at}o_proj", 0, f"{at}ffn_norm")

    def _rows(self, name, matrix_name, head, width, turned, word, lane, sink=Sink.ACTIVATION):
        """The rows of one head, those of a pair one after the other if it is turned."""
        cfg, matrix = self.model.config, self.model.matrices[matrix_name]
        hd, half = cfg.head_dim, cfg.head_dim // 2
        order = np.arange(hd)
        if turned:
            order = order.reshape(2, half).T.ravel()
        place = self._place(matrix_name, head * hd + order)
        wrap = self.layout.kv_lanes if sink is not Sink.ACTIVATION else self.layout.lanes
        words, other = divmod(lane + half, wrap) if turned else (0, 0)
        return Instruction(
            name,
            Source.MATRIX,
            sink,
            outer=hd,
            inner=self.layout.words(cfg.d_model),
            address=place.address,
            parameter=place.parameter,
            shift=matrix.shift,
            bits=self._width(width),
            turned=turned,
            word=word,
            start_lane=lane,
            other_word=word + words,
            other_lane=other,
        )

    def _feed_forward(self, layer: int):
        model, cfg, layout = self.model, self.model.config, self.layout
        at = f"layers.{layer}."
        up = model.matrices[f"{at}up_proj"]
        yield self._norm(f"{at}ffn_norm")
        if cfg.gated:
            gate = model.matrices[f"{at}gate_proj"]
            weights = np.stack([gate.weight(slice(None)), up.weight(slice(None))], axis=1)
            every = np.arange(cfg.d_ff)
            place = self._add(
                f"{at}gate_proj",
                weights.reshape(2 * cfg.d_ff, -1),
                np.stack([gate.mult, up.mult], axis=1).ravel(),
                np.stack([_biases(gate, every), _biases(up, every)], axis=1).ravel(),
            )
            shifts = (gate.shift, up.shift)
        else:
            place, shifts = self._place(f"{at}up_proj"), (up.shift, up.shift)
        yield Instruction(
            f"{at}hidden",
            Source.MATRIX,
            Sink.GATE,
            outer=cfg.d_ff * (1 + cfg.gated),
            inner=layout.words(cfg.d_model),
            address=place.address,
            parameter=place.parameter,
            shift=shifts[0],
            odd_shift=shifts[1],
            bits=self._width(cfg.bits.gate),
            word=layout.hidden_base,
            gate_frac=model.layers[layer].gate_frac,
            hidden_shift=model.layers[layer].hidden_shift,
        )
        last = layer == cfg.n_layers - 1
        following = "final_norm" if last else f"layers.{layer + 1}.attn_norm"
        yield self._add_to_residual(
            f"{at}ffn_residual", f"{at}down_proj", layout.hidden_base, following, last
        )

    def _add_to_residual(
        self, name: str, matrix_name: str, activation: int, norm: str, last: bool = False
    ) -> Instruction:
        cfg, matrix = self.model.config, self.model.matrices[matrix_name]
        place = self._place(matrix_name)
        return Instruction(
            name,
            Source.MATRIX,
            Sink.ADD,
            outer=cfg.d_model,
            inner=self.layout.words(matrix.shape[1]),
            address=place.address,
            activation=activation,
            parameter=place.parameter,
            shift=matrix.shift,
            bits=self._width(cfg.bits.residual),
            norm=self._before(norm),
            ends_prompt_token=last,
        )

    def _norm(self, name: str) -> Instruction:
        cfg = self.model.config
        return Instruction(
            name,
            Source.NORM,
            outer=cfg.d_model,
            parameter=self._gains(name),
            shift=self.model.norms[name].shift,
            bits=self._width(cfg.bits.norm),
        )

    def _logits(self) -> Instruction:
        _, shift = self.model.head
        place = self.token_place if self.model.config.tied_head else self._place("lm_head")
        return Instruction(
            "logits",
            Source.MATRIX,
            Sink.LOGIT,
            outer=self.model.config.vocab_size,
            inner=self.layout.words(self.model.config.d_model),
            address=place.address,
            parameter=place.parameter,
            shift=shift,
            bits=self._width(arith.LOGIT_BITS),
            ends_token=True,
        )


def _code_bits(matrix: Matrix) -> int:
    low, high = matrix.format.low, matrix.format.high
    return max((-low - 1).bit_length(), high.bit_length()) + 1


def _biases(matrix: Matrix, rows) -> np.ndarray:
    if matrix.bias is None:
        return np.zeros(len(rows), object)
    return np.array([int(matrix.bias[r]) << matrix.bias_shift for r in rows], object)
