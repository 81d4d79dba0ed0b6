"""AxiBridge: random bursts against the burst equations of ARM IHI 0022, A3.4.1."""

import random
from functools import partial

import pytest
from amaranth.sim import Simulator

from gateformer.platforms.boards.axi_bridge import AXI3_GP, AXI4_HPM, AxiBridge, MasterPort
from tests.support.axi_rules import AXI3, AXI4, AxiRules

PORTS = {AXI3_GP: AXI3, AXI4_HPM: AXI4}
"""And what their protocol demands."""
BASE = 0x43C0_0000
WIDTH = 12
OKAY, SLVERR, DECERR = 0, 2, 3
FIXED, INCR, WRAP = 0, 1, 2
MAX_CYCLES = 60_000


def is_error(address: int) -> bool:
    """Words that the AXI4-Lite slave of these tests refuses."""
    return (address >> 2) % 5 == 3


def word_at(address: int) -> int:
    return 0x1234_0000 + (address >> 2) * 7


def beat_addresses(burst: dict) -> list[int]:
    """The standard's equations, with its names."""
    number_bytes, burst_length = 1 << burst["size"], burst["len"] + 1
    start = burst["addr"]
    aligned = start // number_bytes * number_bytes
    if burst["burst"] == FIXED:
        return [start] * burst_length
    incremented = [start] + [aligned + n * number_bytes for n in range(1, burst_length)]
    if burst["burst"] == INCR:
        return incremented
    total = number_bytes * burst_length
    boundary = start // total * total
    return [boundary + (address - boundary) % total for address in incremented]


def random_burst(rng: random.Random, port: MasterPort) -> dict:
    kind, size = rng.choice([FIXED, INCR, WRAP]), rng.randrange(3)
    length = rng.choice([1, 3, 7, 15]) if kind == WRAP else rng.randrange(16)
    if kind == INCR and rng.random() < 0.2:
        length = 2**port.length_bits - 1
    inside = rng.random() < 0.85
    others = [BASE + 0x1000, BASE - 0x1000, 0x4000_0000, 0x7FFF_F000]
    if port.address_bits > 32:
        others.append(BASE + 2**32)
    page = BASE if inside else rng.choice(others)
    # no burst crosses a 4 KiB boundary
    offset = rng.randrange(0x1000 - ((length + 1) << size))
    if kind == WRAP:
        offset = offset >> size << size
    return {
        "id": rng.getrandbits(port.id_bits),
        "addr": page + offset,
        "len": length,
        "size": size,
        "burst": kind,
        "inside": inside,
        "data": [rng.getrandbits(32) for _ in range(length + 1)],
        "strb": [rng.getrandbits(4) for _ in range(length + 1)],
    }


class Bench:
    """A master and a slave of AXI4-Lite around the bridge; every channel has its own stalls."""

    def __init__(
        self,
        seed: int,
        writes: list[dict],
        reads: list[dict],
        stall: float,
        port: MasterPort = AXI3_GP,
    ):
        self.rng = random.Random(seed)
        self.stall = stall
        self.port = port
        self.dut = AxiBridge(port, BASE, WIDTH)
        self.writes, self.reads = writes, reads
        self.b, self.r = [], []
        self.lite_writes, self.lite_reads = [], []
        self._addresses, self._words = [], []

    async def send(self, ctx, channel: str, items: list[dict]):
        axi = self.dut.axi
        valid, ready = getattr(axi, f"{channel}valid"), getattr(axi, f"{channel}ready")
        for item in items:
            while self.rng.random() < self.stall:
                await ctx.tick()
            for name, value in item.items():
                ctx.set(getattr(axi, f"{channel}{name}"), value)
            ctx.set(valid, 1)
            await ctx.tick().until(ready)
            ctx.set(valid, 0)

    async def receive(self, ctx, port: str, names: tuple[str, ...], into: list):
        """Take transfers for ever; a payload must hold until it is taken."""
        side, channel = port.split(".")
        bus = getattr(self.dut, side)
        ports = [getattr(bus, f"{channel}{name}") for name in names]
        ports = [port.as_value() if hasattr(port, "as_value") else port for port in ports]
        valid, ready = getattr(bus, f"{channel}valid"), getattr(bus, f"{channel}ready")
        waiting = None
        while True:
            taking = self.rng.random() >= self.stall
            ctx.set(ready, taking)
            _, _, valid_now, *payload = await ctx.tick().sample(valid, *ports)
            assert waiting is None or (valid_now and payload == waiting)
            waiting = payload if valid_now and not taking else None
            if valid_now and taking:
                into.append(tuple(payload))

    async def answer_writes(self, ctx):
        lite = self.dut.lite
        while True:
            while not (self._addresses and self._words) or self.rng.random() < self.stall:
                await ctx.tick()
            (address,), (data, strobe) = self._addresses.pop(0), self._words.pop(0)
            self.lite_writes.append((address, data, strobe))
            ctx.set(lite.bresp, SLVERR if is_error(address) else OKAY)
            ctx.set(lite.bvalid, 1)
            await ctx.tick().until(lite.bready)
            ctx.set(lite.bvalid, 0)

    async def answer_reads(self, ctx):
        lite, requests = self.dut.lite, []
        while True:
            ctx.set(lite.arready, self.rng.random() >= self.stall)
            _, _, valid, ready, address = await ctx.tick().sample(
                lite.arvalid, lite.arready, lite.araddr
            )
            if not (valid and ready):
                continue
            ctx.set(lite.arready, 0)
            requests.append(address)
            while self.rng.random() < self.stall:
                await ctx.tick()
            self.lite_reads.append(address)
            ctx.set(lite.rdata, word_at(address))
            ctx.set(lite.rresp, SLVERR if is_error(address) else OKAY)
            ctx.set(lite.rvalid, 1)
            await ctx.tick().until(lite.rready)
            ctx.set(lite.rvalid, 0)

    def run(self):
        def request(burst):
            return {name: burst[name] for name in ("id", "addr", "len", "size", "burst")}

        def of_the_burst(burst):
            return {"id": burst["id"]} if self.port.write_ids else {}

        beats = [
            {"data": data, "strb": strobe, **of_the_burst(burst), "last": n == burst["len"]}
            for burst in self.writes
            for n, (data, strobe) in enumerate(zip(burst["data"], burst["strb"], strict=True))
        ]
        background = (
            partial(self.send, channel="aw", items=[request(b) for b in self.writes]),
            partial(self.send, channel="w", items=beats),
            partial(self.send, channel="ar", items=[request(b) for b in self.reads]),
            partial(self.receive, port="axi.b", names=("id", "resp"), into=self.b),
            partial(self.receive, port="axi.r", names=("id", "data", "resp", "last"), into=self.r),
            partial(self.receive, port="lite.aw", names=("addr",), into=self._addresses),
            partial(self.receive, port="lite.w", names=("data", "strb"), into=self._words),
            self.answer_writes,
            self.answer_reads,
        )
        read_beats = sum(burst["len"] + 1 for burst in self.reads)

        async def finish(ctx):
            for _ in range(MAX_CYCLES):
                if len(self.b) == len(self.writes) and len(self.r) == read_beats:
                    break
                await ctx.tick()
            else:
                raise AssertionError(f"deadlock: {len(self.b)} writes, {len(self.r)} read beats")
            await ctx.tick().repeat(20)

        simulator = Simulator(self.dut)
        simulator.add_clock(1e-8)
        for process in background:
            simulator.add_testbench(process, background=True)
        for rules, bus in (
            (AxiRules(PORTS[self.port], self.port.name), self.dut.axi),
            (AxiRules(), self.dut.lite),
        ):
            simulator.add_testbench(rules.watch(bus), background=True)
        simulator.add_testbench(finish)
        simulator.run()
        return self


def worst(responses) -> int:
    return max(responses, default=OKAY)


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.name)
@pytest.mark.parametrize(("seed", "stall"), [(1, 0.0), (2, 0.3), (3, 0.7)])
def test_random_bursts(seed, stall, port):
    rng = random.Random(seed)
    writes = [random_burst(rng, port) for _ in range(25)]
    reads = [random_burst(rng, port) for _ in range(25)]
    bench = Bench(seed, writes, reads, stall, port).run()

    expected_b, expected_r, lite_writes, lite_reads = [], [], [], []
    for burst in writes:
        addresses = [address - BASE for address in beat_addresses(burst)]
        if not burst["inside"]:
            expected_b.append((burst["id"], DECERR))
            continue
        lite_writes += zip(addresses, burst["data"], burst["strb"], strict=True)
        expected_b.append((burst["id"], worst(SLVERR * is_error(a) for a in addresses)))
    for burst in reads:
        addresses = [address - BASE for address in beat_addresses(burst)]
        for n, address in enumerate(addresses):
            data, response = 0, DECERR
            if burst["inside"]:
                lite_reads.append(address)
                data, response = word_at(address), SLVERR * is_error(address)
            expected_r.append((burst["id"], data, response, n == burst["len"]))
    assert bench.b == expected_b
    assert bench.r == expected_r
    assert bench.lite_writes == lite_writes
    assert bench.lite_reads == lite_reads


def test_data_before_address_and_address_before_data():
    burst = {"id": 5, "addr": BASE + 8, "len": 1, "size": 2, "burst": INCR}
    burst |= {"data": [1, 2], "strb": [15, 15], "inside": True}
    for late in ("aw", "w"):
        bench = Bench(0, [burst], [], 0.0)
        original = bench.send

        async def send(ctx, channel, items, late=late, original=original):
            if channel == late:
                await ctx.tick().repeat(30)
            await original(ctx, channel, items)

        bench.send = send
        bench.run()
        assert bench.b == [(5, SLVERR)]  # the second word, at 12, is one that refuses
        assert bench.lite_writes == [(8, 1, 15), (12, 2, 15)]


@pytest.mark.parametrize(
    ("base", "width", "message"),
    [
        (0, 2, "address_width must be 3 to 31, not 2"),
        (0, 32, "address_width must be 3 to 31, not 32"),
        (0x43C0_0800, 12, r"base must be a 32-bit multiple of 2\*\*12, not 0x43c00800"),
        (1 << 32, 12, r"base must be a 32-bit multiple of 2\*\*12, not 0x100000000"),
    ],
)
def test_constructor_checks(base, width, message):
    with pytest.raises(ValueError, match=message):
        AxiBridge(AXI3_GP, base, width)
