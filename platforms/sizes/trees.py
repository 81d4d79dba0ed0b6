"""Adder trees counted as they are built: adders, their bits, the registers in between."""

from __future__ import annotations

import dataclasses

from gateformer.gateware.engines.ternary.lane import n_levels, n_pairs
from gateformer.gateware.parts.integers import ceil_div
from gateformer.model.contract.arith import ACT_BITS


@dataclasses.dataclass
class Tree:
    """An adder tree's adders, their bits and the bits of the registers in between."""

    adders: int = 0
    bits: int = 0
    registers: int = 0


def ternary_lane(cols: int, tree_levels: int) -> Tree:
    """Leaves, tree and signs of one row of the ternary engine, as ``TernaryLane`` builds them."""
    pairs, single = n_pairs(cols), cols % 2
    widths = [ACT_BITS + 1] * (pairs - single) + [ACT_BITS] * single
    tree = Tree(pairs - single, (ACT_BITS + 1) * (pairs - single), sum(widths) + pairs)
    for level in range(n_levels(cols)):
        sums = [left + 1 for left in widths[0:-1:2]]
        tree.adders += len(sums)
        tree.bits += sum(sums)
        widths = sums + widths[len(widths) & ~1 :]
        if (level + 1) % tree_levels == 0:
            tree.registers += sum(widths) + ceil_div(pairs, 2 << level)
    return tree


def dot_tree(segments: int, lanes: int, width: int, limit: int, tree_levels: int) -> Tree:
    """As :class:`gateware.engines.array.dot_tree.DotTree`."""
    tree, level, nodes = Tree(), 0, lanes
    while nodes > 1:
        level += 1
        width = min(width + 1, limit)
        tree.adders += segments * (nodes // 2)
        tree.bits += segments * (nodes // 2) * width
        nodes = ceil_div(nodes, 2)
        if level % tree_levels == 0 or nodes == 1:
            tree.registers += segments * nodes * width
    tree.adders += segments - 1
    tree.bits += (segments - 1) * (limit + 1)
    return tree
