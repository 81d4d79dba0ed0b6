"""What this machine's processor is, as Linux says."""

from __future__ import annotations

from pathlib import Path

COMPATIBLE = Path("/proc/device-tree/compatible")
"""Names of the machine and its processor, each with a zero behind it."""
ZYNQ_7000, ULTRASCALE = b"xlnx,zynq-7000", b"xlnx,zynqmp"
"""Processors among them."""


def is_machine(processor: bytes) -> bool:
    """Whether it has that processor; without a device tree it has none of them."""
    try:
        return processor in COMPATIBLE.read_bytes().split(b"\0")
    except OSError:
        return False
