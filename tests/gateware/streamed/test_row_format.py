"""Rows of weights in the stream, read back as its description says."""

from __future__ import annotations

import numpy as np
import pytest

from gateformer.gateware.streamed.row_format import RowFormat, fields_of
from gateformer.model.contract.decoder.matrix import Matrix
from tests.gateware.decoder.test_weight_store import matrix
from tests.support.user_error import message

WORDS = (32, 64, 256)
FORMATS = (
    ("int8",),
    ("trits:2",),
    ("block:4:32:min",),
    ("block:4:16",),
    ("block:8:16:min",),
    ("block:6:32:min", "int5"),
    ("block:4:32", "block:5:16:min"),
)


def weights(stream: np.ndarray, form: RowFormat, length: int, min_shifts) -> list[list[int]]:
    """W of the rows in a stream, uint8 [words, word_bytes]; ``min_shifts`` of rows in turn."""
    words = [int.from_bytes(word.tobytes(), "little") for word in stream]
    kind, fields = form.form, form.word_bits // form.field_bits
    numbers_each = 1 + kind.minimum
    codes, scales = [], []
    while words:
        if kind.group:
            word = words.pop(0)
            bytes_ = [word >> 8 * i & 255 for i in range(form.word_bits // 8)]
            slot = max(fields // kind.group, 1)
            for first in range(0, len(bytes_), slot * numbers_each):
                own = bytes_[first : first + slot]
                low = bytes_[first + slot : first + slot * numbers_each] or [0] * slot
                scales += zip(own, [n - 256 * (n > 127) for n in low], strict=True)
        for word in words[: form.cadence if kind.group else 1]:
            codes += [word >> i * form.field_bits & 2**form.field_bits - 1 for i in range(fields)]
        del words[: form.cadence if kind.group else 1]
    high = 2 ** (form.field_bits - 1)
    signed = [code - 2 * high * (kind.signed and code >= high) for code in codes]
    row_codes = -(-length // fields) * fields
    rows = []
    for number, first in enumerate(range(0, len(signed), row_codes)):
        shift = min_shifts[number % len(min_shifts)]
        row = []
        for place in range(first, first + length):
            scale, low = scales[place // kind.group] if kind.group else (1, 0)
            row.append(signed[place] * scale + (low << shift))
        rows.append(row)
    return rows


def drawn(formats: tuple[str, ...], length: int, seed: int) -> list[Matrix]:
    rng = np.random.default_rng(seed)
    return [matrix(rng, text, 7, length) for text in formats]


@pytest.mark.parametrize("word_bits", WORDS)
@pytest.mark.parametrize("formats", FORMATS, ids="+".join)
def test_a_stream_has_the_weights_in_turn(formats, word_bits):
    for length in (32, 96):
        matrices = drawn(formats, length, word_bits)
        form = RowFormat.holding(matrices, word_bits)
        rows = np.array([3, 0, 6, 2, 5])
        stream = form.words(matrices, rows)[0]
        found = weights(stream, form, length, [m.min_shift for m in matrices])
        expected = np.stack([m.weight(rows) for m in matrices], axis=1).reshape(-1, length)
        assert found == expected.tolist()
        codes = len(rows) * len(matrices) * form.code_words(length)
        assert len(stream) == codes + form.scale_words(codes)


@pytest.mark.parametrize("word_bits", WORDS)
@pytest.mark.parametrize("formats", FORMATS[:5], ids="+".join)
def test_rows_apart_begin_with_their_own_scales(formats, word_bits):
    (one,) = drawn(formats, 96, 5)
    form = RowFormat.holding([one], word_bits)
    records = form.words([one], slice(None), apart=True)
    for row, record in enumerate(records):
        assert weights(record, form, 96, [one.min_shift]) == [one.weight(row).tolist()]


@pytest.mark.parametrize(
    ("text", "bits"), [("block:4:32:min", 4.5), ("block:4:16", 4.5), ("block:8:32", 8.25)]
)
def test_a_weight_takes_the_bits_of_its_format(text, bits):
    (one,) = drawn((text,), 1024, 1)
    form = RowFormat.holding([one], 256)
    stream = form.words([one], np.tile(np.arange(4), 8))
    assert stream.size * 8 == bits * 32 * 1024


def test_formats_differ_in_fields_signs_and_scales_alone():
    def form(*formats: str):
        return RowFormat.holding(drawn(formats, 32, 0), 256)

    assert form("int8").form.bits == 8
    assert form("block:5:32:min").form.signed
    assert not form("block:8:32:min").form.signed
    assert not form("block:4:32:min").form.signed
    assert form("int4").field_bits == 4
    assert form("int4", "block:4:32:min").field_bits == 8


def test_codes_that_need_more_than_a_field_are_refused():
    matrices = drawn(("block:8:16:min", "int8"), 32, 0)
    assert message(RowFormat.holding, matrices, 256) == (
        "weights of block:8:16:min and int8 take 9 bits, which cannot be streamed; import the "
        "model with --bits 8"
    )


def test_a_number_that_is_wider_than_a_word():
    assert message(lambda: fields_of(32, 54)) == (
        "a number of 54 bits does not fit a word of 32 bits, which all ports of the memory bring "
        "together; use more or wider ports"
    )
