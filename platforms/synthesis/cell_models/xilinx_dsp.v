// What the DSP blocks of Xilinx 7 series and UltraScale+ have in common, behavioural: what
// gateware/parts/multiplier.py and Yosys' packing use. DSP48E1 and DSP48E2 are instances of it.
//
// Source: UG479, "7 Series DSP48E1 Slice": figures 2-1 and 2-7 (registers), table 2-5 (INMODE),
// tables 2-7 to 2-9 (OPMODE), table 2-10 (ALUMODE); UG579, "UltraScale Architecture DSP Slice":
// chapter 2 (registers, INMODE, OPMODE, ALUMODE). Of the logic operations of ALUMODE there is none.
//
// FACTOR: bits of D, of the pre-adder and of its product's factor. PREADDED: whether that factor is
// the pre-adder's sum. OPMODE[8:7] and RND are UltraScale+'s.

module xilinx_dsp #(
    parameter integer FACTOR = 25, PREADDED = 0,
    parameter integer AREG = 1, BREG = 1, CREG = 1, DREG = 1, ADREG = 1, MREG = 1, PREG = 1,
    parameter integer INMODEREG = 1, OPMODEREG = 1, ALUMODEREG = 1, CARRYINREG = 1,
    parameter [47:0] RND = 0
) (
    input CLK,
    input [29:0] A,
    input [17:0] B,
    input [47:0] C, PCIN,
    input [FACTOR-1:0] D,
    input [4:0] INMODE,
    input [8:0] OPMODE,
    input [3:0] ALUMODE,
    input CARRYIN,
    input CEA1, CEA2, CEAD, CEALUMODE, CEB1, CEB2, CEC, CECARRYIN, CECTRL, CED, CEINMODE, CEM, CEP,
    input RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP,
    output [47:0] P
);
    localparam PRODUCT = FACTOR + 18;
    wire [4:0] inmode;
    wire [8:0] opmode;
    wire [3:0] alumode;
    wire carryin;
    wire [29:0] a1, a2;
    wire [17:0] b1, b2;
    wire [47:0] c;
    wire [FACTOR-1:0] d;
    xilinx_dsp_register #(5, INMODEREG) inmode_register (CLK, CEINMODE, RSTINMODE, INMODE, inmode);
    xilinx_dsp_register #(9, OPMODEREG) opmode_register (CLK, CECTRL, RSTCTRL, OPMODE, opmode);
    xilinx_dsp_register #(4, ALUMODEREG) alumode_register (
        CLK, CEALUMODE, RSTALUMODE, ALUMODE, alumode);
    xilinx_dsp_register #(1, CARRYINREG) carryin_register (
        CLK, CECARRYIN, RSTALLCARRYIN, CARRYIN, carryin);
    // two registers in a row with AREG = 2; the first one is passed by with AREG = 1
    xilinx_dsp_register #(30, AREG == 2) a1_register (CLK, CEA1, RSTA, A, a1);
    xilinx_dsp_register #(30, AREG != 0) a2_register (CLK, CEA2, RSTA, a1, a2);
    xilinx_dsp_register #(18, BREG == 2) b1_register (CLK, CEB1, RSTB, B, b1);
    xilinx_dsp_register #(18, BREG != 0) b2_register (CLK, CEB2, RSTB, b1, b2);
    xilinx_dsp_register #(48, CREG) c_register (CLK, CEC, RSTC, C, c);
    xilinx_dsp_register #(FACTOR, DREG) d_register (CLK, CED, RSTD, D, d);

    // pre-adder: INMODE[0] chooses A1 or A2, [1] gates A, [2] passes D, [3] subtracts
    wire [FACTOR-1:0] a_chosen = inmode[0] ? a1[FACTOR-1:0] : a2[FACTOR-1:0];
    wire [FACTOR-1:0] a_gated = inmode[1] ? {FACTOR{1'b0}} : a_chosen;
    wire [FACTOR-1:0] d_gated = inmode[2] ? d : {FACTOR{1'b0}};
    wire [FACTOR-1:0] ad_sum = inmode[3] ? d_gated - a_gated : d_gated + a_gated;
    wire [FACTOR-1:0] ad;
    xilinx_dsp_register #(FACTOR, ADREG) ad_register (CLK, CEAD, RSTD, ad_sum, ad);

    wire signed [FACTOR-1:0] factor = PREADDED ? ad : a_gated;
    wire signed [17:0] other = inmode[4] ? b1 : b2;
    wire signed [PRODUCT-1:0] product = factor * other;
    wire [PRODUCT-1:0] m;
    xilinx_dsp_register #(PRODUCT, MREG) m_register (CLK, CEM, RSTM, product, m);

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
            2'b01: x = {{(48-PRODUCT){m[PRODUCT-1]}}, m};
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
    xilinx_dsp_register #(48, PREG) p_register (CLK, CEP, RSTP, sum, P);
endmodule

module xilinx_dsp_register #(parameter WIDTH = 1, USED = 1) (
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
