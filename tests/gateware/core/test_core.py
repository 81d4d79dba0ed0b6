"""The contract of the whole core: gateware equals reference on every tap and token."""

from __future__ import annotations

import dataclasses
import itertools
import random

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.core.taps import check_taps
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings

from .core_bench import run_core

GREEDY = SamplingSettings()
SHAPES = [
    # model, hardware: every layer count, head count, width, digit count and packing differs
    ("n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11", HwConfig(2, 4, 4)),
    ("n_layers=2,d_model=8,n_heads=1,d_ff=12,ctx_len=5,vocab_size=7", HwConfig(4, 8, 8)),
    ("n_layers=1,d_model=6,n_heads=3,d_ff=10,ctx_len=5,vocab_size=9", HwConfig(1, 1, 1)),
    ("n_layers=1,d_model=12,n_heads=3,d_ff=20,ctx_len=6,vocab_size=13", HwConfig(2, 6, 8)),
    ("n_layers=1,d_model=10,n_heads=2,d_ff=14,ctx_len=5,vocab_size=8", HwConfig(4, 4, 4)),
    ("n_layers=2,d_model=9,n_heads=3,d_ff=11,ctx_len=4,vocab_size=5", HwConfig(3, 9, 6)),
    ("n_layers=1,d_model=16,n_heads=2,d_ff=32,ctx_len=5,vocab_size=17,digits=2", HwConfig(4, 8, 8)),
    ("n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=5,vocab_size=6,digits=3", HwConfig(2, 8, 4)),
    ("n_layers=1,d_model=8,n_heads=4,d_ff=9,ctx_len=5,vocab_size=6,digits=4", HwConfig(2, 2, 8)),
    ("n_layers=1,d_model=7,n_heads=1,d_ff=16,ctx_len=4,vocab_size=6,digits=5", HwConfig(3, 6, 3)),
    (
        "n_layers=2,d_model=8,n_heads=2,d_ff=8,ctx_len=4,vocab_size=9,"
        "digits.up_proj=2,digits.layers.1.o_proj=3",
        HwConfig(2, 4, 8),
    ),
    ("n_layers=1,d_model=8,n_heads=2,d_ff=24,ctx_len=9,vocab_size=19", HwConfig(8, 16, 16)),
    ("n_layers=3,d_model=4,n_heads=2,d_ff=6,ctx_len=4,vocab_size=5", HwConfig(2, 2, 2)),
    ("n_layers=1,d_model=1,n_heads=1,d_ff=1,ctx_len=3,vocab_size=2", HwConfig(1, 2, 3)),
    ("n_layers=1,d_model=20,n_heads=5,d_ff=30,ctx_len=4,vocab_size=10", HwConfig(5, 10, 10)),
    ("n_layers=1,d_model=24,n_heads=2,d_ff=24,ctx_len=5,vocab_size=12", HwConfig(4, 12, 8)),
    ("n_layers=1,d_model=16,n_heads=4,d_ff=40,ctx_len=3,vocab_size=33", HwConfig(4, 20, 12)),
    ("n_layers=1,d_model=5,n_heads=5,d_ff=7,ctx_len=6,vocab_size=3", HwConfig(2, 4, 4)),
    ("n_layers=2,d_model=6,n_heads=1,d_ff=18,ctx_len=3,vocab_size=4", HwConfig(6, 6, 6)),
    ("n_layers=1,d_model=14,n_heads=2,d_ff=5,ctx_len=4,vocab_size=21", HwConfig(7, 7, 7)),
    ("n_layers=1,d_model=8,n_heads=8,d_ff=8,ctx_len=1,vocab_size=1", HwConfig(1, 3, 2)),
    ("n_layers=1,d_model=18,n_heads=3,d_ff=33,ctx_len=4,vocab_size=8", HwConfig(3, 15, 9)),
    # three parts of the program memory; two banks of the weight memory
    ("n_layers=6,d_model=4,n_heads=2,d_ff=6,ctx_len=3,vocab_size=5", HwConfig(2, 2, 2)),
    ("n_layers=1,d_model=10,n_heads=2,d_ff=32,ctx_len=3,vocab_size=8", HwConfig(1, 1, 1)),
    # words of two halves; chains of 2 and 4 multipliers
    ("n_layers=2,d_model=8,n_heads=2,d_ff=16,ctx_len=7,vocab_size=11", HwConfig(2, 4, 16)),
    ("n_layers=1,d_model=16,n_heads=2,d_ff=20,ctx_len=6,vocab_size=18", HwConfig(2, 8, 40)),
    ("n_layers=2,d_model=9,n_heads=3,d_ff=11,ctx_len=5,vocab_size=6", HwConfig(2, 6, 24)),
    ("n_layers=1,d_model=8,n_heads=1,d_ff=10,ctx_len=1,vocab_size=1", HwConfig(1, 6, 16)),
    ("n_layers=1,d_model=12,n_heads=2,d_ff=10,ctx_len=9,vocab_size=3", HwConfig(1, 6, 31)),
]


def varied(hw: HwConfig, index: int) -> HwConfig:
    """Both packings and every number of registers over the list."""
    return dataclasses.replace(
        hw,
        packing=("2bit", "3in5")[index // 2 % 2],
        tree_levels=1 + index % 3,
        array_registers=index // 2 % 2,
        norm_registers=index % 4,
        result_registers=index % 2,
    )


@pytest.mark.parametrize("index", range(len(SHAPES)))
@pytest.mark.slow_but("[0-9]")
def test_every_tap_and_token_equals_the_reference(index):
    spec, hw = SHAPES[index]
    hw = varied(hw, index)
    model = random_model(f"random:{spec},seed={index}")
    cfg = model.config
    rng = random.Random(index)
    prompt = [rng.randrange(cfg.vocab_size) for _ in range(rng.randint(1, min(3, cfg.ctx_len)))]
    settings = SamplingSettings()
    if index % 2:
        settings = SamplingSettings.from_user(
            temperature=1.2,
            top_k=rng.randint(0, cfg.vocab_size),
            seed=index,
            logit_scale=model.logit_scale,
            vocab_size=cfg.vocab_size,
        )
    program = Program(model, hw)
    count = cfg.ctx_len + 5  # to the end of the context, and it stops there
    run = run_core(program, prompt, count, settings, stall=0.3, seed=index)
    assert run.tokens == list(Reference(model).generate(prompt, count, settings))
    assert run.context_full
    fed = (prompt + run.tokens)[: cfg.ctx_len]
    assert check_taps(program, run.records, fed, len(prompt)) > 0


@pytest.mark.parametrize(
    ("mode", "index"),
    [
        # it takes the cycles of the others, too
        *(("top-k", index) for index in (0, 1, 3, 9, 15, 24)),
        *(("greedy", 0), ("greedy", 15), ("sampled", 3), ("sampled", 9)),
        *(("greedy", 24), ("greedy", 25), ("sampled", 26), ("greedy", 28)),
    ],
)
@pytest.mark.slow_but("*-[0139]")
def test_cycles_equal_the_program_s_prediction(index, mode):
    spec, hw = SHAPES[index]
    model = random_model(f"random:{spec},seed={index}")
    cfg = model.config
    settings = SamplingSettings()
    if mode != "greedy":
        settings = SamplingSettings(
            temperature_mult=100, temperature_shift=8, top_k=2 if mode == "top-k" else 0
        )
    check_cycles(
        Program(model, varied(hw, index)),
        random.Random(index).randint(2, cfg.ctx_len - 1),
        settings,
    )


def check_cycles(program: Program, length: int, settings: SamplingSettings = GREEDY) -> None:
    """Every cycle, and every tap, of a prompt of ``length`` and what follows, without stalls."""
    cfg, rng = program.model.config, random.Random(length)
    prompt = [rng.randrange(cfg.vocab_size) for _ in range(length)]
    run = run_core(program, prompt, cfg.ctx_len, settings)
    sampled = settings.temperature_mult > 0
    cycles = [
        program.cycles(p, sampled=sampled, top_k=settings.top_k > 0)
        for p in range(length - 1, cfg.ctx_len)
    ]
    assert [b - a for a, b in itertools.pairwise(run.cycles)] == cycles[1:]
    # start, the first prompt token and its program's start take a cycle each
    before = sum(program.cycles(p, predict=False) for p in range(length - 1))
    assert run.cycles[0] == 3 + before + cycles[0]
    assert run.tokens == list(Reference(program.model).generate(prompt, cfg.ctx_len, settings))
    assert check_taps(program, run.records, prompt + run.tokens[:-1], length) > 0


@pytest.mark.slow
def test_a_prompt_token_waits_for_the_values_of_a_long_engine():
    """Adders of 256 columns, a register each: V would meet the next token's embedding."""
    model = random_model("random:n_layers=1,d_model=16,n_heads=2,d_ff=2,ctx_len=3,vocab_size=3")
    hw = HwConfig(1, 256, 2, "3in5", tree_levels=1, array_registers=0, result_registers=1)
    program = Program(model, hw)
    assert next(item.wait for item in program.instructions if item.ends_prompt_token) == 2
    check_cycles(program, 2)


def test_it_stops_after_the_count():
    model = random_model("random:n_layers=1,d_model=4,n_heads=1,d_ff=4,ctx_len=8,vocab_size=5")
    run = run_core(Program(model, HwConfig(2, 4, 4)), [1, 2], 3)
    assert run.tokens == list(Reference(model).generate([1, 2], 3, SamplingSettings()))
    assert not run.context_full
