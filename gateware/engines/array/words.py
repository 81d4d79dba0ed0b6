"""What the INT8 arrays consist of: checks of sizes and words, memories, reading accumulators."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Signal, Value
from amaranth.lib import data

from ...parts.delay import delayed
from ...parts.group_memory import GroupMemory
from ...parts.integers import check_least
from ...parts.multiplier import check_dsp

BYTE = 8


def read_accumulators(m: Module, accumulators: list, group, rows: int, width: int) -> Signal:
    """The lower ``width`` bits of a group of ``rows`` accumulators, a cycle after ``group``'s."""
    group = delayed(m, group, 1, name="read_group")
    groups = Array(
        Cat(acc[:width] for acc in accumulators[first : first + rows])
        for first in range(0, len(accumulators), rows)
    )
    selected = Signal(rows * width, reset_less=True)
    m.d.sync += selected.eq(groups[group])
    return selected


def check_array(dsp: str, beat_registers: int, **sizes: int) -> None:
    """Raise TypeError or ValueError for arguments that no INT8 array can have.

    ``sizes``: those that are at least 1, ``word_groups``, ``segments`` and ``segment_groups`` among
    them.
    """
    for name, value in sizes.items():
        check_least(name, value, 1)
    check_least("beat_registers", beat_registers, 0)
    check_dsp(dsp)
    groups = sizes["segments"] * sizes["segment_groups"]
    if sizes["word_groups"] != groups:
        raise ValueError(
            f"word_groups must be segments * segment_groups ({groups}), not {sizes['word_groups']}"
        )


def registered(m: Module, beat: data.View, registers: int) -> data.View:
    """The beat so many cycles later."""
    for i in range(registers):
        register = Signal.like(beat, name=f"beat_{i + 1}")
        m.d.sync += register.eq(beat)
        beat = register
    return beat


def checked_words(words, bits: int) -> list[int]:
    """``words`` as a list; TypeError or ValueError unless there are some, of ``bits`` bits."""
    words = [int(word) for word in words]
    if not words:
        raise ValueError("initial_words must have at least 1 word, not 0")
    limit = 1 << bits
    for i, word in enumerate(words):
        if not 0 <= word < limit:
            raise ValueError(f"initial_words[{i}] must have at most {bits} bits, not {word!r}")
    return words


def memory_name(half: int, group: int) -> str:
    """Name of the memory that holds that group of a half of all words."""
    return f"memory{half}_{group}"


def group_word(
    m: Module, name: str, words: list[int], number: int, address: Value, write: data.View
) -> Value:
    """Group ``number`` of the word at ``address``, 2 cycles later; a memory of its own.

    ``write``: ``valid``, ``address``, ``group`` and ``data`` of any group.
    """
    width = len(Cat(write.data))
    group = [word >> width * number & (1 << width) - 1 for word in words]
    block = GroupMemory(groups=1, group_width=width, initial_words=group, ram_style="block")
    m.submodules[name] = block
    m.d.comb += [
        block.address.eq(address),
        block.write.valid.eq(write.valid & (write.group == number)),
        block.write.address.eq(write.address),
        block.write.data.eq(Cat(write.data)),
    ]
    return block.word
