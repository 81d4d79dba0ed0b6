"""Components that may stay unelaborated."""

from __future__ import annotations

from amaranth.hdl import Elaboratable


def may_stay_unused(*components: Elaboratable) -> None:
    """Let these go without Amaranth's warning that they were created but never used.

    Some serve for their latencies or ports alone. Amaranth has no public way to say so, and a
    warnings filter no longer applies when the interpreter exits.
    """
    for component in components:
        component._MustUse__used = True
