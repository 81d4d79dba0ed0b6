"""Compiler of a streamed core: instructions, the stream that they take, and where it lies."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from gateformer.model.contract.decoder.model import DecoderModel

from ..decoder.instruction import Instruction, Sink, Source
from ..decoder.program import DecoderProgram
from ..decoder.tables import position_width
from ..decoder.token_program import TokenProgram
from ..memory.bus import MemoryShape
from ..plan.hw_config import HwConfig
from .images import Kind, Rows, Segment, StreamedImages, row_groups
from .lanes import StreamedLanes
from .layout import StreamedLayout
from .row_format import RowFormat
from .waits import with_waits


class StreamedProgram(DecoderProgram):
    """Everything that the streamed core of ``model`` for words of ``memory`` consists of.

    Attributes
    ----------
    segments : list of Segment, that a token takes in this order
    fixed : uint8 array [words, word_bytes], what lies at FIXED segments

    Further ones as :class:`gateware.decoder.program.DecoderProgram`.

    Raises
    ------
    UserError
        Naming the format that cannot be streamed, or what else this core does not have.
    """

    lanes_type = StreamedLanes

    def __init__(self, model: DecoderModel, memory: MemoryShape):
        self.model, self.memory = model, memory
        word_bits = 8 * memory.word_bytes
        fields = [RowFormat.holding(part, word_bits).field_bits for part in row_groups(model)]
        self.layout = StreamedLayout(model.config, memory, min(fields))
        self.hw = HwConfig(rows=1, cols=1, lanes=self.layout.lanes)
        self._compile()

    def _empty_images(self) -> StreamedImages:
        return StreamedImages(self.model, self.layout)

    def _plain(self) -> Iterator[Instruction]:
        token = TokenProgram(self.model, self.layout, self.images, self.widths, self.eps)
        writer = StreamWriter(self.images, self.layout)
        for item in token.instructions():
            writer.add(item)
        self.segments, self.fixed = writer.finish()
        return iter(writer.instructions)

    def _duration(self, item: Instruction, position: int) -> int:
        return super()._duration(item, position) + self.images.scale_words(item)

    def _with_waits(self, plain: list[Instruction]) -> list[Instruction]:
        return with_waits(self.timing, plain, self.images.most_parameters)

    @property
    def address_words(self) -> int:
        """Words of the buffers, which a beat's address tells apart."""
        parameters = 2 * self.images.most_parameters // self.images.parameter_format.per_word
        return max(self.layout.cache_words, parameters, self.images.position_words)

    @property
    def parameter_words(self) -> int:
        return 2 * self.images.most_parameters

    @property
    def parameter_widths(self) -> tuple[int, int]:
        return self.images.parameter_format.factor, self.images.parameter_format.bias

    @property
    def position_width(self) -> int:
        """Bits of a number of the position embedding."""
        return position_width(self.model.position_embedding)

    # the memory's content, in stripes from the image's first one on

    @property
    def token_stripes(self) -> int:
        """Of a token's record."""
        return self.memory.stripes(self.images.token_words)

    @property
    def position_stripes(self) -> int:
        """Of a position's record."""
        return self.memory.stripes(self.images.position_words)

    @property
    def first_position(self) -> int:
        """First stripe of the positions' records, behind the tokens'."""
        return self.model.config.vocab_size * self.token_stripes

    @property
    def first_fixed(self) -> int:
        """First stripe of the stream."""
        return self.first_position + self.model.config.ctx_len * self.position_stripes

    @property
    def first_cache(self) -> int:
        """First stripe of keys and values, which are not in the image."""
        return self.first_fixed + self.memory.stripes(len(self.fixed))

    @property
    def stripes(self) -> int:
        """All stripes, with keys and values."""
        return self.first_cache + self.layout.stripes_of_cache

    def content(self) -> np.ndarray:
        """Words of the image, uint8 [first_cache * stripe_words, word_bytes]."""
        per_stripe, images = self.memory.stripe_words, self.images
        words = np.zeros((self.first_cache * per_stripe, self.memory.word_bytes), np.uint8)

        def records(first: int, stripes: int, count: int) -> np.ndarray:
            part = words[first * per_stripe : (first + count * stripes) * per_stripe]
            return part.reshape(count, -1, self.memory.word_bytes)

        cfg = self.model.config
        tokens = records(0, self.token_stripes, cfg.vocab_size)
        tokens[:, : images.token_words] = images.token_records()
        positions = records(self.first_position, self.position_stripes, cfg.ctx_len)
        for position in range(cfg.ctx_len):
            positions[position, : images.position_words] = images.position_record(position)
        first = self.first_fixed * per_stripe
        words[first : first + len(self.fixed)] = self.fixed
        return words


class StreamWriter:
    """Instructions with the MOVEs between them, and the words that they take, in order."""

    def __init__(self, images: StreamedImages, layout: StreamedLayout):
        self._images, self._layout = images, layout
        self.instructions: list[Instruction] = []
        self._segments: list[Segment] = []
        self._words: list[np.ndarray] = []  # of all FIXED segments
        self._begun = 0  # word at which the present FIXED segment begins
        self._count = 0  # words in _words
        self._base = 0  # of the half of the parameters' buffer that was written last
        self._predicts = False
        self._passes: Iterator = iter(())
        self._stored = -1  # layer whose keys and values were stored last

    def add(self, item: Instruction) -> None:
        """The next instruction of a token, after what the images got for it."""
        images = self._images
        if item.source is Source.ELEMENT:
            self._embed(item)
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
            self._cache(self._layout.keys_at(self._layer, self._head.kv_head), item.inner)
        elif item.source is Source.WEIGH:
            at = self._layout.values_at(self._layer, self._head.kv_head, self._weighed)
            self._cache(at, 1)
            self._weighed += 1
        self.instructions.append(self._with_parameter(item))

    def finish(self) -> tuple[list[Segment], np.ndarray]:
        """(segments, words of the FIXED ones)."""
        self._end_fixed()
        return self._segments, np.concatenate(self._words)

    def _with_parameter(self, item: Instruction) -> Instruction:
        return dataclasses.replace(item, parameter=self._base + item.parameter)

    def _embed(self, item: Instruction) -> None:
        """The records of the token and of the position."""
        self._move(1)
        self.instructions.append(self._with_parameter(item))
        self._segments.append(Segment(Kind.TOKEN, 0, self._images.token_words))
        self._segments.append(Segment(Kind.POSITION, 0, self._images.position_words))
        position = Instruction(
            "position",
            Source.MOVE,
            Sink.BUFFER,
            inner=self._images.position_words,
            turned=True,
        )
        self.instructions.append(position)

    def _fill(self, entries: list[tuple[int, int]]) -> None:
        words = self._images.parameter_format.words(entries)
        self._append(words)
        self._move(len(words))

    def _move(self, words: int) -> None:
        """Words of parameters into the half of the buffer that was not written last."""
        half = self._images.most_parameters
        self._base ^= half
        self.instructions.append(
            Instruction(
                "parameters",
                Source.MOVE,
                Sink.BUFFER,
                inner=words,
                address=self._base // self._images.parameter_format.per_word,
                parameter=self._base,
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
            self._append(rows.words(first, len(part)))
            self.instructions.append(
                dataclasses.replace(
                    self._with_parameter(item),
                    outer=len(part),
                    inner=rows.row_words,
                    word=item.word + words,
                    start_lane=lane,
                    ends_token=item.ends_token and last,
                )
            )

    def _store(self, layer: int) -> None:
        """Keys and values of this position into the memory, once per layer."""
        if layer == self._stored:
            return
        self._stored = self._layer = layer
        layout = self._layout
        self._passes = iter(layout.passes)
        per_stripe = layout.memory.stripe_words
        for head in range(layout.config.n_kv_heads):
            self.instructions.append(
                Instruction(
                    f"layers.{layer}.store",
                    Source.MOVE,
                    Sink.KEY,
                    inner=layout.key_words,
                    address=layout.key_place(head)[0],
                    memory=layout.keys_at(layer, head) * per_stripe,
                )
            )
            for word in range(layout.value_words):
                self.instructions.append(
                    Instruction(
                        f"layers.{layer}.store",
                        Source.MOVE,
                        Sink.VALUE,
                        address=layout.value_place(head)[0] + word,
                        memory=layout.values_at(layer, head, word) * per_stripe,
                    )
                )

    def _append(self, words: np.ndarray) -> None:
        self._words.append(words)
        self._count += len(words)

    def _cache(self, stripe: int, words: int) -> None:
        self._end_fixed()
        self._segments.append(Segment(Kind.CACHE, stripe, words, self._predicts))

    def _end_fixed(self) -> None:
        """What was appended since the last segment becomes one, in whole stripes."""
        words = self._count - self._begun
        if not words:
            return
        memory = self._layout.memory
        stripe = self._begun // memory.stripe_words
        self._segments.append(Segment(Kind.FIXED, stripe, words, self._predicts))
        self._append(np.zeros((-words % memory.stripe_words, memory.word_bytes), np.uint8))
        self._begun = self._count
