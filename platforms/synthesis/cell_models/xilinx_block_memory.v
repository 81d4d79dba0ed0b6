// Block memories of Xilinx 7 series, behavioural; platforms/synthesis/ultrascale_memory.py makes those
// of UltraScale+ into them.
//
// Source: UG473, "7 Series FPGAs Memory Resources": tables 1-7 to 1-12 (ports), 1-15 and 1-16
// (INIT and INITP attributes), "Write Modes", "Conflict Avoidance" and "Simple Dual-Port Block RAM".
//
// Both clocks are taken to be the same one. A read that a write of the other port collides with,
// where UG473 promises nothing, delivers the complement of the stored bits: a design that
// depends on it must not work by accident. Parameters outside the ranges below are refused in
// platforms/synthesis/cells.py; inverted pins, cascades and ECC are not modelled.

// One memory of 2**ABITS data bits. Addresses count data bits; a byte has a parity bit beside it.
module xilinx_block_memory #(
    parameter ABITS = 14,
    parameter LANES = 4,  // bytes of the widest port
    parameter SDP = 0,
    parameter READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0,
    parameter WRITE_MODE_A = "WRITE_FIRST", WRITE_MODE_B = "WRITE_FIRST",
    parameter DOA_REG = 0, DOB_REG = 0,
    parameter [9*LANES-1:0] INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0,
    parameter [(1<<ABITS)-1:0] INIT = 0,
    parameter [(1<<ABITS-3)-1:0] INITP = 0
) (
    input clk_a, clk_b, en_a, en_b, regce_a, regce_b, rstram_a, rstram_b, rstreg_a, rstreg_b,
    input [ABITS-1:0] addr_a, addr_b,
    input [LANES-1:0] we_a, we_b,
    input [8*LANES-1:0] di_a, di_b,
    input [LANES-1:0] dip_a, dip_b,
    output [8*LANES-1:0] do_a, do_b,
    output [LANES-1:0] dop_a, dop_b
);
    reg [255:0] mem [0:(1<<ABITS-8)-1];
    reg [255:0] parity [0:(1<<ABITS-11)-1];
    integer i;
    initial begin
        for (i = 0; i < 1 << ABITS - 8; i = i + 1) mem[i] = INIT[256*i +: 256];
        for (i = 0; i < 1 << ABITS - 11; i = i + 1) parity[i] = INITP[256*i +: 256];
    end

    // data bits of a port of that width: 9, 18, 36 and 72 have parity, too
    function integer data_bits(input integer width);
        data_bits = width >= 9 ? width / 9 * 8 : width;
    endfunction
    function [ABITS-1:0] aligned(input [ABITS-1:0] addr, input integer bits);
        aligned = addr & ~(bits - 1);
    endfunction
    function overlap(input [ABITS-1:0] a, b, input integer bits_a, bits_b);
        overlap = ((a ^ b) & ~((bits_a > bits_b ? bits_a : bits_b) - 1)) == 0;
    endfunction

    // In simple dual-port mode port A only reads and port B only writes.
    localparam RA = data_bits(READ_WIDTH_A), RB = data_bits(READ_WIDTH_B);
    localparam WA = data_bits(WRITE_WIDTH_A), WB = data_bits(WRITE_WIDTH_B);
    wire writes_a = WA != 0 && en_a && |we_a;
    wire writes_b = WB != 0 && en_b && |we_b;

    generate
        if (WA != 0) begin
            wire [ABITS-1:0] at = aligned(addr_a, WA);
            integer j;
            always @(posedge clk_a)
                if (en_a)
                    if (WA < 8) begin
                        if (we_a[0]) mem[at[ABITS-1:8]][at[7:0] +: WA] <= di_a[WA-1:0];
                    end else
                        for (j = 0; j < WA / 8; j = j + 1)
                            if (we_a[j]) begin
                                mem[at[ABITS-1:8]][at[7:0] + 8*j +: 8] <= di_a[8*j +: 8];
                                parity[at[ABITS-1:11]][at[10:3] + j] <= dip_a[j];
                            end
        end
        if (WB != 0) begin
            wire [ABITS-1:0] at = aligned(addr_b, WB);
            integer j;
            always @(posedge clk_b)
                if (en_b)
                    if (WB < 8) begin
                        if (we_b[0]) mem[at[ABITS-1:8]][at[7:0] +: WB] <= di_b[WB-1:0];
                    end else
                        for (j = 0; j < WB / 8; j = j + 1)
                            if (we_b[j]) begin
                                mem[at[ABITS-1:8]][at[7:0] + 8*j +: 8] <= di_b[8*j +: 8];
                                parity[at[ABITS-1:11]][at[10:3] + j] <= dip_b[j];
                            end
        end
    endgenerate

    // The other port's write spoils a read unless that port is READ_FIRST.
    wire spoilt_a = WRITE_MODE_B != "READ_FIRST" && writes_b && overlap(addr_a, addr_b, RA, WB);
    wire spoilt_b = WRITE_MODE_A != "READ_FIRST" && writes_a && overlap(addr_b, addr_a, RB, WA);

    xilinx_read_port #(
        .ABITS(ABITS), .LANES(LANES), .BITS(RA), .OWN_WRITE(SDP ? 0 : WA),
        .WRITE_MODE(WRITE_MODE_A), .REGISTERED(DOA_REG), .INIT(INIT_A), .SRVAL(SRVAL_A)
    ) read_a (
        .clk(clk_a), .en(en_a), .regce(regce_a), .rstram(rstram_a), .rstreg(rstreg_a),
        .addr(aligned(addr_a, RA)), .row(mem[addr_a[ABITS-1:8]]),
        .parity(parity[addr_a[ABITS-1:11]]), .we(we_a), .di(di_a), .dip(dip_a),
        .spoilt(spoilt_a), .dout(do_a), .doutp(dop_a)
    );
    xilinx_read_port #(
        .ABITS(ABITS), .LANES(LANES), .BITS(RB), .OWN_WRITE(SDP ? 0 : WB),
        .WRITE_MODE(WRITE_MODE_B), .REGISTERED(DOB_REG), .INIT(INIT_B), .SRVAL(SRVAL_B)
    ) read_b (
        .clk(clk_b), .en(en_b), .regce(regce_b), .rstram(rstram_b), .rstreg(rstreg_b),
        .addr(aligned(addr_b, RB)), .row(mem[addr_b[ABITS-1:8]]),
        .parity(parity[addr_b[ABITS-1:11]]), .we(we_b), .di(di_b), .dip(dip_b),
        .spoilt(spoilt_b), .dout(do_b), .doutp(dop_b)
    );
endmodule

// Output latch and optional output register of one port.
module xilinx_read_port #(
    parameter ABITS = 14, LANES = 4, BITS = 0, OWN_WRITE = 0, WRITE_MODE = "WRITE_FIRST",
    parameter REGISTERED = 0,
    parameter [9*LANES-1:0] INIT = 0, SRVAL = 0
) (
    input clk, en, regce, rstram, rstreg, spoilt,
    input [ABITS-1:0] addr,
    input [255:0] row, parity,
    input [LANES-1:0] we, dip,
    input [8*LANES-1:0] di,
    output [8*LANES-1:0] dout,
    output [LANES-1:0] doutp
);
    // INIT and SRVAL hold the parity bits above the data bits of the port's width
    localparam BYTES = BITS / 8;
    generate
        if (BITS == 0) begin
            assign dout = 0;
            assign doutp = 0;
        end else begin
            localparam [8*LANES-1:0] USED = BITS == 8 * LANES ? ~0 : (1 << BITS) - 1;
            localparam [LANES-1:0] USEDP = BYTES == LANES ? ~0 : (1 << BYTES) - 1;
            wire [8*LANES-1:0] stored = (row >> addr[7:0]) & USED;
            wire [LANES-1:0] storedp = (parity >> addr[10:3]) & USEDP;
            wire writes = OWN_WRITE != 0 && |we;
            // with WRITE_FIRST both widths of the port are equal (platforms/synthesis/cells.py)
            reg [8*LANES-1:0] latch = INIT & USED;
            reg [LANES-1:0] latchp = BYTES == 0 ? 0 : INIT >> 8 * BYTES;
            reg [8*LANES-1:0] fresh;
            reg [LANES-1:0] freshp;
            integer j;
            always @* begin
                j = 0;
                fresh = spoilt ? ~stored & USED : stored;
                freshp = spoilt ? ~storedp & USEDP : storedp;
                if (WRITE_MODE == "WRITE_FIRST" && writes)
                    for (j = 0; j < (BYTES == 0 ? 1 : BYTES); j = j + 1)
                        if (we[j]) begin
                            fresh[8*j +: 8] = di[8*j +: 8] & USED[7:0];
                            freshp[j] = dip[j] & USEDP[0];
                        end
            end
            always @(posedge clk)
                if (en)
                    if (rstram) begin
                        latch <= SRVAL & USED;
                        latchp <= BYTES == 0 ? 0 : SRVAL >> 8 * BYTES;
                    end else if (!(WRITE_MODE == "NO_CHANGE" && writes)) begin
                        latch <= fresh;
                        latchp <= freshp;
                    end
            if (REGISTERED) begin
                reg [8*LANES-1:0] register = INIT & USED;
                reg [LANES-1:0] registerp = BYTES == 0 ? 0 : INIT >> 8 * BYTES;
                always @(posedge clk)
                    if (regce)
                        if (rstreg) begin
                            register <= SRVAL & USED;
                            registerp <= BYTES == 0 ? 0 : SRVAL >> 8 * BYTES;
                        end else begin
                            register <= latch;
                            registerp <= latchp;
                        end
                assign dout = register;
                assign doutp = registerp;
            end else begin
                assign dout = latch;
                assign doutp = latchp;
            end
        end
    endgenerate
endmodule

module RAMB18E1 #(
    parameter [255:0] INIT_00 = 0, INIT_01 = 0, INIT_02 = 0, INIT_03 = 0,
    parameter [255:0] INIT_04 = 0, INIT_05 = 0, INIT_06 = 0, INIT_07 = 0,
    parameter [255:0] INIT_08 = 0, INIT_09 = 0, INIT_0A = 0, INIT_0B = 0,
    parameter [255:0] INIT_0C = 0, INIT_0D = 0, INIT_0E = 0, INIT_0F = 0,
    parameter [255:0] INIT_10 = 0, INIT_11 = 0, INIT_12 = 0, INIT_13 = 0,
    parameter [255:0] INIT_14 = 0, INIT_15 = 0, INIT_16 = 0, INIT_17 = 0,
    parameter [255:0] INIT_18 = 0, INIT_19 = 0, INIT_1A = 0, INIT_1B = 0,
    parameter [255:0] INIT_1C = 0, INIT_1D = 0, INIT_1E = 0, INIT_1F = 0,
    parameter [255:0] INIT_20 = 0, INIT_21 = 0, INIT_22 = 0, INIT_23 = 0,
    parameter [255:0] INIT_24 = 0, INIT_25 = 0, INIT_26 = 0, INIT_27 = 0,
    parameter [255:0] INIT_28 = 0, INIT_29 = 0, INIT_2A = 0, INIT_2B = 0,
    parameter [255:0] INIT_2C = 0, INIT_2D = 0, INIT_2E = 0, INIT_2F = 0,
    parameter [255:0] INIT_30 = 0, INIT_31 = 0, INIT_32 = 0, INIT_33 = 0,
    parameter [255:0] INIT_34 = 0, INIT_35 = 0, INIT_36 = 0, INIT_37 = 0,
    parameter [255:0] INIT_38 = 0, INIT_39 = 0, INIT_3A = 0, INIT_3B = 0,
    parameter [255:0] INIT_3C = 0, INIT_3D = 0, INIT_3E = 0, INIT_3F = 0,
    parameter [255:0] INITP_00 = 0, INITP_01 = 0, INITP_02 = 0, INITP_03 = 0,
    parameter [255:0] INITP_04 = 0, INITP_05 = 0, INITP_06 = 0, INITP_07 = 0,
    parameter [17:0] INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0,
    parameter RAM_MODE = "TDP",
    parameter integer READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0,
    parameter WRITE_MODE_A = "WRITE_FIRST", WRITE_MODE_B = "WRITE_FIRST",
    parameter integer DOA_REG = 0, DOB_REG = 0
) (
    input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB,
    input RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
    input [13:0] ADDRARDADDR, ADDRBWRADDR,
    input [15:0] DIADI, DIBDI,
    input [1:0] DIPADIP, DIPBDIP,
    input [1:0] WEA,
    input [3:0] WEBWE,
    output [15:0] DOADO, DOBDO,
    output [1:0] DOPADOP, DOPBDOP
);
    localparam INIT = {
        INIT_3F, INIT_3E, INIT_3D, INIT_3C, INIT_3B, INIT_3A, INIT_39, INIT_38,
        INIT_37, INIT_36, INIT_35, INIT_34, INIT_33, INIT_32, INIT_31, INIT_30,
        INIT_2F, INIT_2E, INIT_2D, INIT_2C, INIT_2B, INIT_2A, INIT_29, INIT_28,
        INIT_27, INIT_26, INIT_25, INIT_24, INIT_23, INIT_22, INIT_21, INIT_20,
        INIT_1F, INIT_1E, INIT_1D, INIT_1C, INIT_1B, INIT_1A, INIT_19, INIT_18,
        INIT_17, INIT_16, INIT_15, INIT_14, INIT_13, INIT_12, INIT_11, INIT_10,
        INIT_0F, INIT_0E, INIT_0D, INIT_0C, INIT_0B, INIT_0A, INIT_09, INIT_08,
        INIT_07, INIT_06, INIT_05, INIT_04, INIT_03, INIT_02, INIT_01, INIT_00};
    localparam INITP = {
        INITP_07, INITP_06, INITP_05, INITP_04, INITP_03, INITP_02, INITP_01, INITP_00};
    localparam SDP = RAM_MODE == "SDP";
    // a word of 36 bits of simple dual-port mode has its upper half on the pins of port B
    wire [31:0] do_a, do_b;
    wire [3:0] dop_a, dop_b;
    wire [31:0] di_b = SDP ? {DIBDI, DIADI} : DIBDI;
    wire [3:0] dip_b = SDP ? {DIPBDIP, DIPADIP} : DIPBDIP;
    assign DOADO = do_a;
    assign DOPADOP = dop_a;
    assign DOBDO = SDP ? do_a[31:16] : do_b;
    assign DOPBDOP = SDP ? dop_a[3:2] : dop_b;
    xilinx_block_memory #(
        .ABITS(14), .LANES(4), .SDP(SDP), .INIT(INIT), .INITP(INITP),
        .READ_WIDTH_A(READ_WIDTH_A), .READ_WIDTH_B(READ_WIDTH_B),
        .WRITE_WIDTH_A(WRITE_WIDTH_A), .WRITE_WIDTH_B(WRITE_WIDTH_B),
        .WRITE_MODE_A(WRITE_MODE_A), .WRITE_MODE_B(WRITE_MODE_B),
        .DOA_REG(DOA_REG), .DOB_REG(DOB_REG),
        .INIT_A(INIT_A), .INIT_B(INIT_B), .SRVAL_A(SRVAL_A), .SRVAL_B(SRVAL_B)
    ) memory (
        .clk_a(CLKARDCLK), .clk_b(CLKBWRCLK), .en_a(ENARDEN), .en_b(ENBWREN),
        .regce_a(REGCEAREGCE), .regce_b(REGCEB),
        .rstram_a(RSTRAMARSTRAM), .rstram_b(RSTRAMB),
        .rstreg_a(RSTREGARSTREG), .rstreg_b(RSTREGB),
        .addr_a(ADDRARDADDR), .addr_b(ADDRBWRADDR),
        .we_a(WEA), .we_b(WEBWE), .di_a(DIADI), .di_b(di_b), .dip_a(DIPADIP), .dip_b(dip_b),
        .do_a(do_a), .do_b(do_b), .dop_a(dop_a), .dop_b(dop_b)
    );
endmodule

module RAMB36E1 #(
    parameter [255:0] INIT_00 = 0, INIT_01 = 0, INIT_02 = 0, INIT_03 = 0,
    parameter [255:0] INIT_04 = 0, INIT_05 = 0, INIT_06 = 0, INIT_07 = 0,
    parameter [255:0] INIT_08 = 0, INIT_09 = 0, INIT_0A = 0, INIT_0B = 0,
    parameter [255:0] INIT_0C = 0, INIT_0D = 0, INIT_0E = 0, INIT_0F = 0,
    parameter [255:0] INIT_10 = 0, INIT_11 = 0, INIT_12 = 0, INIT_13 = 0,
    parameter [255:0] INIT_14 = 0, INIT_15 = 0, INIT_16 = 0, INIT_17 = 0,
    parameter [255:0] INIT_18 = 0, INIT_19 = 0, INIT_1A = 0, INIT_1B = 0,
    parameter [255:0] INIT_1C = 0, INIT_1D = 0, INIT_1E = 0, INIT_1F = 0,
    parameter [255:0] INIT_20 = 0, INIT_21 = 0, INIT_22 = 0, INIT_23 = 0,
    parameter [255:0] INIT_24 = 0, INIT_25 = 0, INIT_26 = 0, INIT_27 = 0,
    parameter [255:0] INIT_28 = 0, INIT_29 = 0, INIT_2A = 0, INIT_2B = 0,
    parameter [255:0] INIT_2C = 0, INIT_2D = 0, INIT_2E = 0, INIT_2F = 0,
    parameter [255:0] INIT_30 = 0, INIT_31 = 0, INIT_32 = 0, INIT_33 = 0,
    parameter [255:0] INIT_34 = 0, INIT_35 = 0, INIT_36 = 0, INIT_37 = 0,
    parameter [255:0] INIT_38 = 0, INIT_39 = 0, INIT_3A = 0, INIT_3B = 0,
    parameter [255:0] INIT_3C = 0, INIT_3D = 0, INIT_3E = 0, INIT_3F = 0,
    parameter [255:0] INIT_40 = 0, INIT_41 = 0, INIT_42 = 0, INIT_43 = 0,
    parameter [255:0] INIT_44 = 0, INIT_45 = 0, INIT_46 = 0, INIT_47 = 0,
    parameter [255:0] INIT_48 = 0, INIT_49 = 0, INIT_4A = 0, INIT_4B = 0,
    parameter [255:0] INIT_4C = 0, INIT_4D = 0, INIT_4E = 0, INIT_4F = 0,
    parameter [255:0] INIT_50 = 0, INIT_51 = 0, INIT_52 = 0, INIT_53 = 0,
    parameter [255:0] INIT_54 = 0, INIT_55 = 0, INIT_56 = 0, INIT_57 = 0,
    parameter [255:0] INIT_58 = 0, INIT_59 = 0, INIT_5A = 0, INIT_5B = 0,
    parameter [255:0] INIT_5C = 0, INIT_5D = 0, INIT_5E = 0, INIT_5F = 0,
    parameter [255:0] INIT_60 = 0, INIT_61 = 0, INIT_62 = 0, INIT_63 = 0,
    parameter [255:0] INIT_64 = 0, INIT_65 = 0, INIT_66 = 0, INIT_67 = 0,
    parameter [255:0] INIT_68 = 0, INIT_69 = 0, INIT_6A = 0, INIT_6B = 0,
    parameter [255:0] INIT_6C = 0, INIT_6D = 0, INIT_6E = 0, INIT_6F = 0,
    parameter [255:0] INIT_70 = 0, INIT_71 = 0, INIT_72 = 0, INIT_73 = 0,
    parameter [255:0] INIT_74 = 0, INIT_75 = 0, INIT_76 = 0, INIT_77 = 0,
    parameter [255:0] INIT_78 = 0, INIT_79 = 0, INIT_7A = 0, INIT_7B = 0,
    parameter [255:0] INIT_7C = 0, INIT_7D = 0, INIT_7E = 0, INIT_7F = 0,
    parameter [255:0] INITP_00 = 0, INITP_01 = 0, INITP_02 = 0, INITP_03 = 0,
    parameter [255:0] INITP_04 = 0, INITP_05 = 0, INITP_06 = 0, INITP_07 = 0,
    parameter [255:0] INITP_08 = 0, INITP_09 = 0, INITP_0A = 0, INITP_0B = 0,
    parameter [255:0] INITP_0C = 0, INITP_0D = 0, INITP_0E = 0, INITP_0F = 0,
    parameter [35:0] INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0,
    parameter RAM_MODE = "TDP",
    parameter integer READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0,
    parameter WRITE_MODE_A = "WRITE_FIRST", WRITE_MODE_B = "WRITE_FIRST",
    parameter RAM_EXTENSION_A = "NONE", RAM_EXTENSION_B = "NONE",
    parameter integer DOA_REG = 0, DOB_REG = 0
) (
    input CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB,
    input RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
    input [15:0] ADDRARDADDR, ADDRBWRADDR,
    input [31:0] DIADI, DIBDI,
    input [3:0] DIPADIP, DIPBDIP,
    input [3:0] WEA,
    input [7:0] WEBWE,
    output [31:0] DOADO, DOBDO,
    output [3:0] DOPADOP, DOPBDOP
);
    localparam INIT = {
        INIT_7F, INIT_7E, INIT_7D, INIT_7C, INIT_7B, INIT_7A, INIT_79, INIT_78,
        INIT_77, INIT_76, INIT_75, INIT_74, INIT_73, INIT_72, INIT_71, INIT_70,
        INIT_6F, INIT_6E, INIT_6D, INIT_6C, INIT_6B, INIT_6A, INIT_69, INIT_68,
        INIT_67, INIT_66, INIT_65, INIT_64, INIT_63, INIT_62, INIT_61, INIT_60,
        INIT_5F, INIT_5E, INIT_5D, INIT_5C, INIT_5B, INIT_5A, INIT_59, INIT_58,
        INIT_57, INIT_56, INIT_55, INIT_54, INIT_53, INIT_52, INIT_51, INIT_50,
        INIT_4F, INIT_4E, INIT_4D, INIT_4C, INIT_4B, INIT_4A, INIT_49, INIT_48,
        INIT_47, INIT_46, INIT_45, INIT_44, INIT_43, INIT_42, INIT_41, INIT_40,
        INIT_3F, INIT_3E, INIT_3D, INIT_3C, INIT_3B, INIT_3A, INIT_39, INIT_38,
        INIT_37, INIT_36, INIT_35, INIT_34, INIT_33, INIT_32, INIT_31, INIT_30,
        INIT_2F, INIT_2E, INIT_2D, INIT_2C, INIT_2B, INIT_2A, INIT_29, INIT_28,
        INIT_27, INIT_26, INIT_25, INIT_24, INIT_23, INIT_22, INIT_21, INIT_20,
        INIT_1F, INIT_1E, INIT_1D, INIT_1C, INIT_1B, INIT_1A, INIT_19, INIT_18,
        INIT_17, INIT_16, INIT_15, INIT_14, INIT_13, INIT_12, INIT_11, INIT_10,
        INIT_0F, INIT_0E, INIT_0D, INIT_0C, INIT_0B, INIT_0A, INIT_09, INIT_08,
        INIT_07, INIT_06, INIT_05, INIT_04, INIT_03, INIT_02, INIT_01, INIT_00};
    localparam INITP = {
        INITP_0F, INITP_0E, INITP_0D, INITP_0C, INITP_0B, INITP_0A, INITP_09, INITP_08,
        INITP_07, INITP_06, INITP_05, INITP_04, INITP_03, INITP_02, INITP_01, INITP_00};
    localparam SDP = RAM_MODE == "SDP";
    // a word of 72 bits of simple dual-port mode has its upper half on the pins of port B
    wire [63:0] do_a, do_b;
    wire [7:0] dop_a, dop_b;
    wire [63:0] di_b = SDP ? {DIBDI, DIADI} : DIBDI;
    wire [7:0] dip_b = SDP ? {DIPBDIP, DIPADIP} : DIPBDIP;
    assign DOADO = do_a;
    assign DOPADOP = dop_a;
    assign DOBDO = SDP ? do_a[63:32] : do_b;
    assign DOPBDOP = SDP ? dop_a[7:4] : dop_b;
    xilinx_block_memory #(
        .ABITS(15), .LANES(8), .SDP(SDP), .INIT(INIT), .INITP(INITP),
        .READ_WIDTH_A(READ_WIDTH_A), .READ_WIDTH_B(READ_WIDTH_B),
        .WRITE_WIDTH_A(WRITE_WIDTH_A), .WRITE_WIDTH_B(WRITE_WIDTH_B),
        .WRITE_MODE_A(WRITE_MODE_A), .WRITE_MODE_B(WRITE_MODE_B),
        .DOA_REG(DOA_REG), .DOB_REG(DOB_REG),
        .INIT_A(INIT_A), .INIT_B(INIT_B), .SRVAL_A(SRVAL_A), .SRVAL_B(SRVAL_B)
    ) memory (
        .clk_a(CLKARDCLK), .clk_b(CLKBWRCLK), .en_a(ENARDEN), .en_b(ENBWREN),
        .regce_a(REGCEAREGCE), .regce_b(REGCEB),
        .rstram_a(RSTRAMARSTRAM), .rstram_b(RSTRAMB),
        .rstreg_a(RSTREGARSTREG), .rstreg_b(RSTREGB),
        .addr_a(ADDRARDADDR), .addr_b(ADDRBWRADDR),
        .we_a(WEA), .we_b(WEBWE), .di_a(DIADI), .di_b(di_b), .dip_a(DIPADIP), .dip_b(dip_b),
        .do_a(do_a), .do_b(do_b), .dop_a(dop_a), .dop_b(dop_b)
    );
endmodule
