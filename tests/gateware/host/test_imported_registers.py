"""The registers of an imported model's accelerator: constants, settings, refusals, whole runs."""

import random

import pytest
from amaranth.sim import Simulator

from gateformer.gateware.host.any_core import compile_model
from gateformer.gateware.host.host_interface import HostInterface
from gateformer.gateware.host.hosted_core import HostedCore
from gateformer.gateware.host.identification import Identification
from gateformer.gateware.host.imported_registers import IMPORTED_REGISTERS
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.decoder.random_decoder import random_decoder
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from tests.support.axi_driver import SLVERR, AxiDriver
from tests.support.host_bench import CONFIG, DIGEST, IMPORTED_CONFIG, Host, run

SMALL = {
    **{"vocab_size": 11, "d_model": 6, "n_heads": 2, "n_kv_heads": 1, "head_dim": 4, "d_ff": 7},
    **{"n_layers": 1, "ctx_len": 6, "positions": "rotary", "activation": "silu", "gated": True},
}
ABSENT = {0x028, 0x02C, 0x034, 0x0D0, 0x0D4, 0x0D8}
"""ENGINE_ROWS, ENGINE_COLS, and what only reloadable accelerators have."""


def test_identification():
    async def scenario(host, core):
        expected = {
            **{"MAGIC": 0x31465447, "SPEC_VERSION": 2, "BUILD_ID": 0xB1D, "CLOCK_KHZ": 150_000},
            **{"VOCAB_SIZE": 11, "D_MODEL": 12, "N_HEADS": 4, "N_LAYERS": 2, "D_FF": 20},
            **{"CTX_LEN": 6, "ARRAY_LANES": 6},
        }
        for name, value in expected.items():
            assert await host.value(name) == value, name
        words = [await host.value(f"ARTIFACT_HASH_{i}") for i in range(8)]
        assert "".join(f"{word:08x}" for word in words) == DIGEST
        assert await host.read("HEADS") == {"n_kv_heads": 2, "head_dim": 6}
        assert await host.read("FAMILY") == {
            **{"norm": 1, "positions": 1, "activation": 2},
            **{"gated": 0, "tied_head": 1, "norm_bias": 1, "bias": 1},
        }
        for offset in ABSENT:
            assert await host.axi.read(host.ctx, offset) == (0, SLVERR)

    run(scenario, config=IMPORTED_CONFIG)


def test_every_choice_has_a_number_of_its_own():
    """Of each register, one bit pattern per model; those of version 1 have none."""

    def words(**choices):
        given = {**SMALL, "n_heads": 4, "n_kv_heads": 2, **choices}
        config = random_decoder(0, **given).config
        found = Identification(config, HwConfig(1, 1, 6), DIGEST, 0, 1).constants
        return found["FAMILY"], found["HEADS"]

    models = [{"norm": "rms"}, {"norm": "layer"}, {"norm": "layer", "norm_bias": True}]
    models += [{"positions": "learned"}, {"tied_head": False}, {"bias": ("q_proj",)}]
    models += [{"activation": name} for name in ("relu", "gelu", "gelu_tanh")]
    models += [{"gated": False}, {"n_kv_heads": 1}, {"head_dim": 6}]
    assert len({words(**choices) for choices in models}) == len(models)
    of_version_1 = Identification(CONFIG, HwConfig(2, 4, 6), DIGEST, 0, 1).constants
    assert not {"FAMILY", "HEADS"} & of_version_1.keys()


@pytest.mark.parametrize(("seed", "stall"), [(1, 0.0), (2, 0.4)])
def test_settings_reach_the_core(seed, stall):
    rng = random.Random(seed)

    async def scenario(host, core):
        assert await host.value("TOP_P") == 2**16
        for top_p in (1, 2**16, rng.randint(2, 2**16 - 1)):
            prompt = [rng.randrange(11) for _ in range(rng.randint(1, 6))]
            settings = {
                "mult": rng.getrandbits(16),
                "shift": rng.choice((0, 47, rng.randint(0, 47))),
                "top_k": rng.randint(0, 11),
                "top_p": top_p,
                "seed": rng.getrandbits(32),
                "count": rng.randint(1, 20),
            }
            await host.configure(**settings)
            await host.push(prompt)
            await host.control("start")
            assert await host.drain() == core.tokens(prompt, settings["count"])
            await host.until_done()
            got_prompt, got = core.runs[-1]
            assert got_prompt == prompt
            assert list(got.values()) == list(settings.values())
        assert await host.errors() == set()

    run(scenario, seed=seed, stall=stall, config=IMPORTED_CONFIG)


@pytest.mark.parametrize(
    ("setting", "fits"),
    [
        ({"top_p": 0}, False),
        ({"top_p": 1}, True),
        ({"top_p": 2**16}, True),
        ({"top_p": 2**16 + 1}, False),
        ({"top_p": 2**17 - 1}, False),
        ({"shift": 47}, True),
        ({"shift": 48}, False),
        ({"shift": 63}, False),
        ({"shift": 48, "top_p": 0}, False),
    ],
)
def test_a_setting_out_of_range_starts_nothing(setting, fits):
    async def scenario(host, core):
        await host.configure(**{"top_p": 2**16, **setting})
        await host.push([4, 5])
        await host.control("start")
        assert await host.errors() == (set() if fits else {"setting_out_of_range"})
        if not fits:
            assert core.runs == []
            assert (await host.read("STATUS"))["prompt_level"] == 2
            await host.configure(top_p=2**16)
            await host.control("start")
        assert await host.drain() == core.tokens([4, 5], 1)
        assert await host.errors() == set()

    run(scenario, config=IMPORTED_CONFIG)


def test_every_reason_has_its_flag():
    async def scenario(host, core):
        await host.configure(count=0, top_k=12, top_p=0)
        await host.control("start")
        assert await host.errors() == {
            *("prompt_empty", "count_zero", "top_k_too_large", "setting_out_of_range")
        }
        assert core.runs == []

    run(scenario, config=IMPORTED_CONFIG)


def test_a_busy_core_locks_top_p():
    async def scenario(host, core):
        await host.configure(count=30, top_p=77)
        await host.push([1])
        await host.control("start")
        await host.write("TOP_P", value=0)
        assert await host.errors() == {"settings_locked"}
        assert await host.value("TOP_P") == 77
        assert await host.drain() == core.tokens([1], 30)

    run(scenario, config=IMPORTED_CONFIG)


def sampled(model, **given) -> DecoderSettings:
    return DecoderSettings.from_user(
        temperature=1.1,
        seed=5,
        logit_scale=1e-8,  # so that a temperature of about 1 draws many tokens
        vocab_size=model.config.vocab_size,
        **given,
    )


@pytest.mark.slow
def test_runs_equal_the_reference():
    """Greedy to the end of the context, then sampled, over the same registers.

    The driver's tests have longer ones, in compiled simulation and fast.
    """
    model = random_decoder(2, **SMALL)
    runs = [
        ([3, 8], 9, DecoderSettings(), 1),
        ([1, 9, 4], 2, sampled(model, top_k=0), 0),
        ([10], 1, sampled(model, top_k=4, top_p=0.8), 0),
        ([5], 2, DecoderSettings(), 0),
    ]
    system = HostedCore(compile_model(model, HwConfig(1, 1, 5)), build_id=0xB1D, clock_khz=125_000)

    async def bench(ctx):
        host = Host(ctx, axi, IMPORTED_REGISTERS)
        for prompt, count, settings, context_full in runs:
            await host.configure(
                mult=settings.temperature_mult,
                shift=settings.temperature_shift,
                top_k=settings.top_k,
                seed=settings.seed,
                count=count,
                top_p=settings.top_p,
            )
            await host.push(prompt)
            await host.control("start")
            tokens, entry = [], {"last": 0}
            while not entry["last"]:
                await ctx.tick().repeat(100)
                entry = await host.read("OUTPUT")
                if entry["valid"]:
                    tokens.append(entry["token"])
            await host.until_done()
            assert tokens == list(DecoderReference(model).generate(prompt, count, settings))
            assert await host.value("TOKENS_GENERATED") == len(tokens)
            assert (await host.read("STATUS"))["context_full"] == context_full
            assert await host.errors() == set()

    simulator = Simulator(system)
    simulator.add_clock(8e-9)
    axi = AxiDriver(system.axi, stall=0.1)
    axi.add_to(simulator)
    simulator.add_testbench(bench)
    simulator.run()


def test_a_vocabulary_beyond_the_registers_is_refused():

    config = ModelConfig(
        **{**SMALL, "vocab_size": 65537},
        bits=IMPORTED_CONFIG.bits,
        formats=dict.fromkeys(
            (
                "token_embedding",
                *(f"layers.0.{kind}_proj" for kind in ("q", "k", "v", "o", "gate", "up", "down")),
            ),
            "int8",
        ),
    )
    with pytest.raises(ValueError, match=r"^vocab_size must be 1 to 65536, not 65537$"):
        HostInterface(config, HwConfig(1, 1, 2), digest=DIGEST, build_id=0, clock_khz=1)
