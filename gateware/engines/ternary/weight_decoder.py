"""From a word of the weight memory to the controls of the adder trees."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PairControl", "ThreeInFiveDecoder", "TwoBitDecoder"]


class PairControl(data.Struct):
    """What one row does with the pair of columns (a, b).

    =========  ==========  ============  ==========================
    ``first``  ``second``  ``subtract``  magnitude
    =========  ==========  ============  ==========================
    1          0           0             a
    0          1           1             b
    1          1           0             a + b
    1          1           1             a - b
    0          0           1             0
    =========  ==========  ============  ==========================

    No other combination occurs. Members
    -------
    first, second : 1
        The weight of a (of b) is not zero.
    subtract : 1
        Carry into the chain that makes the magnitude.
    relative_sign : 1
        Sign of the pair times the sign of pair :func:`tree_parent`, which is where the tree adder
        that joins the two needs it; for pair 0, the sign of the pair, which is that of the root.
    """

    first: 1
    second: 1
    subtract: 1
    relative_sign: 1


def n_pairs(cols: int) -> int:
    """Leaves of the tree of a row with ``cols`` columns."""
    return (cols + 1) // 2


def tree_parent(pair: int) -> int:
    """The pair whose sign decides how pair ``pair`` (at least 1) is added.

    The sum of a subtree carries the sign of its first pair. Level n of the tree adds subtrees of
    ``2**n`` pairs, so a subtree that begins with ``pair`` as second operand has as partner the
    one that begins where the lowest set bit of ``pair`` is cleared.
    """
    return pair & (pair - 1)


def controls_layout(rows: int, cols: int) -> data.ArrayLayout:
    """Controls of all rows: [rows][pairs] of :class:`PairControl`."""
    return data.ArrayLayout(data.ArrayLayout(PairControl, n_pairs(cols)), rows)


class TwoBitDecoder(wiring.Component):
    """Names the bits of a :class:`gateware.engines.ternary.packing.TwoBitFormat` word. No logic, no
    latency.

    Members
    -------
    word : In(2 * rows * cols)
    controls : Out(controls_layout(rows, cols))
    """

    def __init__(self, rows: int, cols: int):
        self._cols = cols
        super().__init__(
            {"word": In(2 * rows * cols), "controls": Out(controls_layout(rows, cols))}
        )

    def elaborate(self, platform):
        m = Module()
        row_width = 2 * self._cols
        for row, controls in enumerate(self.controls):
            bits = self.word[row * row_width : (row + 1) * row_width]
            if self._cols % 2:
                first, relative_sign = bits[-2:]
                bits = Cat(bits[:-2], first, Const(0, 1), ~first, relative_sign)
            m.d.comb += controls.as_value().eq(bits)
        return m


def three_in_five_code(code: int) -> tuple[int, int, int]:
    """The three trits of a 5-bit code: bits 0-2 are signs, bits 3-4 the pattern of zeros.

    Pattern 3: no trit is zero. Pattern k < 3: trit k is zero, and its sign bit, free now, says
    whether the trit after it (cyclically) is zero as well; if so, that trit's sign bit says whether
    the third is zero too. The 5 codes that repeat another's trits are not used.
    """
    zero = [False, False, False]
    pattern = code >> 3
    for k in (pattern, (pattern + 1) % 3, (pattern + 2) % 3):
        if pattern == 3:
            break
        zero[k] = True
        if not (code >> k) & 1:
            break
    return tuple(0 if zero[k] else 1 - 2 * ((code >> k) & 1) for k in range(3))


class ThreeInFiveDecoder(wiring.Component):
    """Decodes :class:`gateware.engines.ternary.packing.ThreeInFiveFormat`. Latency 1, one word per
    cycle.

    Members
    -------
    word : In(5 * ceil(rows * cols / 3))
    controls : Out(controls_layout(rows, cols))
        Controls of the word of the cycle before.
    """

    def __init__(self, rows: int, cols: int):
        self._rows = rows
        self._cols = cols
        self._groups = -(-rows * cols // 3)
        super().__init__(
            {"word": In(5 * self._groups), "controls": Out(controls_layout(rows, cols))}
        )

    def elaborate(self, platform):
        m = Module()
        table = [three_in_five_code(code) for code in range(32)]
        nonzero, negative = [], []
        for group in range(self._groups):
            code = self.word[5 * group : 5 * group + 5]
            for k in range(3):
                truth = sum((trits[k] != 0) << i for i, trits in enumerate(table))
                nonzero.append(Const(truth, 32).bit_select(code, 1))
                negative.append(code[k])
        controls = Signal.like(self.controls, name="decoded", reset_less=True)
        m.d.comb += self.controls.eq(controls)
        for row in range(self._rows):
            begin, end = row * self._cols, (row + 1) * self._cols
            trits = nonzero[begin:end], negative[begin:end]
            m.d.sync += controls[row].as_value().eq(self._row_controls(*trits))
        return m

    def _row_controls(self, nonzero, negative):
        pairs = []
        for pair in range(n_pairs(self._cols)):
            first = nonzero[2 * pair]
            sign = negative[2 * pair]
            second = Const(0, 1)
            subtract = ~first
            if 2 * pair + 1 < self._cols:
                second = nonzero[2 * pair + 1]
                other = negative[2 * pair + 1]
                subtract = ~first | (second & (sign ^ other))
                sign = (sign & first) | (other & ~first)
            pairs.append((first, second, subtract, sign))
        controls = []
        for pair, (first, second, subtract, sign) in enumerate(pairs):
            relative_sign = sign ^ pairs[tree_parent(pair)][3] if pair else sign
            controls.append(Cat(first, second, subtract, relative_sign))
        return Cat(controls)
