"""An AXI4-Lite master that follows a plan cycle by cycle, on a compiled simulation.

Independent of the gateware and of :mod:`tests.support.axi_driver`: it knows ports and ARM IHI 0022
only.
"""

import collections
import dataclasses
import random

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from gateformer.platforms.simulation.compiled_simulation import CompiledSimulation
from tests.support.axi_rules import LITE, AxiRules

STALLS = (0.0, 0.2, 0.6, 0.95)
"""Probabilities that a channel pauses in a cycle; each channel's changes now and then."""
CHANGE = 1 / 200


def ports(interface, prefix=""):
    """(name, port as bits, whether it is an input) of every port."""
    for name, member in interface.signature.members.items():
        if member.is_port:
            yield (
                prefix + name,
                getattr(interface, name).as_value()
                if hasattr(getattr(interface, name), "as_value")
                else getattr(interface, name),
                member.flow is In,
            )
        else:
            yield from ports(getattr(interface, name), f"{prefix}{name}_")


class Packed(wiring.Component):
    """A component with all inputs in one port and all outputs in another, and a reset."""

    def __init__(self, inner):
        self._inner = inner
        self._ports = list(ports(inner))
        widths = {True: {"reset": 1}, False: {}}
        for name, port, is_input in self._ports:
            widths[is_input][name] = len(port)
        super().__init__(
            {
                "drive": In(data.StructLayout(widths[True])),
                "seen": Out(data.StructLayout(widths[False])),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = ResetInserter(self.drive.reset)(self._inner)
        for name, port, is_input in self._ports:
            m.d.comb += port.eq(self.drive[name]) if is_input else self.seen[name].eq(port)
        return m


class Pins:
    """A component's compiled simulation: ``drive`` is set, ``look`` reads, ``step`` is a cycle."""

    def __init__(self, inner):
        packed = Packed(inner)
        layouts = packed.drive.shape(), packed.seen.shape()
        self._simulation = CompiledSimulation(packed)
        self._fields = [
            {name: (field.offset, (1 << field.width) - 1) for name, field in layout}
            for layout in layouts
        ]
        self.drive = dict.fromkeys(self._fields[0], 0)

    def look(self) -> dict[str, int]:
        word = 0
        for name, (offset, mask) in self._fields[0].items():
            word |= (self.drive[name] & mask) << offset
        self._simulation.set("drive", word)
        word = self._simulation.get("seen")
        return {name: word >> offset & mask for name, (offset, mask) in self._fields[1].items()}

    def step(self):
        self._simulation.step()


@dataclasses.dataclass
class Transaction:
    """A write (``data`` is not None) or a read; cycles of its transfers, None before."""

    address: int
    data: int | None = None
    strobe: int = 0
    requested: int | None = None
    """The later of AW and W, or AR."""
    offered: int | None = None
    """First cycle of the response."""
    answered: int | None = None
    response: int | None = None
    word: int | None = None


class BusMaster:
    """Sends transactions with random stalls on all five channels; ``answered`` gets the answers.

    Writes keep their order among each other, reads too.
    """

    def __init__(self, pins: Pins, rng: random.Random, prefix="axi_"):
        self._pins, self._rng, self._prefix = pins, rng, prefix
        self.rules = AxiRules()
        self.now = 0
        self.stall = dict.fromkeys(LITE, 0.0)
        self.answered: list[Transaction] = []
        self.forget()

    def forget(self):
        """What is under way will not be answered."""
        self._queue = {channel: collections.deque() for channel in ("aw", "w", "ar")}
        self._open = {"b": collections.deque(), "r": collections.deque()}
        for channel in ("aw", "w", "ar"):
            self._pins.drive[f"{self._prefix}{channel}valid"] = 0

    def send(self, transaction: Transaction):
        if transaction.data is None:
            self._queue["ar"].append(transaction)
            self._open["r"].append(transaction)
        else:
            self._queue["aw"].append(transaction)
            self._queue["w"].append(transaction)
            self._open["b"].append(transaction)

    @property
    def under_way(self) -> int:
        return len(self._open["b"]) + len(self._open["r"])

    def prepare(self):
        """Drive the inputs of this cycle."""
        drive, rng = self._pins.drive, self._rng
        for channel in LITE:
            if rng.random() < CHANGE:
                self.stall[channel] = rng.choice(STALLS)
        for channel in ("aw", "w", "ar"):
            valid = f"{self._prefix}{channel}valid"
            if not drive[valid]:
                go = self._queue[channel] and rng.random() >= self.stall[channel]
                self._offer(channel, self._queue[channel][0] if go else None)
        for channel in ("b", "r"):
            drive[f"{self._prefix}{channel}ready"] = rng.random() >= self.stall[channel]

    def _offer(self, channel, item):
        """Put an item on a channel, or noise that is not valid."""
        drive, rng, name = self._pins.drive, self._rng, self._prefix + channel
        drive[f"{name}valid"] = item is not None
        if channel == "w":
            drive[f"{name}data"] = rng.getrandbits(32) if item is None else item.data
            drive[f"{name}strb"] = rng.getrandbits(4) if item is None else item.strobe
        else:
            drive[f"{name}addr"] = rng.getrandbits(12) if item is None else item.address
            drive[f"{name}prot"] = rng.getrandbits(3)

    def finish(self, seen):
        """Take note of this cycle's transfers; check the protocol."""
        values = {**self._pins.drive, **seen}
        now = {
            channel: tuple(
                int(values[f"{self._prefix}{channel}{end}"]) for end in ("valid", "ready", *fields)
            )
            for channel, fields in LITE.items()
        }
        self.rules.cycle(now)
        for channel in ("aw", "w", "ar"):
            if now[channel][0] and now[channel][1]:
                transaction = self._queue[channel].popleft()
                transaction.requested = self.now
                self._pins.drive[f"{self._prefix}{channel}valid"] = 0
        for channel in ("b", "r"):
            valid, ready, *payload = now[channel]
            if not valid:
                continue
            transaction = self._open[channel][0]
            if transaction.offered is None:
                transaction.offered = self.now
            if ready:
                self._open[channel].popleft()
                transaction.answered, transaction.response = self.now, payload[-1]
                transaction.word = payload[0] if channel == "r" else None
                self.answered.append(transaction)
        self.now += 1
