"""Deep block memories as banks, each with an output register: no multiplexer before a register."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Cat, Const, Module, Mux, Value

from .delay import delayed
from .duplicated import duplicated
from .integers import ceil_div

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


def is_in_bank(address: Value, words: range) -> Value:
    """Whether a word's ``address`` is in the bank that holds ``words``.

    Without the comparisons that are true of every address: linters take those for mistakes.
    """
    bounds = []
    if words.start > 0:
        bounds.append(address >= words.start)
    if words.stop < 2 ** len(address):
        bounds.append(address < words.stop)
    return Cat(*bounds).all() if bounds else Const(1)


def banked_word(
    m: Module, address: Value, depth: int, read: Callable[[int, range], Value]
) -> Value:
    """The word at ``address``, 2 cycles later; with several banks it comes from a multiplexer.

    ``read(number, words)`` makes the bank that holds those of the memory's words and returns its
    word, 1 cycle after the address. A bank's first address is a multiple of its depth, or of the
    next power of two, so its own address is the lowest bits of ``address``.
    """
    word, first = None, 0
    for number, bank_depth in enumerate(bank_depths(depth)):
        read_word = read(number, range(first, first + bank_depth))
        bank = delayed(m, read_word, 1, name=f"word{number}")  # the output register
        if word is None:
            word = bank
        else:
            beyond = delayed(m, address >= first, 2, name=f"is_bank{number}")
            word = Mux(beyond, bank, word)
        first += bank_depth
    return word


def asked_word(
    m: Module, address: Value, depth: int, asked: Value, read: Callable[[int, range], Value]
) -> Value:
    """As :func:`banked_word`, but 0 if ``asked`` is not set with the address.

    The output register of every bank that is not asked is 0, which costs no logic. So words of
    several memories need no multiplexer, but are ORed.
    """
    word, first = None, 0
    for number, bank_depth in enumerate(bank_depths(depth)):
        words = range(first, first + bank_depth)
        here = duplicated(m, asked & is_in_bank(address, words), f"is_bank{number}")
        read_word = read(number, words)
        half = len(read_word) // 2
        # choices of 0, not masks: of these synthesis makes resets
        halves = [Mux(here[0], read_word[:half], 0), Mux(here[1], read_word[half:], 0)]
        bank = Cat(
            delayed(m, part, 1, name=f"word{number}_asked{i}") for i, part in enumerate(halves)
        )
        word = bank if word is None else word | bank
        first += bank_depth
    return word
