"""The program of a streamed core without what its memory holds, in a second."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from gateformer.gateware.decoder.images import Place
from gateformer.gateware.streamed.images import ParameterFormat, Rows, StreamedImages
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.decoder.matrix import Matrix


class SizedStreamedProgram(StreamedProgram):
    """:class:`~gateware.streamed.program.StreamedProgram` whose words are zeros: instructions,
    cycles, segments and every size of the units are the same."""

    def _empty_images(self) -> StreamedImages:
        return _CountedImages(self.model, self.layout)

    def _write_blocks(self) -> None:
        """Nothing."""

    def _check_embedding(self) -> None:
        """Not here: a build does."""

    def bytes_per_pass(self, position: int) -> int:
        """That a pass reads in which each stream has a token at ``position``."""
        shape, layout = self.memory, self.layout
        total = 0
        for segment in self.segments:
            words = segment.words
            if segment.kind.name == "CACHE":
                words = position * (1 if words == 1 else layout.key_words)
            total += shape.stripes(words)
        return total * shape.stripe_bytes


class _CountedRows(Rows):
    def words(self, first: int, count: int) -> np.ndarray:
        """As many, zeros."""
        form = self.format
        codes = count * self.row_words
        return _zeros(codes + form.scale_words(codes), form.word_bits // 8)


class _CountedFormat(ParameterFormat):
    def words(self, entries: list[tuple[int, int]]) -> np.ndarray:
        """As many, zeros."""
        return _zeros(-(-len(entries) // self.per_word), self.word_bits // 8)


def _zeros(words: int, size: int) -> np.ndarray:
    """Words that take no memory."""
    return np.broadcast_to(np.zeros((1, 1), np.uint8), (words, size))


class _CountedImages(StreamedImages):
    def __init__(self, model, layout):
        super().__init__(model, layout)
        form = self.parameter_format
        fields = {field.name: getattr(form, field.name) for field in dataclasses.fields(form)}
        self.parameter_format = _CountedFormat(**fields)

    def _add(self, matrices: Sequence[Matrix], rows) -> Place:
        place, found = super()._add(matrices, rows), self._rows
        self._rows = _CountedRows(found.parameters, found.matrices, found.rows, found.format)
        return place
