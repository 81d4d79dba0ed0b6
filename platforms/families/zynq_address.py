"""Where a Zynq's processor finds what; importable without Amaranth."""

BASE_ADDRESS = 0x43C0_0000
"""Byte address of the registers for a Zynq-7000, in M_AXI_GP0's 0x4000_0000-0x7FFF_FFFF."""
ULTRASCALE_BASE_ADDRESS = 0x8000_0000
"""Likewise for a Zynq UltraScale+, in M_AXI_HPM0_LPD's 0x8000_0000-0x9FFF_FFFF."""
FIRMWARE_ADDRESS = 0x0010_0000
"""Where the firmware begins in DDR memory, its first instruction first; the linker script's."""
FIRMWARE_BYTES = 15 << 20
"""What it has of the memory."""
