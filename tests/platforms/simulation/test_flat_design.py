"""Designs whose text is made ready for CXXRTL."""

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.platforms.simulation import flat_design
from gateformer.platforms.simulation.compiled_simulation import CompiledSimulation


class Reversed(wiring.Component):
    """The bits of a wide number, each from a register of its own, the last one first."""

    def __init__(self, width):
        super().__init__({"value": In(width), "found": Out(width)})

    def elaborate(self, platform):
        m = Module()
        bits = [Signal(name=f"bit{i}") for i in range(len(self.value))]
        m.d.sync += [bit.eq(value) for bit, value in zip(bits, self.value, strict=True)]
        m.d.comb += self.found.eq(Cat(reversed(bits)))
        return m


@pytest.mark.parametrize("width", [160, pytest.param(1200, marks=pytest.mark.slow)])
def test_a_number_of_many_pieces(width):
    """CXXRTL's expression of them has templates too deep for g++."""
    simulation = CompiledSimulation(Reversed(width))
    value = int.from_bytes(np.random.default_rng(1).bytes(width // 8))
    simulation.set("value", value)
    simulation.step()
    assert simulation.get("found") == int(f"{value:0{width}b}"[::-1], 2)


def test_what_a_connection_becomes():
    few = "  wire width 2 \\a\n  wire \\b\n  connect \\a { \\b 1'0 }\n"
    assert flat_design.split_connections(few) == few
    most = flat_design.MOST_PIECES
    pieces = r"\c " * most
    wires = f"  wire width {most + 5} output 3 \\a\n  wire width 4 \\b\n  wire \\c\n"
    many = f"{wires}  connect \\a [{most + 4}:1] {{ \\b [2:1] 2'1x {pieces}}}\n"
    found = flat_design.split_connections(many).splitlines()[3:]
    assert found[:5] == [
        f"  connect \\a [{most + 4}] \\b [2]",
        f"  connect \\a [{most + 3}] \\b [1]",
        f"  connect \\a [{most + 2}] 1'1",
        f"  connect \\a [{most + 1}] 1'x",
        f"  connect \\a [{most}] \\c",
    ]
    assert len(found) == most + 4 and found[-1] == "  connect \\a [1] \\c"
    whole = f"{wires}  connect {{ {pieces}\\b }} {{ \\a [0] \\a [{most + 4}:2] }}\n"
    assert flat_design.split_connections(whole).splitlines()[3:][-1] == "  connect \\b [0] \\a [2]"
