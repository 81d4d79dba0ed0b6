"""Symmetric saturation, the gateware side of :func:`model.arith.saturate`."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Mux, Value, signed


class Saturation:
    """A signed value limited to ±(2**(bits-1) - 1), in the parts that make it cheap.

    No comparator: a middle bit of the result depends only on the value's own bit and on whether
    it saturates high or low. Only bit 0 needs more: it turns the one excluded code, -2**(bits-1),
    into the lowest that is allowed.

    Attributes
    ----------
    sign, high, low : Value
        Negative; saturated high; saturated low.
    middle : Value
        Bits 1 to ``bits`` - 2 before saturation.
    bottom : Value
        Bit 0 after it.
    """

    def __init__(self, value: Value, bits: int):
        if len(value) < bits:
            value = Value.cast(Const(0, signed(bits)) | value)
        top = value[bits - 1 :]
        overflow = top.any() & ~top.all() if len(top) > 1 else Const(0)
        self.sign = value[-1]
        self.high, self.low = overflow & ~self.sign, overflow & self.sign
        self.middle = value[1 : bits - 1]
        self.bottom = value[0] | overflow | (self.sign & ~value[: bits - 1].any())

    @property
    def result(self) -> Value:
        """The limited value, ``bits`` bits, signed."""
        ones = Const((1 << len(self.middle)) - 1, len(self.middle))
        middle = (self.middle | Mux(self.high, ones, 0)) & Mux(self.low, 0, ones)
        return Cat(self.bottom, middle, self.sign).as_signed()

    def rectified(self, enable: Value) -> Saturation:
        """The same with 0 for all negative values if ``enable``."""
        negative = enable & self.sign
        return self._replaced(
            sign=self.sign & ~enable, low=self.low | negative, bottom=self.bottom & ~negative
        )

    def unless(self, select: Value, other: Saturation) -> Saturation:
        """``other`` if ``select``: the parts are selected, which is cheaper than the results."""
        return self._replaced(
            **{name: Mux(select, getattr(other, name), part) for name, part in vars(self).items()}
        )

    def _replaced(self, **parts) -> Saturation:
        changed = object.__new__(Saturation)
        vars(changed).update(vars(self) | parts)
        return changed


def saturated(value: Value, bits: int) -> Value:
    """The signed ``value`` limited to ±(2**(bits-1) - 1), ``bits`` bits; combinational."""
    return Saturation(value, bits).result
