"""Inputs of the primitive ``PS8`` that a design does not use, and the constants they are tied to.

Source: as :mod:`platforms.boards.ultrascale.ps8`.
"""

from __future__ import annotations

from amaranth.hdl import Const

HP_PORTS, HP_BYTES = 4, 16
"""S_AXI_HP0_FPD to S_AXI_HP3_FPD, and the bytes of a beat."""
_FIRST_HP = 2
"""SAXIGP2 is S_AXI_HP0_FPD; before it are the two coherent ports, behind the four S_AXI_LPD."""
_SLAVES = 7
_HIGH = (
    *(f"EMIOENET{unit}{name}" for unit in range(4) for name in ("TXREOP", "TXRSOP")),
    *("EMIOSDIO0WP", "EMIOSDIO1WP", "EMIOSPI0SSIN", "EMIOSPI1SSIN"),
    *("NFIQ0LPDRPU", "NFIQ1LPDRPU", "NIRQ0LPDRPU", "NIRQ1LPDRPU"),
)
"""Inputs that are 1 where they are not used: write protections, selects, interrupts."""


def first_hp_port(port: int) -> str:
    """How the pins' names of S_AXI_HP0_FPD begin, or of the one ``port`` after it."""
    return f"SAXIGP{_FIRST_HP + port}"


def tied_inputs(hp_ports: int = 0) -> dict[str, Const]:
    """Every input of ``PS8`` outside M_AXI_HPM0_LPD and the first ``hp_ports`` memory ports."""
    return {
        name: Const((1 << width) - 1 if name in _HIGH else 0, width)
        for name, width in _widths(hp_ports).items()
    }


def _widths(hp_ports: int) -> dict[str, int]:
    widths: dict[str, int] = {}

    def add(prefix: str, width: int, names: str):
        widths.update((prefix + name, width) for name in names.split())

    for unit in range(4):
        _add_ethernet(add, unit)
        add(f"EMIOTTC{unit}", 3, "CLKI")
    for unit in range(2):
        _add_peripherals(add, unit)
    add("EMIO", 1, "ENETTSUCLK")
    add("EMIO", 96, "GPIOI")
    add("EMIOHUBPORTOVERCRNTUSB", 1, "20 21 30 31")
    add("FMIOGEM", 1, "TSUCLKFROMPL")
    _add_display_port(add)
    _add_events(add)
    for port in range(2):
        _add_master_port(add, f"MAXIGP{port}")
    used = range(_FIRST_HP, _FIRST_HP + hp_ports)
    for port in set(range(_SLAVES)).difference(used):
        prefix = f"SAXIGP{port}"
        add(prefix, 1, "RCLK WCLK ARUSER AWUSER")
        _add_slave_port(add, prefix, id_bits=6, address_bits=49)
    add("SAXIACP", 1, "ACLK")
    add("SAXIACP", 2, "ARUSER AWUSER")
    _add_slave_port(add, "SAXIACP", id_bits=5, address_bits=40)
    _add_coherent_port(add)
    return widths


def _add_ethernet(add, unit: int):
    """An Ethernet controller, routed to the fabric (EMIO), with its FIFOs and time stamps."""
    prefix = f"EMIOENET{unit}"
    add(prefix, 1, "DMATXSTATUSTOG EXTINTIN GMIICOL GMIICRS GMIIRXCLK GMIIRXDV GMIIRXER GMIITXCLK")
    add(prefix, 1, "MDIOI RXWOVERFLOW TXRCONTROL TXRDATARDY TXREOP TXRERR TXRFLUSHED TXRSOP")
    add(prefix, 1, "TXRUNDERFLOW TXRVALID")
    add(prefix, 8, "GMIIRXD TXRDATA")
    add(f"EMIOGEM{unit}", 2, "TSUINCCTRL")
    add(f"FMIOGEM{unit}", 1, "FIFORXCLKFROMPL FIFOTXCLKFROMPL SIGNALDETECT")


def _add_peripherals(add, unit: int):
    """The two of each other I/O peripheral."""
    add(f"EMIOCAN{unit}", 1, "PHYRX")
    add(f"EMIOI2C{unit}", 1, "SCLI SDAI")
    add(f"EMIOSDIO{unit}", 1, "CDN CMDIN FBCLKIN WP")
    add(f"EMIOSDIO{unit}", 8, "DATAIN")
    add(f"EMIOSPI{unit}", 1, "MI SCLKI SI SSIN")
    add(f"EMIOUART{unit}", 1, "CTSN DCDN DSRN RIN RX")
    add(f"EMIOWDT{unit}", 1, "CLKI")


def _add_display_port(add):
    add("DP", 1, "AUXDATAIN EXTERNALCUSTOMEVENT1 EXTERNALCUSTOMEVENT2 EXTERNALVSYNCEVENT")
    add("DP", 1, "HOTPLUGDETECT LIVEVIDEOINDE LIVEVIDEOINHSYNC LIVEVIDEOINVSYNC")
    add("DP", 1, "MAXISMIXEDAUDIOTREADY SAXISAUDIOCLK SAXISAUDIOTID SAXISAUDIOTVALID VIDEOINCLK")
    add("DP", 8, "LIVEGFXALPHAIN")
    add("DP", 32, "SAXISAUDIOTDATA")
    add("DP", 36, "LIVEGFXPIXEL1IN LIVEVIDEOINPIXEL1")


def _add_events(add):
    """DMA flow control, interrupts, events, power management, trace and debug."""
    add("", 1, "AIBPMUAFIFMFPDACK AIBPMUAFIFMLPDACK DDRCEXTREFRESHRANK0REQ")
    add("", 1, "DDRCEXTREFRESHRANK1REQ DDRCREFRESHPLCLK NFIQ0LPDRPU NFIQ1LPDRPU NIRQ0LPDRPU")
    add("", 1, "NIRQ1LPDRPU PLACECLK PLACPINACT PLPSEVENTI PLPSTRACECLK RPUEVENTI0 RPUEVENTI1")
    add("", 2, "PLLAUXREFCLKLPD")
    add("", 3, "PLLAUXREFCLKFPD")
    add("", 4, "PLFPGASTOP PLPSAPUGICFIQ PLPSAPUGICIRQ PLPSTRIGACK PLPSTRIGGER PMUERRORFROMPL")
    add("", 8, "ADMAFCICLK GDMAFCICLK PL2ADMACVLD PL2ADMATACK PL2GDMACVLD PL2GDMATACK")
    add("", 8, "PLPSIRQ0 PLPSIRQ1")
    add("", 32, "FTMGPI PLPMUGPI")
    add("", 60, "STMEVENT")


def _add_master_port(add, prefix: str):
    """An AXI4 port on which the fabric would be slave."""
    add(prefix, 1, "ACLK ARREADY AWREADY BVALID RLAST RVALID WREADY")
    add(prefix, 2, "BRESP RRESP")
    add(prefix, 16, "BID RID")
    add(prefix, 128, "RDATA")


def _add_slave_port(add, prefix: str, *, id_bits: int, address_bits: int):
    """An AXI4 port on which the fabric would be master."""
    add(prefix, 1, "ARLOCK ARVALID AWLOCK AWVALID BREADY RREADY WLAST WVALID")
    for channel in ("AR", "AW"):
        add(prefix + channel, 2, "BURST")
        add(prefix + channel, 3, "PROT SIZE")
        add(prefix + channel, 4, "CACHE QOS")
        add(prefix + channel, 8, "LEN")
        add(prefix + channel, id_bits, "ID")
        add(prefix + channel, address_bits, "ADDR")
    add(prefix, 128, "WDATA")
    add(prefix, 16, "WSTRB")


def _add_coherent_port(add):
    """S_AXI_ACE_FPD: AXI4 with snoops."""
    prefix = "SACEFPD"
    _add_slave_port(add, prefix, id_bits=6, address_bits=44)
    add(prefix, 1, "CRVALID CDLAST CDVALID ACREADY RACK WACK WUSER")
    add(prefix, 2, "ARBAR ARDOMAIN AWBAR AWDOMAIN")
    add(prefix, 3, "AWSNOOP")
    add(prefix, 4, "ARREGION ARSNOOP AWREGION")
    add(prefix, 5, "CRRESP")
    add(prefix, 16, "ARUSER AWUSER")
    add(prefix, 128, "CDDATA")
