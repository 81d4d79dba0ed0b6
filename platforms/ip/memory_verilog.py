"""Verilog of the memory behind an exported core's masters, for its testbench: the image's file,
latencies, and a checker of the masters.

Source: ARM IHI 0022, "AMBA AXI and ACE Protocol Specification", A2 (signals), A3 (handshakes,
bursts).
"""

from __future__ import annotations

from gateformer.gateware.memory.bus import ADDRESS_BITS, BOUNDARY, Burst, Response
from gateformer.gateware.streamed.ports import ImageFacts

from ..families.zynq_address import IMAGE_FILE_ADDRESS
from ..host.image_file import HEADER_BYTES, IMAGE_FILE
from .masters import LENGTH_WIDTHS, Port, masters
from .verilog import TOP

MEMORY = f"{TOP}_memory"
"""Module name."""
LEAST_LATENCY, MORE_LATENCY_BITS = 30, 6
"""Cycles from a request to its first beat: so many, and up to 2**bits - 1 more."""
MOST_WAIT = 8
"""A core's cycles with this memory are less than so many times those with one that never waits."""
_MODULE = """\
// The memory behind the masters: the image of {image} (or +image=FILE), at BASE, with what keys
// and values need behind it. Bursts are answered in order, after {least} to {most} cycles, with
// pauses. A write is in the memory when it is answered. What a master must not do makes it broken.
module {module} #(
    parameter PORTS = {ports},
    parameter BYTES = {data_bytes}, // of a beat
    parameter LENGTH = {length_bits}, // bits of AxLEN
    parameter [{address_high}:0] BASE = {address_bits}'h{base:08x},
    parameter WORDS = {words}, // beats of the memory
    parameter IMAGE = {image_words} // of which the first ones are the image
) (
    input  wire clock,
    input  wire resetn,
    input  wire [PORTS*{address_bits}-1:0] araddr,
    input  wire [PORTS*LENGTH-1:0] arlen,
    input  wire [PORTS*3-1:0] arsize,
    input  wire [PORTS*2-1:0] arburst,
    input  wire [PORTS-1:0] arvalid,
    output wire [PORTS-1:0] arready,
    output wire [PORTS*BYTES*8-1:0] rdata,
    output wire [PORTS*2-1:0] rresp,
    output wire [PORTS-1:0] rlast,
    output wire [PORTS-1:0] rvalid,
    input  wire [PORTS-1:0] rready,
    input  wire [PORTS*{address_bits}-1:0] awaddr,
    input  wire [PORTS*LENGTH-1:0] awlen,
    input  wire [PORTS*3-1:0] awsize,
    input  wire [PORTS*2-1:0] awburst,
    input  wire [PORTS-1:0] awvalid,
    output wire [PORTS-1:0] awready,
    input  wire [PORTS*BYTES*8-1:0] wdata,
    input  wire [PORTS*BYTES-1:0] wstrb,
    input  wire [PORTS-1:0] wlast,
    input  wire [PORTS-1:0] wvalid,
    output wire [PORTS-1:0] wready,
    output wire [PORTS*2-1:0] bresp,
    output wire [PORTS-1:0] bvalid,
    input  wire [PORTS-1:0] bready,
    output wire broken
);
    localparam SIZE = $clog2(BYTES);
    // As the file has them: the first byte is the highest.
    reg [8*BYTES-1:0] content [0:WORDS-1];
    reg [8*256-1:0] name;
    integer file, code, word;
    initial begin
        if ($value$plusargs("image=%s", name) == 0) name = "{image}";
        file = $fopen(name, "rb");
        if (file == 0) begin
            $display("FAIL: %0s can't be read; start in its directory, or give +image=FILE", name);
            $fatal(1);
        end
        code = $fseek(file, {header_bytes}, 0);
        code = $fread(content, file, 0, IMAGE);
        if (code != IMAGE * BYTES) begin
            $display("FAIL: %0s has %0d bytes of an image, not %0d", name, code, IMAGE * BYTES);
            $fatal(1);
        end
        $fclose(file);
        for (word = IMAGE; word < WORDS; word = word + 1) content[word] = {{BYTES{{8'hA5}}}};
    end

    function [8*BYTES-1:0] turned(input [8*BYTES-1:0] beat);
        integer i;
        for (i = 0; i < BYTES; i = i + 1) turned[8*i +: 8] = beat[8*(BYTES-1-i) +: 8];
    endfunction

    reg [31:0] now;
    initial now = 0;
    always @(posedge clock) now <= now + 1;

    wire [PORTS-1:0] wrong;
    assign broken = |wrong;

    genvar p;
    generate for (p = 0; p < PORTS; p = p + 1) begin : port
        reg [31:0] random; // of pauses and latencies
        initial random = 32'h2545F491 + p;
        always @(posedge clock)
            random <= {{random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]}};
        wire [31:0] due = now + {least} + random[8 +: {latency_bits}];

        // Requests and data that wait; counts of what came, was begun and was answered.
        reg [31:0] read_place [0:7], read_due [0:7], write_place [0:7], write_due [0:7];
        reg [LENGTH-1:0] read_more [0:7];
        reg [8*BYTES-1:0] write_data [0:7];
        reg [3:0] reads, reads_done, writes, words, writes_done;
        reg [LENGTH-1:0] beat;
        reg r_valid, r_last, b_valid, ar_open, aw_open, w_open;
        reg [1:0] r_resp, b_resp;
        reg [8*BYTES-1:0] r_data;
        wire [3:0] reads_held = reads - reads_done;
        wire [3:0] writes_held = writes - writes_done, words_held = words - writes_done;
        assign arready[p] = ar_open && reads_held < 8;
        assign awready[p] = aw_open && writes_held < 8;
        assign wready[p] = w_open && words_held < 8;
        assign rvalid[p] = r_valid;
        assign rlast[p] = r_last;
        assign rresp[2*p +: 2] = r_resp;
        assign rdata[8*BYTES*p +: 8*BYTES] = r_data;
        assign bvalid[p] = b_valid;
        assign bresp[2*p +: 2] = b_resp;

        wire ar_taken = arvalid[p] && arready[p], aw_taken = awvalid[p] && awready[p];
        wire w_taken = wvalid[p] && wready[p];
        wire [31:0] ar_place = araddr[{address_bits}*p +: {address_bits}] - BASE;
        wire [31:0] aw_place = awaddr[{address_bits}*p +: {address_bits}] - BASE;
        wire [31:0] place = (read_place[reads_done[2:0]] >> SIZE) + beat;
        wire [31:0] write_word = write_place[writes_done[2:0]] >> SIZE;
        wire last = beat == read_more[reads_done[2:0]];
        wire begins = reads_held != 0 && $signed(now - read_due[reads_done[2:0]]) >= 0
            && random[2:0] != 0;
        wire answers = writes_held != 0 && words_held != 0
            && $signed(now - write_due[writes_done[2:0]]) >= 0 && random[5:3] != 0;
        always @(posedge clock)
            if (!resetn) begin
                reads <= 0; reads_done <= 0; writes <= 0; words <= 0; writes_done <= 0; beat <= 0;
                r_valid <= 0; b_valid <= 0; ar_open <= 0; aw_open <= 0; w_open <= 0;
                r_last <= 0; r_resp <= 0; b_resp <= 0; r_data <= 0;
            end else begin
                ar_open <= random[7:6] != 0;
                aw_open <= random[9:8] != 0;
                w_open <= random[11:10] != 0;
                if (ar_taken) begin
                    read_place[reads[2:0]] <= ar_place;
                    read_more[reads[2:0]] <= arlen[LENGTH*p +: LENGTH];
                    read_due[reads[2:0]] <= due;
                    reads <= reads + 1;
                end
                if (!r_valid || rready[p]) begin
                    r_valid <= begins;
                    if (begins) begin
                        r_data <= place < WORDS ? turned(content[place]) : 0;
                        r_resp <= place < WORDS ? 2'd{okay} : 2'd{decerr};
                        r_last <= last;
                        beat <= last ? 0 : beat + 1;
                        if (last) reads_done <= reads_done + 1;
                    end
                end
                if (aw_taken) begin
                    write_place[writes[2:0]] <= aw_place;
                    write_due[writes[2:0]] <= due;
                    writes <= writes + 1;
                end
                if (w_taken) begin
                    write_data[words[2:0]] <= wdata[8*BYTES*p +: 8*BYTES];
                    words <= words + 1;
                end
                if (!b_valid || bready[p]) begin
                    b_valid <= answers;
                    if (answers) begin
                        if (write_word < WORDS)
                            content[write_word] <= turned(write_data[writes_done[2:0]]);
                        b_resp <= write_word < WORDS ? 2'd{okay} : 2'd{decerr};
                        writes_done <= writes_done + 1;
                    end
                end
            end

        // The masters' rules; what a master offers must stay until it is taken.
        wire [{address_bits}+LENGTH+4:0] ar = {{araddr[{address_bits}*p +: {address_bits}],
            arlen[LENGTH*p +: LENGTH], arsize[3*p +: 3], arburst[2*p +: 2]}};
        wire [{address_bits}+LENGTH+4:0] aw = {{awaddr[{address_bits}*p +: {address_bits}],
            awlen[LENGTH*p +: LENGTH], awsize[3*p +: 3], awburst[2*p +: 2]}};
        wire [9*BYTES:0] w = {{wdata[8*BYTES*p +: 8*BYTES], wstrb[BYTES*p +: BYTES], wlast[p]}};
        reg [{address_bits}+LENGTH+4:0] ar_was, aw_was;
        reg [9*BYTES:0] w_was;
        reg ar_waits, aw_waits, w_waits;
        initial begin ar_waits = 0; aw_waits = 0; w_waits = 0; end
        always @(posedge clock) begin
            ar_was <= ar; aw_was <= aw; w_was <= w;
            ar_waits <= resetn && arvalid[p] && !arready[p];
            aw_waits <= resetn && awvalid[p] && !awready[p];
            w_waits <= resetn && wvalid[p] && !wready[p];
        end
        wire unknown = resetn
            && ((^{{arvalid[p], awvalid[p], wvalid[p], rready[p], bready[p]}}) === 1'bx
            || (arvalid[p] && (^ar) === 1'bx) || (awvalid[p] && (^aw) === 1'bx)
            || (wvalid[p] && (^w) === 1'bx));
        wire withdrawn = resetn && ((ar_waits && (!arvalid[p] || ar !== ar_was))
            || (aw_waits && (!awvalid[p] || aw !== aw_was))
            || (w_waits && (!wvalid[p] || w !== w_was)));
        wire [31:0] ar_last = ar_place[{boundary_high}:0] + (arlen[LENGTH*p +: LENGTH] << SIZE);
        wire bad_read = ar_taken && (arsize[3*p +: 3] != SIZE || arburst[2*p +: 2] != 2'd{incr}
            || arlen[LENGTH*p +: LENGTH] > 15 || ar_place[SIZE-1:0] != 0 || ar_last >= {boundary});
        wire bad_write = (aw_taken && (awsize[3*p +: 3] != SIZE || awburst[2*p +: 2] != 2'd{incr}
            || awlen[LENGTH*p +: LENGTH] != 0 || aw_place[SIZE-1:0] != 0))
            || (w_taken && (!wlast[p] || !(&wstrb[BYTES*p +: BYTES])));
        assign wrong[p] = unknown || withdrawn || (resetn && (bad_read || bad_write));
        always @(posedge clock)
            if (wrong[p])
                $display("port %0d: %0s", p, unknown ? "unknown bits" : withdrawn
                    ? "something was not held until it was taken" : bad_read
                    ? "a read that is no INCR burst of whole beats within 4 KB"
                    : "a write that is no single whole beat");
    end endgenerate
endmodule
"""


def memory_base(facts: ImageFacts) -> int:
    """Where the testbench's image lies: as on a Zynq-7000 if it can end below 4 GiB there."""
    fits = IMAGE_FILE_ADDRESS + facts.memory_bytes <= 2**ADDRESS_BITS
    return IMAGE_FILE_ADDRESS if fits else 0


def memory_verilog(facts: ImageFacts, protocol: str) -> str:
    """Text of module ``gateformer_memory`` for an image, with ports of a protocol's widths."""
    shape = facts.memory
    return _MODULE.format(
        module=MEMORY,
        image=IMAGE_FILE,
        header_bytes=HEADER_BYTES,
        least=LEAST_LATENCY,
        most=LEAST_LATENCY + 2**MORE_LATENCY_BITS - 1,
        latency_bits=MORE_LATENCY_BITS,
        ports=shape.ports,
        data_bytes=shape.data_bytes,
        length_bits=LENGTH_WIDTHS[protocol],
        address_bits=ADDRESS_BITS,
        address_high=ADDRESS_BITS - 1,
        base=memory_base(facts),
        words=facts.memory_bytes // shape.data_bytes,
        image_words=facts.image_bytes // shape.data_bytes,
        boundary=BOUNDARY,
        boundary_high=BOUNDARY.bit_length() - 2,
        incr=Burst.INCR.value,
        okay=Response.OKAY.value,
        decerr=Response.DECERR.value,
    )


def connected(facts: ImageFacts, protocol: str) -> tuple[str, str]:
    """(declarations of the memory's wires and the memory, the core's connections to them)."""
    first, *_ = all_masters = masters(facts.memory, protocol)
    signals = [port for port in first.ports if port.inner is not None]
    wires = "".join(
        f"    wire [{len(all_masters) * port.width - 1}:0] {_wire(port)};\n" for port in signals
    )
    pins = ",\n        ".join(f".{port.role.lower()}({_wire(port)})" for port in signals)
    memory = (
        f"    {MEMORY} memory (\n        .clock(clock), .resetn(resetn), .broken(broken),\n"
        f"        {pins}\n    );\n"
    )
    core = [
        f".{master.bus}_{port.role}({_wire(port)}[{port.width}*{number} +: {port.width}])"
        for number, master in enumerate(all_masters)
        for port in master.ports
        if port.inner is not None
    ]
    return f"    wire broken;\n{wires}{memory}", ",\n        ".join(core)


def _wire(port: Port) -> str:
    """All masters' signals of that kind."""
    return f"m_{port.role.lower()}"
