"""Block memories of UltraScale+ as those of the 7 series: the same bits behind other names.

A RAMB18E2 holds, reads and writes what a RAMB18E1 does: INIT and INITP, addresses, widths, write
modes and the simple dual port of full width, which has no RAM_MODE but is there as soon as a port
has that width (UG573, "UltraScale Architecture Memory Resources", "RAMB18E2 and RAMB36E2
Primitives"; UG473 for the RAMB18E1). What it has besides, cascades of data, sleep and the enables
of addresses, has to be off. So one model and one decoder serve for both.
"""

from __future__ import annotations

from .netlist import Cell, parse_bits

WIDEST = {"RAMB18E2": 36, "RAMB36E2": 72}
"""The block memories, and the width that makes each a simple dual port."""
_TYPES = {"RAMB18E2": "RAMB18E1", "RAMB36E2": "RAMB36E1"}
_PINS = {
    "DOUTADOUT": "DOADO",
    "DOUTBDOUT": "DOBDO",
    "DOUTPADOUTP": "DOPADOP",
    "DOUTPBDOUTP": "DOPBDOP",
    "DINADIN": "DIADI",
    "DINBDIN": "DIBDI",
    "DINPADINP": "DIPADIP",
    "DINPBDINP": "DIPBDIP",
}
_ENABLES = ("ADDRENA", "ADDRENB", "SLEEP")
"""Pins without a counterpart, which :mod:`platforms.synthesis.cells` holds to their constants."""
OFF = {
    **{f"CASCADE_ORDER_{side}": ("NONE",) for side in "AB"},
    **{f"ENADDREN{side}": ("FALSE",) for side in "AB"},
    **{f"RDADDRCHANGE{side}": ("FALSE",) for side in "AB"},
    "CLOCK_DOMAINS": ("COMMON", "INDEPENDENT"),
    "SLEEP_ASYNC": ("FALSE",),
}
"""Parameters without a counterpart, and the values at which they change nothing."""


def pin_of_7_series(pin: str) -> str:
    """What a RAMB18E1 calls a pin of a RAMB18E2."""
    return _PINS.get(pin, pin)


def of_7_series(cell: Cell) -> Cell:
    """The RAMB18E1 or RAMB36E1 that does what a ``cell`` of :data:`WIDEST` does."""
    parameters, connections, _ = _converted(cell.type, cell.parameters, cell.pins, {})
    outputs = frozenset(map(pin_of_7_series, cell.outputs))
    return Cell(cell.name, _TYPES[cell.type], parameters, connections, outputs)


def json_of_7_series(cell: dict) -> dict:
    """Likewise of a cell in yosys' JSON."""
    parameters, connections, directions = _converted(
        cell["type"], cell["parameters"], cell["connections"], cell["port_directions"]
    )
    return {
        **cell,
        "type": _TYPES[cell["type"]],
        "parameters": parameters,
        "connections": connections,
        "port_directions": directions,
    }


def _converted(kind: str, parameters: dict, connections: dict, directions: dict) -> tuple:
    widths = [parse_bits(parameters.get(name, "")) for name in ("READ_WIDTH_A", "WRITE_WIDTH_B")]
    mode = "SDP" if WIDEST[kind] in widths else "TDP"
    kept = {name: value for name, value in parameters.items() if name not in OFF}
    pins = {
        pin_of_7_series(pin): _address(kind, pin, nets)
        for pin, nets in connections.items()
        if pin not in _ENABLES
    }
    ways = {pin_of_7_series(pin): way for pin, way in directions.items() if pin not in _ENABLES}
    return {**kept, "RAM_MODE": mode}, pins, ways


def _address(kind: str, pin: str, nets: list) -> list:
    """A RAMB36E1 has an address bit more, for its cascades."""
    return [*nets, "1"] if kind == "RAMB36E2" and pin.startswith("ADDR") else nets
