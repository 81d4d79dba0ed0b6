"""Constants of version 2 worked out by hand, which two programs could share wrongly."""

import numpy as np

from gateformer.model.contract.decoder import arith


def test_exp2():
    assert arith.exp2([0, 128, 256, 4095, 4096]).tolist() == [32767, 23170, 16384, 1, 0]


def test_reciprocals():
    assert arith.reciprocal_table()[[0, 1023]].tolist() == [65504, 32776]


def test_a_quarter_turn():
    assert arith.rotate([100, 50], np.array([0]), np.array([16384]), 14, 12).tolist() == [-50, 100]


def test_floor_log2_beside_every_power():
    for n in range(2, 63):
        beside = [2**n - 1, 2**n, 2**n + 1]
        assert arith.floor_log2(beside).tolist() == [n - 1, n, n]
