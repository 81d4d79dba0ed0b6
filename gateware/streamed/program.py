"""Compiler of a streamed core: instructions, the stream that they take, and where it lies."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import numpy as np

from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError

from ..decoder.instruction import Instruction
from ..decoder.program import DecoderProgram
from ..decoder.tables import position_width
from ..decoder.timeline import SharedSpan, timeline
from ..decoder.token_program import TokenProgram
from ..memory.bus import ADDRESS_BITS, MemoryShape
from ..parts.integers import check_integer
from ..plan.encoding import instruction_layout
from ..plan.hw_config import MOST_STREAMS, HwConfig
from .checksum import checksum
from .images import StreamedImages, row_groups
from .instruction_buffer import InstructionBuffer
from .lanes import StreamedLanes
from .layout import StreamedLayout
from .ports import ImageFacts
from .row_format import RowFormat
from .stream_writer import StreamWriter, instruction_words, words_per_instruction
from .waits import least_beats, with_waits

PASS_OVERHEAD = 1
"""Cycles from a token that is known to the first one of its pass, beside those of a core that has
one at a time."""


class StreamedProgram(DecoderProgram):
    """Everything that the streamed core of ``model`` for words of ``memory`` consists of.

    With several ``streams`` a pass over the weights serves as many tokens, each in a *slot*: one of
    every stream, or, while the others have none, consecutive ones of a stream's prompt.

    Attributes
    ----------
    streams : int, texts that are generated side by side
    segments : list of Segment, that a token takes in this order
    fixed : uint8 array [words, word_bytes], what lies at FIXED segments

    Further ones as :class:`gateware.decoder.program.DecoderProgram`.

    Raises
    ------
    UserError
        Naming the format that cannot be streamed, or what else this core does not have; or if the
        model takes more memory than its ports have addresses.
    """

    lanes_type = StreamedLanes

    def __init__(self, model: DecoderModel, memory: MemoryShape, streams: int = 1):
        self.model, self.memory = model, memory
        check_integer("streams", streams, 1, MOST_STREAMS)
        self.streams = streams
        word_bits = 8 * memory.word_bytes
        fields = [RowFormat.holding(part, word_bits).field_bits for part in row_groups(model)]
        self.layout = StreamedLayout(model.config, memory, min(fields))
        self.hw = HwConfig(rows=1, cols=1, lanes=self.layout.lanes)
        self._compile()
        # the last size that a register of 32 bits tells
        size, most = self.facts.memory_bytes, 2**ADDRESS_BITS - 1
        if size > most:
            raise UserError(
                f"the model takes {size:,} bytes of external memory, more than the {most:,} that "
                "it can have; import it with fewer bits or a smaller --context"
            )
        self._write_blocks()

    def _write_blocks(self) -> None:
        """The instructions, whose waits are known now, into the stream."""
        layout = instruction_layout(self.instructions)
        for block in self._blocks:
            part = self.instructions[block.first : block.first + block.count]
            words = instruction_words(part, layout, self.memory.word_bytes)
            self.fixed[block.place : block.place + len(words)] = words

    @property
    def _most_instructions(self) -> int:
        """Of a block: a power of two."""
        return 1 << (max(block.count for block in self._blocks) - 1).bit_length()

    def build_instructions(self) -> InstructionBuffer:
        """What hands the instructions of the stream to the sequencer."""
        return InstructionBuffer(
            instruction_layout(self.instructions),
            first=self.instructions[0],
            depth=self._most_instructions,
            word_bits=self.layout.word_bits,
        )

    def _empty_images(self) -> StreamedImages:
        return StreamedImages(self.model, self.layout)

    def _plain(self) -> Iterator[Instruction]:
        token = TokenProgram(self.model, self.layout, self.images, self.widths, self.eps)
        writer = StreamWriter(self.images, self.layout, self.streams)
        for item in token.instructions():
            writer.add(item)
        self.segments, self.fixed = writer.finish()
        self._blocks = writer.blocks
        return iter(writer.instructions)

    def cycles(self, position: int | Sequence[int | None], **kwargs) -> int:
        """Core cycles of a pass at least: as :meth:`DecoderProgram.cycles`, exactly if the memory
        never waits.

        ``position``: of all slots, or for each its own, None without a token.
        """
        return super().cycles(position, **kwargs) + PASS_OVERHEAD

    def alone(self, position: int) -> list[int | None]:
        """What :meth:`cycles` takes for one stream's token while the others have none."""
        return [position] + [None] * (self.streams - 1)

    def cycles_by_position(self, **kwargs) -> list[int]:
        """:meth:`cycles` of one stream, the others idle, for every position of the context."""
        positions = range(self.model.config.ctx_len)
        return [self.cycles(self.alone(position), **kwargs) for position in positions]

    def _duration(self, item: Instruction, position: int | Sequence[int | None]) -> int:
        if not isinstance(position, int):
            position = position[max(item.slot - 1, 0)]
        if position is None and item.slot:
            return least_beats(item) + item.wait
        return super()._duration(item, position) + self.images.scale_words(item)

    def timeline(self, position: int) -> list[SharedSpan]:
        """As :meth:`DecoderProgram.timeline`, with what the memory delivers; it never waits."""
        cycles = self.cycles(position)
        return timeline(self.instructions, position, cycles, self.images.scale_words)

    def _with_waits(self, plain: list[Instruction]) -> list[Instruction]:
        return with_waits(self.timing, plain, self.images.most_parameters)

    @property
    def address_words(self) -> int:
        """Words of the buffers, which a beat's address tells apart."""
        parameters = 2 * self.images.most_parameters // self.images.parameter_format.per_word
        return max(
            self.layout.cache_words,
            parameters,
            self.images.position_words,
            self._most_instructions * words_per_instruction(self.layout.word_bits),
        )

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
        """All stripes, with keys and values of all streams."""
        return self.first_cache + self.streams * self.layout.stripes_of_cache

    @property
    def facts(self) -> ImageFacts:
        """Sizes of the image, and of the memory that the core uses."""
        size = self.memory.stripe_bytes
        return ImageFacts(self.memory, self.first_cache * size, self.stripes * size, self.streams)

    @functools.cached_property
    def checksum(self) -> tuple[int, int]:
        """Of the image."""
        return checksum(self.content())

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
