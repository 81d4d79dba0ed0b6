"""The ternary engine against numpy: every result, exact values, in the exact cycle."""

import itertools

import numpy as np
import pytest
from amaranth.sim import Simulator

from gateformer.gateware.engines.ternary.engine import TernaryEngine
from gateformer.gateware.engines.ternary.packing import weight_format
from gateformer.gateware.parts.memory_banks import bank_depths


def random_engine(rng, rows, chunk_groups, *, name="2bit", chunks=2, words=5, **arguments):
    """An engine with random weights, and those [words, rows, cols]."""
    trits = rng.integers(-1, 2, [words, rows, rows * chunk_groups])
    form = weight_format(name)
    arguments = {"max_planes": 1, "acc_width": 24, **arguments}
    engine = TernaryEngine(
        rows=rows,
        chunk_groups=chunk_groups,
        activation_chunks=chunks,
        weight_words=form.pack(trits),
        weight_format=form,
        **arguments,
    )
    return engine, trits


def random_beats(rng, engine, n, *, gap, planes):
    """Random beats; ``cycle`` is when each one is issued."""
    beats, cycle, fresh, triples = [], 0, True, 0
    for i in range(n):
        cycle += int(rng.integers(1, 4)) if gap else 1
        triple = not fresh and triples < planes - 1 and bool(rng.integers(2))
        triples = 0 if fresh else triples + triple
        last = i == n - 1 or bool(rng.integers(2))
        beats.append(
            {
                "cycle": cycle,
                "weight_address": int(rng.integers(len(engine.weight_words))),
                "chunk": int(rng.integers(engine.activation_chunks)),
                "first": fresh,
                "triple": triple,
                "last": last,
            }
        )
        # A result may be looked at before its sum is complete.
        fresh = last and bool(rng.integers(4))
    return beats


def expected_results(engine, trits, x, beats):
    """{cycle: acc} of the beats; ``x`` is [chunks, cols]."""
    results, acc = {}, None
    for beat in beats:
        dot = trits[beat["weight_address"]] @ x[beat["chunk"]]
        acc = dot if beat["first"] else acc * (3 if beat["triple"] else 1) + dot
        if beat["last"]:
            results[beat["cycle"] + engine.latency] = acc.tolist()
    return results


def set_idle(ctx, engine):
    ctx.set(engine.beat.valid, 0)
    ctx.set(engine.write.valid, 0)


def set_write(ctx, engine, chunk, group, values):
    ctx.set(engine.write.chunk, chunk)
    ctx.set(engine.write.group, group)
    ctx.set(engine.write.data, [int(v) for v in values])
    ctx.set(engine.write.valid, 1)


def set_beat(ctx, engine, beat):
    for name in ("weight_address", "chunk", "first", "triple", "last"):
        ctx.set(getattr(engine.beat, name), beat[name])
    ctx.set(engine.beat.valid, 1)


def simulate(engine, x, beats, writes=()):
    """{cycle: acc} seen on ``result`` after ``x`` was written; cycle 0 is the last write's.

    ``writes`` are (cycle, chunk, group, data) that happen between beats.
    """
    beat_at = {beat["cycle"]: beat for beat in beats}
    write_at = {cycle: write for cycle, *write in writes}
    results = {}

    async def bench(ctx):
        places = [(c, g) for c in range(len(x)) for g in range(engine.chunk_groups)]
        for chunk, group in places[:-1]:
            set_write(ctx, engine, chunk, group, x[chunk].reshape(-1, engine.rows)[group])
            await ctx.tick()
        chunk, group = places[-1]
        write_at[0] = (chunk, group, x[chunk].reshape(-1, engine.rows)[group])
        for cycle in range(max(beat_at) + engine.latency + 3):
            set_idle(ctx, engine)
            if cycle in beat_at:
                set_beat(ctx, engine, beat_at[cycle])
            if cycle in write_at:
                set_write(ctx, engine, *write_at[cycle])
            if ctx.get(engine.result.valid):
                results[cycle] = [ctx.get(acc) for acc in engine.result.acc]
            await ctx.tick()

    simulator = Simulator(engine)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return results


CASES = [
    # rows, chunk_groups, chunks, max_planes, tree_levels_per_register
    (1, 1, 1, 1, 2),
    (1, 2, 3, 5, 2),
    (1, 3, 1, 1, 1),
    (2, 1, 2, 2, 2),
    (3, 1, 2, 1, 2),
    (3, 3, 2, 3, 1),
    (1, 13, 2, 1, 2),
    (5, 3, 2, 4, 3),
    (7, 1, 1, 5, 2),
    (2, 16, 2, 2, 2),
    (4, 8, 3, 1, 2),
    (3, 7, 2, 2, 4),
    (8, 2, 2, 5, 2),
]


@pytest.mark.parametrize("name", ["2bit", "3in5"])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_equals_numpy_in_the_exact_cycle(name, case):
    rows, chunk_groups, chunks, planes, levels_per_register = CASES[case]
    rng = np.random.default_rng([case, len(name)])
    engine, trits = random_engine(
        rng,
        rows,
        chunk_groups,
        name=name,
        chunks=chunks,
        max_planes=planes,
        tree_levels_per_register=levels_per_register,
        adders="short" if (name == "2bit") ^ case % 2 else "plain",
    )
    x = rng.integers(-127, 128, [chunks, engine.cols])
    beats = random_beats(rng, engine, 16, gap=case % 2 == 0, planes=planes)
    assert simulate(engine, x, beats) == expected_results(engine, trits, x, beats)


@pytest.mark.parametrize("name", ["2bit", "3in5"])
@pytest.mark.parametrize("words", [512, 513, 1100, 1600])
def test_a_deep_weight_memory_has_banks(name, words):
    rng = np.random.default_rng(words)
    engine, trits = random_engine(rng, 2, 2, name=name, words=words, max_planes=2)
    banks = bank_depths(words)
    assert engine.latency == 4 + (len(banks) > 1) + engine.weight_format.decode_latency
    x = rng.integers(-127, 128, [2, engine.cols])
    beats = random_beats(rng, engine, 200, gap=False, planes=2)
    # the first and last words of every bank, one after the other
    edges = [0, *itertools.accumulate(banks)]
    for beat, first in zip(beats[::2], edges, strict=False):
        beat["weight_address"] = min(first, words - 1)
    for beat, first in zip(beats[1::2], edges, strict=False):
        beat["weight_address"] = max(first - 1, 0)
    assert simulate(engine, x, beats) == expected_results(engine, trits, x, beats)


@pytest.mark.parametrize("name, adders", [("2bit", "short"), ("3in5", "short"), ("3in5", "plain")])
@pytest.mark.parametrize("cols", [1, 2, 3, 5, 6, 9, 16])
def test_extreme_values(name, adders, cols):
    """All weights of one sign with activations of +-128 and +-127, in five planes."""
    form = weight_format(name)
    trits = np.stack(
        [np.ones([1, cols], int), -np.ones([1, cols], int), np.eye(1, cols, dtype=int)]
    )
    bound = 128 * cols * 121
    engine = TernaryEngine(
        rows=1,
        chunk_groups=cols,
        activation_chunks=3,
        weight_words=form.pack(trits),
        weight_format=form,
        max_planes=5,
        acc_width=bound.bit_length() + 1,
        adders=adders,
    )
    alternating = np.where(np.arange(cols) % 2, -128, 127)
    x = np.stack([np.full(cols, 127), np.full(cols, -128), alternating])
    beats = []
    for address in range(3):
        for chunk in range(3):
            for plane in range(5):
                beats.append(
                    {
                        "cycle": len(beats) + 1,
                        "weight_address": address,
                        "chunk": chunk,
                        "first": plane == 0,
                        "triple": plane > 0,
                        "last": plane == 4,
                    }
                )
    assert simulate(engine, x, beats) == expected_results(engine, trits, x, beats)


@pytest.mark.parametrize("adders", ["plain", "short"])
def test_every_weight_of_three_columns(adders):
    """All 27 rows of three columns, a pair and a single one, in both signs of the root."""
    form = weight_format("2bit")
    trits = np.array(np.meshgrid(*[[-1, 0, 1]] * 3)).reshape(3, 27).T[:, None, :]
    engine = TernaryEngine(
        rows=1,
        chunk_groups=3,
        activation_chunks=1,
        weight_words=form.pack(trits),
        weight_format=form,
        max_planes=1,
        acc_width=10,
        adders=adders,
    )
    x = np.array([[100, -77, 31]])
    beats = [
        {
            "cycle": 1 + i,
            "weight_address": i,
            "chunk": 0,
            "first": True,
            "triple": False,
            "last": True,
        }
        for i in range(27)
    ]
    assert simulate(engine, x, beats) == expected_results(engine, trits, x, beats)


def test_write_of_one_chunk_while_another_is_read():
    rng = np.random.default_rng(3)
    engine, trits = random_engine(rng, 2, 3, chunks=2)
    x = rng.integers(-127, 128, [2, engine.cols])
    later = rng.integers(-127, 128, engine.cols)
    common = {"weight_address": 1, "first": True, "triple": False, "last": True}
    beats = [{"cycle": c, "chunk": int(c == 5), **common} for c in range(1, 6)]
    writes = [(2 + g, 1, g, later[2 * g : 2 * g + 2]) for g in range(3)]
    seen = simulate(engine, x, beats, writes)
    # The last group is written in cycle 4, the beat of cycle 5 sees it.
    x = np.stack([x[0], later])
    assert seen == expected_results(engine, trits, x, beats)


@pytest.mark.parametrize(
    "name, cols, levels_per_register, latency",
    [("2bit", 1, 2, 4), ("2bit", 64, 2, 6), ("2bit", 64, 1, 9), ("3in5", 64, 2, 7)],
)
def test_latency(name, cols, levels_per_register, latency):
    engine, _ = random_engine(
        np.random.default_rng(0),
        1,
        cols,
        name=name,
        tree_levels_per_register=levels_per_register,
    )
    assert engine.latency == latency


GOOD = {
    "rows": 2,
    "chunk_groups": 1,
    "activation_chunks": 1,
    "weight_words": [0],
    "weight_format": weight_format("2bit"),
    "max_planes": 1,
    "acc_width": 10,
}


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"rows": "2"}, TypeError, "rows must be an integer, not '2'"),
        ({"chunk_groups": True}, TypeError, "chunk_groups must be an integer, not True"),
        ({"rows": 0}, ValueError, "rows must be at least 1, not 0"),
        ({"acc_width": -1}, ValueError, "acc_width must be at least 1, not -1"),
        ({"max_planes": 6}, ValueError, "max_planes must be at most 5, not 6"),
        ({"weight_format": "2bit"}, TypeError, "weight_format must be a WeightFormat, not '2bit'"),
        ({"weight_words": 7}, TypeError, "weight_words must be a list of integers, not 7"),
        ({"weight_words": []}, ValueError, "weight_words must have at least one word, not none"),
        ({"weight_words": [0, 0.5]}, TypeError, "weight_words[1] must be an integer, not 0.5"),
        (
            {"weight_words": [0x100]},
            ValueError,
            "weight_words[0] must have at most 8 bits, not 0x100",
        ),
    ],
)
def test_constructor_refuses(change, error, message):
    with pytest.raises(error) as caught:
        TernaryEngine(**{**GOOD, **change})
    assert str(caught.value) == message
