"""Verilog of the testbench of an exported IP core.

A clocked AXI4-Lite master does the steps of :mod:`platforms.ip.testbench`, with pauses; around it a
clock, for simulators. Plain Verilog: Icarus Verilog, Verilator and yosys read it, but yosys not the
memory of a core that has one. Source of the bus's rules: ARM IHI 0022, "AMBA AXI and ACE Protocol
Specification", chapters A3.2 and B1.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateformer.gateware.host.axi_lite import DATA_BITS
from gateformer.gateware.host.register import ADDRESS_WIDTH
from gateformer.gateware.streamed.ports import ImageFacts

from .memory_verilog import connected, memory_verilog
from .testbench import Step
from .verilog import BUS, CLOCK, RESET, TOP

TESTBENCH = f"{TOP}_tb"
"""Module and file name."""
CHECK = f"{TOP}_check"
"""Module without a clock of its own."""
CELLS = f"{TOP}_cells.v"
"""File of the models of a vendor's primitives."""
_KIND_BITS = 3
_KINDS = ("RESET", "WRITE", "READ", "UNTIL", "TOKEN", "PINS")

# A comment that begins with its name Verilator takes for one to itself.
_HEAD = f"""\
// Self-checking testbench of module {TOP}. Ends with "PASS" and status 0, or with "FAIL" and
// another status:
//
//   $ iverilog -g2012 -s {TESTBENCH} -o tb {{files}} && vvp -n tb
//   $ verilator --binary --timing -Wno-fatal -Wno-lint --top-module {TESTBENCH} {{files}} \\
//         && obj_dir/V{TESTBENCH}
//
// The tokens are those of the integer reference. Written by gateformer's --export ip.

`timescale 1ns / 1ps

"""
_MASTER = """\
// A clocked AXI4-Lite master that does the steps in the table, with pauses between and within them.
module {check} (
    input  wire       clock,
    output reg        finished,
    output reg        failed,
    output reg [15:0] index
);
    localparam [15:0] STEPS = 16'd{count};
    localparam [31:0] PATIENCE = 32'd{patience}; // cycles that a step may take
{kinds}

    // kind, address, data, mask
    reg [{high}:0] entry;
    always @(*)
        case (index)
{table}
            default: entry = {width}'d0;
        endcase
    wire [2:0] kind = entry[{high}:{kind_low}];
    wire [{address_high}:0] address = entry[{kind_low}-1:64];
    wire [31:0] data = entry[63:32];
    wire [31:0] mask = entry[31:0];

    reg resetn, awvalid, wvalid, bready, arvalid, rready, started, aw_done, w_done;
    reg [31:0] waited;
    reg [15:0] random; // of the pauses
    wire awready, wready, bvalid, arready, rvalid, busy, context_full;
    wire [1:0] bresp, rresp;
    wire [31:0] rdata;

    initial begin
        finished = 0; failed = 0; index = 0;
        resetn = 0; started = 0; waited = 0; random = 16'hACE1;
        awvalid = 0; wvalid = 0; bready = 0; arvalid = 0; rready = 0; aw_done = 0; w_done = 0;
    end

    {top} dut (
        .{clock}(clock), .{reset}(resetn),
        .{bus}_AWADDR(address), .{bus}_AWPROT(3'd0),
        .{bus}_AWVALID(awvalid), .{bus}_AWREADY(awready),
        .{bus}_WDATA(data), .{bus}_WSTRB(4'd15), .{bus}_WVALID(wvalid), .{bus}_WREADY(wready),
        .{bus}_BRESP(bresp), .{bus}_BVALID(bvalid), .{bus}_BREADY(bready),
        .{bus}_ARADDR(address), .{bus}_ARPROT(3'd0),
        .{bus}_ARVALID(arvalid), .{bus}_ARREADY(arready),
        .{bus}_RDATA(rdata), .{bus}_RRESP(rresp), .{bus}_RVALID(rvalid), .{bus}_RREADY(rready),
        .busy(busy), .context_full(context_full){core_memory}
    );
{memory}
    // What the core offered and was not taken must stay.
    reg b_waits, r_waits;
    reg [31:0] r_was;
    initial begin b_waits = 0; r_waits = 0; r_was = 0; end
    wire bus_broken = {broken};
    wire withdrawn = resetn && ((b_waits && bvalid !== 1'b1)
        || (r_waits && (rvalid !== 1'b1 || rdata !== r_was)));

    wire answered = (bvalid && bready) || (rvalid && rready);
    wire equal = ((rdata ^ data) & mask) === 32'd0;
    wire again = (kind == UNTIL && !equal) || (kind == TOKEN && rdata === 32'd0);
    wire wrong = (kind == PINS) ? {{context_full, busy}} !== data[1:0]
        : answered && ((kind == WRITE) ? bresp !== 2'd0 : rresp !== 2'd0 || (!equal && !again));
    wire ends = (kind == PINS) || (kind == RESET && waited == data) || (answered && !again);
    wire late = waited == PATIENCE;

    always @(posedge clock) begin
        random <= {{random[14:0], random[15] ^ random[13] ^ random[12] ^ random[10]}};
        b_waits <= resetn && bvalid && !bready;
        r_waits <= resetn && rvalid && !rready;
        r_was <= rdata;
        if (!finished) begin
            waited <= waited + 1;
            resetn <= !(kind == RESET) || ends;
            // Requests begin after a pause, the write's halves in any order.
            if (!started && kind != RESET && kind != PINS && random[1:0] != 0) begin
                started <= 1;
                awvalid <= (kind == WRITE) && random[2];
                wvalid <= (kind == WRITE) && random[3];
                arvalid <= (kind != WRITE);
            end
            if (started && kind == WRITE) begin
                if (awvalid && awready) aw_done <= 1;
                if (wvalid && wready) w_done <= 1;
                awvalid <= awvalid ? !awready : !aw_done && random[4];
                wvalid <= wvalid ? !wready : !w_done && random[5];
            end
            if (arvalid && arready) arvalid <= 0;
            bready <= started && kind == WRITE && random[6] && !(bvalid && bready);
            rready <= started && kind != WRITE && random[7] && !(rvalid && rready);
            if (answered || ends) begin
                started <= 0;
                aw_done <= 0;
                w_done <= 0;
            end
            if (ends && !wrong) begin
                index <= index + 1;
                waited <= 0;
            end
            if (ends && index == STEPS - 1) finished <= 1;
            if (wrong || late || withdrawn || bus_broken) begin
                finished <= 1;
                failed <= 1;
                if (late) $display("step %0d: no answer, address %h", index, address);
                else if (bus_broken) $display("step %0d: a master broke a rule", index);
                else if (withdrawn)
                    $display("step %0d: the answer changed before it was taken", index);
                else $display("step %0d: address %h gave %h (response %0d), not %h; pins %b", index,
                    address, rdata, (kind == WRITE) ? bresp : rresp, data, {{context_full, busy}});
            end
        end
    end
endmodule
"""
_CLOCK = """
`ifndef SYNTHESIS
module {testbench};
    reg clock;
    wire finished, failed;
    wire [15:0] index;
    initial clock = 0;
    always #5 clock = !clock;

    {check} check (.clock(clock), .finished(finished), .failed(failed), .index(index));

    always @(posedge clock)
        if (finished) begin
            if (failed) begin
                $display("FAIL: see step %0d in {testbench}.v", index);
                $fatal(1);
            end
            $display("PASS: {count} steps, {tokens} tokens equal the reference's");
            $finish;
        end
endmodule
`endif
"""


def testbench_verilog(
    steps: Sequence[Step],
    patience: int,
    files: Sequence[str],
    image: ImageFacts | None = None,
    protocol: str = "",
) -> str:
    """Text of the testbench.

    Parameters
    ----------
    steps : sequence of Step
    patience : int
        Cycles that a step may take.
    files : sequence of str
        What a simulator needs, for the comment at the top.
    image, protocol
        Of a core that reads its model from external memory: a memory is part of the testbench.
    """
    memory, core_memory, module = "", "", ""
    if image is not None:
        memory, core_memory = connected(image, protocol)
        core_memory, module = f",\n        {core_memory}", f"{memory_verilog(image, protocol)}\n"
    width = _KIND_BITS + ADDRESS_WIDTH + 2 * DATA_BITS
    kinds = ", ".join(f"{name} = {_KIND_BITS}'d{code}" for code, name in enumerate(_KINDS))
    table = "\n".join(f"            {i}: entry = {_entry(step)}" for i, step in enumerate(steps))
    head = _HEAD.format(files=" ".join(files))
    master = _MASTER.format(
        check=CHECK,
        count=len(steps),
        patience=patience,
        kinds=f"    localparam [{_KIND_BITS - 1}:0] {kinds};",
        width=width,
        high=width - 1,
        kind_low=width - _KIND_BITS,
        address_high=ADDRESS_WIDTH - 1,
        table=table,
        top=TOP,
        clock=CLOCK,
        reset=RESET,
        bus=BUS,
        memory=memory,
        core_memory=core_memory,
        broken="1'b0" if image is None else "broken",
    )
    tokens = sum(step.kind == "TOKEN" for step in steps)
    clock = _CLOCK.format(testbench=TESTBENCH, check=CHECK, count=len(steps), tokens=tokens)
    return head + module + master + clock


def _entry(step: Step) -> str:
    return (
        f"{{{step.kind}, {ADDRESS_WIDTH}'h{step.address:03x}, 32'h{step.data:08x}, "
        f"32'h{step.mask:08x}}}; // {step.comment}"
    )
