# amaranth: UnusedElaboratable=no
"""Sums of groups and their trees against numpy: words, gaps and numbers at random and at ends."""

from __future__ import annotations

import numpy as np
import pytest

from gateformer.gateware.decoder.weights.group_sums import GroupSums
from gateformer.gateware.decoder.weights.part_tree import PartTree
from gateformer.model.contract.arith import signed_width

from .pipeline_bench import extremes, trace

ROWS, TAIL = 60, 16
SUM, ACTIVATIONS = 4000, 900


def unit(parts: int, words: int, minimums: bool, levels: int = 2) -> GroupSums:
    most = words * parts * (255 * SUM + (128 << 7) * ACTIVATIONS * minimums)
    return GroupSums(
        sum_widths=[signed_width(SUM)] * parts,
        total_width=signed_width(most),
        minimums=minimums,
        activation_width=signed_width(ACTIVATIONS),
        words=words,
        levels_per_register=levels,
    )


class Beats:
    """What goes in, cycle by cycle, and totals by the cycle of the beat that completes them."""

    def __init__(self, parts: int, rng):
        self.parts, self.rng, self.rows, self.expected = parts, rng, [], {}

    def add(self, valid: int = 1, **given) -> None:
        rng, parts = self.rng, self.parts
        self.rows.append(
            {
                "valid": valid,
                "first": int(rng.integers(2)),
                "sums": extremes(rng, SUM, parts),
                "scales": rng.choice([0, 1, 255, 77], parts),
                "minimums": rng.choice([-128, -1, 0, 1, 127, 50], parts),
                "min_shift": int(rng.integers(8)),
                "keep": int(not valid),
                "word": 0,
                "element": 0,
                "part": int(rng.integers(parts)),
                **given,
            }
        )

    def gaps(self) -> None:
        for _ in range(self.rng.choice([0, 0, 0, 1, 3])):
            self.add(valid=0)

    def inputs(self, names) -> dict:
        for _ in range(TAIL):
            self.add(valid=0)
        return {
            name: [
                row[name].tolist() if isinstance(row[name], np.ndarray) else row[name]
                for row in self.rows
            ]
            for name in names
        }


@pytest.mark.parametrize("minimums", [False, True])
@pytest.mark.parametrize(("parts", "words", "levels"), [(1, 1, 2), (1, 4, 2), (3, 2, 1), (8, 3, 2)])
def test_totals_of_rows_at_random(parts, words, levels, minimums):
    rng = np.random.default_rng(parts + words)
    block, beats = unit(parts, words, minimums, levels), Beats(parts, rng)
    activations = np.zeros((words, parts), np.int64)
    for _ in range(ROWS):
        if minimums and rng.random() < 0.3:
            activations = extremes(rng, ACTIVATIONS, (words, parts))
            for word in range(words):
                beats.add(keep=1, word=word, sums=activations[word])
                beats.gaps()
        element = minimums and rng.random() < 0.2
        shift, total = int(rng.integers(8)), 0
        for word in range(1 if element else words):
            given = {"keep": 0, "word": word, "first": int(word == 0), "min_shift": shift}
            beats.add(**given, element=int(element))
            row = beats.rows[-1]
            times = np.arange(parts) == row["part"] if element else activations[word]
            total += (row["scales"] * row["sums"]).sum()
            if minimums:
                total += ((row["minimums"] << shift) * times).sum()
            beats.expected[len(beats.rows) - 1] = total
            beats.gaps()
    names = ["valid", "first", "sums", "scales"]
    if minimums:
        names += ["minimums", "min_shift", "keep", "word", "element", "part"]
    got = trace(block, beats.inputs(names), "total")["total"]
    assert len(beats.expected) >= ROWS
    for cycle, total in beats.expected.items():
        assert got[cycle + block.latency] == total, cycle


def test_the_largest_total_of_each_sign_fits():
    parts, words = 4, 3
    block, beats = unit(parts, words, True), Beats(parts, np.random.default_rng(0))
    for sign in (1, -1):
        for word in range(words):
            beats.add(keep=1, word=word, sums=np.full(parts, -sign * ACTIVATIONS))
        for word in range(words):
            ends = {"sums": np.full(parts, sign * SUM), "scales": np.full(parts, 255)}
            lows = {"minimums": np.full(parts, -128), "min_shift": 7}
            beats.add(keep=0, word=word, first=int(word == 0), **ends, **lows)
        most = parts * words * (255 * SUM + (128 << 7) * ACTIVATIONS)
        beats.expected[len(beats.rows) - 1] = sign * most
    names = ["valid", "first", "sums", "scales", "minimums", "min_shift", "keep", "word"]
    got = trace(block, beats.inputs(names), "total")["total"]
    for cycle, total in beats.expected.items():
        assert got[cycle + block.latency] == total


@pytest.mark.parametrize(
    ("lanes", "segment_lanes", "part_lanes"),
    [(2, 2, 1), (8, 8, 8), (12, 6, 2), (16, 4, 16), (96, 48, 16), (15, 5, 1), (64, 8, 32)],
)
@pytest.mark.parametrize("levels", [1, 2])
def test_a_tree_sums_segments_and_parts(lanes, segment_lanes, part_lanes, levels):
    rng = np.random.default_rng(lanes)
    most = 2**6 - 1
    tree = PartTree(
        lanes=lanes,
        segment_lanes=segment_lanes,
        part_lanes=part_lanes,
        lane_width=signed_width(most),
        levels_per_register=levels,
    )
    words = [np.full(lanes, most), np.full(lanes, -most), *extremes(rng, most, (20, lanes))]
    inputs = {"lanes": [[int(n) for n in word] for word in [*words, *[words[0]] * TAIL]]}
    got = trace(tree, inputs, "sums", "parts")
    for cycle, word in enumerate(words):
        for name, size, latency in (
            ("sums", segment_lanes, tree.sums_latency),
            ("parts", part_lanes, tree.parts_latency),
        ):
            expected = word.reshape(-1, size).sum(axis=1)
            assert np.array_equal(np.ravel(got[name][cycle + latency]), expected), (name, cycle)
