"""What one token of an imported model runs: instructions, in the order of the contract."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from gateformer.model.contract.decoder.model import DecoderModel

from .images import DecoderImages
from .instruction import Instruction, Sink, Source
from .layout import DecoderLayout


class TokenProgram:
    """Writes the instructions of a token, and fills the images on the way.

    Parameters
    ----------
    model : DecoderModel
    layout : DecoderLayout
    images : DecoderImages, empty
    widths, eps : sequences of int, to which instructions refer by index
    """

    def __init__(
        self,
        model: DecoderModel,
        layout: DecoderLayout,
        images: DecoderImages,
        widths: Sequence[int],
        eps: Sequence[int],
    ):
        self._model, self._layout, self._images = model, layout, images
        self._widths, self._eps = widths, eps
        self._token = images.add_token_embedding()

    def _before(self, norm: str) -> int:
        """Index of the eps of the norm that follows."""
        return self._eps.index(self._model.norms[norm].eps)

    def _width(self, bits: int) -> int:
        return self._widths.index(bits)

    def instructions(self) -> Iterator[Instruction]:
        """Of one token, without waits; the images get what they need."""
        yield from self._embed()
        for layer in range(self._model.config.n_layers):
            yield from self._attention(layer)
            yield from self._feed_forward(layer)
        yield self._norm("final_norm")
        tied = self._model.config.tied_head
        yield from self._group_sums("token_embedding" if tied else "lm_head")
        yield self._logits()

    def _embed(self):
        model, cfg = self._model, self._model.config
        wide, following = self._width(cfg.bits.residual), self._before("layers.0.attn_norm")
        learned = model.position_embedding is not None
        yield Instruction(
            "embed token" if learned else "embed",
            Source.ELEMENT,
            Sink.LOAD,
            outer=cfg.d_model,
            **dataclasses.asdict(self._token),
            shift=model.matrices["token_embedding"].shift,
            min_shift=model.matrices["token_embedding"].min_shift,
            bits=wide,
            norm=following,
        )
        if learned:
            parameter = self._images.add_multipliers([model.position_mult] * cfg.d_model)
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
        model, cfg, layout = self._model, self._model.config, self._layout
        at, bits, hd = f"layers.{layer}.", cfg.bits, cfg.head_dim
        scalars = model.layers[layer]
        rotary = model.rotary_cos is not None
        yield self._norm(f"{at}attn_norm")
        yield from self._group_sums(*(f"{at}{kind}_proj" for kind in "qkv"))
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
                    query=True,
                )
        base = layout.cache_base(layer)
        for kind, sink, width in (("k", Sink.KEY, bits.key), ("v", Sink.VALUE, bits.value)):
            for head in range(cfg.n_kv_heads):
                place = layout.key_place if kind == "k" else layout.value_place
                word, lane = place(head)
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
        mult = self._images.add_multipliers(model.attn_mult[layer])
        for part in layout.passes:
            yield Instruction(
                f"{at}scores",
                Source.SCORE,
                per_position=True,
                inner=layout.key_words,
                address=base + part.kv_word,
                outer_step=layout.kv_words - layout.key_words + 1,
                activation=layout.query_base + part.query_word,
                score_shift=scalars.score_shift,
            )
            for word in range(layout.head_words):
                yield Instruction(
                    f"{at}probabilities",
                    Source.WEIGH,
                    per_position=True,
                    address=base + part.value_word + word,
                    outer_step=layout.kv_words,
                )
                done = word * layout.value_lanes
                for head in part.heads:
                    to, lane = divmod(head.index * hd + done, layout.lanes)
                    yield Instruction(
                        f"{at}attn",
                        Source.LANE,
                        outer=min(layout.value_lanes, hd - done),
                        lane=head.lane,
                        segment=head.segment,
                        parameter=mult + head.kv_head * hd + done,
                        shift=scalars.attn_shift,
                        bits=self._width(bits.attention),
                        word=to,
                        start_lane=lane,
                        lanes=layout.lanes,
                    )
        yield from self._group_sums(f"{at}o_proj")
        yield self._add_to_residual(f"{at}attn_residual", f"{at}o_proj", 0, f"{at}ffn_norm")

    def _rows(
        self, name, matrix_name, head, width, turned, word, lane, sink=Sink.ACTIVATION, query=False
    ):
        """The rows of one head, those of a pair one after the other if it is turned."""
        cfg, matrix = self._model.config, self._model.matrices[matrix_name]
        hd, half = cfg.head_dim, cfg.head_dim // 2
        order = np.arange(hd)
        if turned:
            order = order.reshape(2, half).T.ravel()
        place = self._images.add_rows(matrix_name, head * hd + order)
        wrap = self._layout.result_lanes(sink, query)
        words, other = divmod(lane + half, wrap) if turned else (0, 0)
        return Instruction(
            name,
            Source.MATRIX,
            sink,
            outer=hd,
            inner=self._layout.words(cfg.d_model),
            **dataclasses.asdict(place),
            shift=matrix.shift,
            min_shift=matrix.min_shift,
            bits=self._width(width),
            turned=turned,
            word=word,
            start_lane=lane,
            other_word=word + words,
            other_lane=other,
            lanes=wrap,
        )

    def _feed_forward(self, layer: int):
        model, cfg, layout = self._model, self._model.config, self._layout
        at = f"layers.{layer}."
        up = model.matrices[f"{at}up_proj"]
        yield self._norm(f"{at}ffn_norm")
        yield from self._group_sums(f"{at}up_proj", *([f"{at}gate_proj"] if cfg.gated else []))
        if cfg.gated:
            gate = model.matrices[f"{at}gate_proj"]
            place = self._images.add_alternating((f"{at}gate_proj", f"{at}up_proj"))
        else:
            gate, place = up, self._images.add_rows(f"{at}up_proj")
        yield Instruction(
            f"{at}hidden",
            Source.MATRIX,
            Sink.GATE,
            outer=cfg.d_ff * (1 + cfg.gated),
            inner=layout.words(cfg.d_model),
            **dataclasses.asdict(place),
            shift=gate.shift,
            odd_shift=up.shift,
            min_shift=gate.min_shift,
            odd_min_shift=up.min_shift,
            bits=self._width(cfg.bits.gate),
            word=layout.hidden_base,
            lanes=layout.lanes,
            gate_frac=model.layers[layer].gate_frac,
            hidden_shift=model.layers[layer].hidden_shift,
        )
        last = layer == cfg.n_layers - 1
        following = "final_norm" if last else f"layers.{layer + 1}.attn_norm"
        yield from self._group_sums(f"{at}down_proj", activation=layout.hidden_base)
        yield self._add_to_residual(
            f"{at}ffn_residual", f"{at}down_proj", layout.hidden_base, following, last
        )

    def _group_sums(self, *names: str, activation: int = 0) -> Iterator[Instruction]:
        """Before matrices that take one vector: the sums that their minimums multiply, if any."""
        matrices = [self._model.matrices[name] for name in names]
        if any(matrix.format.minimum for matrix in matrices):
            yield Instruction(
                f"{names[0]} group sums",
                Source.GROUP_SUMS,
                inner=self._layout.words(matrices[0].shape[1]),
                activation=activation,
            )

    def _add_to_residual(
        self, name: str, matrix_name: str, activation: int, norm: str, last: bool = False
    ) -> Instruction:
        cfg, matrix = self._model.config, self._model.matrices[matrix_name]
        place = self._images.add_rows(matrix_name)
        return Instruction(
            name,
            Source.MATRIX,
            Sink.ADD,
            outer=cfg.d_model,
            inner=self._layout.words(matrix.shape[1]),
            **dataclasses.asdict(place),
            activation=activation,
            shift=matrix.shift,
            min_shift=matrix.min_shift,
            bits=self._width(cfg.bits.residual),
            norm=self._before(norm),
            ends_prompt_token=last,
        )

    def _norm(self, name: str) -> Instruction:
        cfg = self._model.config
        return Instruction(
            name,
            Source.NORM,
            outer=cfg.d_model,
            parameter=self._images.add_norm(name),
            shift=self._model.norms[name].shift,
            bits=self._width(cfg.bits.norm),
            lanes=self._layout.lanes,
        )

    def _logits(self) -> Instruction:
        head, shift = self._model.head
        place = self._images.add_head(self._token)
        return Instruction(
            "logits",
            Source.MATRIX,
            Sink.LOGIT,
            outer=self._model.config.vocab_size,
            inner=self._layout.words(self._model.config.d_model),
            **dataclasses.asdict(place),
            shift=shift,
            min_shift=head.min_shift,
            bits=self._width(self._model.config.bits.logit),
            ends_token=True,
        )
