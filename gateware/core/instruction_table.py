"""The program in a table: instructions one after the other, from the first one on."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..plan.encoding import encode, instruction_layout

TABLE_PART = 32
"""Instructions of a part of the program memory: a small table, or synthesis, which shares logic
between its bits, makes paths of it that are too deep."""


def program_parts(instructions: Sequence) -> list[Sequence]:
    """The instructions of each part of the program memory."""
    starts = range(0, len(instructions), TABLE_PART)
    return [instructions[start : start + TABLE_PART] for start in starts]


def fetch_signature(layout: data.StructLayout) -> wiring.Signature:
    """What hands instructions to a sequencer.

    Members
    -------
    restart : Out(1), goes back to the first instruction; wins over ``load``
    load : Out(1), takes ``instruction``: the next one follows some cycles later
    instruction : In(layout)
    """
    return wiring.Signature({"restart": Out(1), "load": Out(1), "instruction": In(layout)})


class InstructionTable(wiring.Component):
    """Program memory, two instructions ahead.

    Parameters
    ----------
    instructions : sequence, of one kind, as :mod:`gateware.plan.encoding` encodes it

    Members
    -------
    fetch : In(:func:`fetch_signature`); an instruction follows 2 cycles after the one before it
    """

    def __init__(self, instructions: Sequence):
        self._instructions = instructions
        self._layout = instruction_layout(instructions)
        super().__init__({"fetch": In(fetch_signature(self._layout))})

    def elaborate(self, platform):
        m = Module()
        layout, fetch = self._layout, self.fetch
        first = encode(self._instructions[0], layout)
        fetched = Signal(layout, init=first, reset_less=True)
        # the address after the next, too: synthesis would make the table from the adder's bits
        address = Signal(range(len(self._instructions)), init=1, reset_less=True)
        following = Signal.like(address, init=2)
        words = []
        for number, part in enumerate(program_parts(self._instructions)):
            m.submodules[f"program_{number}"] = memory = Memory(
                shape=layout, depth=len(part), init=[encode(item, layout) for item in part]
            )
            port = memory.read_port()
            m.d.comb += port.addr.eq(address[: len(port.addr)])
            words.append(port.data.as_value())
        following_word = Array(words)[address[ceil_log2(TABLE_PART) :]]
        m.d.comb += fetch.instruction.eq(fetched)
        with m.If(fetch.restart):
            m.d.sync += [fetched.eq(layout.const(first)), address.eq(1), following.eq(2)]
        with m.Elif(fetch.load):
            m.d.sync += [fetched.as_value().eq(following_word), address.eq(following)]
            m.d.sync += following.eq(following + 1)
        return m
