// Carry chain of Xilinx 7 series and UltraScale+ with its pins one by one: as words, sums and carries would seem to
// depend on each other, and each LUT before it on all others. platforms/synthesis/cells.py puts it in the place
// of CARRY4.
//
// Source: UG474, "7 Series FPGAs Configurable Logic Block", figure 2-24; UG574, "UltraScale Architecture
// Configurable Logic Block": a CARRY8 is two of them.

module xilinx_carry (
    output CO0, CO1, CO2, CO3, O0, O1, O2, O3,
    input CI, CYINIT, DI0, DI1, DI2, DI3, S0, S1, S2, S3
);
    wire carry = CI | CYINIT;
    assign CO0 = S0 ? carry : DI0;
    assign CO1 = S1 ? CO0 : DI1;
    assign CO2 = S2 ? CO1 : DI2;
    assign CO3 = S3 ? CO2 : DI3;
    assign O0 = S0 ^ carry;
    assign O1 = S1 ^ CO0;
    assign O2 = S2 ^ CO1;
    assign O3 = S3 ^ CO2;
endmodule
