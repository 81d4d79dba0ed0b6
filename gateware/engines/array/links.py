"""A pair array's chains of multipliers: what the lanes of each link do with a beat, and when.

In dot mode a link adds its products to those of the link before, a cycle later. In weighted mode
all links work at the same time, and when the sums are complete, each odd one adds those of the even
one before to its own.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data

from ...parts.delay import delayed
from ...parts.pair_multiplier import MAX_CHAIN


def chain_length(segment_groups: int) -> int:
    """Groups whose products one accumulator adds up: an even number that divides a segment's."""
    return max(n for n in range(2, MAX_CHAIN + 1, 2) if segment_groups % n == 0)


def flag(m: Module, value: Value, cycles: int, name: str) -> Value:
    """``value`` as it was ``cycles`` cycles ago; 0 after a reset."""
    return delayed(m, value, cycles, reset_less=False, name=name)


def link_beat(m: Module, beat: data.View, link: int) -> data.View:
    """The beat as a link has it: in dot mode ``link`` cycles later."""
    if link == 0:
        return beat
    late = beat
    for i in range(link):
        register = Signal.like(beat, name=f"link{link}_{i + 1}", reset_less=True)
        m.d.sync += register.eq(late)
        late = register
    dot = flag(m, beat.valid & ~beat.weighted, link, f"link{link}_valid")
    now = beat.valid & beat.weighted
    linked = Signal.like(beat, name=f"link{link}")
    m.d.comb += [
        linked.eq(Mux(now, beat, late)),
        linked.valid.eq(now | dot),
        linked.weighted.eq(now),
    ]
    return linked


def link_controls(m: Module, beat: data.View, link: int, delay: int) -> dict[str, Value]:
    """Inputs of a link's lanes by their names in
    :class:`gateware.parts.pair_multiplier.PairMultiplyAccumulate`; ``delay`` cycles after its beat,
    and of ``merge`` one more.
    """
    name = f"link{link}"
    weighted = delayed(m, beat.weighted, delay, name=f"{name}_weighted")
    first = delayed(m, beat.first, delay, name=f"{name}_first")
    enable = flag(m, beat.valid, delay, f"{name}_enable")
    if link % 2 == 0:
        return {"chain": ~weighted, "accumulate": weighted & ~first, "enable": enable}
    ended = beat.valid & beat.weighted & beat.last
    merge = flag(m, ended, delay + 1, f"{name}_merge")
    return {
        "chain": ~weighted & ~merge,
        "accumulate": weighted & ~first & ~merge,
        "merge": merge,
        "enable": enable | merge,
    }
