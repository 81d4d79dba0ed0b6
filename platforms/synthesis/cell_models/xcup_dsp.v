// DSP block of Xilinx UltraScale+, behavioural: the ports and parameters of UG579, "UltraScale
// Architecture DSP Slice". Not modelled, and refused in platforms/synthesis/cells.py: cascades,
// pattern detector, SIMD, wide XOR, inverted pins, a squared pre-adder or one of B, RND, any tied
// ALUMODE but Z + W + X + Y + CIN, any CARRYINSEL but CARRYIN.

module DSP48E2 #(
    parameter integer AREG = 1, ACASCREG = 1, BREG = 1, BCASCREG = 1, CREG = 1, DREG = 1,
    parameter integer ADREG = 1, MREG = 1, PREG = 1, INMODEREG = 1, OPMODEREG = 1,
    parameter integer ALUMODEREG = 1, CARRYINREG = 1, CARRYINSELREG = 1,
    parameter A_INPUT = "DIRECT", B_INPUT = "DIRECT", AMULTSEL = "A",
    parameter BMULTSEL = "B", PREADDINSEL = "A",
    parameter USE_MULT = "MULTIPLY", USE_SIMD = "ONE48", USE_PATTERN_DETECT = "NO_PATDET",
    parameter USE_WIDEXOR = "FALSE", XORSIMD = "XOR24_48_96", AUTORESET_PRIORITY = "RESET",
    parameter AUTORESET_PATDET = "NO_RESET", SEL_MASK = "MASK", SEL_PATTERN = "PATTERN",
    parameter [47:0] MASK = 48'h3FFFFFFFFFFF, PATTERN = 0, RND = 0,
    parameter [3:0] IS_ALUMODE_INVERTED = 0,
    parameter [0:0] IS_CARRYIN_INVERTED = 0, IS_CLK_INVERTED = 0,
    parameter [4:0] IS_INMODE_INVERTED = 0,
    parameter [8:0] IS_OPMODE_INVERTED = 0,
    parameter [0:0] IS_RSTA_INVERTED = 0, IS_RSTALLCARRYIN_INVERTED = 0, IS_RSTALUMODE_INVERTED = 0,
    parameter [0:0] IS_RSTB_INVERTED = 0, IS_RSTC_INVERTED = 0, IS_RSTCTRL_INVERTED = 0,
    parameter [0:0] IS_RSTD_INVERTED = 0, IS_RSTINMODE_INVERTED = 0, IS_RSTM_INVERTED = 0,
    parameter [0:0] IS_RSTP_INVERTED = 0
) (
    input CLK,
    input [29:0] A, ACIN,
    input [17:0] B, BCIN,
    input [47:0] C, PCIN,
    input [26:0] D,
    input [4:0] INMODE,
    input [8:0] OPMODE,
    input [3:0] ALUMODE,
    input [2:0] CARRYINSEL,
    input CARRYIN, CARRYCASCIN, MULTSIGNIN,
    input CEA1, CEA2, CEAD, CEALUMODE, CEB1, CEB2, CEC, CECARRYIN, CECTRL, CED, CEINMODE, CEM, CEP,
    input RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP,
    output [47:0] P, PCOUT,
    output [29:0] ACOUT,
    output [17:0] BCOUT,
    output [3:0] CARRYOUT,
    output [7:0] XOROUT,
    output CARRYCASCOUT, MULTSIGNOUT, OVERFLOW, UNDERFLOW, PATTERNDETECT, PATTERNBDETECT
);
    xilinx_dsp #(
        .FACTOR(27), .PREADDED(AMULTSEL == "AD"), .RND(RND), .AREG(AREG), .BREG(BREG),
        .CREG(CREG), .DREG(DREG), .ADREG(ADREG), .MREG(MREG), .PREG(PREG), .INMODEREG(INMODEREG),
        .OPMODEREG(OPMODEREG), .ALUMODEREG(ALUMODEREG), .CARRYINREG(CARRYINREG)
    ) block (
        .CLK(CLK), .A(A), .B(B), .C(C), .PCIN(PCIN), .D(D), .INMODE(INMODE), .OPMODE(OPMODE),
        .ALUMODE(ALUMODE), .CARRYIN(CARRYIN), .CEA1(CEA1), .CEA2(CEA2), .CEAD(CEAD),
        .CEALUMODE(CEALUMODE), .CEB1(CEB1), .CEB2(CEB2), .CEC(CEC), .CECARRYIN(CECARRYIN),
        .CECTRL(CECTRL), .CED(CED), .CEINMODE(CEINMODE), .CEM(CEM), .CEP(CEP), .RSTA(RSTA),
        .RSTALLCARRYIN(RSTALLCARRYIN), .RSTALUMODE(RSTALUMODE), .RSTB(RSTB), .RSTC(RSTC),
        .RSTCTRL(RSTCTRL), .RSTD(RSTD), .RSTINMODE(RSTINMODE), .RSTM(RSTM), .RSTP(RSTP), .P(P)
    );
    assign PCOUT = P;
    assign {ACOUT, BCOUT, CARRYOUT, CARRYCASCOUT, MULTSIGNOUT, XOROUT} = 0;
    assign {OVERFLOW, UNDERFLOW, PATTERNDETECT, PATTERNBDETECT} = 0;
endmodule
