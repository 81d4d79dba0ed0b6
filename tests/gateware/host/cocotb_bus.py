"""Run inside a simulator by cocotb: the registers under the bus models of cocotbext-axi.

Independent of the gateware and of our other drivers, but for the protocol checker that runs beside.
"""

import itertools
import json
import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiMaster, AxiResp

from tests.support.axi_rules import AXI3, AXI4, LITE, AxiRules

PLAN = json.loads(os.environ["GATEFORMER_BUS_PLAN"])
"""protocol, base, transactions, seed; by offset, constants, and bits and reset of settings."""
SETTINGS = {int(offset): tuple(entry) for offset, entry in PLAN["settings"].items()}
CONSTANTS = {int(offset): value for offset, value in PLAN["constants"].items()}
IDLE_INPUTS = ("busy", "context_full", "prompt__ready", "output__valid", "output__payload")


def number(signal):
    """An integer, or the digits of what is not driven."""
    return int(signal.value) if signal.value.is_resolvable else str(signal.value)


class Traffic:
    """Workers that share a master; each setting has one worker, which knows what it holds."""

    def __init__(self, dut):
        self.dut, self.rng = dut, random.Random(PLAN["seed"])
        self.lite = PLAN["protocol"] == "lite"
        self.done, self.resets = 0, 0
        rules = {"lite": LITE, "axi3": AXI3, "axi4": AXI4}
        self.rules = AxiRules(rules[PLAN["protocol"]], PLAN["protocol"])
        if self.lite:
            self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "axi_"), dut.clk, dut.rst)
        else:
            bus = AxiBus.from_prefix(dut, "axi_")
            self.master = AxiMaster(bus, dut.clk, dut.rst, max_burst_len=16)

    def pauses(self):
        """Stalls on all five channels, other ones from time to time."""

        def pattern():
            while True:
                rate = self.rng.choice((0, 0.2, 0.5, 0.9))
                for _ in range(self.rng.randrange(1, 300)):
                    yield self.rng.random() < rate

        write, read = self.master.write_if, self.master.read_if
        channels = (write.aw_channel, write.w_channel, write.b_channel)
        for channel in (*channels, read.ar_channel, read.r_channel):
            channel.set_pause_generator(pattern())

    async def write(self, address, data):
        kind = {} if self.lite else {"size": self.rng.randrange(3)}
        return (await self.master.write(PLAN["base"] + address, data, **kind)).resp

    async def read(self, address, length):
        kind = {} if self.lite else {"size": self.rng.randrange(3)}
        answer = await self.master.read(PLAN["base"] + address, length, **kind)
        return bytes(answer.data), answer.resp

    async def setting(self, offset):
        """Bytes of a setting, one to four at a time, at any of them."""
        mask, reset = (value.to_bytes(4, "little") for value in SETTINGS[offset])
        held = bytearray(reset)
        while True:
            first = self.rng.randrange(4)
            length = self.rng.randint(1, 4 - first)
            if self.rng.random() < 0.5:
                data = self.rng.randbytes(length)
                assert await self.write(offset + first, data) == AxiResp.OKAY
                for i, byte in enumerate(data, first):
                    held[i] = byte & mask[i]
            else:
                data, response = await self.read(offset + first, length)
                assert response == AxiResp.OKAY
                assert data == held[first : first + length], (offset, first, data, held)
            self.done += 1

    async def constant(self):
        """Constants read as they are and refuse writes."""
        while True:
            offset = self.rng.choice(tuple(CONSTANTS))
            first = self.rng.randrange(4)
            if self.rng.random() < 0.3:
                assert await self.write(offset + first, b"\xff") == AxiResp.SLVERR
            data, response = await self.read(offset + first, 4 - first)
            assert response == AxiResp.OKAY
            assert data == CONSTANTS[offset].to_bytes(4, "little")[first:], offset
            self.done += 1

    async def nowhere(self):
        """Addresses without a register."""
        while True:
            address = self.rng.randrange(0x100, 0x1000)
            if self.rng.random() < 0.5:
                assert await self.write(address, b"\xff") == AxiResp.SLVERR
            else:
                data, response = await self.read(address, 1)
                assert response == AxiResp.SLVERR and data == b"\0"
            self.done += 1

    async def bursts(self):
        """Up to 16 words at once; some answer SLVERR, then all of the burst does."""
        known = {*CONSTANTS, *SETTINGS}
        while True:
            first = self.rng.randrange(0x60)
            length = self.rng.randint(1, 0x60 - first)
            data, response = await self.read(first, length)
            words = range(first & ~3, first + length, 4)
            good = all(word in known for word in words)
            assert response == (AxiResp.OKAY if good else AxiResp.SLVERR)
            whole = b"".join(CONSTANTS.get(word, 0).to_bytes(4, "little") for word in words)
            assert data == whole[first % 4 :][:length]
            self.done += len(words)

    async def check(self):
        """The protocol checker, on what the clock edge sees."""
        dut, rules = self.dut, self.rules
        signals = {
            channel: [getattr(dut, f"axi__{channel}{end}") for end in ("valid", "ready", *fields)]
            for channel, fields in rules.channels.items()
        }
        while True:
            await RisingEdge(dut.clk)
            if dut.rst.value:
                rules.reset()
                continue
            rules.cycle(
                {
                    channel: (int(valid.value), int(ready.value), *map(number, payload))
                    for channel, (valid, ready, *payload) in signals.items()
                }
            )

    async def round(self, goal):
        """Traffic until ``goal``, then a reset in the middle of it."""
        workers = [self.setting(offset) for offset in SETTINGS]
        workers += [self.constant(), self.nowhere(), self.bursts()]
        tasks = [cocotb.start_soon(worker) for worker in workers]
        while self.done < goal:
            await ClockCycles(self.dut.clk, self.rng.randint(1, 50))
            for task in tasks:
                if task.done():
                    task.result()
        for task in tasks:
            task.cancel()
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, self.rng.randint(2, 4))
        self.dut.rst.value = 0
        self.resets += 1
        await ClockCycles(self.dut.clk, 2)


@cocotb.test()
async def registers_equal_the_model(dut):
    for name in IDLE_INPUTS:
        getattr(dut, name).value = 0
    if PLAN["protocol"] == "axi3":
        dut.axi__wid.value = 0
    dut.rst.value = 1
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    traffic = Traffic(dut)
    cocotb.start_soon(traffic.check())
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 2)
    traffic.pauses()
    for goal in itertools.count(1000, 1000):
        await traffic.round(min(goal, PLAN["transactions"]))
        if goal >= PLAN["transactions"]:
            break
    await Timer(1, "ns")
    with open(os.environ["GATEFORMER_BUS_RESULT"], "w") as file:
        counts = {"compared": traffic.done, "resets": traffic.resets}
        json.dump(counts | dict(traffic.rules.transfers), file)
