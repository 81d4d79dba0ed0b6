"""A memory behind a port of the bus, and the rules that the master owes (ARM IHI 0022, A3)."""

import random
from collections import deque

from amaranth.hdl import Value

from gateformer.gateware.memory.bus import BOUNDARY, Burst, MemoryShape, Response

PAYLOADS = {
    "ar": ("addr", "len", "size", "burst"),
    "aw": ("addr", "len", "size", "burst"),
    "w": ("data", "strb", "last"),
}
OUTSTANDING = 8


def byte_at(address: int) -> int:
    """What the memory holds before it is written."""
    return (address * 0x9E3779B1 >> 13) & 0xFF


class PortModel:
    """One port of a memory of bytes, ``written`` over :func:`byte_at`.

    Parameters
    ----------
    bus : the port's channels, of reads or of writes
    written : dict of address to byte, of all ports
    stall : probability of not being ready, or of not answering, in a cycle
    latency : range of cycles from a request to its first answer
    bad : dict of address to Response: how a burst from there is answered
    """

    def __init__(
        self, shape: MemoryShape, bus, written, *, seed, stall=0.0, latency=(1, 1), bad=()
    ):
        self.shape, self.bus, self.written = shape, bus, written
        self.random = random.Random(seed)
        self.stall, self.latency, self.bad = stall, latency, dict(bad)
        self.channels = [name for name in PAYLOADS if hasattr(bus, f"{name}valid")]
        self.held = {}
        self.now, self.bursts = 0, []
        self.reads, self.addresses, self.beats, self.answers = deque(), deque(), deque(), deque()

    @property
    def under_way(self) -> int:
        """Requests that are not answered to the end."""
        return len(self.reads) + len(self.addresses) + len(self.answers)

    def drive(self, ctx):
        """Set what the memory drives in this cycle."""
        for name in self.channels:
            ctx.set(getattr(self.bus, f"{name}ready"), self._chance())
        if "ar" in self.channels:
            shown = self._is_due(self.reads)
            ctx.set(self.bus.rvalid, shown)
            if shown:
                _, beats, response = self.reads[0]
                ctx.set(self.bus.rdata, beats[0])
                ctx.set(self.bus.rlast, len(beats) == 1)
                ctx.set(self.bus.rresp, response)
        else:
            shown = self._is_due(self.answers)
            ctx.set(self.bus.bvalid, shown)
            if shown:
                ctx.set(self.bus.bresp, self.answers[0][1])
        self.shown = shown

    def sample(self, ctx):
        """Look at the cycle's transfers, before its edge."""
        self.now += 1
        for name in self.channels:
            valid = ctx.get(getattr(self.bus, f"{name}valid"))
            ports = [getattr(self.bus, f"{name}{field}") for field in PAYLOADS[name]]
            payload = tuple(ctx.get(Value.cast(port)) for port in ports)
            if name in self.held:
                assert valid and payload == self.held[name], f"{name} must be held until taken"
                del self.held[name]
            if valid and ctx.get(getattr(self.bus, f"{name}ready")):
                getattr(self, f"_{name}")(*payload)
            elif valid:
                self.held[name] = payload
        self._answered(ctx)
        assert self.under_way <= OUTSTANDING

    def _answered(self, ctx):
        if "ar" in self.channels:
            if self.shown:
                assert ctx.get(self.bus.rready)
                del self.reads[0][1][0]
                if not self.reads[0][1]:
                    self.reads.popleft()
            return
        if self.shown:
            assert ctx.get(self.bus.bready)
            self.answers.popleft()
        while self.addresses and self.beats:
            address, data = self.addresses.popleft(), self.beats.popleft()
            content = data.to_bytes(self.shape.data_bytes, "little")
            self.written.update(zip(range(address, address + len(content)), content, strict=True))
            self.answers.append((self._due(), self.bad.get(address, Response.OKAY)))

    def _chance(self) -> bool:
        return self.random.random() >= self.stall

    def _due(self) -> int:
        return self.now + self.random.randint(*self.latency)

    def _is_due(self, queue) -> bool:
        """Whether the first answer is shown: the masters always take it at once."""
        if not queue:
            return False
        return queue[0][0] <= self.now and self._chance()

    def _check(self, addr: int, length: int, size: int, burst: int):
        data_bytes = self.shape.data_bytes
        assert 1 << size == data_bytes and burst == Burst.INCR.value
        assert addr % data_bytes == 0
        assert addr // BOUNDARY == (addr + (length + 1) * data_bytes - 1) // BOUNDARY
        self.bursts.append((addr, length + 1))

    def _ar(self, addr, length, size, burst):
        self._check(addr, length, size, burst)
        beats = []
        for beat in range(length + 1):
            first = addr + beat * self.shape.data_bytes
            places = range(first, first + self.shape.data_bytes)
            content = bytes(self.written.get(place, byte_at(place)) for place in places)
            beats.append(int.from_bytes(content, "little"))
        self.reads.append((self._due(), beats, self.bad.get(addr, Response.OKAY)))

    def _aw(self, addr, length, size, burst):
        self._check(addr, length, size, burst)
        assert length == 0
        self.addresses.append(addr)

    def _w(self, data, strb, last):
        assert last and strb == 2**self.shape.data_bytes - 1
        self.beats.append(data)


def word_at(shape: MemoryShape, written: dict, number: int) -> int:
    """Word ``number`` of the memory, counted from address 0."""
    stripe, place = divmod(number, shape.stripe_words)
    content = b""
    for port in range(shape.ports):
        first = stripe * shape.stripe_bytes + port * shape.line_bytes + place * shape.data_bytes
        places = range(first, first + shape.data_bytes)
        content += bytes(written.get(place, byte_at(place)) for place in places)
    return int.from_bytes(content, "little")
