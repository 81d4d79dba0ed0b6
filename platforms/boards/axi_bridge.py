"""AXI3 or AXI4 master port of a processor to an AXI4-Lite slave.

Sources: ARM IHI 0022, "AMBA AXI and ACE Protocol Specification": A3 (handshakes), A3.4.1 (burst
addresses), A5 (IDs), B1 (AXI4-Lite); UG585, "Zynq-7000 TRM", chapter 5 (the GP ports); UG1085,
"Zynq UltraScale+ Device TRM", chapter 35 (PS-PL interfaces).
"""

from __future__ import annotations

import dataclasses

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.gateware.host.axi_lite import DATA_BITS, STROBE_BITS, axi_lite_signature
from gateformer.gateware.memory.bus import Burst, Response

NORMAL_BUFFERABLE = 0b0011
"""AxCACHE of a master: normal memory, not cacheable, bufferable (ARM IHI 0022, A4.4): what is
between may buffer and merge."""
SIZE_BITS = 2
"""Of AxSIZE: as many as are of use with 32 data bits."""


@dataclasses.dataclass(frozen=True)
class MasterPort:
    """What a processor's master ports differ in: bits of an ID, an address, AxLEN and AxLOCK.

    ``write_ids``: whether write data have an ID, too, as AXI3 has it.
    """

    name: str
    id_bits: int
    address_bits: int
    length_bits: int
    lock_bits: int
    write_ids: bool


AXI3_GP = MasterPort("axi3", 12, 32, length_bits=4, lock_bits=2, write_ids=True)
"""M_AXI_GP of a Zynq-7000."""
AXI4_HPM = MasterPort("axi4", 16, 40, length_bits=8, lock_bits=1, write_ids=False)
"""M_AXI_HPM of a Zynq UltraScale+, as 32 data bits wide."""


def axi_signature(port: MasterPort) -> wiring.Signature:
    """The port with 32 data bits as the master sees it; names in lower case."""
    request = {
        "id": Out(port.id_bits),
        "addr": Out(port.address_bits),
        "len": Out(port.length_bits),
        "size": Out(SIZE_BITS),
        "burst": Out(2),
        "lock": Out(port.lock_bits),
        "cache": Out(4),
        "prot": Out(3),
        "qos": Out(4),
        "valid": Out(1),
        "ready": In(1),
    }
    return wiring.Signature(
        {
            **{f"aw{name}": member for name, member in request.items()},
            **{f"ar{name}": member for name, member in request.items()},
            **({"wid": Out(port.id_bits)} if port.write_ids else {}),
            "wdata": Out(DATA_BITS),
            "wstrb": Out(STROBE_BITS),
            "wlast": Out(1),
            "wvalid": Out(1),
            "wready": In(1),
            "bid": In(port.id_bits),
            "bresp": In(Response),
            "bvalid": In(1),
            "bready": Out(1),
            "rid": In(port.id_bits),
            "rdata": In(DATA_BITS),
            "rresp": In(Response),
            "rlast": In(1),
            "rvalid": In(1),
            "rready": Out(1),
        }
    )


class AxiBridge(wiring.Component):
    """Serves AXI3 or AXI4 bursts beat by beat on an AXI4-Lite bus.

    One write burst and one read burst are under way at a time, independently. Write data come in
    the order of their addresses (the GP ports never interleave bursts, UG585; AXI4 does not allow
    it), but may come before their address. The ID of a request is that of its responses; BRESP is
    the worst response of the burst's beats. FIXED, INCR and WRAP bursts of any AxSIZE up to a word
    are served; write strobes pass through. Bursts outside the decoded window are answered with
    DECERR in every beat without an access. Locked and exclusive accesses are done as normal ones
    (no EXOKAY). All outputs come from registers or from a few gates after them; none depends on an
    input.

    Parameters
    ----------
    port : MasterPort
    base : int
        Byte address of the window, a multiple of its size.
    address_width : int
        Bits of a byte address on the AXI4-Lite side, 3 to 31; the window has ``2**address_width``
        bytes.

    Members
    -------
    axi : In(axi_signature(port))
    lite : Out(axi_lite_signature(address_width))

    Raises
    ------
    ValueError
        If the width is out of range or the window not aligned.
    """

    def __init__(self, port: MasterPort, base: int, address_width: int):
        if not 3 <= address_width <= 31:
            raise ValueError(f"address_width must be 3 to 31, not {address_width!r}")
        if not 0 <= base < 1 << port.address_bits or base % (1 << address_width):
            raise ValueError(
                f"base must be a {port.address_bits}-bit multiple of 2**{address_width}, "
                f"not {base:#x}"
            )
        self._port = port
        self._base = base
        self._width = address_width
        super().__init__(
            {"axi": In(axi_signature(port)), "lite": Out(axi_lite_signature(address_width))}
        )

    def elaborate(self, platform):
        m = Module()
        self._write_channels(m)
        self._read_channels(m)
        return m

    def _request(self, m: Module, channel: str, active, beat_done):
        """Take a burst's request, step it through its beats.

        (address on the AXI4-Lite side, ID, inside the window, this is the last beat).
        """

        def port(name):
            return getattr(self.axi, f"{channel}{name}")

        address = Signal(self._port.address_bits, name=f"{channel}_address", reset_less=True)
        identity = Signal(self._port.id_bits, name=f"{channel}_id", reset_less=True)
        left = Signal(self._port.length_bits, name=f"{channel}_left", reset_less=True)
        length = Signal(self._port.length_bits, name=f"{channel}_length", reset_less=True)
        size = Signal(SIZE_BITS, name=f"{channel}_size", reset_less=True)
        burst = Signal(2, name=f"{channel}_burst", reset_less=True)
        hit = Signal(name=f"{channel}_hit", reset_less=True)
        m.d.comb += port("ready").eq(~active)
        with m.If(port("valid") & port("ready")):
            m.d.sync += [
                active.eq(1),
                address.eq(port("addr")),
                identity.eq(port("id")),
                left.eq(port("len")),
                length.eq(port("len")),
                size.eq(port("size")),
                burst.eq(port("burst")),
                hit.eq(port("addr")[self._width :] == self._base >> self._width),
            ]
        with m.Elif(beat_done):
            low = address[: self._width]
            m.d.sync += [left.eq(left - 1), low.eq(_next_address(low, length, size, burst))]
        return address[: self._width], identity, hit, left == 0

    def _write_channels(self, m: Module):
        axi, lite = self.axi, self.lite
        active, has_beat, responding = Signal(), Signal(), Signal()
        address_sent, data_sent = Signal(), Signal()
        worst = Signal(2, reset_less=True)
        answer = Signal(2)
        beat_done = Signal()
        working = Signal()
        address, identity, hit, last = self._request(m, "aw", active, beat_done)
        m.d.comb += [
            working.eq(active & has_beat & ~responding),
            axi.wready.eq(~has_beat),
            axi.bvalid.eq(responding),
            axi.bid.eq(identity),
            axi.bresp.eq(worst),
            lite.awaddr.eq(address),
            lite.awvalid.eq(working & hit & ~address_sent),
            lite.wvalid.eq(working & hit & ~data_sent),
            lite.bready.eq(1),
            beat_done.eq(working & Mux(hit, lite.bvalid, 1)),
            answer.eq(Mux(hit, lite.bresp.as_value(), Response.DECERR.value)),
        ]
        with m.If(axi.wvalid & axi.wready):
            m.d.sync += [has_beat.eq(1), lite.wdata.eq(axi.wdata), lite.wstrb.eq(axi.wstrb)]
        with m.If(beat_done):
            m.d.sync += [has_beat.eq(0), address_sent.eq(0), data_sent.eq(0), responding.eq(last)]
            with m.If(answer > worst):
                m.d.sync += worst.eq(answer)
        with m.Else():
            with m.If(lite.awvalid & lite.awready):
                m.d.sync += address_sent.eq(1)
            with m.If(lite.wvalid & lite.wready):
                m.d.sync += data_sent.eq(1)
        with m.If(axi.awvalid & axi.awready):
            m.d.sync += worst.eq(Response.OKAY.value)
        with m.If(axi.bvalid & axi.bready):
            m.d.sync += [responding.eq(0), active.eq(0)]

    def _read_channels(self, m: Module):
        axi, lite = self.axi, self.lite
        active, address_sent, responding = Signal(), Signal(), Signal()
        taken = Signal()
        address, identity, hit, last = self._request(m, "ar", active, taken)
        working = active & ~responding
        m.d.comb += [
            lite.araddr.eq(address),
            lite.arvalid.eq(working & hit & ~address_sent),
            lite.rready.eq(working),
            axi.rvalid.eq(responding),
            axi.rid.eq(identity),
            axi.rlast.eq(last),
            taken.eq(axi.rvalid & axi.rready),
        ]
        with m.If(lite.arvalid & lite.arready):
            m.d.sync += address_sent.eq(1)
        with m.If(working & (lite.rvalid | ~hit)):
            m.d.sync += [
                responding.eq(1),
                address_sent.eq(0),
                axi.rdata.eq(Mux(hit, lite.rdata, 0)),
                axi.rresp.eq(Mux(hit, lite.rresp.as_value(), Response.DECERR.value)),
            ]
        with m.If(taken):
            m.d.sync += [responding.eq(0), active.eq(~last)]


def _next_address(address, length, size, burst):
    """Address of the beat after the one at ``address``; from the second on, aligned to the size.

    In a WRAP burst ``length + 1`` is a power of two, so ``span`` is a mask.
    """
    bytes_mask = ((1 << size) - 1)[:2]
    following = ((address | bytes_mask) + 1)[: len(address)]
    # as wide as the address, for its complement
    span = (length << size) | bytes_mask | Const(0, len(address))
    wrapped = (address & ~span) | (following & span)
    stepped = Mux(burst == Burst.WRAP.value, wrapped, following)
    return Mux(burst == Burst.FIXED.value, address, stepped)
