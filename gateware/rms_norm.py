"""The RMSNorm factor: exact sum of squares, then the reciprocal square root by table.

``model.arith.RMSNorm`` computes ``u = (x * r + half) >> e`` with an exponent e that depends on the
vector. Here the shift is the constant :attr:`RmsFactor.shift`, and the exponent goes into the
operands: ``u = (x' * factor + 2**(shift - 1)) >> shift`` with ``factor = r << (shift - e')``. For
short vectors (``e < 8``) ``x' = x << 8`` and ``e' = e + 8``, otherwise x and e themselves, which
keeps ``factor`` 8 bits narrower. ``x'`` always fits 17 bits: S, the sum of squares, is below
``4**(e + 1)``, hence ``|x| < 2**(e + 1) <= 2**8`` when it is shifted.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from model import arith

from .delay import delayed

SQUARE_BITS = 2 * (arith.RESIDUAL_BITS - 1)
"""Width of the square of a residual, unsigned."""

BYTE = 8


class RmsFactor(wiring.Component):
    """Sums the squares of a residual vector and finds its RMSNorm factor.

    Takes ``rows`` squares per cycle. ``factor`` and ``short`` change :attr:`latency` cycles after
    the squares that came with ``last`` and then stay until those of the next vector are ready.
    If S is 0 the factor is 0 (every product with it is 0 in the contract, too).

    Parameters
    ----------
    rows : int
        Squares per cycle.
    d_model : int
        Elements of a vector; their number bounds the sum.

    Members
    -------
    valid : In(1)
        ``squares`` belong to the vector.
    first, last : In(1)
        With ``valid``: the first (last) squares of a vector.
    squares : In(ArrayLayout(unsigned(30), rows))
    factor : Out(unsigned(:attr:`factor_width`))
    short : Out(1)
        The operand is ``x << 8`` instead of x.

    Attributes
    ----------
    shift : int
        Constant right shift of the product (with rounding).
    factor_width : int
        Bits of ``factor``.
    latency : int
        Cycles from the last squares to their factor.

    Raises
    ------
    TypeError, ValueError
        If ``rows`` or ``d_model`` is not an integer of at least 1.
    """

    OPERAND_WIDTH = 17
    """Bits of x', signed."""

    SHORT_SHIFT = 8
    """Left shift of x' for vectors with e < 8, that is S below 2**16."""

    def __init__(self, *, rows: int, d_model: int):
        for name, value in (("rows", rows), ("d_model", d_model)):
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{name} must be an integer, not {value!r}")
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        norm = arith.RMSNorm(d_model, shift=0)
        self._rows = rows
        self._table = norm.table
        self._sum_width = (d_model * arith.RESIDUAL_MAX**2).bit_length()
        self.shift = norm.max_exponent
        self.factor_width = int(self._table.max()).bit_length() + self.shift - self.SHORT_SHIFT
        super().__init__(
            {
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "squares": In(data.ArrayLayout(SQUARE_BITS, rows)),
                "factor": Out(self.factor_width),
                "short": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        # adder tree; total; leading byte; table
        return self._tree_stages + 3

    @property
    def _tree_stages(self) -> int:
        """Registered stages of two adder levels each, before the last two addends and the total."""
        stages, addends = 0, self._rows
        while addends > 2:
            stages, addends = stages + 1, -(-addends // 4)
        return stages

    def elaborate(self, platform):
        m = Module()
        addends = [self.squares[i] for i in range(self._rows)]
        for _ in range(self._tree_stages):
            addends = [_registered(m, sum(addends[i : i + 4])) for i in range(0, len(addends), 4)]
        valid = delayed(m, self.valid, self._tree_stages, reset_less=False, name="valid")
        first = delayed(m, self.first, self._tree_stages, name="first")
        last = delayed(m, self.last, self._tree_stages, name="last")
        total = Signal(self._sum_width, reset_less=True)
        with m.If(valid):
            m.d.sync += total.eq(sum(addends) + Mux(first, 0, total))
        window, byte = self._leading_byte(m, total)
        complete = delayed(m, valid & last, 2, reset_less=False, name="complete")
        self._look_up(m, window, byte, complete)
        return m

    def _leading_byte(self, m: Module, total: Value):
        """(window, number) of the highest byte of ``total`` that is not 0, registered.

        The window is that byte and the 6 bits below it, which hold the table index wherever in
        the byte the leading one is.
        """
        below = BYTE - 2
        count = -(-self._sum_width // BYTE)
        padded = Cat(Const(0, below), total, Const(0, count * BYTE - self._sum_width))
        window = Signal(BYTE + below, reset_less=True)
        byte = Signal(range(count), reset_less=True)
        m.d.sync += [window.eq(padded[: BYTE + below]), byte.eq(0)]
        for i in range(1, count):
            with m.If(padded[below + i * BYTE :][:BYTE].any()):
                m.d.sync += [window.eq(padded[i * BYTE :][: BYTE + below]), byte.eq(i)]
        return window, byte

    def _look_up(self, m: Module, window: Value, byte: Value, complete: Value):
        """Table lookup and the constant-shift form of its exponent."""
        pair, index = Signal(2), Signal(BYTE)
        m.d.comb += index.eq(window[:BYTE])
        for i in range(1, BYTE // 2):
            with m.If(window[BYTE - 2 + 2 * i :][:2].any()):
                m.d.comb += [pair.eq(i), index.eq(window[2 * i :][:BYTE])]
        root_width = int(self._table.max()).bit_length()
        attrs = {"ram_style": "registers"}
        init = [int(r) for r in self._table]
        m.submodules.table = table = Memory(shape=root_width, depth=256, init=init, attrs=attrs)
        port = table.read_port()
        m.d.comb += [port.addr.eq(index), port.en.eq(complete)]
        held_pair, held_byte = Signal(2, reset_less=True), Signal.like(byte, reset_less=True)
        with m.If(complete):
            m.d.sync += [held_pair.eq(pair), held_byte.eq(byte)]
        # e = 4 * byte + pair; the shift of the table entry is shift - e', here in two steps
        short_bytes = self.SHORT_SHIFT // (BYTE // 2)
        m.d.comb += self.short.eq(held_byte < short_bytes)
        by_pair = (port.data << 3) >> held_pair
        with m.Switch(held_byte):
            for i in range(2 ** len(byte)):
                step = i if i < short_bytes else i - short_bytes
                left = self.shift - self.SHORT_SHIFT - 3 - 4 * step
                shifted = by_pair << left if left >= 0 else by_pair >> -left
                with m.Case(i):
                    m.d.comb += self.factor.eq(shifted)


def _registered(m: Module, value: Value) -> Signal:
    register = Signal(value.shape(), reset_less=True, name="partial_sum")
    m.d.sync += register.eq(value)
    return register
