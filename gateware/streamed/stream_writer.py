"""The stream of a token: its instructions, and all words that they take, in order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from amaranth.lib import data

from gateformer.model.support.errors import UserError

from ..decoder.instruction import Instruction, Sink, Source
from ..parts.integers import ceil_div
from ..plan.encoding import encode
from .images import Kind, Rows, Segment, StreamedImages, whole_words
from .layout import StreamedLayout

BLOCK_INSTRUCTIONS = 512
"""Instructions that the core holds at a time: as many as a block memory of 36 or 72 bits."""
INSTRUCTION_BITS = 192
"""An instruction's share of the stream, at least."""


def words_per_instruction(word_bits: int) -> int:
    """Words of the stream that one instruction takes: a power of two."""
    return 1 << (ceil_div(INSTRUCTION_BITS, word_bits) - 1).bit_length()


def instruction_words(
    instructions: Sequence[Instruction], layout: data.StructLayout, word_bytes: int
) -> np.ndarray:
    """uint8 [n, word_bytes] of instructions, those of :func:`words_per_instruction` each.

    Raises UserError if ``layout`` has more than INSTRUCTION_BITS.
    """
    if layout.size > INSTRUCTION_BITS:
        raise UserError(
            f"the model's instructions take {layout.size} bits, more than {INSTRUCTION_BITS}; "
            "import it with a smaller --context, or use fewer --streams"
        )
    size = words_per_instruction(8 * word_bytes) * word_bytes
    content = b"".join(
        layout.const(encode(item, layout)).as_value().value.to_bytes(size, "little")
        for item in instructions
    )
    return whole_words(content, word_bytes)


@dataclasses.dataclass
class Block:
    """Instructions that a PROGRAM brings into the core: ``count`` from ``first`` on, which lie at
    word ``place`` of the FIXED ones."""

    first: int
    count: int = 0
    place: int = 0


class StreamWriter:
    """Instructions with the MOVEs and PROGRAMs between them, and the words that they take.

    What depends on a token or its position is there once for each of ``slots``.

    Attributes
    ----------
    instructions : list of Instruction
    blocks : list of Block
    """

    def __init__(self, images: StreamedImages, layout: StreamedLayout, slots: int = 1):
        self._images, self._layout = images, layout
        # what instructions call the slots; where there is one only, all is for all
        self._slots = [(slot, slot + 1 if slots > 1 else 0) for slot in range(slots)]
        self.instructions: list[Instruction] = []
        self.blocks: list[Block] = []
        # a FIXED segment without its stripe and words, which are known in the end
        self._segments: list[Segment] = []
        self._fixed: list[list[np.ndarray | Block]] = [[]]  # of FIXED segments, then of the next
        self._base = 0  # of the half of the parameters' buffer that was written last
        self._predicts = False
        self._passes: Iterator = iter(())
        self._stored = -1  # layer whose keys and values were stored last
        self._after_stores = False  # and no segment of keys or values follows yet
        self._program()

    def add(self, item: Instruction) -> None:
        """The next instruction of a token, after what the images got for it."""
        images = self._images
        if item.source is Source.ELEMENT:
            for slot, name in self._slots:
                self._embed(slot, dataclasses.replace(item, slot=name))
            return
        if item.source is Source.SCORE:
            self._store(int(item.name.split(".")[1]))
        for fill in images.take_fills():
            self._fill(fill)
        rows = images.take_rows()
        if rows is not None:
            self._rows(item, rows)
            if item.ends_prompt_token:
                self._end_fixed()
                self._predicts = True
            return
        if item.source is Source.SCORE:
            self._head = next(self._passes).heads[0]
            self._weighed = 0
            self._with_cache(item, self._layout.keys_at(self._layer, self._head.kv_head))
        elif item.source is Source.WEIGH:
            kv_head, word = self._head.kv_head, self._weighed
            self._with_cache(item, self._layout.values_at(self._layer, kv_head, word))
            self._weighed += 1
        else:
            self._emit(self._with_parameter(item))

    def finish(self) -> tuple[list[Segment], np.ndarray]:
        """(segments, words of the FIXED ones, with zeros where instructions will be)."""
        self._end_fixed()
        for block in self.blocks:
            program = self.instructions[block.first - 1]
            inner = block.count * self._instruction_words
            self.instructions[block.first - 1] = dataclasses.replace(program, inner=inner)
        memory, parts, count = self._layout.memory, iter(self._fixed), 0
        words: list[np.ndarray] = []
        for number, segment in enumerate(self._segments):
            if segment.kind is not Kind.FIXED:
                continue
            begun = count
            for part in next(parts):
                if isinstance(part, Block):
                    part.place = count
                    size = part.count * self._instruction_words
                    part = np.zeros((size, memory.word_bytes), np.uint8)
                words.append(part)
                count += len(part)
            placed = {"stripe": begun // memory.stripe_words, "words": count - begun}
            self._segments[number] = dataclasses.replace(segment, **placed)
            rest = -count % memory.stripe_words
            words.append(np.zeros((rest, memory.word_bytes), np.uint8))
            count += rest
        return self._segments, np.concatenate(words)

    @property
    def _instruction_words(self) -> int:
        return words_per_instruction(self._layout.word_bits)

    def _emit(self, instruction: Instruction) -> None:
        """Before the words that it takes are appended."""
        if self.blocks[-1].count == BLOCK_INSTRUCTIONS - 1:
            self._program()
        self.instructions.append(instruction)
        self.blocks[-1].count += 1

    def _program(self) -> None:
        """The next block of instructions, with the last instruction of the one before it."""
        if self.blocks:
            self.blocks[-1].count += 1
        self.instructions.append(Instruction("program", Source.PROGRAM))
        self.blocks.append(Block(first=len(self.instructions)))
        self._fixed[-1].append(self.blocks[-1])

    def _with_parameter(self, item: Instruction) -> Instruction:
        return dataclasses.replace(item, parameter=self._base + item.parameter)

    def _embed(self, slot: int, item: Instruction) -> None:
        """The records of the token and of the position."""
        self._end_fixed()
        self._move(1, item.slot)
        self._emit(self._with_parameter(item))
        self._segments.append(Segment(Kind.TOKEN, 0, self._images.token_words, slot=slot))
        self._segments.append(Segment(Kind.POSITION, 0, self._images.position_words, slot=slot))
        position = Instruction(
            "position",
            Source.MOVE,
            Sink.BUFFER,
            inner=self._images.position_words,
            turned=True,
            slot=item.slot,
        )
        self._emit(position)

    def _fill(self, entries: list[tuple[int, int]]) -> None:
        words = self._images.parameter_format.words(entries)
        self._move(len(words))
        self._append(words)

    def _move(self, words: int, slot: int = 0) -> None:
        """Words of parameters into the half of the buffer that was not written last."""
        half = self._images.most_parameters
        self._base ^= half
        self._emit(
            Instruction(
                "parameters",
                Source.MOVE,
                Sink.BUFFER,
                inner=words,
                address=self._base // self._images.parameter_format.per_word,
                parameter=self._base,
                slot=slot,
            )
        )

    def _rows(self, item: Instruction, rows: Rows) -> None:
        """Rows with their parameters, as many at a time as the buffer holds."""
        entries, most = rows.parameters, self._images.most_parameters
        for first in range(0, len(entries), most):
            part = entries[first : first + most]
            done = first // len(rows.matrices)  # results, for pairs give one
            words, lane = divmod(item.start_lane + done, item.lanes)
            last = first + most >= len(entries)
            self._fill(part)
            self._emit(
                dataclasses.replace(
                    self._with_parameter(item),
                    outer=len(part),
                    inner=rows.row_words,
                    word=item.word + words,
                    start_lane=lane,
                    ends_token=item.ends_token and last,
                )
            )
            self._append(rows.words(first, len(part)))

    def _store(self, layer: int) -> None:
        """Keys and values of this position into the memory, once per layer."""
        if layer == self._stored:
            return
        self._stored = self._layer = layer
        self._passes = iter(self._layout.passes)
        self._after_stores = True
        for _, slot in self._slots:
            for head in range(self._layout.config.n_kv_heads):
                self._store_head(layer, head, slot)
        if len(self._slots) > 1:
            last = self.instructions[-1]
            self.instructions[-1] = dataclasses.replace(last, ends_stores=True)

    def _store_head(self, layer: int, head: int, slot: int) -> None:
        layout = self._layout
        per_stripe = layout.memory.stripe_words
        self._emit(
            Instruction(
                f"layers.{layer}.store",
                Source.MOVE,
                Sink.KEY,
                inner=layout.key_words,
                address=layout.key_place(head)[0],
                memory=layout.keys_at(layer, head) * per_stripe,
                slot=slot,
            )
        )
        for word in range(layout.value_words):
            self._emit(
                Instruction(
                    f"layers.{layer}.store",
                    Source.MOVE,
                    Sink.VALUE,
                    address=layout.value_place(head)[0] + word,
                    memory=layout.values_at(layer, head, word) * per_stripe,
                    slot=slot,
                )
            )

    def _append(self, words: np.ndarray) -> None:
        self._fixed[-1].append(words)

    def _with_cache(self, item: Instruction, stripe: int) -> None:
        """The instruction of each slot, and the keys or values that it takes."""
        for slot, name in self._slots:
            self._emit(dataclasses.replace(self._with_parameter(item), slot=name))
            self._end_fixed()
            self._segments.append(
                Segment(
                    Kind.CACHE,
                    stripe,
                    item.inner,
                    self._predicts,
                    slot=slot,
                    after_stores=self._after_stores,
                )
            )
            self._after_stores = False

    def _end_fixed(self) -> None:
        """What was appended since the last segment becomes one, in whole stripes."""
        if self._fixed[-1]:
            self._segments.append(Segment(Kind.FIXED, 0, 0, self._predicts))
            self._fixed.append([])
