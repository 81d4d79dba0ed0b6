"""State machines with a register per state do what ``m.FSM()`` does."""

import random

import pytest
from amaranth.hdl import Module, Signal

from gateformer.gateware.parts.elaboration import may_stay_unused
from gateformer.gateware.parts.one_hot import OneHot
from tests.support.component_simulation import simulate

STATES = ("A", "B SIDE", "C", "D")


def describe(seed):
    """Random transitions: of each state, pairs of an input bit and the next state."""
    rng = random.Random(seed)
    return {
        name: [(rng.randrange(3), rng.choice(STATES)) for _ in range(rng.randrange(4))]
        for name in STATES
    }


@pytest.mark.parametrize("seed", range(8))
def test_like_an_encoded_machine(seed):
    m, transitions = Module(), describe(seed)
    inputs = Signal(3)
    encoded, one_hot = Signal(range(len(STATES))), Signal(len(STATES))
    with m.FSM():
        for i, name in enumerate(STATES):
            with m.State(name):
                m.d.comb += encoded.eq(i)
                for bit, target in transitions[name]:
                    with m.If(inputs[bit]):
                        m.next = target
    with OneHot(m, STATES[0]) as fsm:
        for i, name in enumerate(STATES):
            m.d.comb += one_hot[i].eq(fsm.ongoing(name))
            with fsm.state(name):
                for bit, target in transitions[name]:
                    with m.If(inputs[bit]):
                        fsm.next = target
    rng, visited = random.Random(seed), set()

    async def testbench(ctx):
        for _ in range(200):
            ctx.set(inputs, rng.randrange(8))
            await ctx.tick()
            visited.add(ctx.get(encoded))
            assert ctx.get(one_hot) == 1 << ctx.get(encoded)

    simulate(m, testbench)
    assert visited


def unused_module():
    m = Module()
    may_stay_unused(m)
    return m


def test_a_next_that_is_no_state():
    m = unused_module()
    error = pytest.raises(ValueError, match="NOWHERE is no state")
    with error, OneHot(m, "A") as fsm, fsm.state("A"):
        fsm.next = "NOWHERE"


def test_a_state_twice():
    m = unused_module()
    with pytest.raises(ValueError, match="state A is there twice"), OneHot(m, "A") as fsm:
        with fsm.state("A"):
            pass
        with fsm.state("A"):
            pass


def test_no_first_state():
    m = unused_module()
    with pytest.raises(ValueError, match="A is no state"), OneHot(m, "A") as fsm, fsm.state("B"):
        pass
