"""Where a Zynq's processor finds what; importable without Amaranth."""

BASE_ADDRESS = 0x43C0_0000
"""Byte address of the registers for a Zynq-7000, in M_AXI_GP0's 0x4000_0000-0x7FFF_FFFF."""
ULTRASCALE_BASE_ADDRESS = 0x8000_0000
"""Likewise for a Zynq UltraScale+, in M_AXI_HPM0_LPD's 0x8000_0000-0x9FFF_FFFF."""
FIRMWARE_ADDRESS = 0x0010_0000
"""Where the firmware begins in DDR memory, its first instruction first; the linker script's."""
FIRMWARE_BYTES = 15 << 20
"""What it has of the memory."""
IMAGE_FILE_ADDRESS = 0x1000_0000
"""Where U-Boot puts the file with the image of a model in external memory, and the firmware looks
for it: behind all that it loads before, and within the memory of the smallest board."""
BOOT_BYTES = 32 << 20
"""What U-Boot has for itself at the end of the memory while it loads: its code, 20 MB of heap
(CONFIG_SYS_MALLOC_LEN of its Zynq boards), device tree and stack."""
MEMORY_END = 0x4000_0000
"""Behind the last address that DDR memory can have (UG585, chapter 4)."""
HP_PORTS = {0: (), 1: (0,), 2: (0, 2), 4: (0, 1, 2, 3)}
"""Ports S_AXI_HP by their number: of the memory controller's, HP0 and HP1 share one, HP2 and HP3
another."""
AFI_ADDRESS, AFI_STEP = 0xF800_8000, 0x1000
"""Registers of S_AXI_HP0's AFI, and from those of a port to the next one's (UG585, appendix B)."""
AFI_READ_CONTROL, AFI_WRITE_CONTROL = 0x00, 0x14
"""Offsets of AFI_RDCHAN_CTRL and AFI_WRCHAN_CTRL."""
AFI_NARROW = 1 << 0
"""Their bit 32BitEn: beats have 32 bits, not 64."""
