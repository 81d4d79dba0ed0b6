"""Memory of wide words that are read whole and written one group at a time."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .memory_banks import banked_word, is_in_bank
from .registered_read import COLLISION_FREE, registered_read


class GroupMemory(wiring.Component):
    """One memory per group of a word, side by side.

    ``word`` is the word at ``address``, some cycles later, a word per cycle; it includes the
    writes of cycles before that of the address. What it has of a group written in the same cycle
    is not specified.

    Parameters
    ----------
    groups : int
        Groups per word.
    group_width : int
        Bits per group.
    initial_words : list of int
        One unsigned integer per word, group 0 least significant; its length is the depth.
    ram_style : str
        For synthesis. ``"block"``: ``word`` comes 2 cycles after its address, each bank
        (:func:`gateware.parts.memory_banks.bank_depths`) with an output register.
        ``"distributed"`` (LUTs): 1 cycle.

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
        depth = len(self._initial_words)
        if self._ram_style == "block":
            word = banked_word(m, self.address, depth, lambda *bank: self._bank(m, *bank))
        else:
            word = self._bank(m, 0, range(depth))
        m.d.comb += self.word.eq(word)
        return m

    def _bank(self, m: Module, number: int, words: range):
        """Those words, each 1 cycle after its address."""
        width, depth = self._group_width, len(words)
        is_here = is_in_bank(self.write.address, words)
        address_width = ceil_log2(depth)
        groups = []
        for group in range(self._groups):
            name = f"group{group}_bank{number}"
            m.submodules[name] = block = memory.Memory(
                shape=unsigned(width),
                depth=depth,
                init=[
                    word >> (group * width) & (2**width - 1)
                    for word in self._initial_words[words.start : words.stop]
                ],
                attrs={"ram_style": self._ram_style, **COLLISION_FREE},
            )
            write = block.write_port()
            m.d.comb += [
                write.en.eq(self.write.valid & (self.write.group == group) & is_here),
                write.addr.eq(self.write.address[:address_width]),
                write.data.eq(self.write.data),
            ]
            address = self.address[:address_width]
            groups.append(registered_read(m, block, address, f"word_{name}"))
        return Cat(*groups)
