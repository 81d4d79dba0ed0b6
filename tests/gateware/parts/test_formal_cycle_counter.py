"""CycleCounter counts as a number of 64 bits does, past 2**32 too, proved for any length."""

import pytest
from amaranth.hdl import Module, Signal

from gateformer.gateware.parts import cycle_counter
from tests.support.formal.prover import Refuted, elaborated, mutated, prove, require


def counter_rules(counter):
    """(module, free signals)."""
    m = Module()
    m.submodules.counter, names = elaborated(counter)
    (own,) = names["elaborate"]
    count, high = Signal(64), Signal(32)
    with m.If(counter.enable):
        m.d.sync += count.eq(count + 1)
    with m.If(counter.clear):
        m.d.sync += count.eq(0)
    with m.If(counter.low_read):
        m.d.sync += high.eq(count >> 32)
    require(
        m,
        {
            "low is the lower half": counter.low == count[:32],
            "high is of the moment of low": counter.high == high,
            "count": own.count == count,
        },
    )
    return m, [counter.clear, counter.enable, counter.low_read]


def test_halves_are_those_of_a_long_number(tmp_path):
    prove(*counter_rules(cycle_counter.CycleCounter()), tmp_path, depth=2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # right until 2**32 cycles: only the induction can tell
        ("count.eq(count + 1)", "count[: self.half_bits].eq(count[: self.half_bits] + 1)"),
        ("self.high.eq(count[self.half_bits :])", "self.high.eq(0)"),
    ],
)
def test_a_lost_carry_is_refuted(old, new, tmp_path):
    counter = mutated(cycle_counter, old, new).CycleCounter()
    with pytest.raises(Refuted, match="induction: "):
        prove(*counter_rules(counter), tmp_path, depth=2)
