"""Processing system of a Zynq-7000: clock, reset, the M_AXI_GP0 port into the fabric, and the ports
S_AXI_HP0 to 3 to its memory.

Sources: UG585, "Zynq-7000 TRM", chapters 2 (PS-PL signals), 5 (interconnect, AFI) and 25 (clocks);
UG768, "7 Series HDL Libraries Guide"; port list as in Yosys' ``techlibs/xilinx/cells_xtra.v``.
"""

from __future__ import annotations

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.gateware.memory.bus import MemoryShape, read_signature, write_signature

from ..families.zynq_address import HP_PORTS
from .axi_bridge import AXI3_GP, NORMAL_BUFFERABLE, axi_signature
from .external_memory import ExternalMemory

FCLK_COUNT = 4
HP_BYTES = 8
"""Of a beat of S_AXI_HP, with the AFI's default width."""
_GP0_OUTPUTS = (
    *(f"{channel}{name}" for channel in ("AW", "AR") for name in
      ("ID", "ADDR", "LEN", "SIZE", "BURST", "LOCK", "CACHE", "PROT", "QOS", "VALID")),
    *("WID", "WDATA", "WSTRB", "WLAST", "WVALID", "BREADY", "RREADY"),
)  # fmt: skip
_GP0_INPUTS = (
    *("AWREADY", "WREADY", "ARREADY"),
    *("BID", "BRESP", "BVALID"),
    *("RID", "RDATA", "RRESP", "RLAST", "RVALID"),
)


def zynq_memory(kind: str, bits: int, transfers: int, size: int | None = None) -> ExternalMemory:
    """Memory of a Zynq-7000 through all its ports: as :meth:`ExternalMemory.of`."""
    shape = MemoryShape(ports=max(HP_PORTS), data_bytes=HP_BYTES)
    return ExternalMemory.of(shape, kind, bits, transfers, size)


class ProcessingSystem(wiring.Component):
    """The ``PS7`` primitive with M_AXI_GP0 in the domain ``sync``.

    Every unused input is tied to 0, as Vivado's own wrapper does. The MIO, DDR and PS_* pads stay
    unconnected: they are dedicated pins that the processor's boot code sets up, not the fabric.
    FCLK frequencies and the release of the resets are set by that boot code, too (SLCR registers
    FPGA0_CLK_CTRL and FPGA_RST_CTRL); out of power-on all FCLK resets are asserted.

    Members
    -------
    axi : Out(axi_signature(AXI3_GP))
    read0, …, write0, … : In, of :mod:`gateware.memory.bus`
        As many as ``hp_ports``; in the domain ``sync``, too.
    fclk0 : Out(1), clock
    fclk_reset0 : Out(1), asynchronous, active high
    """

    def __init__(self, hp_ports: int = 0):
        self._ports = HP_PORTS[hp_ports]
        members = {"axi": Out(axi_signature(AXI3_GP)), "fclk0": Out(1), "fclk_reset0": Out(1)}
        for number in range(hp_ports):
            members[f"read{number}"] = In(read_signature(HP_BYTES))
            members[f"write{number}"] = In(write_signature(HP_BYTES))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        clocks, resets_n = Signal(FCLK_COUNT), Signal(FCLK_COUNT)
        m.d.comb += [self.fclk0.eq(clocks[0]), self.fclk_reset0.eq(~resets_n[0])]
        memory = {}
        for number, port in enumerate(self._ports):
            memory |= self._memory_port(number, f"SAXIHP{port}")
        driven = {name[2:] for name in memory}
        unused = {name: w for name, w in unused_inputs().items() if name not in driven}
        m.submodules.ps7 = Instance(
            "PS7",
            a_keep="TRUE",
            o_FCLKCLK=clocks,
            o_FCLKRESETN=resets_n,
            i_MAXIGP0ACLK=ClockSignal("sync"),
            **{f"o_MAXIGP0{name}": self._axi_port(name) for name in _GP0_OUTPUTS},
            **{f"i_MAXIGP0{name}": self._axi_port(name) for name in _GP0_INPUTS},
            **memory,
            **{f"i_{name}": Const(0, width) for name, width in unused.items()},
        )
        return m

    def _memory_port(self, number: int, prefix: str) -> dict:
        """Connections of a port of the memory; IDs, locks and priorities are 0."""
        ports = {f"i_{prefix}ACLK": ClockSignal("sync")}
        read, write = getattr(self, f"read{number}"), getattr(self, f"write{number}")
        for bus in (read, write):
            for name, member in bus.signature.flip().members.items():
                value = Value.cast(getattr(bus, name))
                if name.endswith("size"):
                    value = value[:2]
                direction = "i" if member.flow == Out else "o"
                ports[f"{direction}_{prefix}{name.upper()}"] = value
        for channel in ("AR", "AW"):
            ports[f"i_{prefix}{channel}CACHE"] = Const(NORMAL_BUFFERABLE, 4)
        return ports

    def _axi_port(self, name: str):
        port = getattr(self.axi, name.lower())
        return port.as_value() if hasattr(port, "as_value") else port


def unused_inputs() -> dict[str, int]:
    """Width of every input of ``PS7`` outside M_AXI_GP0, if no memory port is used."""
    widths: dict[str, int] = {}

    def add(prefix: str, width: int, names: str):
        widths.update((prefix + name, width) for name in names.split())

    for port in range(4):
        add(f"DMA{port}", 1, "ACLK DAREADY DRLAST DRVALID")
        add(f"DMA{port}", 2, "DRTYPE")
    for unit in range(2):
        _add_peripherals(add, unit)
    add("EMIO", 1, "PJTAGTCK PJTAGTDI PJTAGTMS SRAMINTIN TRACECLK WDTCLKI")
    add("EMIO", 64, "GPIOI")
    add("", 1, "EVENTEVENTI FPGAIDLEN FTMDTRACEINCLOCK FTMDTRACEINVALID")
    add("", 4, "DDRARB FCLKCLKTRIGN FTMDTRACEINATID FTMTF2PTRIG FTMTP2FTRIGACK")
    add("", 20, "IRQF2P")
    add("", 32, "FTMDTRACEINDATA FTMTF2PDEBUG")
    add("MAXIGP1", 1, "ACLK ARREADY AWREADY BVALID RLAST RVALID WREADY")
    add("MAXIGP1", 2, "BRESP RRESP")
    add("MAXIGP1", 12, "BID RID")
    add("MAXIGP1", 32, "RDATA")
    for port in range(2):
        _add_slave_port(add, f"SAXIGP{port}", id_bits=6, data_bits=32)
    for port in range(4):
        _add_slave_port(add, f"SAXIHP{port}", id_bits=6, data_bits=64)
        add(f"SAXIHP{port}", 1, "RDISSUECAP1EN WRISSUECAP1EN")
    _add_slave_port(add, "SAXIACP", id_bits=3, data_bits=64)
    add("SAXIACP", 5, "ARUSER AWUSER")
    return widths


def _add_peripherals(add, unit: int):
    """The two of each I/O peripheral, routed to the fabric (EMIO)."""
    add(f"EMIOCAN{unit}", 1, "PHYRX")
    add(f"EMIOENET{unit}", 1, "EXTINTIN GMIICOL GMIICRS GMIIRXCLK GMIIRXDV GMIIRXER GMIITXCLK")
    add(f"EMIOENET{unit}", 1, "MDIOI")
    add(f"EMIOENET{unit}", 8, "GMIIRXD")
    add(f"EMIOI2C{unit}", 1, "SCLI SDAI")
    add(f"EMIOSDIO{unit}", 1, "CDN CLKFB CMDI WP")
    add(f"EMIOSDIO{unit}", 4, "DATAI")
    add(f"EMIOSPI{unit}", 1, "MI SCLKI SI SSIN")
    add(f"EMIOTTC{unit}", 3, "CLKI")
    add(f"EMIOUART{unit}", 1, "CTSN DCDN DSRN RIN RX")
    add(f"EMIOUSB{unit}", 1, "VBUSPWRFAULT")


def _add_slave_port(add, prefix: str, *, id_bits: int, data_bits: int):
    """An AXI3 port on which the fabric would be master."""
    add(prefix, 1, "ACLK ARVALID AWVALID BREADY RREADY WLAST WVALID")
    for channel in ("AR", "AW"):
        add(prefix + channel, 2, "BURST LOCK SIZE")
        add(prefix + channel, 3, "PROT")
        add(prefix + channel, 4, "CACHE LEN QOS")
        add(prefix + channel, 32, "ADDR")
    add(prefix, id_bits, "ARID AWID WID")
    add(prefix, data_bits, "WDATA")
    add(prefix, data_bits // 8, "WSTRB")
