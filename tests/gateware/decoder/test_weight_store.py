# amaranth: UnusedElaboratable=no
"""Words of weights out of their memories are those of the matrices, codes, scales and minimums."""

from __future__ import annotations

import math

import numpy as np
import pytest
from amaranth.hdl import Module, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from gateformer.gateware.decoder.weights.weight_store import (
    STORED_LATENCY,
    WeightStore,
    stored_word,
)
from gateformer.gateware.decoder.weights.word_format import WordFormat
from gateformer.model.contract.decoder.formats import WeightFormat
from gateformer.model.contract.decoder.matrix import Matrix

from .pipeline_bench import trace

CODE_WIDTH = 10


def matrix(rng, text: str, out: int, inp: int) -> Matrix:
    kind = WeightFormat.parse(text)
    codes = rng.integers(kind.low, kind.high + 1, (out, inp))
    codes[0, :2] = kind.low, kind.high
    groups = (out, inp // kind.group) if kind.group else None
    scale = rng.integers(0, 256, groups) if groups else None
    low = rng.integers(-128, 128, groups) if kind.minimum else None
    return Matrix(kind, codes, np.ones(out, int), 0, scale, low)


class Reader(wiring.Component):
    """The word at an address, its codes as signed numbers of CODE_WIDTH bits."""

    def __init__(self, stores: list[WeightStore], part_lanes: int):
        self._stores, self._part_lanes = stores, part_lanes
        lanes, depth = stores[0].format.lanes, max(len(store.words) for store in stores)
        parts = lanes // part_lanes
        super().__init__(
            {
                "address": In(range(depth)),
                "store": In(range(len(stores))),
                "codes": Out(data.ArrayLayout(signed(CODE_WIDTH), lanes)),
                "scales": Out(data.ArrayLayout(unsigned(9), parts)),
                "minimums": Out(data.ArrayLayout(signed(9), parts)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        asked = [self.store == i for i in range(len(self._stores))]
        word = stored_word(m, self._stores, self.address, asked, self._part_lanes)
        for name in ("codes", "scales", "minimums"):
            for port, value in zip(getattr(self, name), getattr(word, name), strict=False):
                m.d.comb += port.eq(value)
        return m


def expanded(item: Matrix, rows, lanes: int, part_lanes: int):
    """(codes [words, lanes], scales and minimums [words, parts]) of rows, zeros beyond their end
    (but for the scale of a row without groups: 1)."""

    def words(numbers, size):
        padded = np.pad(numbers, ((0, 0), (0, -numbers.shape[1] % size)))
        return padded.reshape(-1, size)

    group = item.format.group
    scale = np.repeat(item.group_scale[rows], group, axis=1) if group else None
    low = np.repeat(item.group_min[rows], group, axis=1) if item.format.minimum else None
    codes = words(item.codes[rows], lanes)
    shape = (len(codes), lanes // part_lanes)
    return (
        codes,
        np.ones(shape, int) if scale is None else words(scale, lanes)[:, ::part_lanes],
        np.zeros(shape, int) if low is None else words(low, lanes)[:, ::part_lanes],
    )


def whole_weights(codes, scales, minimums, part_lanes: int):
    """Weights [words, lanes], whatever the scale of a code that is 0."""
    return codes * np.repeat(scales, part_lanes, axis=1) + np.repeat(minimums, part_lanes, axis=1)


def read(stores, part_lanes, places):
    """Of each (store, address), what comes: codes, scales, minimums."""
    unit = Reader(stores, part_lanes)
    idle = [0] * STORED_LATENCY
    inputs = {
        "address": [*(address for _, address in places), *idle],
        "store": [*(store for store, _ in places), *idle],
    }
    got = trace(unit, inputs, "codes", "scales", "minimums")
    return [got[name][STORED_LATENCY:].reshape(len(places), -1) for name in got]


@pytest.mark.parametrize("lanes", [1, 4, 12, 16, 24, 32, 64])
@pytest.mark.parametrize(
    "texts",
    [
        ["block:4:32:min"],
        ["block:5:16", "int8"],
        ["block:8:32:min", "trits:3", "block:6:16:min"],
    ],
    ids=" ".join,
)
def test_words_are_those_of_the_rows(lanes, texts):
    rng = np.random.default_rng(lanes)
    matrices = [matrix(rng, text, 3, 96) for text in texts]
    stores = [WeightStore(WordFormat.holding(lanes, [item])) for item in matrices]
    sizes = [store.format.scale_lanes for store in stores if store.format.group]
    part_lanes = math.gcd(*sizes)
    orders = [[2, 0], [1]]
    places, wanted = [], []
    for index, (store, item) in enumerate(zip(stores, matrices, strict=True)):
        for rows in orders:
            first = store.add([item], np.array(rows))
            wanted.append(expanded(item, rows, lanes, part_lanes))
            places += [(index, first + i) for i in range(len(wanted[-1][0]))]
    wanted = [np.concatenate(parts) for parts in zip(*wanted, strict=True)]
    order = rng.permutation(len(places))
    got = read(stores, part_lanes, [places[i] for i in order])
    minimums = any(item.format.minimum for item in matrices)
    for found, expected in zip(got[: 2 + minimums], wanted, strict=False):
        assert np.array_equal(found, expected[order])


@pytest.mark.parametrize("lanes", [8, 12, 64])
@pytest.mark.parametrize(
    ("one", "other", "bits", "group"),
    [
        ("block:4:32:min", "block:6:16", 6, 16),
        ("int8", "block:8:32:min", 9, 32),
        ("block:5:16:min", "block:4:32:min", 5, 16),
    ],
)
def test_rows_of_two_formats_alternate_in_a_format_that_holds_both(lanes, one, other, bits, group):
    rng = np.random.default_rng(lanes)
    pair = [matrix(rng, text, 4, 32) for text in (one, other)]
    store = WeightStore(WordFormat.holding(lanes, pair))
    assert (store.format.bits, store.format.group, store.format.minimum) == (bits, group, True)
    size = store.format.scale_lanes
    store.add(pair, np.arange(4))
    parts = [expanded(item, [row], lanes, size) for row in range(4) for item in pair]
    wanted = [np.concatenate(each) for each in zip(*parts, strict=True)]
    got = read([store], size, [(0, i) for i in range(len(wanted[0]))])
    assert np.array_equal(*(whole_weights(*each, size) for each in (got, wanted)))


@pytest.mark.parametrize(
    ("text", "lanes", "bits"),
    [
        ("int8", 24, 8),
        ("trits:3", 8, 5),
        ("block:4:32:min", 64, 4.5),
        ("block:4:32:min", 8, 4.5),
        ("block:4:32", 32, 4.25),
        ("block:6:16", 48, 6.5),
        ("block:4:32:min", 48, 5),
        ("block:4:32:min", 12, 8),
    ],
)
def test_bits_per_weight(text, lanes, bits):
    """The format's own where words have whole groups or groups whole words."""
    item = matrix(np.random.default_rng(0), text, 1, 96)
    assert WordFormat.holding(lanes, [item]).bits_per_weight == bits
