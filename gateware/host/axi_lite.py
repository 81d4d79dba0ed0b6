"""AXI4-Lite slave in front of a simple register bus.

Source: ARM IHI 0022, "AMBA AXI and ACE Protocol Specification", chapter B1 (AXI4-Lite) and A3
(handshakes and the dependencies between channels).
"""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

DATA_BITS = 32
STROBE_BITS = DATA_BITS // 8
WORD_ADDRESS_LOW = (STROBE_BITS - 1).bit_length()
"""Address bits below a word; ignored."""


class Response(enum.Enum, shape=2):
    """BRESP and RRESP (EXOKAY and DECERR do not occur)."""

    OKAY = 0
    SLVERR = 2


def axi_lite_signature(address_width: int) -> wiring.Signature:
    """AXI4-Lite with 32 data bits as the master sees it; the standard's names in lower case."""
    return wiring.Signature(
        {
            "awaddr": Out(address_width),
            "awprot": Out(3),
            "awvalid": Out(1),
            "awready": In(1),
            "wdata": Out(DATA_BITS),
            "wstrb": Out(STROBE_BITS),
            "wvalid": Out(1),
            "wready": In(1),
            "bresp": In(Response),
            "bvalid": In(1),
            "bready": Out(1),
            "araddr": Out(address_width),
            "arprot": Out(3),
            "arvalid": Out(1),
            "arready": In(1),
            "rdata": In(DATA_BITS),
            "rresp": In(Response),
            "rvalid": In(1),
            "rready": Out(1),
        }
    )


def register_bus_signature(address_width: int) -> wiring.Signature:
    """Register bus as its initiator sees it; word addresses.

    ``write`` and ``read`` are high for one cycle per access, exactly once. Address, data and
    strobes are there a cycle before, so that they can be decoded into registers. Answers
    (``write_error``, ``read_data``, ``read_error``) come in the cycle of the access, or on a bus
    whose answers are late in the one after it. Reads and writes are independent and may come
    together.
    """
    return wiring.Signature(
        {
            "write": Out(1),
            "write_address": Out(address_width - WORD_ADDRESS_LOW),
            "write_data": Out(DATA_BITS),
            "write_strobe": Out(STROBE_BITS),
            "write_error": In(1),
            "read": Out(1),
            "read_address": Out(address_width - WORD_ADDRESS_LOW),
            "read_data": In(DATA_BITS),
            "read_error": In(1),
        }
    )


class AxiLiteSlave(wiring.Component):
    """AXI4-Lite slave; every transaction becomes one access on ``bus``.

    Write address and write data may come in any order, at any distance. One write and one read
    are under way at a time: address and data of the next are taken while a response waits. A
    write reaches ``bus`` two cycles after the later of its two transfers (or after the previous
    response was taken), BVALID follows one cycle later; reads likewise. An access that ``bus``
    refuses is answered with SLVERR. No VALID waits for a READY, no READY for another channel's
    VALID, no output depends combinationally on an input.

    AWPROT and ARPROT are ignored; of an address, the bits below a word.

    Parameters
    ----------
    address_width : int
        Bits of a byte address, at least 3.
    late_answers : bool
        ``bus`` answers an access in the cycle after it; BVALID and RVALID follow one later, too.

    Members
    -------
    axi : In(axi_lite_signature(address_width))
    bus : Out(register_bus_signature(address_width))

    Raises
    ------
    TypeError
        If ``address_width`` is not an integer.
    ValueError
        If it is less than 3.
    """

    def __init__(self, address_width: int, *, late_answers: bool = False):
        if not isinstance(address_width, int) or isinstance(address_width, bool):
            raise TypeError(f"address_width must be an integer, not {address_width!r}")
        if address_width <= WORD_ADDRESS_LOW:
            raise ValueError(
                f"address_width must be at least {WORD_ADDRESS_LOW + 1}, not {address_width!r}"
            )
        self._late_answers = late_answers
        super().__init__(
            {
                "axi": In(axi_lite_signature(address_width)),
                "bus": Out(register_bus_signature(address_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._write_channels(m)
        self._read_channels(m)
        return m

    def _write_channels(self, m):
        axi, bus = self.axi, self.bus
        has_address, has_data, responding = Signal(), Signal(), Signal()
        address = Signal.like(bus.write_address, reset_less=True)
        data = Signal.like(bus.write_data, reset_less=True)
        strobe = Signal.like(bus.write_strobe, reset_less=True)
        response = Signal(Response, reset_less=True)
        m.d.comb += [
            axi.awready.eq(~has_address),
            axi.wready.eq(~has_data),
            axi.bvalid.eq(responding),
            axi.bresp.eq(response),
            bus.write_address.eq(address),
            bus.write_data.eq(data),
            bus.write_strobe.eq(strobe),
        ]
        with m.If(axi.awvalid & axi.awready):
            m.d.sync += [has_address.eq(1), address.eq(axi.awaddr[WORD_ADDRESS_LOW:])]
        with m.If(axi.wvalid & axi.wready):
            m.d.sync += [has_data.eq(1), data.eq(axi.wdata), strobe.eq(axi.wstrb)]
        begins = has_address & has_data & ~responding & ~bus.write
        answered = self._access(m, bus.write, begins)
        with m.If(answered):
            m.d.sync += [has_address.eq(0), has_data.eq(0), responding.eq(1)]
            self._respond(m, response, bus.write_error)
        with m.Elif(axi.bready):
            m.d.sync += responding.eq(0)

    def _read_channels(self, m):
        axi, bus = self.axi, self.bus
        has_address, responding = Signal(), Signal()
        address = Signal.like(bus.read_address, reset_less=True)
        data = Signal.like(bus.read_data, reset_less=True)
        response = Signal(Response, reset_less=True)
        m.d.comb += [
            axi.arready.eq(~has_address),
            axi.rvalid.eq(responding),
            axi.rdata.eq(data),
            axi.rresp.eq(response),
            bus.read_address.eq(address),
        ]
        with m.If(axi.arvalid & axi.arready):
            m.d.sync += [has_address.eq(1), address.eq(axi.araddr[WORD_ADDRESS_LOW:])]
        begins = has_address & ~responding & ~bus.read
        answered = self._access(m, bus.read, begins)
        with m.If(answered):
            m.d.sync += [has_address.eq(0), responding.eq(1), data.eq(bus.read_data)]
            self._respond(m, response, bus.read_error)
        with m.Elif(axi.rready):
            m.d.sync += responding.eq(0)

    def _access(self, m, access, begins):
        """``access`` a cycle after ``begins``; when it is answered."""
        answered = access
        if self._late_answers:
            answered = Signal(name=f"{access.name}_answered")
            m.d.sync += answered.eq(access)
            begins = begins & ~answered
        m.d.sync += access.eq(begins)
        return answered

    @staticmethod
    def _respond(m, response, error):
        m.d.sync += response.eq(Response.OKAY)
        with m.If(error):
            m.d.sync += response.eq(Response.SLVERR)
