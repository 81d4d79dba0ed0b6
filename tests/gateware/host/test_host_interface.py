"""The host interface over AXI4-Lite, with a core that is only a testbench."""

import itertools
import random

import pytest
from amaranth.sim import Simulator

from gateformer.gateware.host import stream_interface
from gateformer.gateware.host.base_registers import REGISTERS
from gateformer.gateware.host.host_interface import HostInterface
from gateformer.gateware.host.registers import register
from gateformer.gateware.parts import cycle_counter
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.arith import SPEC_VERSION
from gateformer.model.contract.config import ModelConfig
from tests.support.axi_driver import OKAY, SLVERR, AxiDriver
from tests.support.formal.prover import mutated
from tests.support.host_bench import CONFIG, DIGEST, Host, run


def test_identification():
    async def scenario(host, core):
        expected = {
            "MAGIC": 0x31465447,
            "SPEC_VERSION": SPEC_VERSION,
            "BUILD_ID": 0xB1D,
            "CLOCK_KHZ": 150_000,
            "VOCAB_SIZE": 11,
            "D_MODEL": 12,
            "N_HEADS": 3,
            "N_LAYERS": 2,
            "D_FF": 20,
            "CTX_LEN": 6,
            "ENGINE_ROWS": 2,
            "ENGINE_COLS": 4,
            "ARRAY_LANES": 6,
        }
        for name, value in expected.items():
            assert await host.value(name) == value, name
        words = [await host.value(f"ARTIFACT_HASH_{i}") for i in range(8)]
        assert "".join(f"{word:08x}" for word in words) == DIGEST

    run(scenario)


@pytest.mark.parametrize(("seed", "stall"), [(1, 0.0), (2, 0.3), (3, 0.7)])
def test_runs(seed, stall):
    """Whatever the stalls: prompt, settings, tokens, counters are right, nothing is lost."""
    rng = random.Random(seed)

    async def scenario(host, core):
        for _ in range(4):
            prompt = [rng.randrange(11) for _ in range(rng.randint(1, 6))]
            settings = {
                "mult": rng.getrandbits(8),
                "shift": rng.getrandbits(5),
                "top_k": rng.randint(0, 11),
                "seed": rng.getrandbits(32),
                "count": rng.choice([1, 2, rng.randint(1, 60)]),
            }
            await host.configure(**settings)
            await host.push(prompt)
            await host.control("start")
            # until more tokens than fit have piled up: the core must wait
            await host.ctx.tick().repeat(rng.choice([1, 200]))
            tokens = await host.drain()
            assert tokens == core.tokens(prompt, settings["count"])
            await host.until_done()
            assert await host.value("TOKENS_GENERATED") == len(tokens)
            assert await host.value("CYCLES_LOW") == core.busy_cycles
            assert await host.value("CYCLES_HIGH") == 0
            status = await host.read("STATUS")
            assert (status["prompt_level"], status["output_level"]) == (0, 0)
            got_prompt, got = core.runs[-1]
            assert got_prompt == prompt
            assert list(got.values()) == list(settings.values())
        assert await host.errors() == set()

    run(scenario, seed=seed, stall=stall)


def test_refused_starts_do_nothing_but_raise_their_flags():
    async def scenario(host, core):
        await host.push([11, 2**16 + 3, 2**32 - 1])
        assert await host.errors() == {"token_outside_vocabulary"}
        assert (await host.read("STATUS"))["prompt_level"] == 0
        await host.control("start")
        assert await host.errors() == {"prompt_empty"}
        await host.configure(count=0, top_k=12)
        await host.control("start")
        assert await host.errors() == {"prompt_empty", "count_zero", "top_k_too_large"}
        await host.configure(count=1, top_k=2**31)
        await host.push([1] * 7)
        await host.control("start")
        assert await host.errors() == {"prompt_too_long", "top_k_too_large"}
        await host.push([2])
        assert await host.errors() == {"prompt_overflow"}
        assert (await host.read("STATUS"))["prompt_level"] == 7
        assert core.runs == []
        await host.control("abort")
        assert (await host.read("STATUS"))["prompt_level"] == 0
        await host.configure(count=3, top_k=11)
        await host.push([4] * 6)
        await host.control("start")
        assert await host.drain() == core.tokens([4] * 6, 3)
        assert await host.errors() == set()
        await host.control("start")
        await host.control("clear_errors")
        assert await host.errors() == set()

    run(scenario)


def test_busy_locks_settings_and_keeps_the_next_prompt():
    async def scenario(host, core):
        await host.configure(count=30, seed=5)
        await host.push([1, 2])
        await host.control("start")
        assert (await host.read("STATUS"))["busy"]
        await host.control("start")
        assert await host.errors() == {"start_while_busy"}
        await host.write("SEED", value=6)
        assert await host.errors() == {"settings_locked"}
        assert await host.value("SEED") == 5
        await host.push([3, 4, 5])
        tokens = await host.drain()
        await host.until_done()
        assert tokens == core.tokens([1, 2], 30)
        assert (await host.read("STATUS"))["prompt_level"] == 3
        await host.write("SEED", value=6)
        await host.control("start")
        assert await host.drain() == core.tokens([3, 4, 5], 30)
        assert [settings["seed"] for _, settings in core.runs] == [5, 6]
        assert await host.errors() == set()

    run(scenario)


def test_a_full_output_stalls_the_core_and_loses_nothing():
    async def scenario(host, core):
        await host.configure(count=40)
        await host.push([1, 2])
        await host.control("start")
        await host.ctx.tick().repeat(300)
        for _ in range(2):
            status = await host.read("STATUS")
            assert (status["output_level"], status["busy"], status["done"]) == (16, 1, 0)
            assert await host.value("TOKENS_GENERATED") == 16
            await host.ctx.tick().repeat(50)
        assert await host.drain() == core.tokens([1, 2], 40)
        assert await host.value("TOKENS_GENERATED") == 40
        assert await host.errors() == set()

    run(scenario, seed=4, stall=0.2)


def test_a_prompt_overflow_corrupts_neither_this_prompt_nor_the_next():
    async def scenario(host, core):
        core.stall = 1  # takes nothing
        await host.configure(count=3)
        await host.push([1, 2, 3])
        await host.control("start")
        await host.push([4, 5, 6, 7])
        assert await host.errors() == set()
        await host.push([8, 9])
        assert await host.errors() == {"prompt_overflow"}
        core.stall = 0.3
        assert await host.drain() == core.tokens([1, 2, 3], 3)
        await host.until_done()
        await host.control("start")
        assert await host.drain() == core.tokens([4, 5, 6, 7], 3)
        assert [prompt for prompt, _ in core.runs] == [[1, 2, 3], [4, 5, 6, 7]]
        assert await host.errors() == set()

    run(scenario, seed=5)


def test_cycles_roll_over_into_the_upper_half(monkeypatch):
    """The counter starts 60 cycles below 2**32 instead of at 0."""
    begin = 2**32 - 60
    late = mutated(cycle_counter, "count.eq(0)", f"count.eq({begin})")
    monkeypatch.setattr(stream_interface, "CycleCounter", late.CycleCounter)
    seen = []

    async def scenario(host, core):
        async def read():
            low = await host.value("CYCLES_LOW")
            await host.ctx.tick().repeat(7)  # the upper half stays of one moment with the lower
            seen.append(await host.value("CYCLES_HIGH") << 32 | low)

        await host.configure(count=20)
        await host.push([1, 2])
        await host.control("start")
        for _ in range(12):
            await read()
        assert await host.drain() == core.tokens([1, 2], 20)
        await host.until_done()
        await read()
        assert seen[-1] == begin + core.busy_cycles
        assert seen == sorted(seen) and seen[0] < 2**32 < seen[-1]
        steps = [later - earlier for earlier, later in itertools.pairwise(seen[:12])]
        assert max(steps) < 100, steps

    run(scenario, seed=6, stall=0.1)


@pytest.mark.parametrize(
    ("wait", "core_stall"), [(1, 0.95), (5, 0.3), (11, 0.9), (40, 0.3), (120, 0.3)]
)
def test_abort_forgets_the_run(wait, core_stall):
    async def scenario(host, core):
        await host.configure(count=100)
        await host.push([1, 2, 3, 4])
        await host.control("start")
        await host.ctx.tick().repeat(wait)
        await host.write("CONTROL", abort=1, start=1)
        status = await host.read("STATUS")
        assert not any(status.values()), status
        assert not (await host.read("OUTPUT"))["valid"]
        await host.write("GENERATE_COUNT", value=2)
        await host.push([5])
        await host.control("start")
        assert await host.drain() == core.tokens([5], 2)
        assert core.runs[-1][0] == [5]
        assert len(core.runs) == 2
        assert await host.errors() == set()

    run(scenario, seed=wait, core_stall=core_stall)


def test_addresses_without_a_register_and_forbidden_accesses():
    rng = random.Random(8)
    readable = {entry.offset for entry in REGISTERS if entry.access.readable}
    writable = {entry.offset for entry in REGISTERS if entry.access.writable}

    async def scenario(host, core):
        await host.push([1, 2])
        for offset in {*range(0, 0x100, 4), *rng.sample(range(0x100, 0x1000, 4), 20)}:
            if offset not in readable:
                assert await host.axi.read(host.ctx, offset) == (0, SLVERR)
            if offset not in writable:
                assert await host.axi.write(host.ctx, offset, 0xFFFFFFFF) == SLVERR
        # PROMPT takes whole words only
        assert await host.axi.write(host.ctx, register("PROMPT").offset, 3, 0b0001) == SLVERR
        assert await host.axi.write(host.ctx, register("PROMPT").offset, 3, 0b0000) == OKAY
        assert (await host.read("STATUS"))["prompt_level"] == 2
        assert core.runs == []
        assert await host.errors() == set()

    run(scenario)


def test_context_full_is_shown():
    dut = HostInterface(CONFIG, HwConfig(2, 4, 6), digest=DIGEST, build_id=0, clock_khz=0)
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    axi = AxiDriver(dut.axi)
    axi.add_to(sim)

    async def testbench(ctx):
        host = Host(ctx, axi)
        for value in (1, 0):
            ctx.set(dut.context_full, value)
            assert (await host.read("STATUS"))["context_full"] == value

    sim.add_testbench(testbench)
    sim.run()


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"config": 3}, TypeError, "config must be a ModelConfig, not 3"),
        ({"hw": None}, TypeError, "hw must be a HwConfig, not None"),
        ({"digest": "ab"}, ValueError, "digest must be 64 hexadecimal digits, not 'ab'"),
        ({"build_id": 2**32}, ValueError, "build_id must be 0 to 4294967295, not 4294967296"),
        ({"clock_khz": 1.5}, TypeError, "clock_khz must be an integer, not 1.5"),
        ({"output_depth": 15}, ValueError, "output_depth must be 16 to 4095, not 15"),
        (
            {"config": ModelConfig(65537, 1, 1, 1, 1, 1)},
            ValueError,
            "vocab_size must be 1 to 65536, not 65537",
        ),
    ],
)
def test_parameters_are_checked(change, error, message):
    parameters = {
        "config": CONFIG,
        "hw": HwConfig(2, 4, 6),
        "digest": DIGEST,
        "build_id": 0,
        "clock_khz": 0,
    }
    with pytest.raises(error, match=f"^{message}$"):
        HostInterface(**{**parameters, **change})
