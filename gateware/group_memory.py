"""Memory of wide words that are read whole and written one group at a time."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .delay import delayed
from .layout import ceil_div
from .registered_read import COLLISION_FREE, registered_read

BANK_UNIT = 512
"""Words of a block memory at its greatest width, in every family (UG473, FPGA-TN-02204, UG285)."""


def bank_depths(depth: int) -> list[int]:
    """Depths of a memory's banks, the largest first; their addresses follow each other.

    Powers of two of :data:`BANK_UNIT` but for the last: synthesis makes each of blocks side by
    side, which nothing has to choose between, and together they take as many blocks as one would.
    """
    units = ceil_div(depth, BANK_UNIT)
    banks = [BANK_UNIT << i for i in reversed(range(units.bit_length())) if units >> i & 1]
    return [*banks[:-1], depth - sum(banks[:-1])]


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
        (:func:`bank_depths`) with an output register. ``"distributed"`` (LUTs): 1 cycle.

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
        in_blocks = self._ram_style == "block"
        depth = len(self._initial_words)
        word, first = None, 0
        for number, bank_depth in enumerate(bank_depths(depth) if in_blocks else [depth]):
            words = range(first, first + bank_depth)
            bank = self._bank(m, number, words)
            if in_blocks:
                # the output register
                bank = delayed(m, bank, 1, name=f"word{number}")
            if word is None:
                word = bank
            else:
                beyond = delayed(m, self.address >= first, 2, name=f"is_bank{number}")
                word = Mux(beyond, bank, word)
            first += bank_depth
        m.d.comb += self.word.eq(word)
        return m

    def _bank(self, m: Module, number: int, words: range):
        """Those words, each 1 cycle after its address.

        A bank's first address is a multiple of its depth, or of the next power of two.
        """
        width, depth = self._group_width, len(words)
        is_here = (self.write.address >= words.start) & (self.write.address < words.stop)
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
