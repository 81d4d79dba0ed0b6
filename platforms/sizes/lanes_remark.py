"""What is said of lanes that a user asks for, and that would be idle."""

from __future__ import annotations

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.decoder.model import DecoderModel

from .decoder.lanes import lane_sizes
from .facts import AnyModel
from .measurement import measured
from .search import SEARCHED, sizes

NEAR = 1.5
"""Lanes that are a better number in place of others: at most so many times as many."""


def lanes_remark(model: AnyModel, hw: HwConfig) -> str | None:
    """One line if another number of lanes than ``hw``'s is clearly better, otherwise None.

    Fewer are if they take no more cycles, more are if they save a larger part of the cycles than
    they add lanes. Cycles are exact; takes some 20 ms per number of lanes that comes in question.
    """
    if isinstance(model, DecoderModel):
        others = lane_sizes(model.config, hw, {})
    else:
        kept = {name: getattr(hw, name) for name in SEARCHED if name != "lanes"}
        others = sizes(model.config, hw, kept)
    others = [other for other in others if other.lanes <= NEAR * hw.lanes and other != hw]
    (_, asked, _), *found = measured(model, [hw, *others])
    cycles = {other.lanes: mean for other, mean, _ in found}
    better = [lanes for lanes, mean in cycles.items() if lanes < hw.lanes and mean <= asked]
    if not better:
        cost = {lanes: lanes * mean for lanes, mean in cycles.items() if lanes > hw.lanes}
        better = [lanes for lanes in cost if cost[lanes] == min(cost.values()) < hw.lanes * asked]
    if not better:
        return None
    best = min(better)
    return (
        f"--lanes {hw.lanes} leaves lanes idle: it takes {asked:,.0f} cycles per token, --lanes "
        f"{best} {cycles[best]:,.0f}"
    )
