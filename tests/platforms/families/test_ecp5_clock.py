"""Settings of the EHXPLLL: legal by FPGA-DS-02012, close to what was asked, or a UserError."""

import re
from fractions import Fraction

import pytest
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module, Signal
from hypothesis import given, settings
from hypothesis import strategies as st

from gateformer.model.support.errors import UserError
from gateformer.platforms.families.ecp5_clock import Ecp5Clock, find_ecp5_pll

INPUT = Fraction(25)


def assert_legal(pll):
    """Limits and equations as in the data sheet, not as in the code."""
    assert 1 <= pll.clki_div <= 128 and 1 <= pll.clkfb_div <= 80 and 1 <= pll.clkop_div <= 128
    detector = pll.input_mhz / pll.clki_div
    assert 10 <= detector <= 400
    feedback = detector * pll.clkfb_div
    assert 3.125 <= feedback <= 400
    vco = feedback * pll.clkop_div
    assert vco == pll.vco_mhz and 400 <= vco <= 800
    divider = pll.clkop_div if pll.clkos_div is None else pll.clkos_div
    assert 1 <= divider <= 128
    assert pll.output_mhz == vco / divider and 3.125 <= pll.output_mhz <= 400


def reachable():
    """Every frequency that 25 MHz can be turned into, by brute force over the VCO."""
    vcos = {INPUT * n / d for d in (1, 2) for n in range(1, 129) if 400 <= INPUT * n / d <= 800}
    return {v / d for v in vcos for d in range(1, 129) if 3.125 <= v / d <= 400}


@settings(deadline=None, max_examples=25)
@given(
    st.fractions(min_value=10, max_value=400, max_denominator=1000),
    st.fractions(min_value=Fraction(1, 2), max_value=500, max_denominator=1000),
)
def test_settings_are_legal_or_the_nearest_is_named(input_mhz, output_mhz):
    try:
        pll = find_ecp5_pll(input_mhz, output_mhz)
    except UserError as error:
        nearest = Fraction(re.search(r"the nearest is ([0-9.]+) MHz", str(error))[1])
        # A user who follows the advice gets a clock.
        pll = find_ecp5_pll(input_mhz, nearest)
        assert abs(pll.output_mhz - nearest) <= Fraction(1, 2000)
        assert abs(pll.output_mhz - output_mhz) > output_mhz / 1000
    else:
        assert abs(pll.output_mhz - output_mhz) <= output_mhz / 1000
    assert_legal(pll)


def test_the_closest_of_all_settings_is_found():
    frequencies = reachable()
    for tenths in range(40, 4000, 237):
        wanted = Fraction(tenths, 10)
        best = min(abs(f - wanted) for f in frequencies)
        if best <= wanted / 1000:
            assert abs(find_ecp5_pll(INPUT, wanted).output_mhz - wanted) == best
        else:
            with pytest.raises(UserError):
                find_ecp5_pll(INPUT, wanted)


def test_one_output_and_the_middle_of_the_vco_are_preferred():
    pll = find_ecp5_pll(INPUT, Fraction(100))
    assert (pll.clki_div, pll.clkfb_div, pll.clkop_div, pll.clkos_div) == (1, 4, 6, None)
    assert pll.vco_mhz == 600


@pytest.mark.parametrize(
    ("mhz", "nearest"),
    [("2", "3.125"), ("97", "96.875"), ("500", "400.000"), ("48", "48.077")],
)
def test_unreachable_frequencies_name_the_nearest(mhz, nearest):
    with pytest.raises(UserError) as error:
        find_ecp5_pll(INPUT, Fraction(mhz))
    assert str(error.value) == (
        f"a clock of {mhz} MHz can't be made from 25 MHz; the nearest is {nearest} MHz: "
        "choose it with --clock"
    )


@pytest.mark.parametrize("mhz", [5, 500])
def test_an_input_that_the_phase_detector_does_not_take(mhz):
    with pytest.raises(UserError) as error:
        find_ecp5_pll(Fraction(mhz), Fraction(100))
    assert str(error.value) == (
        f"no PLL setting makes a clock from {mhz} MHz; its input must be 10 to 400 MHz"
    )


def design(output_mhz):
    m = Module()
    m.domains.sync = ClockDomain("sync")
    source, reset, counter = Signal(), Signal(), Signal(4)
    m.submodules.clock = clock = Ecp5Clock(source, INPUT, Fraction(output_mhz), reset)
    m.d.sync += counter.eq(counter + 1)
    assert clock.output_mhz == Fraction(output_mhz)
    return rtlil.convert(m, ports=[source, reset, counter])


def test_rtlil_with_the_output_at_clkop():
    text = design("87.5")
    for line in (
        "parameter \\CLKI_DIV 2",
        "parameter \\CLKFB_DIV 7",
        "parameter \\CLKOP_DIV 7",
        "parameter \\CLKOP_CPHASE 6",
        'parameter \\FEEDBK_PATH "CLKOP"',
        'attribute \\ICP_CURRENT "12"',
        'attribute \\LPF_RESISTOR "8"',
        'attribute \\FREQUENCY_PIN_CLKOP "87.500000"',
    ):
        assert line in text, line
    assert "CLKOS_DIV" not in text
    feedback = re.search(r"connect \\CLKFB (\S+)", text)[1]
    assert f"connect \\CLKOP {feedback}" in text


def test_rtlil_with_the_output_at_clkos():
    text = design("95")
    for line in (
        "parameter \\CLKI_DIV 1",
        "parameter \\CLKFB_DIV 1",
        "parameter \\CLKOP_DIV 19",
        "parameter \\CLKOS_DIV 5",
        "parameter \\CLKOS_CPHASE 4",
        'parameter \\CLKOS_ENABLE "ENABLED"',
    ):
        assert line in text, line
    feedback = re.search(r"connect \\CLKFB (\S+)", text)[1]
    assert f"connect \\CLKOP {feedback}" in text and f"connect \\CLKOS {feedback}" not in text


def test_equal_frequencies_take_no_pll():
    assert "EHXPLLL" not in design(25)
