"""AxiBridge keeps AXI3 or AXI4, and AXI4-Lite to the registers, proved for any length."""

import pytest

from gateformer.platforms.boards import axi_bridge
from gateformer.platforms.boards.axi_bridge import AXI3_GP, AXI4_HPM
from tests.support.formal.prover import Refuted, check_bounded, combinational_inputs, mutated, prove

from .axi_bridge_rules import bridge_rules, inputs_of
from .formal_bursts import BASE, WIDTH

PORTS = pytest.mark.parametrize("port", [AXI3_GP, AXI4_HPM], ids=lambda port: port.name)


@PORTS
def test_bursts_become_single_accesses(tmp_path, port):
    bridge = axi_bridge.AxiBridge(port, BASE, WIDTH)
    prove(*bridge_rules(bridge, port), tmp_path, depth=3)


@PORTS
def test_no_output_depends_on_an_input_within_the_cycle(tmp_path, port):
    bridge = axi_bridge.AxiBridge(port, BASE, WIDTH)
    axi, lite = bridge.axi, bridge.lite
    outputs = (
        *(axi.awready, axi.wready, axi.bvalid, axi.bid, axi.bresp, axi.arready),
        *(axi.rvalid, axi.rid, axi.rdata, axi.rresp, axi.rlast),
        *(lite.awvalid, lite.awaddr, lite.wvalid, lite.wdata, lite.wstrb, lite.bready),
        *(lite.arvalid, lite.araddr, lite.rready),
    )
    assert combinational_inputs(bridge, inputs_of(bridge, port), outputs, tmp_path) == set()


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("axi.wready.eq(~has_beat)", "axi.wready.eq(1)", "a beat is taken, or one waits"),
        (
            "lite.wvalid.eq(working & hit & ~data_sent)",
            "lite.wvalid.eq(working & hit & ~data_sent & beat_done)",
            "a beat never stops",
        ),
        ("working & hit & ~data_sent", "working & hit", "w is held until taken"),
        ("responding.eq(last)]", "responding.eq(1)]", "b answers all beats"),
        (
            "m.d.sync += [responding.eq(0), active.eq(~last)]",
            "m.d.sync += [responding.eq(0), active.eq(0)]",
            "a read burst is taken, or one is under way",
        ),
        ("((address | bytes_mask) + 1)", "(address + bytes_mask + 1)", "write address"),
        ("(address & ~span) | (following & span)", "following", "write address"),
        ("axi.rlast.eq(last)", "axi.rlast.eq(1)", "rlast marks the last beat"),
        ("axi.rdata.eq(Mux(hit, lite.rdata, 0))", "axi.rdata.eq(lite.rdata)", "r is the answer"),
        ('port("addr")[self._width :] == self._base >> self._width', "1", "hit"),
    ],
)
def test_a_broken_bridge_is_refuted(old, new, rule, tmp_path):
    bridge = mutated(axi_bridge, old, new).AxiBridge(AXI3_GP, BASE, WIDTH)
    with pytest.raises(Refuted, match=rule):
        check_bounded(*bridge_rules(bridge, AXI3_GP), tmp_path, depth=7)
