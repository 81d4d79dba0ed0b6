"""One row of the ternary engine: leaves, adder tree with relative signs, accumulator.

Every adder is one carry chain whose data input is a plain signal. All selection happens on the
other operand, in the look-up table that computes the propagate bit and has inputs to spare: a leaf
is a multiplexer with five inputs, zero among them, for one look-up table per bit.

With other :data:`ADDERS` the same in fewer sites: ``short`` for carry primitives of four bits
(:mod:`gateware.engines.ternary.short_chains`), ``gated`` for CCU2C
(:mod:`gateware.engines.ternary.gated_adders`).
"""

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...parts.duplicated import duplicated
from .adders import PairTerms, PlainAdders, single_leaf
from .gated_adders import GatedAdders
from .short_chains import ShortAdders, with_copy
from .weight_decoder import PairControl, n_pairs

__all__ = ["ADDERS", "PairTerms", "TernaryLane"]

ADDERS = {"plain": PlainAdders(), "short": ShortAdders(), "gated": GatedAdders()}


def n_levels(cols: int) -> int:
    """Adder levels of the tree over ``cols`` columns (those inside the leaves not counted)."""
    return (n_pairs(cols) - 1).bit_length()


def accumulate_cycle(cols: int, tree_levels_per_register: int) -> int:
    """Cycle of :class:`TernaryLane` in which the root of the tree is added to the accumulator."""
    return 1 + n_levels(cols) // tree_levels_per_register


class TernaryLane(wiring.Component):
    """Dot products of one row of ternary weights, accumulated over beats.

    One beat per cycle. Terms and controls of a beat are taken in cycle 0; its sum is added to the
    accumulator in cycle N = :func:`accumulate_cycle` and stands in ``acc`` in cycle N + 1.

    Parameters
    ----------
    cols : int
        Columns, at least 1.
    acc_width : int
        Bits of the signed accumulator. Sums wrap; the caller proves that they don't.
    tree_levels_per_register : int
        Adders in a row between two registers of the tree.
    planes : bool
        Whether ``triple`` is used.
    adders : str
        One of :data:`ADDERS`.

    Members
    -------
    terms : In(PairTerms array), controls : In(PairControl array)
        One per pair of columns.
    clear : In(1)
        In cycle N - 1: the sum begins at 0 with the beat that arrives.
    enable : In(1), triple : In(1)
        In cycle N: a beat arrives; it is added to three times the sum so far.
    acc : Out(signed(acc_width))
        Sum including the beat, one cycle after ``enable``; not held.
    """

    def __init__(
        self,
        *,
        cols: int,
        acc_width: int,
        tree_levels_per_register: int,
        planes: bool,
        adders: str = "plain",
    ):
        self._adders = ADDERS[adders]
        self.cols = cols
        self.acc_width = acc_width
        self.tree_levels_per_register = tree_levels_per_register
        self.planes = planes
        pairs = n_pairs(cols)
        super().__init__(
            {
                "terms": In(data.ArrayLayout(PairTerms, pairs)),
                "controls": In(data.ArrayLayout(PairControl, pairs)),
                "clear": In(1),
                "enable": In(1),
                "triple": In(1),
                "acc": Out(signed(acc_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        nodes = []
        for pair, (terms, control) in enumerate(zip(self.terms, self.controls, strict=True)):
            value = self._leaf(m, pair, terms, control)
            nodes.append(self._register(m, value, f"leaf_{pair}"))
        # Relative signs wait, level by level, until their adder is reached; each beside its copy.
        signs = [
            duplicated(m, control.relative_sign, f"sign_{pair}")
            for pair, control in enumerate(self.controls)
        ]
        levels = n_levels(self.cols)
        for level in range(levels):
            nodes = self._add_pairs(m, nodes, signs, level)
            if (level + 1) % self.tree_levels_per_register == 0:
                step = 2 << level
                nodes = [
                    self._register(m, node, f"sum_register_{level}_{i}")
                    for i, node in enumerate(nodes)
                ]
                for pair in range(0, len(signs), step):
                    signs[pair] = duplicated(m, signs[pair][0], f"sign_{pair}_{level}")
        root = nodes[0][:-1] if self._adders.copies else nodes[0]
        self._accumulate(m, root, signs[0][0])
        return m

    def _leaf(self, m, pair: int, terms, control) -> Value:
        if 2 * pair + 1 == self.cols:
            value = single_leaf(terms, control)
        else:
            value = self._adders.leaf(m, terms, control, f"leaf_{pair}")
        return self._node(m, value, f"leaf_{pair}_value")

    def _node(self, m, value, name):
        """``value`` as a node of the tree, with short chains with a copy of its highest bit."""
        node = Signal(len(value), name=name)
        m.d.comb += node.eq(value)
        return with_copy(node) if self._adders.copies else node

    def _register(self, m, node, name):
        """A node a cycle later; with short chains the copy is a register of its own."""
        register = Signal(len(node), name=name, reset_less=True)
        m.d.sync += register.eq(node)
        if self._adders.copies:
            return Cat(register[:-1], duplicated(m, node[-1], f"{name}_copy")[1])
        return register

    def _add_pairs(self, m, nodes, signs, level):
        sums = []
        for i in range(0, len(nodes) - 1, 2):
            u, v = nodes[i], nodes[i + 1]
            name = f"sum_{level}_{i // 2}"
            value = self._adders.add(m, u, v, signs[(i + 1) << level], name)
            sums.append(self._node(m, value, name))
        return sums + nodes[len(nodes) & ~1 :]

    def _accumulate(self, m, root, sign):
        width = self.acc_width
        # A copy of acc that is cleared ahead of time: clearing it costs no look-up tables, and
        # acc itself can still be read.
        so_far = Signal(width, reset_less=True)
        base = so_far
        if self.planes:
            base = self._adders.tripled(m, so_far, self.triple, "base")
        total = self._adders.total(m, base, root, sign, width, "total")
        acc = Signal(width, name="acc_register", reset_less=True)
        m.d.sync += acc.eq(total)
        m.d.comb += self.acc.eq(acc)
        with m.If(self.clear):
            m.d.sync += so_far.eq(0)
        with m.Elif(self.enable):
            m.d.sync += so_far.eq(total)
