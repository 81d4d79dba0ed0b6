// DSP block of Xilinx 7 series, behavioural: the ports and parameters of UG479, "7 Series DSP48E1
// Slice". Not modelled, and refused in platforms/synthesis/cells.py: cascades, pattern detector,
// SIMD, inverted pins, any tied ALUMODE but Z + X + Y + CIN, any CARRYINSEL but CARRYIN.

module DSP48E1 #(
    parameter integer AREG = 1, ACASCREG = 1, BREG = 1, BCASCREG = 1, CREG = 1, DREG = 1,
    parameter integer ADREG = 1, MREG = 1, PREG = 1, INMODEREG = 1, OPMODEREG = 1,
    parameter integer ALUMODEREG = 1, CARRYINREG = 1, CARRYINSELREG = 1,
    parameter A_INPUT = "DIRECT", B_INPUT = "DIRECT", USE_DPORT = "FALSE",
    parameter USE_MULT = "MULTIPLY", USE_SIMD = "ONE48", USE_PATTERN_DETECT = "NO_PATDET",
    parameter AUTORESET_PATDET = "NO_RESET", SEL_MASK = "MASK", SEL_PATTERN = "PATTERN",
    parameter [47:0] MASK = 48'h3FFFFFFFFFFF, PATTERN = 0,
    parameter [3:0] IS_ALUMODE_INVERTED = 0,
    parameter [0:0] IS_CARRYIN_INVERTED = 0, IS_CLK_INVERTED = 0,
    parameter [4:0] IS_INMODE_INVERTED = 0,
    parameter [6:0] IS_OPMODE_INVERTED = 0
) (
    input CLK,
    input [29:0] A, ACIN,
    input [17:0] B, BCIN,
    input [47:0] C, PCIN,
    input [24:0] D,
    input [4:0] INMODE,
    input [6:0] OPMODE,
    input [3:0] ALUMODE,
    input [2:0] CARRYINSEL,
    input CARRYIN, CARRYCASCIN, MULTSIGNIN,
    input CEA1, CEA2, CEAD, CEALUMODE, CEB1, CEB2, CEC, CECARRYIN, CECTRL, CED, CEINMODE, CEM, CEP,
    input RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP,
    output [47:0] P, PCOUT,
    output [29:0] ACOUT,
    output [17:0] BCOUT,
    output [3:0] CARRYOUT,
    output CARRYCASCOUT, MULTSIGNOUT, OVERFLOW, UNDERFLOW, PATTERNDETECT, PATTERNBDETECT
);
    xilinx_dsp #(
        .FACTOR(25), .PREADDED(USE_DPORT == "TRUE"), .AREG(AREG), .BREG(BREG), .CREG(CREG),
        .DREG(DREG), .ADREG(ADREG), .MREG(MREG), .PREG(PREG), .INMODEREG(INMODEREG),
        .OPMODEREG(OPMODEREG), .ALUMODEREG(ALUMODEREG), .CARRYINREG(CARRYINREG)
    ) block (
        .CLK(CLK), .A(A), .B(B), .C(C), .PCIN(PCIN), .D(D), .INMODE(INMODE),
        .OPMODE({2'b00, OPMODE}), .ALUMODE(ALUMODE), .CARRYIN(CARRYIN), .CEA1(CEA1), .CEA2(CEA2),
        .CEAD(CEAD), .CEALUMODE(CEALUMODE), .CEB1(CEB1), .CEB2(CEB2), .CEC(CEC),
        .CECARRYIN(CECARRYIN), .CECTRL(CECTRL), .CED(CED), .CEINMODE(CEINMODE), .CEM(CEM),
        .CEP(CEP), .RSTA(RSTA), .RSTALLCARRYIN(RSTALLCARRYIN), .RSTALUMODE(RSTALUMODE),
        .RSTB(RSTB), .RSTC(RSTC), .RSTCTRL(RSTCTRL), .RSTD(RSTD), .RSTINMODE(RSTINMODE),
        .RSTM(RSTM), .RSTP(RSTP), .P(P)
    );
    assign PCOUT = P;
    assign {ACOUT, BCOUT, CARRYOUT, CARRYCASCOUT, MULTSIGNOUT} = 0;
    assign {OVERFLOW, UNDERFLOW, PATTERNDETECT, PATTERNBDETECT} = 0;
endmodule
