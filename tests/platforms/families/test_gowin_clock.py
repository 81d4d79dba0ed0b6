"""Settings of the rPLL: legal by Gowin's data sheets, close to what was asked, or a UserError."""

import re
from fractions import Fraction

import pytest
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module, Signal
from hypothesis import given, settings
from hypothesis import strategies as st

from gateformer.model.support.errors import UserError
from gateformer.platforms.families.gowin_clock import FAMILIES, GowinClock, find_gowin_pll

INPUT = Fraction(27)
SMALL, LARGE = "GW1NR-9C", "GW2A-18C"


def assert_legal(pll, family):
    """Limits and equations as in the data sheets, not as in the code."""
    top = {SMALL: (400, 400, 1200, 3.125, 600), LARGE: (500, 500, 1250, 3.90625, 625)}[family]
    pfd_max, vco_min, vco_max, out_min, out_max = top
    assert 1 <= pll.idiv <= 64 and 1 <= pll.fbdiv <= 64
    assert pll.odiv in {2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128}
    detector = pll.input_mhz / pll.idiv
    assert 3 <= detector <= pfd_max
    assert pll.output_mhz == detector * pll.fbdiv and out_min < pll.output_mhz <= out_max
    assert pll.vco_mhz == detector * pll.fbdiv * pll.odiv
    assert vco_min <= pll.vco_mhz <= vco_max


@settings(deadline=None, max_examples=25)
@given(
    st.fractions(min_value=3, max_value=400, max_denominator=1000),
    st.fractions(min_value=Fraction(1, 2), max_value=800, max_denominator=1000),
    st.sampled_from([SMALL, LARGE]),
)
def test_settings_are_legal_or_the_nearest_is_named(input_mhz, output_mhz, family):
    try:
        pll = find_gowin_pll(input_mhz, output_mhz, family)
    except UserError as error:
        nearest = Fraction(re.search(r"the nearest is ([0-9.]+) MHz", str(error))[1])
        # A user who follows the advice gets a clock.
        pll = find_gowin_pll(input_mhz, nearest, family)
        assert abs(pll.output_mhz - nearest) <= Fraction(1, 2000)
        assert abs(pll.output_mhz - output_mhz) > output_mhz / 1000
    else:
        assert abs(pll.output_mhz - output_mhz) <= output_mhz / 1000
    assert_legal(pll, family)


def test_the_fastest_detector_and_vco_are_preferred():
    pll = find_gowin_pll(INPUT, Fraction(54), SMALL)
    assert (pll.idiv, pll.fbdiv, pll.odiv) == (1, 2, 16)


@pytest.mark.parametrize(
    ("mhz", "nearest", "family"),
    [
        ("85", "84.857", LARGE),
        ("2", "3.375", SMALL),
        ("2", "4.500", LARGE),
        ("700", "594.000", SMALL),
        ("700", "621.000", LARGE),
    ],
)
def test_unreachable_frequencies_name_the_nearest(mhz, nearest, family):
    with pytest.raises(UserError) as error:
        find_gowin_pll(INPUT, Fraction(mhz), family)
    assert str(error.value) == (
        f"a clock of {mhz} MHz can't be made from 27 MHz; the nearest is {nearest} MHz: "
        "choose it with --clock"
    )


def test_an_input_that_the_phase_detector_does_not_take():
    with pytest.raises(UserError) as error:
        find_gowin_pll(Fraction(2), Fraction(100), LARGE)
    assert str(error.value) == (
        "no PLL setting makes a clock from 2 MHz; its input must be 3 to 500 MHz"
    )


def test_an_unknown_family():
    with pytest.raises(ValueError) as error:
        find_gowin_pll(INPUT, Fraction(54), "GW5A-25A")
    assert str(error.value) == f"family must be one of {', '.join(FAMILIES)}, not 'GW5A-25A'"


def design(output_mhz):
    m = Module()
    m.domains.sync = ClockDomain("sync")
    source, reset, counter = Signal(), Signal(), Signal(4)
    m.submodules.clock = clock = GowinClock(
        source, INPUT, Fraction(output_mhz), reset, family=LARGE
    )
    m.d.sync += counter.eq(counter + 1)
    assert clock.output_mhz == Fraction(output_mhz)
    return rtlil.convert(m, ports=[source, reset, counter])


def test_rtlil():
    text = design(87)
    for line in (
        'parameter \\DEVICE "GW2A-18C"',
        'parameter \\FCLKIN "27"',
        "parameter \\IDIV_SEL 8",
        "parameter \\FBDIV_SEL 28",
        "parameter \\ODIV_SEL 8",
        'parameter \\DYN_FBDIV_SEL "false"',
        'parameter \\CLKFB_SEL "internal"',
        "connect \\IDSEL 6'000000",
    ):
        assert line in text, line


def test_equal_frequencies_take_no_pll():
    assert "rPLL" not in design(27)
