"""The synthesized core of an imported model is the design: memories and tokens."""

from __future__ import annotations

import json

import pytest
from amaranth.back import rtlil

from gateformer.gateware.core.taps import Mismatch
from gateformer.gateware.decoder.any_core import build_core, compile_model
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.platforms.synthesis.check_netlist import FAMILIES, check_netlist
from gateformer.platforms.synthesis.images import check_images
from gateformer.platforms.synthesis.mapping import map_memories
from gateformer.platforms.synthesis.memories import source_memories
from gateformer.platforms.synthesis.paths.analysis import analyze
from gateformer.platforms.synthesis.paths.depth import check
from gateformer.platforms.synthesis.synthesis import TOP, synthesize_rtlil

SIZES = "random:n_layers=1,d_model=12,n_heads=2,d_ff=10,ctx_len=16,vocab_size=12,seed=3"
MODELS = {
    "gpt2": f"{SIZES},norm=layer,norm_bias=1,bias=1,positions=learned,activation=gelu",
    "llama": f"{SIZES},norm=rms,gated=1,positions=rotary,activation=silu,n_kv_heads=1",
}
LANES = 6
TOKENS = 8


def small_program(kind: str):
    model = open_model(MODELS[kind], imported=True).model
    return compile_model(model, HwConfig(rows=1, cols=1, lanes=LANES))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["xc7", "ecp5"])
@pytest.mark.parametrize("kind", MODELS)
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
@pytest.mark.parametrize("kind", MODELS)
def test_at_most_five_stages_lie_between_two_registers(kind):
    """Nor logic behind a block without output register, nor a wide reset."""
    family = FAMILIES["xc7"]
    design = rtlil.convert(
        build_core(small_program(kind), dsp=family.dsp), name=TOP, emit_src=False
    )
    netlist = json.loads(synthesize_rtlil(design, family).netlist.read_text(encoding="utf-8"))
    assert check(analyze(netlist)) == []


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
