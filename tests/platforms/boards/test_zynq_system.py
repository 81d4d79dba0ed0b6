"""Text through the processor's port: AXI3 or AXI4, bridge, registers and core together."""

import pytest
from amaranth.sim import Simulator

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.host.registers import register
from gateformer.gateware.memory.bus import Burst
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.platforms.boards.axi_bridge import AXI3_GP, AXI4_HPM
from gateformer.platforms.boards.zynq_top import BASE_ADDRESS, ZynqSystem
from gateformer.platforms.families.zynq_address import ULTRASCALE_BASE_ADDRESS
from tests.support.axi_rules import AXI3, AXI4, AxiRules

PROMPT = [3, 9]
COUNT = 3
POLLS = 2000


class Processor:
    """Loads and stores on M_AXI_GP0 or M_AXI_HPM0_LPD, one at a time."""

    def __init__(self, ctx, axi, base):
        self.ctx, self.axi, self.base = ctx, axi, base
        ctx.set(axi.awsize, 2)
        ctx.set(axi.arsize, 2)
        ctx.set(axi.awburst, Burst.INCR.value)
        ctx.set(axi.arburst, Burst.INCR.value)
        ctx.set(axi.wstrb, 15)
        ctx.set(axi.wlast, 1)

    async def store(self, name: str, value: int):
        ctx, axi = self.ctx, self.axi
        ctx.set(axi.awaddr, self.base + register(name).offset)
        ctx.set(axi.wdata, value)
        for valid, ready in ((axi.awvalid, axi.awready), (axi.wvalid, axi.wready)):
            ctx.set(valid, 1)
            await ctx.tick().until(ready)
            ctx.set(valid, 0)
        ctx.set(axi.bready, 1)
        (response,) = await ctx.tick().sample(axi.bresp.as_value()).until(axi.bvalid)
        ctx.set(axi.bready, 0)
        assert response == 0, name

    async def load(self, name: str) -> int:
        ctx, axi = self.ctx, self.axi
        ctx.set(axi.araddr, self.base + register(name).offset)
        ctx.set(axi.arvalid, 1)
        await ctx.tick().until(axi.arready)
        ctx.set(axi.arvalid, 0)
        ctx.set(axi.rready, 1)
        sample = ctx.tick().sample(axi.rdata, axi.rresp.as_value(), axi.rlast)
        data, response, last = await sample.until(axi.rvalid)
        ctx.set(axi.rready, 0)
        assert response == 0 and last, name
        return data


@pytest.mark.parametrize(
    ("port", "base", "rules", "temperature"),
    [
        (AXI3_GP, BASE_ADDRESS, AXI3, 0),
        (AXI3_GP, BASE_ADDRESS, AXI3, 1.2),
        (AXI4_HPM, ULTRASCALE_BASE_ADDRESS, AXI4, 1.2),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_tokens_through_the_processor_port_equal_the_reference(port, base, rules, temperature):
    model = random_model("random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11")
    program = Program(model, HwConfig(2, 4, 4))
    settings = SamplingSettings.from_user(
        temperature=temperature,
        top_k=5,
        seed=7,
        logit_scale=model.logit_scale,
        vocab_size=model.config.vocab_size,
    )
    system = ZynqSystem(
        program, build_id=0xB1D, clock_khz=125_000, dsp="generic", port=port, base_address=base
    )
    tokens = []

    async def bench(ctx):
        processor = Processor(ctx, system.axi, base)
        assert await processor.load("BUILD_ID") == 0xB1D
        assert await processor.load("CLOCK_KHZ") == 125_000
        mult_and_shift = settings.temperature_mult | settings.temperature_shift << 8
        await processor.store("TEMPERATURE", mult_and_shift)
        await processor.store("TOP_K", settings.top_k)
        await processor.store("SEED", settings.seed)
        await processor.store("GENERATE_COUNT", COUNT)
        for token in PROMPT:
            await processor.store("PROMPT", token)
        await processor.store("CONTROL", 1)
        for _ in range(POLLS):
            output = await processor.load("OUTPUT")
            if output >> 31:
                tokens.append(output & 0xFFFF)
                if output >> 30 & 1:
                    break
        assert await processor.load("ERROR") == 0
        assert await processor.load("TOKENS_GENERATED") == COUNT

    simulator = Simulator(system)
    simulator.add_clock(8e-9)
    simulator.add_testbench(bench)
    simulator.add_testbench(AxiRules(rules).watch(system.axi), background=True)
    simulator.run()
    assert tokens == list(Reference(model).generate(PROMPT, COUNT, settings))
