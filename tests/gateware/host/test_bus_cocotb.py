"""The registers under an independent bus model: cocotbext-axi, in Icarus Verilog."""

import json
import shutil
import time
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.gateware.host.register import ADDRESS_WIDTH
from gateformer.platforms.boards.axi_bridge import AXI3_GP, AXI4_HPM, AxiBridge, axi_signature
from gateformer.platforms.support.verilog import verilog_text
from tests.support.host_bench import CONFIG, IMPORTED_CONFIG, host_interface

from .host_model import IMPORTED, TRAINED

BASE = 0x43C0_0000
ROOT = Path(__file__).parents[3]


PORTS = {"axi3": AXI3_GP, "axi4": AXI4_HPM}
AXI4_WIDTHS = {"len": 8, "size": 3, "lock": 1}
"""Where the master's AXI4 has other widths than AXI3; it keeps to what both have."""


class BridgedHost(wiring.Component):
    """The host interface behind the bridge of a ``MasterPort``, with AXI4's widths."""

    def __init__(self, host, port):
        self._host, self._port = host, port
        members = dict(host.signature.members.items())
        self._shared = [name for name in members if name != "axi"]
        axi = dict(axi_signature(port).members.items())
        for channel in ("aw", "ar"):
            axi |= {channel + name: Out(width) for name, width in AXI4_WIDTHS.items()}
        members["axi"] = In(wiring.Signature(axi))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.host = host = self._host
        m.submodules.bridge = bridge = AxiBridge(self._port, BASE, ADDRESS_WIDTH)
        wiring.connect(m, bridge.lite, host.axi)
        connect_as_outer(m, self.axi, bridge.axi)
        for name in self._shared:
            outer, inner = getattr(self, name), getattr(host, name)
            if self.signature.members[name].is_port:
                connect_port(m, self.signature.members[name], outer, inner)
            else:
                connect_as_outer(m, outer, inner)
        return m


def connect_as_outer(m, outer, inner):
    """Ports of the same names and directions; a wider one loses its upper bits."""
    for name, member in outer.signature.members.items():
        connect_port(m, member, getattr(outer, name), getattr(inner, name))


def connect_port(m, member, outer, inner):
    outer, inner = (Value.cast(port) for port in (outer, inner))
    m.d.comb += inner.eq(outer) if member.flow is In else outer.eq(inner)


def simulate(protocol, transactions, directory, config=CONFIG):
    """Counts of what was compared and transferred; fails if cocotb's test does."""
    pytest.importorskip("cocotbext.axi", reason="pip install 'gateformer[cocotb]'")
    from cocotb_tools.runner import get_results, get_runner

    if not shutil.which("iverilog"):
        pytest.skip("Icarus Verilog is not installed")
    host = host_interface(config)
    kind = IMPORTED if config is IMPORTED_CONFIG else TRAINED
    names = {entry.name: entry for entry in kind.table.values()}
    plan = {
        "protocol": protocol,
        "base": 0 if protocol == "lite" else BASE,
        "transactions": transactions,
        "seed": 1,
        "constants": {names[n].offset: v for n, v in host.identification.constants.items()},
        "settings": {names[n].offset: (mask, names[n].reset) for n, mask in kind.settings.items()},
    }
    design = host if protocol == "lite" else BridgedHost(host, PORTS[protocol])
    source = directory / "design.v"
    source.write_text(verilog_text(rtlil.convert(design, name="bus", emit_src=False)))
    result = directory / "result.json"
    runner = get_runner("icarus")
    runner.build(
        sources=[source], hdl_toplevel="bus", build_dir=directory, timescale=("1ns", "1ps")
    )
    environment = {
        "GATEFORMER_BUS_PLAN": json.dumps(plan),
        "GATEFORMER_BUS_RESULT": str(result),
        "COCOTB_LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(ROOT),
    }
    report = runner.test(
        hdl_toplevel="bus",
        test_module="tests.gateware.host.cocotb_bus",
        build_dir=directory,
        test_dir=directory,
        extra_env=environment,
        log_file=directory / "log.txt",
    )
    assert get_results(report) == (1, 0), (directory / "log.txt").read_text()[-3000:]
    return json.loads(result.read_text())


@pytest.mark.parametrize(
    ("protocol", "config"),
    [("lite", CONFIG), ("axi3", CONFIG), ("axi4", CONFIG), ("axi3", IMPORTED_CONFIG)],
    ids=["lite", "axi3", "axi4", "imported"],
)
def test_an_independent_master_sees_the_declared_registers(protocol, config, tmp_path):
    counts = simulate(protocol, 600, tmp_path, config)
    assert counts["compared"] >= 600 and counts["resets"] == 1
    assert min(counts[channel] for channel in ("aw", "w", "b", "ar", "r")) > 50


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["lite", "axi3"])
def test_it_sees_them_for_long(protocol, tmp_path, capsys):
    start = time.monotonic()
    counts = simulate(protocol, 10_000, tmp_path)
    with capsys.disabled():
        print(f"\n{protocol}: {counts}, {time.monotonic() - start:.0f} s")
    assert counts["compared"] >= 10_000
