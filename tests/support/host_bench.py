"""A driver of the registers by name, and a core that is only a testbench."""

import random

from amaranth.sim import Simulator

from gateformer.gateware.host.base_registers import REGISTERS
from gateformer.gateware.host.host_interface import HostInterface
from gateformer.gateware.host.registers import register, registers
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.config import MATRICES, Bits, ModelConfig

from .axi_driver import OKAY, AxiDriver

CONFIG = ModelConfig(vocab_size=11, d_model=12, n_heads=3, n_layers=2, d_ff=20, ctx_len=6)
_SHAPE = {
    **{"vocab_size": 11, "d_model": 12, "n_heads": 4, "n_layers": 2, "d_ff": 20, "ctx_len": 6},
    **{"n_kv_heads": 2, "head_dim": 6, "norm": "layer", "positions": "rotary"},
    **{"activation": "gelu", "norm_bias": True, "bias": ("v_proj",), "tied_head": True},
}
IMPORTED_CONFIG = ModelConfig(
    **_SHAPE,
    bits=Bits(),
    formats=dict.fromkeys(
        (
            "token_embedding",
            *(f"layers.{i}.{kind}" for i in range(2) for kind in MATRICES),
        ),
        "int8",
    ),
)
"""An imported model's, of which only the registers see anything."""

DIGEST = bytes(range(7, 39)).hex()


class FakeCore:
    """Keeps the core's side of the contract with random stalls; ``runs`` records what it was asked.

    Its tokens are made of the prompt, so that a token lost or doubled anywhere shows. It ignores
    the length of the context, so that it can fill the output FIFO.
    """

    def __init__(self, host, seed, stall):
        self.host = host
        self.stall = stall
        self.rng = random.Random(seed)
        self.runs = []
        self.busy_cycles = 0

    @staticmethod
    def tokens(prompt, count):
        return [(sum(prompt) * 3 + len(prompt) + 7 * i) % CONFIG.vocab_size for i in range(count)]

    async def process(self, ctx):
        host = self.host
        names = [name for name in SETTINGS if name in host.settings.signature.members]
        settings = [getattr(host.settings, name) for name in names]
        samples = (
            *(host.start, host.abort, host.prompt.valid, host.prompt.payload.token),
            *(host.prompt.payload.last, host.output.ready, *settings),
        )
        prompt, left, settled, waiting, aborting = [], None, None, None, False
        async for _, _, start, abort, valid, token, last, ready, *values in ctx.tick().sample(
            *samples
        ):
            busy = ctx.get(host.busy)
            offered, taking = ctx.get(host.output.valid), ctx.get(host.prompt.ready)
            self.busy_cycles += busy
            if busy:
                assert values == settled, "settings changed during a run"
            assert not (start and busy), "started while busy"
            assert busy or not valid, "prompt offered to an idle core"
            assert waiting in (None, (valid, token, last)), "prompt withdrawn or changed"
            aborted, aborting = aborting, abort
            withdrawn = abort or aborted
            waiting = (valid, token, last) if valid and not taking and not withdrawn else None
            ctx.set(host.prompt.ready, 0)
            if aborted:
                ctx.set(host.busy, 0)
                ctx.set(host.output.valid, 0)
            elif start:
                ctx.set(host.busy, 1)
                self.busy_cycles = 0
                prompt, left, settled = [], None, values
                self.runs.append((prompt, dict(zip(names, values, strict=True))))
            elif busy and left is None:
                if valid and taking:
                    prompt.append(token)
                    if last:
                        left = self.tokens(prompt, settled[-1])
                if left is None:
                    ctx.set(host.prompt.ready, self.rng.random() >= self.stall)
            elif busy and offered and ready:
                ctx.set(host.output.valid, 0)
                if not left:
                    ctx.set(host.busy, 0)
            pausing = self.rng.random() < self.stall
            if ctx.get(host.busy) and left and not ctx.get(host.output.valid) and not pausing:
                ctx.set(host.output.valid, 1)
                ctx.set(host.output.payload.token, left.pop(0))
                ctx.set(host.output.payload.last, not left)


SETTINGS = ("temperature_mult", "temperature_shift", "top_k", "top_p", "seed", "count")


class Host:
    """What a driver does, by the names of ``declared`` registers."""

    def __init__(self, ctx, axi, declared=REGISTERS):
        self.ctx = ctx
        self.axi = axi
        self.declared = declared

    async def write(self, name, **fields):
        entry = register(name, self.declared)
        return await self.axi.write(self.ctx, entry.offset, entry.pack(**fields))

    async def read(self, name):
        entry = register(name, self.declared)
        word, response = await self.axi.read(self.ctx, entry.offset)
        assert response == OKAY
        return entry.unpack(word)

    async def value(self, name):
        return (await self.read(name))["value"]

    async def configure(self, mult=0, shift=0, top_k=0, seed=0, count=1, top_p=None):
        await self.write("TEMPERATURE", mult=mult, shift=shift)
        await self.write("TOP_K", value=top_k)
        await self.write("SEED", value=seed)
        await self.write("GENERATE_COUNT", value=count)
        if top_p is not None:
            await self.write("TOP_P", value=top_p)

    async def push(self, tokens):
        for token in tokens:
            await self.write("PROMPT", token=token)

    async def control(self, bit):
        await self.write("CONTROL", **{bit: 1})

    async def errors(self):
        """Names of the flags that are set; they are cleared."""
        flags = await self.read("ERROR")
        assert (await self.read("STATUS"))["error"] == any(flags.values())
        await self.write("ERROR", **flags)
        assert not any((await self.read("ERROR")).values())
        return {name for name, value in flags.items() if value}

    async def drain(self):
        """Tokens up to the last one of the run."""
        tokens = []
        for _ in range(1000):
            entry = await self.read("OUTPUT")
            if entry["valid"]:
                tokens.append(entry["token"])
                if entry["last"]:
                    return tokens
            else:
                assert entry == {"token": 0, "last": 0, "valid": 0}
        raise AssertionError("no last token")

    async def until_done(self):
        for _ in range(1000):
            status = await self.read("STATUS")
            if status["done"]:
                assert not status["busy"]
                return
        raise AssertionError("not done")


def host_interface(config=CONFIG) -> HostInterface:
    """The one that the benches have, of a model of ``config``."""
    return HostInterface(
        config, HwConfig(2, 4, 6), digest=DIGEST, build_id=0xB1D, clock_khz=150_000
    )


def run(scenario, *, seed=0, stall=0.3, core_stall=None, config=CONFIG):
    """Run ``await scenario(host, core)`` over AXI."""
    dut = host_interface(config)
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    axi = AxiDriver(dut.axi, seed=seed, stall=stall)
    axi.add_to(sim)
    core = FakeCore(dut, seed, stall if core_stall is None else core_stall)
    sim.add_testbench(core.process, background=True)

    async def testbench(ctx):
        await scenario(Host(ctx, axi, registers(config)), core)

    sim.add_testbench(testbench)
    sim.run()
