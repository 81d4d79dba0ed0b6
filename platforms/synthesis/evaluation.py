"""Values of nets for all addresses at once: the logic between a memory's ports and its cells.

A value is a vector with one element per address, as two integers: which elements are known, and
the bits of those that are. What is evaluated is the steady state: the same address for ever, no
write, no reset, registers enabled; so a register passes on its input.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from .netlist import Cell, Module, Net

DEPTH = 20
"""Cells in a row that are followed; anything further away is unknown."""


@dataclasses.dataclass(frozen=True)
class Vector:
    """Elements ``bits`` where ``known`` has ones; ``bits`` is 0 elsewhere.

    ``cells`` are the names of the memory cells that the elements were read from.
    """

    known: int
    bits: int
    cells: frozenset[str] = frozenset()


class Evaluator:
    """Evaluates nets of a module of word-level cells (``$and``, ``$mux``, ``$dff``, …).

    Parameters
    ----------
    module : Module
    size : int
        Elements per vector.
    given : mapping of net to Vector
        Values at which the evaluation stops.
    read : function of (cell, output port, bit, evaluator) to Vector, or None for an unknown value
        Value of an output of a cell that is not a word-level cell.
    """

    def __init__(self, module: Module, size: int, given: Mapping[Net, Vector], read: Callable):
        self.module = module
        self.ones = (1 << size) - 1
        self._read = read
        self._values: dict[Net, Vector] = {
            **given,
            "0": Vector(self.ones, 0),
            "1": Vector(self.ones, self.ones),
        }
        self.unknown = Vector(0, 0)
        self._tried: dict[Net, int] = {}

    def value(self, net: Net, depth: int = DEPTH) -> Vector:
        """Value of a net."""
        found = self._values.get(net)
        if found is not None:
            return found
        driver = self.module.driver.get(net)
        if driver is None or depth <= self._tried.get(net, 0):
            return self.unknown
        self._tried[net] = depth
        result = self._cell(*driver, depth - 1)
        if result.known:  # an unknown value may be one that was only too far away
            self._values[net] = result
        return result

    def _cell(self, cell: Cell, port: str, bit: int, depth: int) -> Vector:
        def pin(name, index=bit):
            nets = cell.pins[name]
            if index < len(nets):
                return self.value(nets[index], depth)
            signed = cell.integer(f"{name}_SIGNED", 0)
            return self.value(nets[-1], depth) if signed else Vector(self.ones, 0)

        match cell.type:
            case "$dff" | "$dffe" | "$sdff" | "$sdffe" | "$sdffce" | "$adff" | "$adffe":
                return pin("D")
            case "$pos" | "$buf":
                return pin("A")
            case "$not":
                return self.invert(pin("A"))
            case "$and":
                return self.both(pin("A"), pin("B"))
            case "$or":
                return self.either(pin("A"), pin("B"))
            case "$xor":
                return self.differ(pin("A"), pin("B"))
            case "$xnor":
                return self.invert(self.differ(pin("A"), pin("B")))
            case "$mux":
                return self._mux(pin("S", 0), lambda: pin("A"), lambda: pin("B"))
            case "$pmux":
                return self._pmux(cell, bit, pin)
            case "$bmux":
                return self._bmux(cell, bit, pin)
        if not cell.type.startswith("$"):
            return self._read(cell, port, bit, self) or self.unknown
        return self._reduction(cell, pin) if bit == 0 else self.unknown

    def _reduction(self, cell: Cell, pin: Callable) -> Vector:
        def any_of(name):
            result = Vector(self.ones, 0)
            for index in range(len(cell.pins[name])):
                result = self.either(result, pin(name, index))
            return result

        match cell.type:
            case "$reduce_or" | "$reduce_bool":
                return any_of("A")
            case "$logic_not":
                return self.invert(any_of("A"))
            case "$logic_and":
                return self.both(any_of("A"), any_of("B"))
            case "$logic_or":
                return self.either(any_of("A"), any_of("B"))
            case "$reduce_and":
                result = Vector(self.ones, self.ones)
                for index in range(len(cell.pins["A"])):
                    result = self.both(result, pin("A", index))
                return result
            case "$eq" | "$ne":
                different = Vector(self.ones, 0)
                for index in range(max(len(cell.pins["A"]), len(cell.pins["B"]))):
                    bits = self.differ(pin("A", index), pin("B", index))
                    different = self.either(different, bits)
                return different if cell.type == "$ne" else self.invert(different)
        return self.unknown

    def _mux(self, select: Vector, low: Callable, high: Callable) -> Vector:
        if select.known == self.ones and select.bits in (0, self.ones):
            return high() if select.bits else low()
        a, b = low(), high()
        chosen_b, chosen_a = select.bits, select.known & ~select.bits
        agree = a.known & b.known & ~(a.bits ^ b.bits)
        known = chosen_a & a.known | chosen_b & b.known | agree
        bits = chosen_a & a.bits | chosen_b & b.bits | agree & a.bits
        return Vector(known, bits, select.cells | a.cells | b.cells)

    def _pmux(self, cell: Cell, bit: int, pin: Callable) -> Vector:
        width = len(cell.pins["A"])
        result = pin("A")
        for index in range(len(cell.pins["S"])):
            current = result
            result = self._mux(
                pin("S", index),
                lambda current=current: current,
                lambda index=index: pin("B", index * width + bit),
            )
        return result

    def _bmux(self, cell: Cell, bit: int, pin: Callable) -> Vector:
        width = len(cell.pins["Y"])
        words = [pin("A", index) for index in range(bit, len(cell.pins["A"]), width)]
        for index in range(len(cell.pins["S"])):
            select = pin("S", index)
            words = [
                self._mux(select, lambda low=low: low, lambda high=high: high)
                for low, high in zip(words[::2], words[1::2], strict=True)
            ]
        return words[0]

    def invert(self, a: Vector) -> Vector:
        return Vector(a.known, a.known & ~a.bits, a.cells)

    def both(self, a: Vector, b: Vector) -> Vector:
        for one in (a, b):
            if one.known == self.ones and not one.bits:
                return one
        zero = a.known & ~a.bits | b.known & ~b.bits
        return Vector(a.known & b.known | zero, a.bits & b.bits, a.cells | b.cells)

    def either(self, a: Vector, b: Vector) -> Vector:
        return self.invert(self.both(self.invert(a), self.invert(b)))

    def differ(self, a: Vector, b: Vector) -> Vector:
        known = a.known & b.known
        return Vector(known, known & (a.bits ^ b.bits), a.cells | b.cells)
