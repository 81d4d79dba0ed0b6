"""Processing system of a Zynq UltraScale+: clock, reset, M_AXI_HPM0_LPD and ports into DDR memory.

Sources: UG1085, "Zynq UltraScale+ Device TRM", chapters 35 (PS-PL interfaces) and 38 (resets);
UG1087, its registers; port list as in Yosys' ``techlibs/xilinx/cells_xtra.v``. What is tied to
which constant, and that pl_resetn0 is bit 95 of the EMIO GPIOs, is as in the netlist that Vivado
makes of its own wrapper for the K26 (``design_1_zynq_ultra_ps_e_0_0_sim_netlist.vhdl`` of
github.com/bxinquan/zynqmp_cam_isp_demo at a39493b).
"""

from __future__ import annotations

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.gateware.host.axi_lite import DATA_BITS, STROBE_BITS
from gateformer.gateware.memory.bus import read_signature, write_signature

from ..axi_bridge import AXI4_HPM, NORMAL_BUFFERABLE, axi_signature
from .ps8_inputs import HP_BYTES, HP_PORTS, first_hp_port, tied_inputs

PRIMITIVE = "ps8"
"""The primitive's name in the component."""
PL_CLOCKS = 4
GPIO_BITS = 96
PL_RESETN0 = 95
"""Bit of the EMIO GPIOs that software takes for pl_resetn0."""
_MASTER = "MAXIGP2"
"""M_AXI_HPM0_LPD; GP0 and GP1 are HPM0_FPD and HPM1_FPD."""
_MASTER_BITS = 128
_LANES = _MASTER_BITS // DATA_BITS
_REQUEST = ("ID", "ADDR", "LEN", "BURST", "LOCK", "CACHE", "PROT", "QOS", "VALID")
_OUTPUTS = (
    *(channel + name for channel in ("AW", "AR") for name in _REQUEST),
    *("WLAST", "WVALID", "BREADY", "RREADY"),
)
_INPUTS = (
    *("AWREADY", "WREADY", "ARREADY"),
    *("BID", "BRESP", "BVALID"),
    *("RID", "RRESP", "RLAST", "RVALID"),
)
_SIZE_BITS = 3


class ProcessingSystem8(wiring.Component):
    """The ``PS8`` primitive with M_AXI_HPM0_LPD and the memory ports in the domain ``sync``.

    M_AXI_HPM0_LPD is for accesses of up to 32 bits. It has 128 data lines, and how many of them are
    used is a setting of the processor (32, 64 or 128: LPD_SLCR.afi_fs), which its boot code makes
    and a bitstream does not know. Here it does not matter: read data are on all lanes, and the
    lowest lane with a strobe is the one that is written. An access of 64 bits or more is one beat
    if the port is set wider than 32, of which only the lowest word would be done.

    The memory ports are S_AXI_HP0_FPD and so on, 128 bits wide (AFIFM's reset value). All of their
    transactions have ID 0; their addresses are those of the lower 2 GiB of DDR memory.

    PL clocks and the release of the resets are set by software: PL0_REF_CTRL, and the GPIOs 64 to
    95 of the EMIO, which are 0 out of power-on. The pads of the processor stay unconnected.

    Parameters
    ----------
    hp_ports : int, 0 to 4
        Memory ports; the others are tied off, their clocks, too.

    Members
    -------
    axi : Out(axi_signature(AXI4_HPM))
    pl_clk0 : Out(1), clock, behind its BUFG_PS
    pl_reset0 : Out(1), asynchronous, active high
    read0, … : In(:func:`gateware.memory.bus.read_signature` of 16 bytes)
    write0, … : In(… write_signature)

    Raises
    ------
    ValueError
        If there are not so many ports.
    """

    def __init__(self, hp_ports: int = 0):
        if hp_ports not in range(HP_PORTS + 1):
            raise ValueError(f"hp_ports must be 0 to {HP_PORTS}, not {hp_ports!r}")
        self._hp_ports = hp_ports
        members = {"axi": Out(axi_signature(AXI4_HPM)), "pl_clk0": Out(1), "pl_reset0": Out(1)}
        for port in range(hp_ports):
            members[f"read{port}"] = In(read_signature(HP_BYTES))
            members[f"write{port}"] = In(write_signature(HP_BYTES))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        clocks, gpio = Signal(PL_CLOCKS), Signal(GPIO_BITS)
        pins = self._master(m)
        for port in range(self._hp_ports):
            pins |= self._memory_port(port)
        m.submodules[PRIMITIVE] = Instance(
            "PS8",
            a_keep="TRUE",
            o_PLCLK=clocks,
            o_EMIOGPIOO=gpio,
            **pins,
            **{f"i_{name}": value for name, value in tied_inputs(self._hp_ports).items()},
        )
        m.submodules.pl_clock = Instance("BUFG_PS", i_I=clocks[0], o_O=self.pl_clk0)
        m.d.comb += self.pl_reset0.eq(~gpio[PL_RESETN0])
        return m

    def _master(self, m: Module) -> dict[str, Value]:
        """Pins of M_AXI_HPM0_LPD, whose data are on one of the lanes."""
        axi = self.axi
        data, strobes = Signal(_MASTER_BITS), Signal(_MASTER_BITS // 8)
        sizes = {channel: Signal(_SIZE_BITS, name=f"{channel}_size") for channel in ("aw", "ar")}
        word, strobe = data[-DATA_BITS:], strobes[-STROBE_BITS:]
        for lane in reversed(range(_LANES - 1)):
            here = strobes.word_select(lane, STROBE_BITS)
            word = Mux(here.any(), data.word_select(lane, DATA_BITS), word)
            strobe = Mux(here.any(), here, strobe)
        m.d.comb += [axi.wdata.eq(word), axi.wstrb.eq(strobe)]
        m.d.comb += [axi.awsize.eq(sizes["aw"]), axi.arsize.eq(sizes["ar"])]
        pins = {
            f"i_{_MASTER}ACLK": ClockSignal("sync"),
            f"i_{_MASTER}RDATA": axi.rdata.replicate(_LANES),
            f"o_{_MASTER}WDATA": data,
            f"o_{_MASTER}WSTRB": strobes,
            **{f"o_{_MASTER}{name.upper()}SIZE": size for name, size in sizes.items()},
        }
        for direction, names in (("o", _OUTPUTS), ("i", _INPUTS)):
            for name in names:
                pins[f"{direction}_{_MASTER}{name}"] = _raw(getattr(axi, name.lower()))
        return pins

    def _memory_port(self, port: int) -> dict[str, Value]:
        """Pins of the port's read and write channels."""
        prefix = first_hp_port(port)
        read, write = getattr(self, f"read{port}"), getattr(self, f"write{port}")
        pins = {
            **{f"i_{prefix}{clock}": ClockSignal("sync") for clock in ("RCLK", "WCLK")},
            **{f"i_{prefix}{name}": value for name, value in _request("AR", read).items()},
            **{f"i_{prefix}{name}": value for name, value in _request("AW", write).items()},
        }
        for bus, outputs, inputs in (
            (read, ("RREADY",), ("ARREADY", "RDATA", "RRESP", "RLAST", "RVALID")),
            (
                write,
                ("WDATA", "WSTRB", "WLAST", "WVALID", "BREADY"),
                ("AWREADY", "WREADY", "BRESP", "BVALID"),
            ),
        ):
            for direction, names in (("i", outputs), ("o", inputs)):
                for name in names:
                    pins[f"{direction}_{prefix}{name}"] = _raw(getattr(bus, name.lower()))
        return pins


def _request(channel: str, bus) -> dict[str, Value]:
    """A request channel of a memory port, in the widths of AXI4."""
    name = channel.lower()
    address, length = getattr(bus, f"{name}addr"), getattr(bus, f"{name}len")
    return {
        f"{channel}ID": Const(0, 6),
        f"{channel}ADDR": Cat(address, Const(0, 49 - len(address))),
        f"{channel}LEN": Cat(length, Const(0, 8 - len(length))),
        f"{channel}SIZE": getattr(bus, f"{name}size"),
        f"{channel}BURST": _raw(getattr(bus, f"{name}burst")),
        f"{channel}LOCK": Const(0, 1),
        f"{channel}CACHE": Const(NORMAL_BUFFERABLE, 4),
        f"{channel}PROT": Const(0, 3),
        f"{channel}QOS": Const(0, 4),
        f"{channel}USER": Const(0, 1),
        f"{channel}VALID": getattr(bus, f"{name}valid"),
    }


def _raw(port) -> Value:
    return port.as_value() if hasattr(port, "as_value") else port
