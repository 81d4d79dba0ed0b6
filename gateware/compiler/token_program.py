"""The instructions of one token of a trained model, without waits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from gateformer.model.contract.integer_model import IntegerModel

from ..parts.integers import ceil_div
from ..plan.instruction import AddressBase, Instruction, Opcode
from ..plan.layout import Layout
from ..plan.vector_op import Destination, VectorKind
from .memory_images import MemoryImages


class TokenProgram:
    """Writes the instructions of a token.

    Parameters
    ----------
    model : IntegerModel
    layout : Layout
    images : MemoryImages
        Where matrices and norms lie.
    shift_selects : sequence of int
        ``Instruction.shift_select`` of the scores, by layer.
    """

    def __init__(
        self,
        model: IntegerModel,
        layout: Layout,
        images: MemoryImages,
        shift_selects: Sequence[int],
    ):
        self._config, self._layout = model.config, layout
        self._images, self._shift_selects = images, shift_selects

    def instructions(self) -> Iterator[Instruction]:
        """Of one token, without waits."""
        yield from self._embed()
        for layer in range(self._config.n_layers):
            yield from self._attention(layer)
            yield from self._feed_forward(layer)
        yield self._norm("final_norm", Destination.QUERY)
        yield Instruction(
            "logits",
            "int8 array",
            Opcode.LOGITS,
            outer=ceil_div(self._config.vocab_size, self._layout.halves),
            inner=self._layout.embed_words,
            ends_token=True,
        )

    def _embed(self):
        layout = self._layout
        for word in range(layout.embed_words):
            yield from self._look_up(word)
            start = word * layout.word_groups
            yield Instruction(
                "embed",
                "vector unit",
                Opcode.READ,
                kind=VectorKind.RESIDUAL_LOAD,
                outer=min(layout.word_groups, layout.d_groups - start),
                group=start,
                first=word == 0,
                last=word == layout.embed_words - 1,
            )

    def _look_up(self, word: int):
        """A word of the token's embedding and of the position's; of several streams, whose array
        is the scarcest, in one instruction."""
        token = Instruction(
            "embed token",
            "int8 array",
            Opcode.EMBED,
            address=self._layout.lookup_base + word,
            address_base=AddressBase.TOKEN,
            first=True,
        )
        if self._layout.hw.streams > 1:
            yield dataclasses.replace(token, name="embed both", outer=2, inner_base=word, last=True)
            return
        yield token
        yield Instruction(
            "embed position",
            "int8 array",
            Opcode.EMBED,
            address=self._layout.position_base + word,
            address_base=AddressBase.POSITION,
            last=True,
        )

    def _attention(self, layer: int):
        layout, prefix = self._layout, f"layers.{layer}"
        yield self._norm(f"{prefix}.attn_norm", Destination.ACTIVATION)
        # K takes longer to the array's memory than a query to its registers
        yield self._matvec(
            f"{prefix}.k_proj",
            destination=Destination.KV,
            row=layout.key_base(layer),
            row_per_position=True,
        )
        yield self._matvec(f"{prefix}.q_proj", destination=Destination.QUERY)
        yield self._matvec(
            f"{prefix}.v_proj",
            destination=Destination.KV,
            row=layout.value_base(layer),
            row_per_position=True,
            # beyond the columns of a K: V's groups have other places in a word of two rows
            column=(layout.halves - 1) * layout.word_groups,
            # of a token whose logits are not computed, later ones need no more than K and V
            ends_prompt_token=layer == self._config.n_layers - 1,
        )
        for slot in range(layout.slots):
            yield from self._attend(layer, slot)
        yield self._matvec(f"{prefix}.o_proj", kind=VectorKind.RESIDUAL_ADD)

    def _attend(self, layer: int, slot: int):
        layout, prefix = self._layout, f"layers.{layer}"
        first_word = slot * layout.head_words
        yield Instruction(
            f"{prefix}.scores",
            "int8 array",
            Opcode.SCORE,
            per_position=layout.halves,
            inner=layout.head_words,
            address=layout.key_base(layer) + first_word,
            outer_step=layout.kv_words - layout.head_words + 1,
            inner_base=first_word,
            shift_select=self._shift_selects[layer],
        )
        for word in range(first_word, first_word + layout.head_words):
            yield Instruction(
                f"{prefix}.weigh",
                "int8 array",
                Opcode.WEIGH,
                per_position=layout.halves,
                address=layout.value_base(layer) + word,
                outer_step=layout.kv_words,
            )
            row, column = divmod(word * layout.word_groups, layout.chunk_groups)
            yield Instruction(
                f"{prefix}.attn",
                "vector unit",
                Opcode.READ,
                kind=VectorKind.ATTENTION,
                outer=layout.word_groups,
                destination=Destination.ACTIVATION,
                row=row,
                column=column,
            )

    def _feed_forward(self, layer: int):
        layout, prefix = self._layout, f"layers.{layer}"
        yield self._norm(f"{prefix}.ffn_norm", Destination.ACTIVATION)
        yield self._matvec(f"{prefix}.up_proj", kind=VectorKind.RELU, row=layout.hidden_chunk)
        yield self._matvec(
            f"{prefix}.down_proj", kind=VectorKind.RESIDUAL_ADD, inner_base=layout.hidden_chunk
        )

    def _norm(self, name: str, destination: Destination) -> Instruction:
        return Instruction(
            name,
            "vector unit",
            Opcode.NORM,
            outer=self._layout.d_groups,
            kind=VectorKind.NORM,
            destination=destination,
            scale=self._images.norms[name],
        )

    def _matvec(self, name: str, **kwargs) -> Instruction:
        place = self._images.matrices[name]
        residual = kwargs.get("kind") is VectorKind.RESIDUAL_ADD
        return Instruction(
            name,
            "ternary engine",
            Opcode.MATVEC,
            outer=place.groups,
            planes=place.planes,
            inner=place.chunks,
            address=place.address,
            scale=place.scale,
            first=residual,
            last=residual,
            **kwargs,
        )
