"""One row of the ternary engine: leaves, adder tree with relative signs, accumulator.

Every adder is one carry chain whose data input is a plain signal. All selection happens on the
other operand, in the look-up table that computes the propagate bit and has inputs to spare: a leaf
is a multiplexer with five inputs, zero among them, for one look-up table per bit.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.arith import ACT_BITS

from .weight_decoder import PairControl, n_pairs

__all__ = ["PairTerms", "TernaryLane"]


class PairTerms(data.Struct):
    """What the rows share of a pair of activations: a, b and a - b.

    The last one alone in an odd number of columns has b = 0 and difference = a.
    """

    a: signed(ACT_BITS)
    b: signed(ACT_BITS)
    difference: signed(ACT_BITS + 1)


def n_levels(cols: int) -> int:
    """Adder levels of the tree over ``cols`` columns (those inside the leaves not counted)."""
    return (n_pairs(cols) - 1).bit_length()


def accumulate_cycle(cols: int, tree_levels_per_register: int) -> int:
    """Cycle of :class:`TernaryLane` in which the root of the tree is added to the accumulator."""
    return 1 + n_levels(cols) // tree_levels_per_register


def add_with_carry(u: Value, v: Value, carry: Value) -> Value:
    """``u + v + carry`` for signed u and v, modulo ``2**len(v)``, as one carry chain.

    The signals of u are the data input of the chain. Yosys gives it the narrower operand, so the
    top bit of u is moved into that of v (there is no carry out of it). Operands as wide as each
    other would be ordered by when their names were first seen, which depends on the depth of the
    hierarchy, and v in that place costs one more look-up table per bit.
    """
    u = extend(u, len(v))
    return (u[:-1] + Cat(v[:-1], v[-1] ^ u[-1]) + carry)[: len(v)]


def extend(value: Value, width: int) -> Value:
    """The lowest ``width`` bits of a signed value, whatever its own width."""
    bits = Cat(value, value[-1].replicate(max(width - len(value), 0)))
    return bits[:width]


def leaf(terms: PairTerms, control: PairControl) -> Value:
    """Magnitude of a pair (see :class:`PairControl`), signed 9 bits.

    a goes to the carry chain unchanged, and 0, b, -b, b - a or -a is added to it. Each propagate
    bit is a function of six signals, so the zero is free (a - a is a constant 1 there).
    """
    added = Mux(
        control.first,
        Mux(control.second, terms.b, 0),
        Mux(control.second, terms.difference, terms.a),
    )
    added = extend(added, ACT_BITS + 1) ^ control.subtract.replicate(ACT_BITS + 1)
    return add_with_carry(terms.a, added, control.subtract)


def single_leaf(terms: PairTerms, control: PairControl) -> Value:
    """Magnitude of an unpaired column, signed 8 bits."""
    return terms.a.as_unsigned() & control.first.replicate(ACT_BITS)


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

    def __init__(self, *, cols: int, acc_width: int, tree_levels_per_register: int, planes: bool):
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
            is_single = 2 * pair + 1 == self.cols
            value = single_leaf(terms, control) if is_single else leaf(terms, control)
            nodes.append(self._register(m, value, f"leaf_{pair}"))
        # Relative signs wait, level by level, until their adder is reached.
        signs = [
            self._register(m, control.relative_sign, f"sign_{pair}")
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
                    signs[pair] = self._register(m, signs[pair], f"sign_{pair}_{level}")
        self._accumulate(m, nodes[0], signs[0])
        return m

    @staticmethod
    def _register(m, value, name):
        register = Signal(len(value), name=name, reset_less=True)
        m.d.sync += register.eq(value)
        return register

    @staticmethod
    def _add_pairs(m, nodes, signs, level):
        sums = []
        for i in range(0, len(nodes) - 1, 2):
            u, v = nodes[i], nodes[i + 1]
            sign = signs[(i + 1) << level]
            width = len(u) + 1
            v = extend(v, width) ^ sign.replicate(width)
            total = Signal(width, name=f"sum_{level}_{i // 2}")
            m.d.comb += total.eq(add_with_carry(u, v, sign))
            sums.append(total)
        return sums + nodes[len(nodes) & ~1 :]

    def _accumulate(self, m, root, sign):
        width = self.acc_width
        # A copy of acc that is cleared ahead of time: clearing it costs no look-up tables, and
        # acc itself can still be read.
        so_far = Signal(width, reset_less=True)
        base = so_far
        if self.planes:
            doubled = Cat(0, so_far)[:width] & self.triple.replicate(width)
            base = Signal(width)
            m.d.comb += base.eq(add_with_carry(so_far, doubled, Const(0, 1)))
        dot = extend(root, width) ^ sign.replicate(width)
        total = Signal(width)
        m.d.comb += total.eq(add_with_carry(base, dot, sign))
        m.d.comb += self.acc.eq(self._register(m, total, "acc_register"))
        with m.If(self.clear):
            m.d.sync += so_far.eq(0)
        with m.Elif(self.enable):
            m.d.sync += so_far.eq(total)
