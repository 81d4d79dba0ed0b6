"""Components that may stay unelaborated."""

from __future__ import annotations

from amaranth.hdl import Elaboratable


def may_stay_unused(*components: Elaboratable) -> None:
    """Let these, and parts that are their attributes or in lists of these, go without Amaranth's
    warning that they were created but never used.

    Some serve for their latencies or ports alone. Amaranth has no public way to say so, and a
    warnings filter no longer applies when the interpreter exits.
    """
    for component in components:
        if not component._MustUse__used:
            component._MustUse__used = True
            for value in vars(component).values():
                parts = value if isinstance(value, list | tuple) else [value]
                may_stay_unused(*(part for part in parts if isinstance(part, Elaboratable)))
