// DSP block of Xilinx 7 series, behavioural: what gateware/parts/multiplier.py and Yosys' packing use.
//
// Source: UG479, "7 Series DSP48E1 Slice": figures 2-1 and 2-7 (registers), table 2-5 (INMODE),
// tables 2-7 to 2-9 (OPMODE), table 2-10 (ALUMODE). Not modelled, and refused in
// platforms/synthesis/cells.py: cascades, pattern detector, SIMD, inverted pins, any tied ALUMODE but
// Z + X + Y + CIN, any CARRYINSEL but CARRYIN. Of the logic operations of ALUMODE there is none.

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
    wire [4:0] inmode;
    wire [6:0] opmode;
    wire [3:0] alumode;
    wire carryin;
    wire [29:0] a1, a2;
    wire [17:0] b1, b2;
    wire [47:0] c;
    wire [24:0] d;
    xc7_dsp_register #(5, INMODEREG) inmode_register (CLK, CEINMODE, RSTINMODE, INMODE, inmode);
    xc7_dsp_register #(7, OPMODEREG) opmode_register (CLK, CECTRL, RSTCTRL, OPMODE, opmode);
    xc7_dsp_register #(4, ALUMODEREG) alumode_register (
        CLK, CEALUMODE, RSTALUMODE, ALUMODE, alumode);
    xc7_dsp_register #(1, CARRYINREG) carryin_register (
        CLK, CECARRYIN, RSTALLCARRYIN, CARRYIN, carryin);
    // two registers in a row with AREG = 2; the first one is passed by with AREG = 1
    xc7_dsp_register #(30, AREG == 2) a1_register (CLK, CEA1, RSTA, A, a1);
    xc7_dsp_register #(30, AREG != 0) a2_register (CLK, CEA2, RSTA, a1, a2);
    xc7_dsp_register #(18, BREG == 2) b1_register (CLK, CEB1, RSTB, B, b1);
    xc7_dsp_register #(18, BREG != 0) b2_register (CLK, CEB2, RSTB, b1, b2);
    xc7_dsp_register #(48, CREG) c_register (CLK, CEC, RSTC, C, c);
    xc7_dsp_register #(25, DREG) d_register (CLK, CED, RSTD, D, d);

    // pre-adder: INMODE[0] chooses A1 or A2, [1] gates A, [2] passes D, [3] subtracts
    wire [24:0] a_chosen = inmode[0] ? a1[24:0] : a2[24:0];
    wire [24:0] a_gated = inmode[1] ? 25'd0 : a_chosen;
    wire [24:0] d_gated = inmode[2] ? d : 25'd0;
    wire [24:0] ad_sum = inmode[3] ? d_gated - a_gated : d_gated + a_gated;
    wire [24:0] ad;
    xc7_dsp_register #(25, ADREG) ad_register (CLK, CEAD, RSTD, ad_sum, ad);

    wire signed [24:0] factor = USE_DPORT == "TRUE" ? ad : a_gated;
    wire signed [17:0] other = inmode[4] ? b1 : b2;
    wire signed [42:0] product = factor * other;
    wire [42:0] m;
    xc7_dsp_register #(43, MREG) m_register (CLK, CEM, RSTM, product, m);

    // X and Y together bring the product
    reg [47:0] x, y, z;
    always @* begin
        case (opmode[1:0])
            2'b00: x = 0;
            2'b01: x = {{5{m[42]}}, m};
            2'b10: x = P;
            2'b11: x = {a2, b2};
        endcase
        case (opmode[3:2])
            2'b00: y = 0;
            2'b01: y = 0;
            2'b10: y = ~48'd0;
            2'b11: y = c;
        endcase
        case (opmode[6:4])
            3'b000: z = 0;
            3'b001: z = PCIN;
            3'b010: z = P;
            3'b011: z = c;
            3'b100: z = P;
            3'b101: z = {{17{PCIN[47]}}, PCIN[47:17]};
            3'b110: z = {{17{P[47]}}, P[47:17]};
            3'b111: z = 0;
        endcase
    end
    wire [47:0] addend = x + y + carryin;
    reg [47:0] sum;
    always @*
        case (alumode)
            4'b0000: sum = z + addend;
            4'b0001: sum = ~z + addend;
            4'b0010: sum = ~(z + addend);
            4'b0011: sum = z - addend;
            default: sum = 48'hAAAAAAAAAAAA;  // nothing that could pass for a result
        endcase
    xc7_dsp_register #(48, PREG) p_register (CLK, CEP, RSTP, sum, P);
    assign PCOUT = P;
    assign {ACOUT, BCOUT, CARRYOUT, CARRYCASCOUT, MULTSIGNOUT} = 0;
    assign {OVERFLOW, UNDERFLOW, PATTERNDETECT, PATTERNBDETECT} = 0;
endmodule

module xc7_dsp_register #(parameter WIDTH = 1, USED = 1) (
    input clk, ce, rst,
    input [WIDTH-1:0] d,
    output [WIDTH-1:0] q
);
    generate
        if (USED) begin
            reg [WIDTH-1:0] register = 0;
            always @(posedge clk)
                if (rst) register <= 0;
                else if (ce) register <= d;
            assign q = register;
        end else assign q = d;
    endgenerate
endmodule
