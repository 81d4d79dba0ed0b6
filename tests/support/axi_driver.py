"""AXI4-Lite master with random stalls on every channel; the protocol checker watches it.

Written from ARM IHI 0022 alone, not from the slave.
"""

import collections
import random

from .axi_rules import OKAY, SLVERR, AxiRules, raw

__all__ = ["OKAY", "SLVERR", "AxiDriver"]


class AxiDriver:
    """Master for one simulation, under :class:`tests.support.axi_rules.AxiRules`.

    Each channel has its own process, so that address and data of writes, and reads and writes,
    overlap in every way. ``stall`` is the probability that a channel pauses in a cycle.
    """

    def __init__(self, axi, *, seed: int = 0, stall: float = 0.3):
        self.axi = axi
        self.stall = stall
        self.rules = AxiRules()
        self._rng = random.Random(seed)
        self._queues = {channel: collections.deque() for channel in ("aw", "w", "ar")}
        self._responses = {"b": [], "r": []}
        self._issued = {"b": 0, "r": 0}

    def add_to(self, simulator):
        """Add the channels and the checker to the simulator."""
        axi = self.axi
        for channel, payload in (
            ("aw", (axi.awaddr, axi.awprot)),
            ("w", (axi.wdata, axi.wstrb)),
            ("ar", (axi.araddr, axi.arprot)),
        ):
            simulator.add_testbench(self._sender(channel, payload), background=True)
        simulator.add_testbench(self._receiver("b", (axi.bresp,)), background=True)
        simulator.add_testbench(self._receiver("r", (axi.rdata, axi.rresp)), background=True)
        simulator.add_testbench(self.rules.watch(axi), background=True)

    def start_write(self, address: int, data: int, strobe: int = 0xF) -> int:
        """Queue a write; its number, for :meth:`finish_write`."""
        self._queues["aw"].append((address, self._rng.getrandbits(3)))
        self._queues["w"].append((data, strobe))
        self._issued["b"] += 1
        return self._issued["b"] - 1

    def start_read(self, address: int) -> int:
        """Queue a read; its number, for :meth:`finish_read`."""
        self._queues["ar"].append((address, self._rng.getrandbits(3)))
        self._issued["r"] += 1
        return self._issued["r"] - 1

    async def finish_write(self, ctx, number: int) -> int:
        """Response of a write."""
        return (await self._wait(ctx, "b", number))[0]

    async def finish_read(self, ctx, number: int) -> tuple[int, int]:
        """Data and response of a read."""
        return await self._wait(ctx, "r", number)

    async def write(self, ctx, address: int, data: int, strobe: int = 0xF) -> int:
        return await self.finish_write(ctx, self.start_write(address, data, strobe))

    async def read(self, ctx, address: int) -> tuple[int, int]:
        return await self.finish_read(ctx, self.start_read(address))

    async def _wait(self, ctx, channel, number):
        responses = self._responses[channel]
        for _ in range(2000):
            if len(responses) > number:
                return responses[number]
            await ctx.tick()
        raise AssertionError(f"no response on channel {channel}")

    def _pauses(self):
        return self._rng.random() < self.stall

    def _sender(self, channel, payload):
        valid = getattr(self.axi, f"{channel}valid")
        ready = getattr(self.axi, f"{channel}ready")

        async def send(ctx):
            while True:
                if not self._queues[channel] or self._pauses():
                    ctx.set(valid, 0)
                    for signal in payload:
                        ctx.set(signal, self._rng.getrandbits(len(signal)))
                    await ctx.tick()
                    continue
                ctx.set(valid, 1)
                for signal, value in zip(payload, self._queues[channel].popleft(), strict=True):
                    ctx.set(signal, value)
                await ctx.tick().until(ready)
                ctx.set(valid, 0)

        return send

    def _receiver(self, channel, payload):
        valid = getattr(self.axi, f"{channel}valid")
        ready = getattr(self.axi, f"{channel}ready")
        payload = [raw(signal) for signal in payload]

        async def receive(ctx):
            while True:
                taking = not self._pauses()
                ctx.set(ready, taking)
                _, _, valid_now, *values = await ctx.tick().sample(valid, *payload)
                if taking and valid_now:
                    self._responses[channel].append(tuple(values))

        return receive
