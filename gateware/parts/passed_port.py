"""A port of a component that is the same one of a part of it."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In


def pass_port(m: Module, outer, part: wiring.Component, name: str) -> None:
    """Connect ``outer``, a component's own port, to the port ``name`` of a part of it.

    The two have the same member of a signature; a nested one's payload goes whole.
    """
    member, inner = part.signature.members[name], getattr(part, name)
    if member.is_signature:
        wiring.connect(m, wiring.flipped(outer), inner)
    elif member.flow == In:
        m.d.comb += inner.eq(outer)
    else:
        m.d.comb += outer.eq(inner)
