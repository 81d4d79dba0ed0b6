// DSP block of Xilinx UltraScale+, behavioural: what gateware/parts/multiplier.py and Yosys use.
//
// Source: UG579, "UltraScale Architecture DSP Slice": chapter 2 (registers, INMODE, OPMODE, ALUMODE).
// Not modelled, and refused in platforms/synthesis/cells.py: cascades, pattern detector, SIMD, wide
// XOR, inverted pins, a squared pre-adder or one of B, RND, any tied ALUMODE but
// Z + W + X + Y + CIN, any CARRYINSEL but CARRYIN. Of the logic operations of ALUMODE there is none.

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
    wire [4:0] inmode;
    wire [8:0] opmode;
    wire [3:0] alumode;
    wire carryin;
    wire [29:0] a1, a2;
    wire [17:0] b1, b2;
    wire [47:0] c;
    wire [26:0] d;
    xcup_dsp_register #(5, INMODEREG) inmode_register (CLK, CEINMODE, RSTINMODE, INMODE, inmode);
    xcup_dsp_register #(9, OPMODEREG) opmode_register (CLK, CECTRL, RSTCTRL, OPMODE, opmode);
    xcup_dsp_register #(4, ALUMODEREG) alumode_register (
        CLK, CEALUMODE, RSTALUMODE, ALUMODE, alumode);
    xcup_dsp_register #(1, CARRYINREG) carryin_register (
        CLK, CECARRYIN, RSTALLCARRYIN, CARRYIN, carryin);
    // two registers in a row with AREG = 2; the first one is passed by with AREG = 1
    xcup_dsp_register #(30, AREG == 2) a1_register (CLK, CEA1, RSTA, A, a1);
    xcup_dsp_register #(30, AREG != 0) a2_register (CLK, CEA2, RSTA, a1, a2);
    xcup_dsp_register #(18, BREG == 2) b1_register (CLK, CEB1, RSTB, B, b1);
    xcup_dsp_register #(18, BREG != 0) b2_register (CLK, CEB2, RSTB, b1, b2);
    xcup_dsp_register #(48, CREG) c_register (CLK, CEC, RSTC, C, c);
    xcup_dsp_register #(27, DREG) d_register (CLK, CED, RSTD, D, d);

    // pre-adder: INMODE[0] chooses A1 or A2, [1] gates A, [2] passes D, [3] subtracts
    wire [26:0] a_chosen = inmode[0] ? a1[26:0] : a2[26:0];
    wire [26:0] a_gated = inmode[1] ? 27'd0 : a_chosen;
    wire [26:0] d_gated = inmode[2] ? d : 27'd0;
    wire [26:0] ad_sum = inmode[3] ? d_gated - a_gated : d_gated + a_gated;
    wire [26:0] ad;
    xcup_dsp_register #(27, ADREG) ad_register (CLK, CEAD, RSTD, ad_sum, ad);

    wire signed [26:0] factor = AMULTSEL == "AD" ? ad : a_gated;
    wire signed [17:0] other = inmode[4] ? b1 : b2;
    wire signed [44:0] product = factor * other;
    wire [44:0] m;
    xcup_dsp_register #(45, MREG) m_register (CLK, CEM, RSTM, product, m);

    // X and Y together bring the product
    reg [47:0] w, x, y, z;
    always @* begin
        case (opmode[8:7])
            2'b00: w = 0;
            2'b01: w = P;
            2'b10: w = RND;
            2'b11: w = c;
        endcase
        case (opmode[1:0])
            2'b00: x = 0;
            2'b01: x = {{3{m[44]}}, m};
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
    wire [47:0] addend = w + x + y + carryin;
    reg [47:0] sum;
    always @*
        case (alumode)
            4'b0000: sum = z + addend;
            4'b0001: sum = ~z + addend;
            4'b0010: sum = ~(z + addend);
            4'b0011: sum = z - addend;
            default: sum = 48'hAAAAAAAAAAAA;  // nothing that could pass for a result
        endcase
    xcup_dsp_register #(48, PREG) p_register (CLK, CEP, RSTP, sum, P);
    assign PCOUT = P;
    assign {ACOUT, BCOUT, CARRYOUT, CARRYCASCOUT, MULTSIGNOUT, XOROUT} = 0;
    assign {OVERFLOW, UNDERFLOW, PATTERNDETECT, PATTERNBDETECT} = 0;
endmodule

module xcup_dsp_register #(parameter WIDTH = 1, USED = 1) (
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
