"""The memory's bus as its masters see it, and how words lie in the memory.

A *beat* is what a port carries in a cycle, ``data_bytes``; a *line* is what one burst reads,
``burst_beats`` beats; a *word* is what all ports carry together, and a *stripe* the lines that they
read together: line p of a stripe belongs to port p. So word k of a stripe is beat k of each line,
port 0's lowest::

    address in bytes   | stripe | port | beat | byte |

Source: ARM IHI 0022, "AMBA AXI and ACE Protocol Specification": A3 (handshakes, bursts), A5 (IDs).
"""

from __future__ import annotations

import dataclasses

from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from ..parts.integers import check_integer

ADDRESS_BITS = 32
LENGTH_BITS = 4
"""1 to 16 beats in a burst: all that AXI3 has, and what AXI4 interconnects do not slice."""
BOUNDARY = 4096
"""No burst crosses a multiple of it."""


class Burst(enum.Enum, shape=2):
    """AWBURST and ARBURST."""

    FIXED = 0
    INCR = 1
    WRAP = 2


class Response(enum.Enum, shape=2):
    """BRESP and RRESP; the larger value is the worse response."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


@dataclasses.dataclass(frozen=True)
class MemoryShape:
    """Ports of a memory and their bursts; every number a power of two.

    Parameters
    ----------
    ports : int, 1 to 8
    data_bytes : int, of a beat: 4 to 64
    burst_beats : int, 1 to 16

    Raises
    ------
    TypeError, ValueError
        If a number is none of these.
    """

    ports: int
    data_bytes: int
    burst_beats: int = 2**LENGTH_BITS

    def __post_init__(self):
        limits = {"ports": (1, 8), "data_bytes": (4, 64), "burst_beats": (1, 2**LENGTH_BITS)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            check_integer(name, value, low, high)
            if value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value}")

    @property
    def word_bytes(self) -> int:
        return self.ports * self.data_bytes

    @property
    def line_bytes(self) -> int:
        """At most 1,024, so that no line crosses a BOUNDARY."""
        return self.burst_beats * self.data_bytes

    @property
    def stripe_bytes(self) -> int:
        """What a stripe's address is a multiple of, and the words of a stripe fill."""
        return self.ports * self.line_bytes

    @property
    def stripe_words(self) -> int:
        return self.burst_beats

    @property
    def stripe_bits(self) -> int:
        """Of a stripe's number."""
        return ADDRESS_BITS - (self.stripe_bytes - 1).bit_length()

    def stripes(self, words: int) -> int:
        """Stripes that ``words`` words from the beginning of one fill."""
        return -(-words // self.stripe_words)

    @property
    def port_bits(self) -> int:
        return (self.ports - 1).bit_length()

    @property
    def byte_bits(self) -> int:
        """Of a byte's place in a beat."""
        return (self.data_bytes - 1).bit_length()


def _request() -> dict:
    return {
        "addr": Out(ADDRESS_BITS),
        "len": Out(LENGTH_BITS),
        "size": Out(3),
        "burst": Out(Burst),
        "valid": Out(1),
        "ready": In(1),
    }


def read_signature(data_bytes: int) -> wiring.Signature:
    """Read channels of a port as the master sees them; AXI names in lower case.

    All transactions have one ID. The same for AXI3 and AXI4 (whose longer ARLEN has zeros above).
    """
    return wiring.Signature(
        {
            **{f"ar{name}": member for name, member in _request().items()},
            "rdata": In(8 * data_bytes),
            "rresp": In(Response),
            "rlast": In(1),
            "rvalid": In(1),
            "rready": Out(1),
        }
    )


def write_signature(data_bytes: int) -> wiring.Signature:
    """Write channels, as :func:`read_signature`."""
    return wiring.Signature(
        {
            **{f"aw{name}": member for name, member in _request().items()},
            "wdata": Out(8 * data_bytes),
            "wstrb": Out(data_bytes),
            "wlast": Out(1),
            "wvalid": Out(1),
            "wready": In(1),
            "bresp": In(Response),
            "bvalid": In(1),
            "bready": Out(1),
        }
    )
