"""Programs that stand for nextpnr-ecp5 and ecppack in tests of the flow, and a design for them."""

import functools
import json

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.platforms.boards.board import board
from gateformer.platforms.place_and_route import project as projects
from gateformer.platforms.synthesis.synthesis import Synthesis
from tests.support.no_core import leave_out_the_core

from .test_placed import ECP5_LOG, ECP5_REPORT

NEXTPNR = """#!/bin/sh
if [ "$1" = --version ]; then
    echo '"nextpnr-ecp5" -- Next Generation Place and Route (Version nextpnr-9.9)' >&2
    exit
fi
echo "$@" >> {directory}/runs
cp {directory}/top.tim {directory}/top.report.json . || exit 7
# a directory for a seed holds what is different with it
[ "$1" != --seed ] || [ ! -d {directory}/$2 ] || cp {directory}/$2/top.* .
echo 'Info: Routing..'
! grep -q FAIL top.tim
"""
PACKER = """#!/bin/sh
if [ "$1" = --version ]; then
    echo 'Project Trellis ecppack Version 1.4-9-gabc'
    exit
fi
echo bits > top.bit
"""


def install(directory, monkeypatch):
    """Put them into ``directory``, with what they leave, and name them in the environment."""
    directory.mkdir()
    for name, text in {"nextpnr-ecp5": NEXTPNR, "ecppack": PACKER}.items():
        tool = directory / name
        tool.write_text(text.format(directory=directory))
        tool.chmod(0o755)
        monkeypatch.setenv(name.upper().replace("-", "_"), str(tool))
    (directory / "top.tim").write_text(ECP5_LOG)
    (directory / "top.report.json").write_text(json.dumps(ECP5_REPORT))
    return directory


def tiny_program():
    spec = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"
    return Program(random_model(spec), HwConfig(2, 4, 4))


def without_synthesis(monkeypatch, tmp_path):
    """A netlist of nothing takes the place of yosys' work, of a top level without a core; the cache
    is empty."""
    leave_out_the_core(monkeypatch)
    directory = tmp_path / "netlist"
    directory.mkdir()
    nothing = {"modules": {"top": {"cells": {}, "ports": {}}}}
    (directory / "top.json").write_text(json.dumps(nothing))
    monkeypatch.setattr(projects, "synthesize_top", lambda *_: Synthesis(directory))
    monkeypatch.setattr(
        "gateformer.platforms.support.verilog.verilog_text",
        lambda rtlil: "module top(); endmodule\n",
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@functools.lru_cache(maxsize=1)
def _ulx3s(program):
    """Board and top: equal ones are elaborated once."""
    target = board("ulx3s", "12F")
    return target, target.build_top(program, 85.0)


def ulx3s_project(program, directory):
    """The build directory of an ULX3S at 85 MHz."""
    target, top = _ulx3s(program)
    return projects.write_project(top, target, directory)
