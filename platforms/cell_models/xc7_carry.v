// Carry chain of Xilinx 7 series, bit by bit: as one word, as in Yosys' model, its sums and carries
// would seem to depend on each other.
//
// Source: UG474, "7 Series FPGAs Configurable Logic Block", figure 2-24.

module CARRY4 (
    output [3:0] CO, O,
    input CI, CYINIT,
    input [3:0] DI, S
);
    wire carry = CI | CYINIT;
    assign CO[0] = S[0] ? carry : DI[0];
    assign CO[1] = S[1] ? CO[0] : DI[1];
    assign CO[2] = S[2] ? CO[1] : DI[2];
    assign CO[3] = S[3] ? CO[2] : DI[3];
    assign O[0] = S[0] ^ carry;
    assign O[1] = S[1] ^ CO[0];
    assign O[2] = S[2] ^ CO[1];
    assign O[3] = S[3] ^ CO[2];
endmodule
