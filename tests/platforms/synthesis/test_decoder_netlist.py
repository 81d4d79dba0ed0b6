"""The synthesized core of an imported model is the design: memories and tokens."""

from __future__ import annotations

import pytest
from amaranth.back import rtlil

from gateformer.gateware.core.taps import Mismatch
from gateformer.gateware.host.any_core import build_core, compile_model
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.platforms.synthesis.check_netlist import FAMILIES, check_netlist
from gateformer.platforms.synthesis.images import check_images
from gateformer.platforms.synthesis.mapping import map_memories
from gateformer.platforms.synthesis.memories import source_memories
from gateformer.platforms.synthesis.synthesis import TOP

SIZES = "random:n_layers=1,d_model=12,n_heads=2,d_ff=10,ctx_len=16,vocab_size=12,seed=3"
MODELS = {
    "gpt2": f"{SIZES},norm=layer,norm_bias=1,bias=1,positions=learned,activation=gelu",
    "llama": f"{SIZES},norm=rms,gated=1,positions=rotary,activation=silu,n_kv_heads=1",
}
GROUPS = (
    "random:n_layers=1,d_model=32,n_heads=4,d_ff=32,ctx_len=8,vocab_size=12,norm=rms,gated=1,"
    "activation=silu,positions=rotary,weights=block:4:32:min,weights.down_proj=block:5:16"
)
LANES = 6
TOKENS = 8


def small_program(kind: str):
    return program_of(MODELS[kind], LANES)


def program_of(spec: str, lanes: int):
    model = open_model(spec, imported=True).model
    return compile_model(model, HwConfig(rows=1, cols=1, lanes=lanes))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "family"),
    [
        ("llama", "xc7"),
        ("gpt2", "ecp5"),
        pytest.param("gpt2", "xcup", marks=pytest.mark.full_size),
        pytest.param("gpt2", "xc7", marks=pytest.mark.full_size),
        pytest.param("llama", "ecp5", marks=pytest.mark.full_size),
        pytest.param("llama", "xcup", marks=pytest.mark.full_size),
    ],
)
def test_netlist_holds_the_images_and_generates_the_reference_s_tokens(kind, family):
    report = check_netlist(small_program(kind), family, tokens=TOKENS)
    assert (report.family, report.tokens) == (family, TOKENS)
    names = [memory.name for memory in report.memories]
    table = "positions" if kind == "gpt2" else "angles"
    lanes = ("weights_bank0", "keys.bank0", "values.bank0")
    constants = ("parameters.bank0", f"{table}.bank0", "residual.roots", "gate.table")
    for name in (*(f"lanes.{name}" for name in lanes), *constants, "softmax.reciprocals"):
        assert f"datapath.{name}" in names


@pytest.mark.slow
def test_images_are_compared_with_the_design():
    program = small_program("llama")
    design = rtlil.convert(build_core(program), name=TOP, emit_src=False)
    memories = source_memories(map_memories(design, FAMILIES["ecp5"]))
    check_images(program, memories)
    name = "datapath.parameters.bank0"
    changed = memories[name].copy()
    changed[5, 3] ^= 1
    with pytest.raises(Mismatch, match=rf"memory {name}, address 5: design 0x"):
        check_images(program, {**memories, name: changed})


@pytest.mark.slow
def test_images_of_codes_and_scales_are_compared_with_the_design():
    """Lanes that divide groups: scales lie in memories of their own."""
    program = program_of(GROUPS, lanes=8)
    design = rtlil.convert(build_core(program), name="top", emit_src=False)
    memories = source_memories(map_memories(design, FAMILIES["ecp5"]))
    check_images(program, memories)
    for name in ("datapath.lanes.weights1_bank0", "datapath.lanes.weights1_scales_bank0"):
        changed = memories[name].copy()
        changed[1, 2] ^= 1
        with pytest.raises(Mismatch, match=rf"memory {name}, address 1: design 0x"):
            check_images(program, {**memories, name: changed})
    assert "datapath.lanes.weights2_bank0" in memories


@pytest.mark.slow
@pytest.mark.full_size
@pytest.mark.parametrize("family", ["ecp5", "xcup"])
def test_a_netlist_of_weights_with_scales_of_groups_generates_the_reference_s_tokens(family):
    """On the 7 series yosys makes chains of the multipliers of scales, and the models of cells do
    not have their PCIN."""
    assert check_netlist(program_of(GROUPS, lanes=8), family, tokens=4).tokens == 4
