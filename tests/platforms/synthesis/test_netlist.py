"""The synthesized core is the design: memories and tokens; and what breaks it is found."""

from __future__ import annotations

import dataclasses
import itertools
import random

import pytest
from amaranth.back import rtlil

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.compiler.reload_image import model_image
from gateformer.gateware.core.core import Core
from gateformer.gateware.core.loader import Refusal
from gateformer.gateware.core.taps import Mismatch
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.support.errors import UserError
from gateformer.platforms.synthesis import cells as netlist_cells
from gateformer.platforms.synthesis.check_netlist import FAMILIES, check_netlist
from gateformer.platforms.synthesis.images import check_images
from gateformer.platforms.synthesis.mapping import map_memories
from gateformer.platforms.synthesis.memories import source_memories
from gateformer.platforms.synthesis.netlist import Module, read_module
from gateformer.platforms.synthesis.simulation import NetlistSimulator
from gateformer.platforms.synthesis.synthesis import synthesize_rtlil

SPEC = "random:n_layers=1,d_model=8,n_heads=2,d_ff=8,ctx_len=12,vocab_size=12,seed=1"
BANKED = SPEC.replace("vocab_size=12", "vocab_size=600").replace("d_ff=8", "d_ff=512")
"""Its array and weight memories have two banks."""
PACKINGS = {"xc7": "3in5", "ecp5": "2bit"}
SYNTHESES = {**PACKINGS, "openxc7": "2bit", "xcup": "3in5"}
TOKENS = 8
MUTANTS = 32
"""As many as the seed's register has bits."""


def small_program(packing, spec=SPEC):
    return Program(random_model(spec), HwConfig(2, 4, 4, packing))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "banks", "family"),
    [
        *((SPEC, 1, family) for family in SYNTHESES),
        *(
            pytest.param(BANKED, 2, f, marks=() if f in PACKINGS else pytest.mark.full_size)
            for f in SYNTHESES
        ),
    ],
)
def test_netlist_holds_the_images_and_generates_the_reference_s_tokens(family, spec, banks):
    report = check_netlist(small_program(SYNTHESES[family], spec), family, tokens=TOKENS)
    assert (report.family, report.tokens) == (family, TOKENS)
    names = [memory.name for memory in report.memories]
    for name in (*(f"engine.weights_bank{bank}" for bank in range(banks)), "vector.scales.memory"):
        assert name in names
    array = {name.rpartition(".")[2] for name in names if name.startswith("array.memory")}
    assert array == {f"group{group}_bank{bank}" for group in range(2) for bank in range(banks)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "family",
    [pytest.param(f, marks=() if f in PACKINGS else pytest.mark.full_size) for f in SYNTHESES],
)
def test_netlist_with_two_products_per_multiplier(family):
    program = Program(random_model(SPEC), HwConfig(2, 4, 16, SYNTHESES[family]))
    assert program.layout.halves == 2
    report = check_netlist(program, family, tokens=TOKENS)
    assert report.tokens == TOKENS
    arrays = [memory.name for memory in report.memories if memory.name.startswith("array.memory")]
    assert len(arrays) == program.layout.memory_groups


@pytest.mark.slow
@pytest.mark.parametrize("family", PACKINGS)
def test_another_model_is_loaded_into_the_netlist(family):
    """After the memories that synthesis made were compared with the first model's."""
    hw = dataclasses.replace(small_program(PACKINGS[family]).hw, reload=True)
    program = Program(random_model(SPEC), hw)
    assert check_netlist(program, family, tokens=TOKENS).tokens == TOKENS
    design = rtlil.convert(Core(program, dsp=FAMILIES[family].dsp), name="top", emit_src=False)
    netlist = read_module(synthesize_rtlil(design, FAMILIES[family]).netlist, "top")
    simulator = NetlistSimulator(program, netlist, family)
    other = random_model(SPEC.replace("seed=1", "seed=2"))
    words = model_image(other, program.layout, program.limits)
    words[100] ^= 1
    assert simulator.load(words) is Refusal.CHECKSUM and not simulator.is_loaded
    words[100] ^= 1
    assert simulator.load(words) is Refusal.NONE and simulator.is_loaded
    tokens = [token for token, _ in simulator.generate([1, 2], TOKENS, SamplingSettings())]
    assert tokens == list(Reference(other).generate([1, 2], TOKENS, SamplingSettings()))


@pytest.mark.full_size
@pytest.mark.slow
@pytest.mark.parametrize("family", SYNTHESES)
@pytest.mark.parametrize("packing", ["2bit", "3in5"])
def test_the_shipped_model_s_netlist_is_the_design(family, packing):
    program = Program(open_model("shakespeare-115k").model, HwConfig(packing=packing))
    assert check_netlist(program, family, tokens=TOKENS).tokens == TOKENS


def with_mutants(netlist, family, seed):
    """The netlist with complemented LUTs: bit n of the port ``settings__seed`` complements one.

    The reference draws with the same seed, so one compiled netlist serves for many mutants.
    """
    rng = random.Random(seed)
    content = netlist.content
    luts = sorted(n for n, cell in netlist.cells.items() if cell.type in netlist_cells.LUTS[family])
    cells = dict(content["cells"])
    free = 1 + max(net for net in netlist.driver if isinstance(net, int))
    free = max(free, 1 + max(bit for port in content["ports"].values() for bit in port["bits"]))
    for number, name in enumerate(rng.sample(luts, MUTANTS)):
        output = netlist_cells.LUTS[family][cells[name]["type"]][1]
        pins = cells[name]["connections"]
        cells[name] = {**cells[name], "connections": {**pins, output: [free]}}
        cells[f"$mutant{number}"] = {
            "hide_name": 1,
            "type": "$xor",
            "attributes": {},
            "parameters": {
                **{f"{pin}_WIDTH": f"{1:032b}" for pin in "ABY"},
                **{f"{pin}_SIGNED": "0" * 32 for pin in "AB"},
            },
            "port_directions": {"A": "input", "B": "input", "Y": "output"},
            "connections": {
                "A": [free],
                "B": [content["ports"]["settings__seed"]["bits"][number]],
                "Y": pins[output],
            },
        }
        free += 1
    return Module({**content, "cells": cells})


@pytest.mark.slow
def test_most_mutated_luts_change_the_tokens_or_their_cycles():
    family = "ecp5"
    program = small_program(PACKINGS[family])
    design = rtlil.convert(Core(program, dsp=FAMILIES[family].dsp), name="top", emit_src=False)
    netlist = read_module(synthesize_rtlil(design, FAMILIES[family]).netlist, "top")
    mutated = with_mutants(netlist, family, 1)
    model, count = program.model, program.model.config.ctx_len
    # a high temperature: the smallest change of a logit may change the token
    sizes = {"logit_scale": model.logit_scale, "vocab_size": model.config.vocab_size}
    choices = [
        SamplingSettings.from_user(temperature=temperature, top_k=top_k, seed=0, **sizes)
        for temperature, top_k in ((3, 0), (2, 5), (0, 0))
    ]

    def generations(seed):
        """Cycle of each token of several generations; None if a token is not the reference's."""
        # a new simulator: a mutant may leave the core in a state that only a reset ends
        simulator, cycles = NetlistSimulator(program, mutated, family), []
        for prompt, choice in itertools.product(([1, 2, 3], [5], [11, 0]), choices):
            settings = dataclasses.replace(choice, seed=seed)
            expected = list(Reference(model).generate(prompt, count, settings))
            try:
                run = list(simulator.generate(prompt, count, settings))
            except RuntimeError:
                return None
            if [token for token, _ in run] != expected:
                return None
            cycles += [cycle for _, cycle in run]
        return cycles

    right = generations(0)
    assert right is not None
    found = sum(generations(1 << number) != right for number in range(MUTANTS))
    assert found > MUTANTS / 2


def test_images_are_compared_with_the_design():
    program = small_program("2bit")
    design = rtlil.convert(Core(program), name="top", emit_src=False)
    memories = source_memories(map_memories(design, FAMILIES["ecp5"]))
    check_images(program, memories)
    changed = memories["engine.weights_bank0"].copy()
    changed[5, 3] ^= 1
    with pytest.raises(Mismatch, match=r"memory engine\.weights_bank0, address 5: design 0x"):
        check_images(program, {**memories, "engine.weights_bank0": changed})
    del memories["engine.weights_bank0"]
    with pytest.raises(
        Mismatch, match=r"0 memories of the core are called engine\\\.weights_bank0"
    ):
        check_images(program, memories)


def one_cell(kind, parameters=None, pins=None):
    cell = {"type": kind, "parameters": parameters or {}, "connections": pins or {}}
    return Module({"cells": {"u": cell}, "netnames": {}, "ports": {}})


@pytest.mark.parametrize(
    ("family", "cell", "message"),
    [
        ("xc7", ("URAM288",), "no model of URAM288 (cell u) for xc7"),
        ("xc7", ("FDRE", {"IS_C_INVERTED": "1"}), "FDRE does not have IS_C_INVERTED=1"),
        ("xc7", ("DSP48E1", {"USE_SIMD": "TWO24"}), "DSP48E1 does not have USE_SIMD=TWO24"),
        ("xc7", ("DSP48E1", {}, {"ALUMODE": ["0", "1"]}), "does not have pin ALUMODE that is not"),
        ("xc7", ("RAMB18E1", {"EN_ECC_READ": "TRUE"}), "does not have the parameter EN_ECC_READ"),
        ("xcup", ("URAM288",), "no model of URAM288 (cell u) for xcup"),
        ("xcup", ("DSP48E1",), "no model of DSP48E1 (cell u) for xcup"),
        ("xcup", ("DSP48E2", {"AMULTSEL": "B"}), "DSP48E2 does not have AMULTSEL=B"),
        ("xcup", ("DSP48E2", {}, {"PCIN": [7]}), "DSP48E2 does not have pin PCIN that is not 0"),
        ("xcup", ("RAMB18E2", {"CASCADE_ORDER_A": "FIRST"}), "have CASCADE_ORDER_A=FIRST"),
        ("xcup", ("RAMB36E2", {}, {"SLEEP": [7]}), "RAMB36E2 does not have pin SLEEP that is not"),
        ("ecp5", ("TRELLIS_FF", {"SRMODE": "ASYNC"}), "TRELLIS_FF does not have SRMODE=ASYNC"),
        ("ecp5", ("DP16KD", {"RESETMODE": "ASYNC"}, {"RSTA": [7]}), "pin RSTA that is not 0"),
        ("ecp5", ("DP16KD", {"DATA_WIDTH_A": f"{36:b}"}), "does not have one port of 36 bits only"),
        ("ecp5", ("MULT18X18D", {"MULT_BYPASS": "ENABLED"}), "does not have MULT_BYPASS=ENABLED"),
    ],
)
def test_what_is_not_modelled_is_refused(family, cell, message):
    with pytest.raises(ValueError) as caught:
        netlist_cells.check_supported(one_cell(*cell), family)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("family", "tokens", "message"),
    [
        ("spartan", 8, "family must be one of xc7, openxc7, xcup, ecp5, not 'spartan'"),
        ("xc7", 0, "tokens must be at least 1, not 0"),
    ],
)
def test_user_errors(family, tokens, message):
    with pytest.raises(UserError) as caught:
        check_netlist(None, family, tokens=tokens)
    assert str(caught.value) == message
