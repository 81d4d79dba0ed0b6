"""Memory of wide words that are read whole and written one group at a time."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from .registered_read import COLLISION_FREE, registered_read


class GroupMemory(wiring.Component):
    """One memory per group of a word, side by side.

    ``word`` is the word at ``address``, 1 cycle later, a word per cycle; it includes the writes
    of earlier cycles. What it has of a group written in the same cycle is not specified.

    Parameters
    ----------
    groups : int
        Groups per word.
    group_width : int
        Bits per group.
    initial_words : list of int
        One unsigned integer per word, group 0 least significant; its length is the depth.
    ram_style : str
        ``"block"`` or ``"distributed"`` (LUTs), for synthesis.

    Members
    -------
    address : In(range(depth))
    word : Out(groups * group_width)
    write : In(struct)
        ``valid``, ``address``, ``group``, ``data``.
    """

    def __init__(self, *, groups: int, group_width: int, initial_words: list[int], ram_style: str):
        self._groups, self._group_width = groups, group_width
        self._initial_words, self._ram_style = initial_words, ram_style
        address = range(len(initial_words))
        write = {"valid": 1, "address": address, "group": range(groups), "data": group_width}
        super().__init__(
            {
                "address": In(address),
                "word": Out(groups * group_width),
                "write": In(data.StructLayout(write)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width = self._group_width
        words = []
        for group in range(self._groups):
            m.submodules[f"group{group}"] = block = memory.Memory(
                shape=unsigned(width),
                depth=len(self._initial_words),
                init=[word >> (group * width) & (2**width - 1) for word in self._initial_words],
                attrs={"ram_style": self._ram_style, **COLLISION_FREE},
            )
            write = block.write_port()
            m.d.comb += [
                write.en.eq(self.write.valid & (self.write.group == group)),
                write.addr.eq(self.write.address),
                write.data.eq(self.write.data),
            ]
            words.append(registered_read(m, block, self.address, f"word{group}"))
        m.d.comb += self.word.eq(Cat(*words))
        return m
