"""The RMSNorm factor: exact sum of squares, then the reciprocal square root by table.

``model.contract.arith.RMSNorm`` computes ``u = (x * r + half) >> e`` with an exponent e that
depends on the vector. Here the shift is the constant :attr:`RmsSizes.shift`, and the exponent goes
into the operands: ``u = (x' * factor + 2**(shift - 1)) >> shift`` with ``factor = r << (shift -
e')``. For short vectors (``e < 8``) ``x' = x << 8`` and ``e' = e + 8``, otherwise x and e
themselves, which keeps ``factor`` 8 bits narrower. ``x'`` always fits 17 bits: S, the sum of
squares, is below
``4**(e + 1)``, hence ``|x| < 2**(e + 1) <= 2**8`` when it is shifted.
"""

from __future__ import annotations

import dataclasses
import functools

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gateformer.model.contract import arith

from ...parts.delay import delayed
from ...parts.integers import check_least

SQUARE_BITS = 2 * (arith.RESIDUAL_BITS - 1)
"""Width of the square of a residual, unsigned."""

BYTE = 8


@dataclasses.dataclass(frozen=True)
class RmsSizes:
    """Sizes of a :class:`RmsFactor`.

    Parameters
    ----------
    rows : int
        Squares per cycle.
    d_model : int
        Elements of a vector; their number bounds the sum.
    registers : int
        Optional registers, 0 to 3: one behind the table's index, then one behind the sum and the
        marks of its bytes that are not 0, then one behind the factor.

    Attributes
    ----------
    shift : int
        Constant right shift of the product x' * factor.
    factor_width : int
        Bits of ``factor``.
    normalized_width : int
        Bits of u, signed.
    latency : int
        Cycles from the last squares to their factor: the adder tree (1 for 3 to 8 rows), two
        totals, the leading byte of their sum, the table; and the optional registers.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not an integer of at least 1.
    """

    rows: int
    d_model: int
    registers: int = 0

    OPERAND_WIDTH = 17
    """Bits of x', signed."""

    SHORT_SHIFT = 8
    """Left shift of x' for vectors with e < 8, that is S below 2**16."""

    def __post_init__(self):
        check_least("rows", self.rows, 1)
        check_least("d_model", self.d_model, 1)
        check_least("registers", self.registers, 0)

    @property
    def norm(self) -> arith.RMSNorm:
        return arith.RMSNorm(self.d_model, shift=0)

    @property
    def sum_width(self) -> int:
        return (self.d_model * arith.RESIDUAL_MAX**2).bit_length()

    @property
    def shift(self) -> int:
        # the largest e', which is that of a short vector if there is only one element
        return max(self.norm.max_exponent, 2 * self.SHORT_SHIFT - 1)

    @functools.cached_property
    def root_width(self) -> int:
        """Bits of a table entry."""
        return int(self.norm.table.max()).bit_length()

    @property
    def factor_width(self) -> int:
        return self.root_width + self.shift - self.SHORT_SHIFT

    @property
    def normalized_width(self) -> int:
        return arith.signed_width(self.norm.max_normalized)

    @property
    def tree_stages(self) -> int:
        """Registered stages of the adder tree before the totals."""
        return len(self.tree_levels)

    @property
    def tree_levels(self) -> list[int]:
        """Adder levels of each stage of the tree; they leave four addends at most.

        The first stage has one: it begins at the outputs of multiplier blocks, which lie in
        columns of their own, far from the adders.
        """
        levels = (self.rows - 1).bit_length()
        stages = levels // 2
        more = max(levels - 2 - stages, 0)
        return [1] * (stages - more) + [2] * more

    @property
    def latency(self) -> int:
        return self.tree_stages + 3 + self.registers

    @property
    def without_factor_register(self) -> RmsSizes:
        return dataclasses.replace(self, registers=min(self.registers, 2))

    @property
    def index_register(self) -> bool:
        return self.registers >= 1

    @property
    def byte_register(self) -> bool:
        return self.registers >= 2

    @property
    def factor_register(self) -> bool:
        return self.registers >= 3


class RmsFactor(wiring.Component):
    """Sums the squares of a residual vector and finds its RMSNorm factor.

    Takes ``rows`` squares per cycle. ``factor`` changes :attr:`RmsSizes.latency` cycles after the
    squares that came with ``last`` (``short`` one cycle before it) and then stays until that of
    the next vector is ready. If S is 0 the factor is not the contract's,
    but every product with it is 0, too.

    Parameters
    ----------
    sizes : RmsSizes

    Members
    -------
    valid : In(1)
        ``squares`` belong to the vector.
    first, last : In(1)
        With ``valid``: the first (last) squares of a vector.
    squares : In(ArrayLayout(unsigned(30), rows))
    factor : Out(unsigned(factor_width))
    short : Out(1)
        The operand is ``x << 8`` instead of x, for the ``factor`` of the next cycle.
    """

    def __init__(self, sizes: RmsSizes):
        self.sizes = sizes
        super().__init__(
            {
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "squares": In(data.ArrayLayout(SQUARE_BITS, sizes.rows)),
                "factor": Out(sizes.factor_width),
                "short": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        addends, valid = [self.squares[i] for i in range(self.sizes.rows)], self.valid
        for levels in self.sizes.tree_levels:
            addends = [_registered(m, addend) for addend in _pair_sums(addends, levels)]
            valid = delayed(m, valid, 1, reset_less=False, name="valid")
        first = delayed(m, self.first, self.sizes.tree_stages, name="first")
        last = delayed(m, self.last, self.sizes.tree_stages, name="last")
        # two totals, so that the tree is one level lower: they are added where few bits follow
        halves = [addends[i::2] for i in range(min(len(addends), 2))]
        totals = [self._accumulated(m, half, first, valid) for half in halves]
        total = sum(totals)[: self.sizes.sum_width]
        window, byte = self._leading_byte(m, total)
        cycles = 2 + self.sizes.byte_register
        complete = delayed(m, valid & last, cycles, reset_less=False, name="complete")
        self._look_up(m, window, byte, complete)
        return m

    def _accumulated(self, m: Module, addends: list, first: Value, valid: Value) -> Signal:
        """Sum of ``addends``, two at most, over the vector."""
        total = Signal(self.sizes.sum_width, reset_less=True)
        with m.If(valid):
            m.d.sync += total.eq(sum(addends) + Mux(first, 0, total))
        return total

    def _leading_byte(self, m: Module, total: Value):
        """(window, number) of the highest byte of ``total`` that is not 0, registered.

        The window is that byte and the 6 bits below it, which hold the table index wherever in
        the byte the leading one is.
        """
        below = BYTE - 2
        count = -(-self.sizes.sum_width // BYTE)
        padded = Cat(Const(0, below), total, Const(0, count * BYTE - self.sizes.sum_width))
        used = Cat(padded[below + i * BYTE :][:BYTE].any() for i in range(count))
        if self.sizes.byte_register:
            padded = delayed(m, padded, 1, name="total")
            used = delayed(m, used, 1, name="used_bytes")
        window = Signal(BYTE + below, reset_less=True)
        byte = Signal(range(count), reset_less=True)
        m.d.sync += [window.eq(padded[: BYTE + below]), byte.eq(0)]
        for i in range(1, count):
            with m.If(used[i]):
                m.d.sync += [window.eq(padded[i * BYTE :][: BYTE + below]), byte.eq(i)]
        return window, byte

    def _look_up(self, m: Module, window: Value, byte: Value, complete: Value):
        """Table lookup and the constant-shift form of its exponent."""
        pair, index = Signal(2), Signal(BYTE)
        m.d.comb += index.eq(window[:BYTE])
        for i in range(1, BYTE // 2):
            with m.If(window[BYTE - 2 + 2 * i :][:2].any()):
                m.d.comb += [pair.eq(i), index.eq(window[2 * i :][:BYTE])]
        if self.sizes.index_register:
            index, pair, byte = (
                delayed(m, signal, 1, name=name)
                for name, signal in (("index", index), ("pair", pair), ("byte", byte))
            )
            complete = delayed(m, complete, 1, reset_less=False, name="indexed")
        attrs = {"ram_style": "registers"}
        init = self._root_table()
        m.submodules.table = table = Memory(
            shape=self.sizes.root_width, depth=256, init=init, attrs=attrs
        )
        port = table.read_port()
        m.d.comb += [port.addr.eq(index), port.en.eq(complete)]
        held_pair, held_byte = Signal(2, reset_less=True), Signal.like(byte, reset_less=True)
        short_bytes = self.sizes.SHORT_SHIFT // (BYTE // 2)
        short, held_short = Signal(), Signal(reset_less=True)
        m.d.comb += short.eq(Mux(complete, byte < short_bytes, held_short))
        m.d.sync += held_short.eq(short)
        with m.If(complete):
            m.d.sync += [held_pair.eq(pair), held_byte.eq(byte)]
        # e = 4 * byte + pair; the shift of the table entry is shift - e', here in two steps
        by_pair = (port.data << 3) >> held_pair
        factor = Signal.like(self.factor, name="shifted_root")
        cycles = int(self.sizes.factor_register)
        m.d.comb += [
            self.factor.eq(delayed(m, factor, cycles, name="factor")),
            self.short.eq(delayed(m, short, cycles, name="short")),
        ]
        with m.Switch(held_byte):
            for i in range(2 ** len(byte)):
                step = i if i < short_bytes else i - short_bytes
                left = self.sizes.shift - self.sizes.SHORT_SHIFT - 3 - 4 * step
                shifted = by_pair << left if left >= 0 else by_pair >> -left
                with m.Case(i):
                    m.d.comb += factor.eq(shifted)

    def _root_table(self) -> list[int]:
        """The contract's table with its first quarter, which no S above 0 selects, as the second.

        Half of the table is then a function of 6 bits of the index, which shortens the path into
        it. Where S is 0, so is every x, and any factor does.
        """
        table = [int(r) for r in self.sizes.norm.table]
        quarter = len(table) // 4
        return table[quarter : 2 * quarter] + table[quarter:]


def _pair_sums(addends: list, levels: int) -> list:
    """Sums of pairs, ``levels`` times; of an odd number the last one stays as it is."""
    for _ in range(levels):
        addends = [sum(addends[i + 1 : i + 2], addends[i]) for i in range(0, len(addends), 2)]
    return addends


def _registered(m: Module, value: Value) -> Signal:
    register = Signal(value.shape(), reset_less=True, name="partial_sum")
    m.d.sync += register.eq(value)
    return register
