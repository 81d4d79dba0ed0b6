"""Mapped netlists by hand, for the analysis of their paths."""

from __future__ import annotations

from gateformer.platforms.synthesis.paths.analysis import analyze


class Netlist:
    """A flat netlist by hand: nets are names, a pin is a name, a list of names or "0" and "1"."""

    def __init__(self):
        self.bits, self.cells, self.ports, self.hidden = {}, {}, {}, set()

    def bit(self, net: str):
        return net if net in ("0", "1", "x") else self.bits.setdefault(net, len(self.bits) + 2)

    def add(self, kind, name="", outputs=(), parameters=None, **pins):
        directions = {port: "output" if port in outputs else "input" for port in pins}
        connections = {
            port: [self.bit(net) for net in ([nets] if isinstance(nets, str) else nets)]
            for port, nets in pins.items()
        }
        self.cells[name or f"cell{len(self.cells)}"] = {
            "type": kind,
            "parameters": parameters or {},
            "port_directions": directions,
            "connections": connections,
        }

    def lut(self, output, *inputs):
        pins = {f"I{index}": net for index, net in enumerate(inputs)}
        self.add(f"LUT{len(inputs)}", outputs=("O",), O=output, **pins)

    def register(self, q, d, *, clock="clk", enable="1", reset="0", kind="FDRE"):
        reset_pin = {"FDRE": "R", "FDSE": "S", "FDCE": "CLR"}[kind]
        pins = {"C": clock, "CE": enable, "D": d, "Q": q, reset_pin: reset}
        self.add(kind, outputs=("Q",), **pins)

    def trellis_register(self, q, d):
        self.add("TRELLIS_FF", outputs=("Q",), CLK="clk", CE="1", LSR="0", DI=d, Q=q)

    def port(self, name, direction, *nets):
        bits = [self.bit(net) for net in nets or (name,)]
        self.ports[name] = {"direction": direction, "bits": bits}

    def json(self) -> dict:
        netnames = {
            net: {"hide_name": int(net.startswith("$")), "bits": [bit]}
            for net, bit in self.bits.items()
        }
        module = {"ports": self.ports, "cells": self.cells, "netnames": netnames}
        return {"modules": {"top": module}}

    def analyze(self):
        return analyze(self.json())


def worst(netlist: Netlist):
    return netlist.analyze().paths[0]


def carry4(netlist, carry_in, select, outputs, carry_out, start="0"):
    pins = {"CI": carry_in, "CYINIT": start, "S": select, "DI": ["0"] * 4}
    netlist.add("CARRY4", outputs=("O", "CO"), O=outputs, CO=carry_out, **pins)


def block_memory(netlist, output, registered=False):
    parameters = {"DOA_REG": format(int(registered), "032b")}
    pins = {"ADDRARDADDR": "0", "CLKARDCLK": "clk", "DOADO": output}
    netlist.add("RAMB18E1", "memory", ("DOADO",), parameters, **pins)


def dsp(netlist, a, p, **registers):
    off = dict.fromkeys(("AREG", "BREG", "CREG", "DREG", "ADREG", "MREG", "PREG"), "0")
    pins = {"A": [a, "0"], "B": ["0"], "C": ["0"], "CLK": "clk", "P": p}
    netlist.add("DSP48E1", "multiplier", ("P",), off | registers, **pins)
