"""Imported models' cores and consoles in the tops of boards."""

import pytest
from amaranth.hdl import Module

from gateformer.gateware.decoder.core import DecoderCore
from gateformer.gateware.host.any_core import compile_model
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.platforms.boards.board import board
from gateformer.platforms.boards.target import UART
from gateformer.platforms.support import verilog
from tests.support.console.imported import imported_model, sub_words

from .pins import expected_pins, located
from .test_board import TARGETS

IMPORTED = (
    "random:n_layers=1,d_model=8,d_ff=16,ctx_len=6,vocab_size=11,positions=rotary,activation=silu,"
    "gated=1,n_kv_heads=1"
)
STORIES = {
    **{"vocab_size": 512, "d_model": 64, "n_heads": 8, "n_layers": 5, "d_ff": 172},
    **{"ctx_len": 512, "n_kv_heads": 4},
}


@pytest.fixture(autouse=True)
def no_yosys(monkeypatch):
    monkeypatch.setattr(verilog, "verilog_text", lambda rtlil: "")


@pytest.fixture(scope="module")
def imported():
    return compile_model(
        open_model(IMPORTED, imported=True).model, HwConfig(rows=1, cols=1, lanes=4)
    )


@pytest.mark.parametrize(
    ("name", "variant"), [target for target in TARGETS if board(*target).console == UART]
)
def test_the_console_of_an_imported_model(name, variant, imported, monkeypatch):
    """Without the core, which :func:`test_the_core_of_an_imported_model` has."""
    monkeypatch.setattr(DecoderCore, "elaborate", lambda self, platform: Module())
    target = board(name, variant)
    top = target.build_top(imported, target.default_clock_mhz, **target.top_options("mine"))
    for toolchain in target.toolchains:
        platform = target.build_platform(toolchain)
        files = platform.prepare(top, "top").files
        assert located(files) == expected_pins(platform, target)
        assert ".console.vocabulary" in files["top.il"]


def test_the_core_of_an_imported_model(imported):
    target = board("ulx3s")
    top = target.build_top(imported, target.default_clock_mhz, **target.top_options("mine"))
    files = target.build_platform(target.toolchains[0]).prepare(top, "top").files
    assert ".console.vocabulary" in files["top.il"] and ".datapath" in files["top.il"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["ulx3s", pytest.param("tang-primer-20k", marks=pytest.mark.full_size)]
)
def test_a_model_of_stories_s_size(name):
    """In the shape of stories260K, with its 512 sub-words."""
    model = imported_model(sub_words(512), prefix=(), **STORIES)
    program = compile_model(model, HwConfig(rows=1, cols=1, lanes=64))
    target = board(name)
    top = target.build_top(program, target.default_clock_mhz, **target.top_options("stories"))
    files = target.build_platform(target.toolchains[0]).prepare(top, "top").files
    assert "\nmodule \\top\n" in files["top.il"]
