"""Ports of a streamed core beside those that all cores have."""

from __future__ import annotations

import dataclasses

from amaranth.lib.wiring import In, Out

from ..memory.bus import MemoryShape, Response, read_signature, write_signature

SATURATION_BITS = 32


@dataclasses.dataclass(frozen=True)
class ImageFacts:
    """What a user of a streamed core must know of the memory.

    Attributes
    ----------
    memory : MemoryShape
    image_bytes : int, of the image
    memory_bytes : int, from the image's first byte on, with keys and values
    streams : int, texts that are generated side by side
    """

    memory: MemoryShape
    image_bytes: int
    memory_bytes: int
    streams: int = 1


STREAM_PORTS = {"saturations": Out(SATURATION_BITS)}
"""``saturations``: numbers that a limit changed since ``start``, modulo 2**32: what norms give,
queries, keys and values, attention, what the activation takes and gives, logits. Not those of the
residual stream, and not what turning limits. Last norm and head are computed for all slots of a
pass that predicts: a prompt's token that shares that of the last one counts there, too."""


def image_ports(memory: MemoryShape) -> dict:
    """What its user drives and reads of the image in the memory.

    ``base`` : In
        The image's first stripe; constant while busy or verifying.
    ``verify`` : In(1), a pulse while neither busy nor verifying
        Reads the whole image and compares its checksum with that of the model's.
    ``verifying`` : Out(1)
    ``verified``, ``mismatched`` : Out(1)
        What it came to; neither from ``verify`` on, nor after ``abort`` in between.
    ``fault`` : Out(Response)
        The worst response of the memory since the last ``abort`` of all streams. Other than OKAY,
        the core takes no further word until then.
    ``stalled`` : Out(1)
        In this cycle a beat waits for a word.
    """
    return {
        "base": In(memory.stripe_bits),
        "verify": In(1),
        "verifying": Out(1),
        "verified": Out(1),
        "mismatched": Out(1),
        "fault": Out(Response),
        "stalled": Out(1),
    }


def bus_ports(memory: MemoryShape) -> dict:
    """``read0``, … and ``write0``, …: a port of the memory each, as its master."""
    ports = {}
    for port in range(memory.ports):
        ports[f"read{port}"] = Out(read_signature(memory.data_bytes))
        ports[f"write{port}"] = Out(write_signature(memory.data_bytes))
    return ports
