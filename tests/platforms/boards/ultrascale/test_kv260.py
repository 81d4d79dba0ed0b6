"""The KV260: its build directory, and its whole top as yosys synthesizes it."""

import re

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.support import verilog
from gateformer.platforms.synthesis.netlist import read_module
from gateformer.platforms.synthesis.synthesis import synthesize_top
from tests.support.no_core import leave_out_the_core

KV260 = board("kv260")


@pytest.fixture(scope="module")
def program():
    model = random_model("random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11")
    return Program(model, HwConfig(2, 4, 4))


def files(program, mhz):
    top = KV260.build_top(program, mhz)
    return top, KV260.build_platform("vivado").prepare(top, "top").files


def test_vivado_s_project(program, monkeypatch):
    leave_out_the_core(monkeypatch)
    monkeypatch.setattr(verilog, "verilog_text", lambda rtlil: "")
    _, made = files(program, 100.0)
    assert "create_project -force -name top -part xck26-sfvc784-2LV-c" in made["top.tcl"]
    assert 'read_xdc "pl_clk0.xdc"' in made["top.tcl"]
    constraint = made["pl_clk0.xdc"]
    text = constraint if isinstance(constraint, str) else constraint.decode()
    assert text == 'create_clock -name pl_clk0 -period 10.0 [get_pins "processor/ps8/PLCLK[0]"]\n'
    rtlil = made["top.il"]
    assert re.search(r"^  cell \\top\.processor \\processor$", rtlil, re.M)
    assert re.search(r"^  cell \\PS8 \\ps8$", rtlil, re.M)
    assert "MMCM" not in rtlil and "set_property LOC" not in made["top.xdc"]


def test_another_clock_is_made_of_the_processor_s(program, monkeypatch):
    leave_out_the_core(monkeypatch)
    monkeypatch.setattr(verilog, "verilog_text", lambda rtlil: "")
    top, made = files(program, 150)
    assert top.clock_mhz == 150 and "cell \\MMCME4_BASE " in made["top.il"]
    with pytest.raises(UserError, match="a clock of 900 MHz can't be made from 100 MHz; the near"):
        KV260.build_top(program, 900)


def test_build_ids_tell_boards_and_clocks_apart(program):
    tops = [KV260.build_top(program, 100), KV260.build_top(program, 150)]
    tops.append(board("zybo").build_top(program, 100))
    assert len({top.build_id for top in tops}) == 3


@pytest.mark.slow
def test_a_tiny_top_is_synthesized(program):
    """Every primitive has a known cost; the processor's clock has the one buffer that it needs."""
    result = synthesize_top(KV260.build_top(program, 100.0), KV260)
    resources = KV260.family.count(result.cells)
    assert resources.exceeding(KV260.budget) == [] and resources.dsp > 4 and resources.bram > 0
    netlist = read_module(result.netlist, "top")
    kinds = [cell.type for cell in netlist.cells.values()]
    assert (kinds.count("PS8"), kinds.count("BUFG_PS")) == (1, 1)
    assert not {"BUFG", "IBUF", "OBUF", "DSP48E1", "RAMB36E1", "RAMB18E1"} & set(kinds)
    (buffer,) = netlist.of_type(["BUFG_PS"]).values()
    (processor,) = netlist.of_type(["PS8"]).values()
    assert buffer.pins["I"] == processor.pins["PLCLK"][:1]
    clocks = {cell.pins["C"][0] for cell in netlist.of_type(["FDRE", "FDSE"]).values()}
    assert clocks == set(buffer.pins["O"]) == set(processor.pins["MAXIGP2ACLK"])
