"""Block memories read back out of netlists, and the cell models that simulate them."""

from __future__ import annotations

import functools
import random

import numpy as np
import pytest
from amaranth.back import rtlil

from gateformer.gateware.core.taps import Mismatch
from gateformer.platforms.families.ecp5 import ECP5
from gateformer.platforms.families.gowin import GOWIN
from gateformer.platforms.families.xc7 import XC7
from gateformer.platforms.families.xcup import XCUP
from gateformer.platforms.simulation.compiled_simulation import CompiledSimulation
from gateformer.platforms.synthesis.block_memory import BLOCK_MEMORIES
from gateformer.platforms.synthesis.compile import compile_netlist
from gateformer.platforms.synthesis.mapping import map_memories
from gateformer.platforms.synthesis.memories import read_memories
from gateformer.platforms.synthesis.netlist import read_module
from gateformer.platforms.synthesis.synthesis import synthesize_rtlil

from .netlist_bench import SHAPES, Memories

SEED = 3
FAMILIES = {family.name: family for family in (XC7, XCUP, ECP5, GOWIN)}


@functools.cache
def synthesized(family):
    """(component, finished netlist, snapshots of memory mapping)."""
    component = Memories(SEED)
    design = rtlil.convert(component, name="top", emit_src=False)
    netlist = read_module(synthesize_rtlil(design, FAMILIES[family]).netlist, "top")
    return component, netlist, map_memories(design, FAMILIES[family])


def flipped(netlist, cell, parameter, bit):
    """The netlist with one bit of a parameter inverted."""
    text = netlist.cells[cell].parameters[parameter]
    at = len(text) - 1 - bit
    inverse = "0" if text[at] == "1" else "1"
    return netlist.with_parameter(cell, parameter, text[:at] + inverse + text[at + 1 :])


MOSTLY_FAST = [
    pytest.param(family, marks=pytest.mark.slow if family == "xcup" else ()) for family in FAMILIES
]


@pytest.mark.parametrize("family", MOSTLY_FAST)
@pytest.mark.slow_but("ecp5")
def test_block_memories_hold_the_design_s_words(family):
    component, netlist, mapping = synthesized(family)
    memories = read_memories(netlist, mapping, family)
    assert [memory.name for memory in memories] == [f"memory{i}" for i in range(len(SHAPES))]
    for memory, (depth, width, _), contents in zip(
        memories, SHAPES, component.contents, strict=True
    ):
        memory.check()
        assert memory.columns == tuple(range(width)) and memory.words.shape == (depth, width)
        assert (memory.words @ (1 << np.arange(width, dtype=object)) == contents).all()
    cells = [cell for memory in memories for cell in memory.cells]
    assert sorted(cells) == sorted(netlist.of_type(BLOCK_MEMORIES[family]))


@pytest.mark.parametrize("family", MOSTLY_FAST)
def test_a_flipped_bit_is_found_where_it_is(family):
    _, netlist, mapping = synthesized(family)
    rng = random.Random(family)
    cells = sorted(netlist.of_type(BLOCK_MEMORIES[family]))
    found = 0
    while found < 3:
        cell = rng.choice(cells)
        lines = [
            name
            for name, text in netlist.cells[cell].parameters.items()
            if name.startswith("INIT") and len(text) >= 256
        ]
        line = rng.choice(lines)
        bit = rng.randrange(len(netlist.cells[cell].parameters[line]))
        changed = [
            memory
            for memory in read_memories(flipped(netlist, cell, line, bit), mapping, family)
            if (memory.words != memory.expected).any()
        ]
        if not changed:
            continue  # a bit that no address reaches
        found += 1
        (memory,) = changed
        ((address, column),) = np.argwhere(memory.words != memory.expected)
        assert cell in memory.cells
        place = f"memory {memory.name}, address {address}, bit {column}: netlist "
        with pytest.raises(Mismatch, match=place):
            memory.check()


@pytest.mark.parametrize("family", ["xc7", "xcup", "ecp5"])
@pytest.mark.slow_but("ecp5")
def test_memory_models_read_and_write_as_the_design(family):
    """Every third access hits the address that the other port writes in the same cycle."""
    component, netlist, _ = synthesized(family)
    simulation = CompiledSimulation(component, design=compile_netlist(netlist, component, family))
    rng = random.Random(SEED)
    words = [list(contents) for contents in component.contents]
    for _ in range(600):
        expected, writes = [], []
        for i, (depth, width, writable) in enumerate(SHAPES):
            address = rng.choice([rng.randrange(depth), depth - 1, rng.randrange(4)])
            simulation.set(f"address{i}", address)
            expected.append(words[i][address])
            if writable:
                at = rng.choice([rng.randrange(depth), rng.randrange(4), address])
                value, enable = rng.getrandbits(width), rng.randrange(2)
                simulation.set(f"enable{i}", enable)
                simulation.set(f"write_address{i}", at)
                simulation.set(f"write_data{i}", value)
                if enable:
                    writes.append((i, at, value))
        simulation.step()
        assert [simulation.get(f"data{i}") for i in range(len(SHAPES))] == expected
        for i, at, value in writes:
            words[i][at] = value
