"""How long the firmware may be silent: what its console's peer counts on."""

from __future__ import annotations

SIGN_OF_LIFE = 0x00
"""The byte that says nothing but that the processor is at work: no text has it, and terminals show
nothing for it."""
SIGN_OF_LIFE_MS = 3000
"""Milliseconds without a byte of a generation after which one comes: far below the patience of a
peer, and above the firmware's own with a core that makes no progress."""
