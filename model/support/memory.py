"""Memory that is available on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import UserError

MEMINFO = Path("/proc/meminfo")


def available_bytes() -> int | None:
    """Bytes that a program may still take: of Linux; elsewhere all memory, None if unknown."""
    try:
        for line in MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def require_memory(needed: int, what: str, advice: str) -> None:
    """Raise UserError with both numbers if ``what`` needs more bytes than are available."""
    available = available_bytes()
    if available is not None and needed > available:
        raise UserError(
            f"{what} needs {needed / 2**20:,.0f} MiB, but {available / 2**20:,.0f} MiB of memory "
            f"are available; {advice}"
        )
