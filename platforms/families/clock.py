"""What the clocks of all device families have in common: frequencies, complaints, clock and reset.

A family states how its PLL is set and instantiated: :mod:`platforms.families.xilinx_clock`,
:mod:`platforms.families.ecp5_clock`, :mod:`platforms.families.gowin_clock`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal, Signal
from amaranth.lib.cdc import ResetSynchronizer

from gateformer.gateware.parts.elaboration import may_stay_unused
from gateformer.model.support.errors import UserError

RESET_STAGES = 2
TOLERANCE = Fraction(1, 1000)
"""How far a clock may be off the one asked for."""


def as_mhz(value: float | str | Fraction) -> Fraction:
    """A frequency in MHz, exact to the hertz; UserError if it is not a positive number."""
    try:
        mhz = Fraction(str(value)).limit_denominator(10**6)
    except (ValueError, ZeroDivisionError):
        mhz = Fraction(0)
    if mhz <= 0:
        raise UserError(f"clock must be a frequency in MHz above 0, not {value!r}")
    return mhz


def check_input(
    input_mhz: Fraction, lowest: Fraction | int, highest: Fraction | int, generator: str
) -> None:
    """UserError if ``generator`` ("MMCM", "PLL") can't work from the input clock at all."""
    if not lowest <= input_mhz <= highest:
        raise UserError(
            f"no {generator} setting makes a clock from {float(input_mhz):g} MHz; "
            f"its input must be {float(lowest):g} to {float(highest):g} MHz"
        )


def check_nearest(input_mhz: Fraction, output_mhz: Fraction, nearest_mhz: Fraction) -> None:
    """UserError naming ``nearest_mhz`` if it is more than 0.1 % off ``output_mhz``."""
    if abs(nearest_mhz - output_mhz) > TOLERANCE * output_mhz:
        raise UserError(
            f"a clock of {float(output_mhz):g} MHz can't be made from {float(input_mhz):g} MHz; "
            f"the nearest is {float(nearest_mhz):.3f} MHz: choose it with --clock"
        )


def closest(candidates: Iterable, wanted_mhz: Fraction, preference: Callable):
    """Of settings with ``.output_mhz``, the closest one; of equal ones the least ``preference``."""
    return min(candidates, key=lambda s: (abs(s.output_mhz - wanted_mhz), *preference(s)))


class ClockGenerator(Elaboratable):
    """Clock and reset of domain ``sync``, which the parent defines, from an input clock.

    When both frequencies are equal there is no PLL. The domain itself has no reset: :attr:`held`
    follows when ``reset`` is high or the PLL is not locked, and is released through a two-stage
    synchronizer. Behind it are ``RESET_STAGES`` plain registers: the last is placed where its users
    are, not at the PLL.

    Subclasses give :meth:`find_settings`, :meth:`pll` and, if it takes one, :meth:`buffer`.

    Parameters
    ----------
    source : Signal, the input clock after its input buffer
    input_mhz, output_mhz : Fraction
    reset : Signal, asynchronous, active high

    Attributes
    ----------
    settings : what :meth:`find_settings` returns, or None without a PLL
    output_mhz : Fraction
        The clock that is made.
    held : Signal, a register of ``sync``: high while the design is to be in reset

    Raises
    ------
    UserError
        If no setting comes within 0.1 % of ``output_mhz``; names the nearest frequency.
    """

    def __init__(self, source, input_mhz: Fraction, output_mhz: Fraction, reset):
        may_stay_unused(self)
        self.source = source
        self._reset = reset
        self.held = Signal(init=1, reset_less=True, name="held_in_reset")
        same = input_mhz == output_mhz
        self.settings = None if same else self.find_settings(input_mhz, output_mhz)
        self.output_mhz = input_mhz if same else self.settings.output_mhz

    def find_settings(self, input_mhz: Fraction, output_mhz: Fraction):
        """Settings with ``.output_mhz``; UserError as the class says."""
        raise NotImplementedError

    def pll(self, m: Module, clock: Signal, locked: Signal) -> None:
        """Add the PLL, which drives ``clock`` and ``locked`` from :attr:`source`."""
        raise NotImplementedError

    def buffer(self, m: Module, clock) -> None:
        """Bring ``clock`` to the domain; as it is, for tools that insert clock buffers."""
        m.d.comb += ClockSignal("sync").eq(clock)

    def elaborate(self, platform):
        m = Module()
        clock, reset = self.source, self._reset
        if self.settings is not None:
            clock, locked = Signal(name="pll_clock"), Signal(name="pll_locked")
            self.pll(m, clock, locked)
            reset = Signal(name="clock_reset")
            m.d.comb += reset.eq(self._reset | ~locked)
        self.buffer(m, clock)
        m.domains.synchronized = ClockDomain("synchronized", local=True)
        m.submodules.reset = ResetSynchronizer(reset, domain="synchronized")
        m.d.comb += ClockSignal("synchronized").eq(ClockSignal("sync"))
        stages = Signal(RESET_STAGES - 1, init=-1, name="reset_stages")
        m.d.sync += Cat(stages, self.held).eq(Cat(ResetSignal("synchronized"), stages))
        return m
