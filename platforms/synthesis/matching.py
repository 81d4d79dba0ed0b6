"""Finding a netlist's cells in an earlier netlist of the same synthesis."""

from __future__ import annotations

import collections
from collections.abc import Mapping

from gateformer.gateware.core.taps import Mismatch

from .netlist import BitName, Cell, Module

_FREE_PARAMETERS = ("INIT", "GSR")
"""What may change after memory mapping: contents are compared, and GSR is not used."""


def match_cells(
    earlier: Mapping[str, Cell], later: Mapping[str, Cell], before: Module, after: Module
) -> dict[str, Cell]:
    """Names in ``before`` to cells in ``after``, one to one.

    A cell keeps its name, or else is known by the names of the nets at its pins. ``earlier`` and
    ``later`` are the cells of modules ``before`` and ``after`` that are to be matched.

    Raises
    ------
    Mismatch
        If a cell has no counterpart or several, or if the counterpart has other parameters
        (contents apart), other constant pins, or a net at an output that was at another one.
    """
    matched = {name: later[name] for name in earlier if name in later}
    rest = {name: cell for name, cell in later.items() if name not in matched}
    by_pin = collections.defaultdict(set)
    for name, cell in rest.items():
        for item in _pin_names(cell, after):
            by_pin[item].add(name)
    for name, cell in earlier.items():
        if name in matched:
            continue
        candidates = set().union(*(by_pin[item] for item in _pin_names(cell, before)))
        if len(candidates) != 1:
            found = ", ".join(sorted(candidates)) or "none"
            raise Mismatch(f"block memory {name} of memory mapping: in the netlist {found}")
        matched[name] = rest[candidates.pop()]
    lost = sorted(set(later) - {cell.name for cell in matched.values()})
    if lost or len(matched) != len({cell.name for cell in matched.values()}):
        raise Mismatch(f"block memories without a counterpart in memory mapping: {lost}")
    for name, cell in matched.items():
        _check_same(earlier[name], cell, before, after)
    return matched


def _pin_names(cell: Cell, module: Module) -> set[tuple[str, int, BitName]]:
    """(output port, bit, public name of its net) for all there are."""
    return {
        (port, index, name)
        for port in cell.outputs
        for index, net in enumerate(cell.pins[port])
        for name in _public(net, module)
    }


def _public(net, module: Module) -> set[BitName]:
    if isinstance(net, str):
        return set()
    return {name for name in module.names[net] if not name[0].startswith("$")}


def _check_same(old: Cell, new: Cell, before: Module, after: Module) -> None:
    if old.type != new.type:
        raise Mismatch(f"block memory {new.name}: a {new.type}, at memory mapping a {old.type}")
    for name in {*old.parameters, *new.parameters}:
        a, b = old.parameters.get(name), new.parameters.get(name)
        if not name.startswith(_FREE_PARAMETERS) and a != b:
            raise Mismatch(f"block memory {new.name}: {name} is {b}, at memory mapping {a}")
    holders = collections.defaultdict(set)
    for port, index, name in _pin_names(old, before):
        holders[name].add((port, index))
    for port, nets in old.pins.items():
        for index, (a, b) in enumerate(zip(nets, new.pins[port], strict=False)):
            where = f"block memory {new.name}, pin {port}[{index}]"
            if a in ("0", "1") and after.constant(b) != a:
                raise Mismatch(f"{where}: {b}, at memory mapping {a}")
            if port not in old.outputs:
                continue  # logic that was merged may have given it an equal net's name
            known = [name for name in _public(b, after) if name in holders]
            if known and not any((port, index) in holders[name] for name in known):
                raise Mismatch(f"{where}: has the net {known[0]} of another pin")
