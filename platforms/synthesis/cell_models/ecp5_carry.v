// Carry cell of Lattice ECP5, behavioural: two bits of a ripple carry behind two LUT4s.
//
// Source: FPGA-DS-02012, "ECP5 and ECP5-5G Family Data Sheet", slice in ripple mode, and the
// primitive CCU2C of Lattice's "FPGA Libraries Reference Guide". A LUT4's lower four bits also
// are a LUT2 of A and B, which gives the carry where the LUT4 does not propagate it; with
// INJECT1 = "YES" no carry enters that bit's sum.

module CCU2C #(
    parameter [15:0] INIT0 = 0, INIT1 = 0,
    parameter INJECT1_0 = "YES", INJECT1_1 = "YES"
) (
    input CIN, A0, B0, C0, D0, A1, B1, C1, D1,
    output S0, S1, COUT
);
    wire lut_0 = INIT0[{D0, C0, B0, A0}];
    wire lut_1 = INIT1[{D1, C1, B1, A1}];
    wire generate_0 = INJECT1_0 != "YES" && INIT0[{2'b00, B0, A0}];
    wire generate_1 = INJECT1_1 != "YES" && INIT1[{2'b00, B1, A1}];
    wire carry = lut_0 ? CIN : generate_0;
    assign S0 = lut_0 ^ (INJECT1_0 != "YES" && CIN);
    assign S1 = lut_1 ^ (INJECT1_1 != "YES" && carry);
    assign COUT = lut_1 ? carry : generate_1;
endmodule
