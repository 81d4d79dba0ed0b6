// Block memory of Lattice ECP5, behavioural.
//
// Source: FPGA-TN-02204, "ECP5 and ECP5-5G Memory Usage Guide", tables of DP16KD and PDPW16KD,
// "Initialization File Formats" (a line of 16 words of 18 bits, each in 20).
//
// 1,024 words of 18 bits; a port of 9 bits or fewer addresses half words. DATA_WIDTH 36 is the
// pseudo dual-port mode: port A writes DIB, DIA; port B's address reads DOB, DOA (upper, lower).
// Both clocks are taken to be the same one. A read that a write of the other port collides with
// delivers the complement of the stored bits: nothing is promised, so nothing may depend on it.
// Parameters and pins that are not modelled are refused in platforms/synthesis/cells.py.

module DP16KD #(
    parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0,
    parameter [319:0] INITVAL_04 = 0, INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0,
    parameter [319:0] INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0,
    parameter [319:0] INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0,
    parameter [319:0] INITVAL_10 = 0, INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0,
    parameter [319:0] INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0,
    parameter [319:0] INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0,
    parameter [319:0] INITVAL_1C = 0, INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0,
    parameter [319:0] INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0,
    parameter [319:0] INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0,
    parameter [319:0] INITVAL_28 = 0, INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0,
    parameter [319:0] INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0,
    parameter [319:0] INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0,
    parameter [319:0] INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0,
    parameter [319:0] INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0,
    parameter [319:0] INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0,
    parameter integer DATA_WIDTH_A = 18, DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG",
    parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC", GSR = "DISABLED",
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000",
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL",
    parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB"
) (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
        DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4,
        DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
        DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4,
        DOB3, DOB2, DOB1, DOB0
);
    localparam INIT = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A,
        INITVAL_39, INITVAL_38, INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34,
        INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E,
        INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
        INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22,
        INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C,
        INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16,
        INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
        INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A,
        INITVAL_09, INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04,
        INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00};
    wire [17:0] di_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7,
        DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
    wire [13:0] ad_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2,
        ADA1, ADA0};
    wire [17:0] do_a;
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
        DOA4, DOA3, DOA2, DOA1, DOA0} = do_a;
    wire selected_a = CEA && {CSA2, CSA1, CSA0} == 3'b000;
    wire [17:0] di_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7,
        DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
    wire [13:0] ad_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2,
        ADB1, ADB0};
    wire [17:0] do_b;
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
        DOB4, DOB3, DOB2, DOB1, DOB0} = do_b;
    wire selected_b = CEB && {CSB2, CSB1, CSB0} == 3'b000;

    localparam PSEUDO = DATA_WIDTH_A == 36;
    reg [319:0] mem [0:63];
    integer i;
    initial for (i = 0; i < 64; i = i + 1) mem[i] = INIT[320*i +: 320];

    // place of a word in its line
    function [8:0] place(input [13:0] ad, input integer width);
        case (width)
            1: place = 20 * ad[7:4] + 9 * ad[3] + ad[2:0];
            2: place = 20 * ad[7:4] + 9 * ad[3] + 2 * ad[2:1];
            4: place = 20 * ad[7:4] + 9 * ad[3] + 4 * ad[2];
            9: place = 20 * ad[7:4] + 9 * ad[3];
            18: place = 20 * ad[7:4];
            default: place = 40 * ad[7:5];
        endcase
    endfunction
    // lowest address bit of a word
    function integer unit(input integer width);
        unit = width == 36 ? 32 : width == 18 ? 16 : width == 9 ? 8 : width;
    endfunction

    generate
        if (PSEUDO) begin
            wire [35:0] di = {di_b, di_a};
            integer j;
            always @(posedge CLKA)
                if (selected_a && WEA)
                    for (j = 0; j < 4; j = j + 1)
                        if (ad_a[j])
                            mem[ad_a[13:8]][place(ad_a, 36) + 20 * (j / 2) + 9 * (j % 2) +: 9]
                                <= di[9*j +: 9];
            wire spoilt = selected_a && WEA && |ad_a[3:0] && ad_a[13:5] == ad_b[13:5];
            reg [35:0] latch = 0;
            wire [319:0] line = mem[ad_b[13:8]] >> place(ad_b, 36);
            wire [35:0] stored = {line[37:20], line[17:0]};
            always @(posedge CLKB)
                if (RSTB) latch <= 0;
                else if (selected_b) latch <= spoilt ? ~stored : stored;
            assign {do_b, do_a} = latch;
        end else begin
            localparam UNIT = unit(DATA_WIDTH_A > DATA_WIDTH_B ? DATA_WIDTH_A : DATA_WIDTH_B);
            wire same = ((ad_a ^ ad_b) & ~(UNIT - 1)) == 0;
            wire [1:0] we_a = {2{selected_a && WEA}} & (DATA_WIDTH_A == 18 ? ad_a[1:0] : 2'b01);
            wire [1:0] we_b = {2{selected_b && WEB}} & (DATA_WIDTH_B == 18 ? ad_b[1:0] : 2'b01);
            wire [319:0] line_a = mem[ad_a[13:8]] >> place(ad_a, DATA_WIDTH_A);
            wire [319:0] line_b = mem[ad_b[13:8]] >> place(ad_b, DATA_WIDTH_B);
            always @(posedge CLKA)
                if (DATA_WIDTH_A == 18) begin
                    if (we_a[0]) mem[ad_a[13:8]][place(ad_a, 18) +: 9] <= di_a[8:0];
                    if (we_a[1]) mem[ad_a[13:8]][place(ad_a, 18) + 9 +: 9] <= di_a[17:9];
                end else if (we_a[0])
                    mem[ad_a[13:8]][place(ad_a, DATA_WIDTH_A) +: DATA_WIDTH_A]
                        <= di_a[DATA_WIDTH_A-1:0];
            always @(posedge CLKB)
                if (DATA_WIDTH_B == 18) begin
                    if (we_b[0]) mem[ad_b[13:8]][place(ad_b, 18) +: 9] <= di_b[8:0];
                    if (we_b[1]) mem[ad_b[13:8]][place(ad_b, 18) + 9 +: 9] <= di_b[17:9];
                end else if (we_b[0])
                    mem[ad_b[13:8]][place(ad_b, DATA_WIDTH_B) +: DATA_WIDTH_B]
                        <= di_b[DATA_WIDTH_B-1:0];
            ecp5_read_port #(.WIDTH(DATA_WIDTH_A), .REGMODE(REGMODE_A), .WRITEMODE(WRITEMODE_A))
                read_a (.clk(CLKA), .en(selected_a), .oce(OCEA), .rst(RSTA), .we(we_a),
                    .spoilt(same && |we_b), .line(line_a[17:0]), .di(di_a), .q(do_a));
            ecp5_read_port #(.WIDTH(DATA_WIDTH_B), .REGMODE(REGMODE_B), .WRITEMODE(WRITEMODE_B))
                read_b (.clk(CLKB), .en(selected_b), .oce(OCEB), .rst(RSTB), .we(we_b),
                    .spoilt(same && |we_a), .line(line_b[17:0]), .di(di_b), .q(do_b));
        end
    endgenerate
endmodule

module ecp5_read_port #(
    parameter WIDTH = 18, REGMODE = "NOREG", WRITEMODE = "NORMAL"
) (
    input clk, en, oce, rst, spoilt,
    input [1:0] we,
    input [17:0] line, di,
    output [17:0] q
);
    localparam [17:0] USED = WIDTH == 18 ? 18'h3ffff : (1 << WIDTH) - 1;
    reg [17:0] latch = 0;
    always @(posedge clk)
        if (rst) latch <= 0;
        else if (en)
            if (|we && WRITEMODE == "WRITETHROUGH")
                latch <= USED & {we[1] || WIDTH < 18 ? di[17:9] : line[17:9], di[8:0]};
            else if (!(|we && WRITEMODE == "NORMAL"))
                latch <= USED & (spoilt ? ~line : line);
    generate
        if (REGMODE == "OUTREG") begin
            reg [17:0] register = 0;
            always @(posedge clk)
                if (rst) register <= 0;
                else if (oce) register <= latch;
            assign q = register;
        end else assign q = latch;
    endgenerate
endmodule
