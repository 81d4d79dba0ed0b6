"""AxiLiteSlave keeps AXI4-Lite and makes of each transaction one access, proved for any length."""

import pytest
from amaranth.hdl import Cat, Module, Signal

from gateformer.gateware.host import axi_lite
from tests.support.formal.axi import LiteRules
from tests.support.formal.prover import (
    Refuted,
    check_bounded,
    combinational_inputs,
    counted,
    elaborated,
    implies,
    mutated,
    past,
    prove,
    require,
)

WIDTH = 5
WITHIN = 2
"""Cycles from the later of a write's two transfers to the access, from a read's to its."""


def inputs_of(slave):
    axi, bus = slave.axi, slave.bus
    requests = (
        *(axi.awaddr, axi.awprot, axi.awvalid, axi.wdata, axi.wstrb, axi.wvalid, axi.bready),
        *(axi.araddr, axi.arprot, axi.arvalid, axi.rready),
    )
    return [*requests, bus.write_error, bus.read_data, bus.read_error]


def latest(m, name, transfer, payload):
    """The payload of the latest transfer before this cycle."""
    payload = Cat(*payload)
    kept = Signal(len(payload), name=f"{name}_latest")
    with m.If(transfer):
        m.d.sync += kept.eq(payload)
    return kept


def progress(m, name, due):
    """``due`` for WITHIN cycles, and nothing happened: never."""
    waited = Signal(range(WITHIN + 2), name=f"{name}_waited")
    m.d.sync += waited.eq(0)
    with m.If(due):
        m.d.sync += waited.eq(waited + 1)
    return waited


def slave_rules(slave, *, late=False, invariants=True):
    """(module, free signals); without ``invariants``, only what can be seen from outside."""
    m = Module()
    m.submodules.slave, names = elaborated(slave)
    (write,), (read,) = names["_write_channels"], names["_read_channels"]
    axi, bus = slave.axi, slave.bus
    rules = LiteRules(m, axi)
    transfer, ready = rules.channels.transfer, rules.channels.ready
    wrote, got = bus.write, bus.read
    if late:
        wrote, got = past(m, wrote, "wrote"), past(m, got, "got")
    # transfers without an answer, answers without a response
    addresses = counted(m, "addresses", transfer["aw"], wrote)
    data = counted(m, "data", transfer["w"], wrote)
    written = counted(m, "written", wrote, transfer["b"])
    read_addresses = counted(m, "read_addresses", transfer["ar"], got)
    was_read = counted(m, "was_read", got, transfer["r"])
    address = latest(m, "address", transfer["aw"], [axi.awaddr[2:]])
    word = latest(m, "word", transfer["w"], [axi.wdata, axi.wstrb])
    read_address = latest(m, "read_address", transfer["ar"], [axi.araddr[2:]])
    error = latest(m, "error", wrote, [bus.write_error])
    answer = latest(m, "answer", got, [bus.read_data, bus.read_error])
    write_due = (addresses != 0) & (data != 0) & (written == 0)
    read_due = (read_addresses != 0) & (was_read == 0)
    write_waited = progress(m, "write", write_due & ~bus.write)
    read_waited = progress(m, "read", read_due & ~bus.read)
    write_bus = Cat(bus.write_address, bus.write_data, bus.write_strobe)
    contract = {
        **rules.slave,
        "a write has an address": implies(bus.write, addresses == 1),
        "a write has data": implies(bus.write, data == 1),
        "a write waits for the response before": implies(bus.write, written == 0),
        "a read has an address": implies(bus.read, read_addresses == 1),
        "a read waits for the response before": implies(bus.read, was_read == 0),
        "one access at a time": ~(late & ((bus.write & wrote) | (bus.read & got))),
        "the write is the transaction": implies(bus.write, write_bus == Cat(address, word)),
        "the read is the transaction": implies(bus.read, bus.read_address == read_address),
        "the write is there a cycle before": implies(
            bus.write | wrote, write_bus == past(m, write_bus, "write_before")
        ),
        "the read is there a cycle before": implies(
            bus.read | got, bus.read_address == past(m, bus.read_address, "read_before")
        ),
        "a write is answered": axi.bvalid == (written == 1),
        "a read is answered": axi.rvalid == (was_read == 1),
        "at most one write is unanswered": written <= 1,
        "at most one read is unanswered": was_read <= 1,
        "bresp is the access's": implies(axi.bvalid, axi.bresp.as_value() == Cat(0, error)),
        "r is the access's": implies(
            axi.rvalid, Cat(axi.rdata, axi.rresp.as_value()) == Cat(answer[:32], 0, answer[32])
        ),
        "address and data do not wait long": write_waited < WITHIN,
        "a read address does not wait long": read_waited < WITHIN,
        "an address is taken, or one waits": ready["aw"] | (addresses == 1),
        "data are taken, or some wait": ready["w"] | (data == 1),
        "a read address is taken, or one waits": ready["ar"] | (read_addresses == 1),
    }
    inside = {
        "write address kept": write.has_address == (addresses == 1),
        "write data kept": write.has_data == (data == 1),
        "one address at most": (addresses <= 1) & (data <= 1) & (read_addresses <= 1),
        "read address kept": read.has_address == (read_addresses == 1),
        "address is the latest": implies(write.has_address, bus.write_address == address),
        "word is the latest": implies(
            write.has_data, Cat(bus.write_data, bus.write_strobe) == word
        ),
        "read address is the latest": implies(read.has_address, bus.read_address == read_address),
        "answers are known": (write.answered == wrote) & (read.answered == got),
        "what is answered is kept": implies(wrote, write.has_address & write.has_data)
        & implies(got, read.has_address),
        "writes add up": rules.requests["aw"] == addresses + written,
        "data add up": rules.requests["w"] == data + written,
        "reads add up": rules.requests["ar"] == read_addresses + was_read,
    }
    require(m, {**contract, **(inside if invariants else {})})
    return m, inputs_of(slave)


@pytest.mark.parametrize("late", [False, True])
def test_protocol_and_one_access_for_each_transaction(late, tmp_path):
    slave = axi_lite.AxiLiteSlave(WIDTH, late_answers=late)
    prove(*slave_rules(slave, late=late), tmp_path, depth=4)


def test_no_output_depends_on_an_input_within_the_cycle(tmp_path):
    slave = axi_lite.AxiLiteSlave(WIDTH)
    axi, bus = slave.axi, slave.bus
    outputs = (
        *(axi.awready, axi.wready, axi.bvalid, axi.bresp, axi.arready),
        *(axi.rvalid, axi.rdata, axi.rresp),
        *(bus.write, bus.write_address, bus.write_data, bus.write_strobe),
        *(bus.read, bus.read_address),
    )
    assert combinational_inputs(slave, inputs_of(slave), outputs, tmp_path) == set()


def test_a_ready_made_of_valid_is_found(tmp_path):
    old = "axi.awready.eq(~has_address)"
    broken = mutated(axi_lite, old, "axi.awready.eq(~has_address & axi.wvalid)")
    slave = broken.AxiLiteSlave(WIDTH)
    found = combinational_inputs(slave, inputs_of(slave), [slave.axi.awready], tmp_path)
    assert found == {"axi__wvalid"}


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("axi.wready.eq(~has_data)", "axi.wready.eq(1)", "a write has data"),
        (
            "axi.bvalid.eq(responding)",
            "axi.bvalid.eq(responding & axi.bready)",
            "a write is answered",
        ),
        (
            "has_address & has_data & ~responding & ~bus.write",
            "has_address & has_data",
            "a write waits for the response before",
        ),
        (
            "has_address & has_data & ~responding & ~bus.write",
            "has_address & ~responding & ~bus.write",
            "a write has data|the write is there a cycle before",  # which of both, the solver says
        ),
        (
            "[has_address.eq(0), has_data.eq(0), responding.eq(1)]",
            "[responding.eq(1)]",
            "an address is taken, or one waits",
        ),
        ("with m.Elif(axi.bready):", "with m.Else():", "b is held until taken"),
        ("with m.Elif(axi.rready):", "with m.Else():", "r is held until taken"),
        (
            "has_address & ~responding & ~bus.read",
            "has_address & ~bus.read",
            "a read waits for the response before",
        ),
        ("data.eq(bus.read_data)", "data.eq(0)", "r is the access's"),
        ("with m.If(error):", "with m.If(0):", "r is the access's"),
        ("strobe.eq(axi.wstrb)", "strobe.eq(15)", "the write is the transaction"),
        (
            "has_address, has_data, responding = Signal(), Signal(), Signal()",
            "has_address, has_data, responding = Signal(), Signal(), Signal(reset_less=True)",
            "b answers an address",
        ),
    ],
)
def test_a_broken_slave_is_refuted(old, new, rule, tmp_path):
    slave = mutated(axi_lite, old, new).AxiLiteSlave(WIDTH)
    with pytest.raises(Refuted, match=rule):
        check_bounded(*slave_rules(slave, invariants=False), tmp_path, depth=8)


def test_a_slave_that_does_not_wait_for_late_answers_is_refuted(tmp_path):
    broken = mutated(axi_lite, "begins & ~answered", "begins")
    slave = broken.AxiLiteSlave(WIDTH, late_answers=True)
    with pytest.raises(Refuted, match="waits for the response before"):
        check_bounded(*slave_rules(slave, late=True, invariants=False), tmp_path, depth=8)
