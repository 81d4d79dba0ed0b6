"""Every board and variant with every shipped model, down to RTLIL, without any tool."""

import pytest

from gateware.hw_config import HwConfig
from gateware.program import Program
from model.artifact import open_model, shipped_models
from model.errors import UserError
from model.random_model import random_model
from platforms import verilog
from platforms.board import board
from platforms.sizing import choose_sizes

from .test_board import TARGETS

TOO_SMALL = {("ulx3s", "12F"), ("tang-nano-9k", None)}
"""Their block memories do not hold the shipped model; its gateware elaborates all the same."""
TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"


@pytest.fixture(autouse=True)
def no_yosys(monkeypatch):
    monkeypatch.setattr(verilog, "verilog_text", lambda rtlil: "")


@pytest.fixture(scope="module")
def program():
    return Program(random_model(TINY), HwConfig(2, 4, 4))


@pytest.mark.parametrize("model", shipped_models())
@pytest.mark.parametrize(("name", "variant"), TARGETS)
def test_elaborates(name, variant, model):
    target = board(name, variant)
    artifact = open_model(model)
    if (name, variant) in TOO_SMALL:
        with pytest.raises(UserError, match=f"^the model does not fit {target.label}: it needs "):
            choose_sizes(artifact.model, target)
        sizes = HwConfig(2, 8, 8)
    else:
        sizes = choose_sizes(artifact.model, target)
    program = Program(artifact.model, sizes)
    options = {"name": artifact.name} if target.console == "uart" else {}
    top = target.build_top(program, target.default_clock_mhz, **options)
    assert abs(float(top.clock_mhz) / target.default_clock_mhz - 1) <= 1e-3
    plan = target.build_platform(target.toolchains[0]).prepare(top, "top")
    assert "module \\top\n" in plan.files["top.il"]


@pytest.mark.parametrize(("name", "variant"), TARGETS)
@pytest.mark.parametrize("clock_mhz", [33.75])
def test_every_toolchain_with_another_clock(name, variant, clock_mhz, program):
    target = board(name, variant)
    top = target.build_top(program, clock_mhz)
    for toolchain in target.toolchains:
        files = target.build_platform(toolchain).prepare(top, "top").files
        assert "build_top.sh" in files
        # the clock input, both ends of the console or the processor, and the lights are bound
        assert "clk" in files["top.il"]


def test_the_console_s_settings_are_part_of_the_build_id(program):
    target = board("ulx3s")
    ids = {
        target.build_top(program, 85.0, **options).build_id
        for options in ({}, {"name": "other"}, {"baud": 9600})
    }
    assert len(ids) == 3


def test_a_baud_rate_that_the_clock_cannot_make(program):
    with pytest.raises(UserError) as error:
        board("ulx3s").build_top(program, 85.0, baud=50_000_000)
    assert str(error.value) == (
        "a clock of 85000000 Hz cannot make 50000000 baud; the nearest rate is 21250000 baud"
    )


@pytest.mark.parametrize(("name", "mhz"), [("ulx3s", 25), ("tang-nano-9k", 27)])
def test_the_oscillator_s_own_frequency_needs_no_pll(name, mhz, program):
    top = board(name).build_top(program, float(mhz))
    assert top.clock_mhz == mhz
    plan = board(name).build_platform("nextpnr").prepare(top, "top")
    assert "EHXPLLL" not in plan.files["top.il"] and "rPLL" not in plan.files["top.il"]
