"""Where a Zynq-7000's processor finds the accelerator; importable without Amaranth."""

BASE_ADDRESS = 0x43C0_0000
"""Byte address of the registers for the processor, in M_AXI_GP0's 0x4000_0000-0x7FFF_FFFF."""
