"""Symmetric saturation, the gateware side of :func:`model.contract.arith.saturate`."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Value, signed

from .delay import delayed


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
        self._combine(**_observations(value, bits))

    @classmethod
    def registered(cls, m: Module, value: Value, bits: int, cycles: int, name: str) -> Saturation:
        """The saturation of ``value`` ``cycles`` cycles ago, with the registers halfway."""
        return cls._late(m, _observations(value, bits), cycles, name)

    @classmethod
    def of_either(
        cls,
        m: Module,
        value: Value,
        shifts: tuple[int, int],
        second: Value,
        bits: int,
        cycles: int,
        name: str,
    ) -> Saturation:
        """As :meth:`registered` of ``value`` shifted right, by the larger, second shift if
        ``second``; the shifts share most of what is observed.
        """
        return cls._late(m, _observations_of_either(value, *shifts, second, bits), cycles, name)

    @classmethod
    def _late(cls, m: Module, observed: dict, cycles: int, name: str) -> Saturation:
        saturation = object.__new__(cls)
        saturation._combine(
            **{part: delayed(m, v, cycles, name=f"{name}_{part}") for part, v in observed.items()}
        )
        return saturation

    def _combine(self, sign, some, every, below, middle, lowest):
        overflow = some & ~every
        self.sign = sign
        self.high, self.low = overflow & ~sign, overflow & sign
        self.middle = middle
        self.bottom = lowest | overflow | (sign & ~below)

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


def _observations(value: Value, bits: int) -> dict[str, Value]:
    """What a saturation depends on.

    The sign; whether ``some`` and ``every`` bit from the result's sign upwards is set, and any bit
    ``below`` it; the bits between the lowest and it; the lowest.
    """
    if len(value) < bits:
        value = Value.cast(Const(0, signed(bits)) | value)
    top = value[bits - 1 :]
    return {
        "sign": value[-1],
        "some": top.any(),
        "every": top.all(),
        "below": value[: bits - 1].any(),
        "middle": value[1 : bits - 1],
        "lowest": value[0],
    }


def _observations_of_either(
    value: Value, small: int, large: int, second: Value, bits: int
) -> dict[str, Value]:
    """Those of ``value >> large`` if ``second``, of ``value >> small`` otherwise."""
    if small == large:
        return _observations(value.shift_right(small), bits)
    if len(value) < large + bits:
        value = Value.cast(Const(0, signed(large + bits)) | value)
    # the result's sign upwards, and that below it, for either shift
    both, first_top = value[large + bits - 1 :], value[small + bits - 1 : large + bits - 1]
    first_below = value[small : min(large, small + bits - 1)]
    second_below = value[max(large, small + bits - 1) : large + bits - 1]
    below = Mux(second, second_below.any(), first_below.any())
    return {
        "sign": value[-1],
        "some": both.any() | (first_top.any() & ~second),
        "every": both.all() & (first_top.all() | second),
        "below": Cat(value[large : max(large, small + bits - 1)], below).any(),
        "middle": Mux(
            second, value[large + 1 : large + bits - 1], value[small + 1 : small + bits - 1]
        ),
        "lowest": Mux(second, value[large], value[small]),
    }


def saturated(value: Value, bits: int) -> Value:
    """The signed ``value`` limited to ±(2**(bits-1) - 1), ``bits`` bits; combinational."""
    return Saturation(value, bits).result
