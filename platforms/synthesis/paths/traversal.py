"""Longest paths of a combinational graph."""

from __future__ import annotations

import collections

from .graph import Graph


class CombinationalLoopError(ValueError):
    """The netlist has a loop without a register; the message names its nets."""


def topological(graph: Graph) -> list:
    """Nodes with arcs into them, predecessors first."""
    waiting, users = {}, collections.defaultdict(list)
    for node, arcs in graph.arcs.items():
        sources = [source for source, _ in arcs if source in graph.arcs]
        waiting[node] = len(sources)
        for source in sources:
            users[source].append(node)
    order = [node for node, count in waiting.items() if not count]
    for node in order:
        for user in users[node]:
            waiting[user] -= 1
            if not waiting[user]:
                order.append(user)
    if len(order) < len(waiting):
        raise CombinationalLoopError(_loop_message(graph, {n for n, c in waiting.items() if c}))
    return order


def _loop_message(graph: Graph, stuck: set) -> str:
    seen, node = {}, next(iter(stuck))
    while node not in seen:
        seen[node] = len(seen)
        node = next(source for source, _ in graph.arcs[node] if source in stuck)
    loop = list(seen)[seen[node] :]
    nets = [graph.names(node) for node in reversed(loop) if not isinstance(node, tuple)]
    return f"combinational loop through {', '.join(nets)}"


def arrivals(graph: Graph, order: list, key: tuple[int, int, int]) -> dict:
    """Node to (weight in the order of ``key``, predecessor): the lexicographically largest.

    Adding an arc's weight keeps that order, so one pass finds each node's true maximum.
    """
    a, b, c = key
    arrivals = {n: ((w[a], w[b], w[c]), None) for n, (w, _) in graph.launches.items()}
    for node in order:
        best = arrivals.get(node)
        for source, weight in graph.arcs[node]:
            arrival = arrivals.get(source)
            if arrival is not None:
                x, y, z = arrival[0]
                candidate = x + weight[a], y + weight[b], z + weight[c]
                if best is None or candidate > best[0]:
                    best = candidate, source
        if best is not None:
            arrivals[node] = best
    return arrivals


def trace(graph: Graph, arrivals: dict, bit) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Start and cells of the path that arrives at ``bit``."""
    cells, node = [], bit
    while (source := arrivals[node][1]) is not None:
        cell = node[0] if isinstance(node, tuple) else graph.driver[node]
        net = "" if isinstance(node, tuple) else graph.names(node)
        if not cells or cells[-1][0] != cell:
            cells.append((cell, net))
        node = source
    listed = tuple((graph.cells[cell]["type"], net) for cell, net in reversed(cells))
    return graph.launches[node][1], listed
