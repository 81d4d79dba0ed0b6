"""Rows of the ternary engine in carry cells that gate and invert: gates against numpy."""

import dataclasses

import numpy as np
import pytest
from amaranth.back import rtlil

from gateformer.gateware.engines.ternary.lane import TernaryLane, accumulate_cycle
from gateformer.gateware.engines.ternary.packing import weight_format
from gateformer.gateware.engines.ternary.weight_decoder import n_pairs
from gateformer.gateware.parts.carry_chain import carry_cells
from tests.gateware.parts.gate_simulation import GateSimulator

ACC_WIDTH = 24
LANES = 512
"""Simulations side by side."""
FLAGS = ("valid", "first", "triple")


@dataclasses.dataclass
class Beats:
    """What a row is given, [beats, lanes, columns] and [beats, lanes], and what it makes of it."""

    x: np.ndarray
    trits: np.ndarray
    valid: np.ndarray
    first: np.ndarray
    triple: np.ndarray

    def sums(self):
        """``acc`` after each beat."""
        so_far, after = 0, []
        for x, trits, valid, first, triple in zip(*dataclasses.astuple(self), strict=True):
            base = np.where(first, 0, so_far * np.where(triple, 3, 1))
            total = base + (x * trits).sum(axis=1)
            so_far = np.where(valid, total, so_far)
            after.append(so_far)
        return after


def random_beats(rng, cols, number, planes):
    shape = number, LANES
    return Beats(
        x=rng.choice([-128, -127, 127, *range(-127, 128)], [*shape, cols]),
        trits=rng.integers(-1, 2, [*shape, cols]),
        valid=rng.random(shape) < 0.8,
        first=rng.random(shape) < 0.3,
        triple=(rng.random(shape) < 0.4) & planes,
    )


def signals_of(x, trits):
    """Terms and controls of a row for the simulator, bits as lists of [lanes] arrays."""
    cols = x.shape[1]
    terms = []
    for pair in range(n_pairs(cols)):
        a = x[:, 2 * pair]
        b = x[:, 2 * pair + 1] if 2 * pair + 1 < cols else 0 * a
        # neither the difference nor the copy of a sign is used
        fields = ((a, 8), (b, 8), (0 * a, 9), (0 * a, 1))
        terms += [value >> bit & 1 for value, width in fields for bit in range(width)]
    form = weight_format("2bit")
    words = np.array(
        [[word >> i & 1 for i in range(2 * cols)] for word in form.pack(trits[:, None, :])]
    ).T
    if cols % 2:
        first, relative = words[-2:]
        words = np.concatenate([words[:-2], np.stack([first, 0 * first, 1 - first, relative])])
    return terms, list(words)


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("cols", [1, 2, 3, 5, 8, 13, 64])
@pytest.mark.parametrize("planes", [False, True])
def test_a_row_is_numpy_s(tmp_path, cols, levels, planes):
    rng = np.random.default_rng([cols, levels, planes])
    lane = TernaryLane(
        cols=cols,
        acc_width=ACC_WIDTH,
        tree_levels_per_register=levels,
        planes=planes,
        adders="gated",
    )
    beats = random_beats(rng, cols, 8, planes)
    # before the first there is no sum, and none would grow beyond the accumulator
    beats.first[0] = beats.valid[0] = True
    simulator = GateSimulator(lane, ["ecp5_carry.v"], tmp_path, LANES)
    late = accumulate_cycle(cols, levels)
    given = [signals_of(*beat) for beat in zip(beats.x, beats.trits, strict=True)]
    none, seen = np.zeros(LANES, bool), []
    for cycle in range(len(beats.x) + late + 1):
        now = cycle - late
        terms, controls = given[min(cycle, len(given) - 1)]
        arrives, begins = (
            {
                name: getattr(beats, name)[beat] if 0 <= beat < len(beats.x) else none
                for name in FLAGS
            }
            for beat in (now, now + 1)
        )
        simulator.set(
            terms=terms,
            controls=controls,
            clear=begins["valid"] & begins["first"],
            enable=arrives["valid"],
            triple=arrives["triple"],
        )
        simulator.settle()
        if now > 0:
            seen.append(simulator.get("acc"))
        simulator.tick()
    for i, (after, sums) in enumerate(zip(seen, beats.sums(), strict=True)):
        valid = beats.valid[i]
        assert (after[valid] == sums[valid]).all(), i


@pytest.mark.parametrize("cols", [2, 8])
def test_cells_are_counted(cols):
    lane = TernaryLane(
        cols=cols, acc_width=ACC_WIDTH, tree_levels_per_register=2, planes=True, adders="gated"
    )
    leaves = n_pairs(cols)
    widths = [9] * leaves + [10] * (leaves // 2) + [11] * (leaves // 4) + [ACC_WIDTH] * 2
    text = rtlil.convert(lane, name="top")
    assert text.count("cell \\CCU2C ") == sum(map(carry_cells, widths))
