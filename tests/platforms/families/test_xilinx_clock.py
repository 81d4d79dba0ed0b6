"""MMCM settings: legal by the data sheets, close to what was asked, or a UserError."""

import json
import random
from fractions import Fraction

import pytest
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module, Signal

from gateformer.model.support.errors import UserError
from gateformer.platforms.families.clock import as_mhz
from gateformer.platforms.families.xc7 import XC7
from gateformer.platforms.families.xilinx_clock import (
    ULTRASCALE_PLUS,
    UltrascaleClock,
    XilinxClock,
    find_mmcm,
)
from gateformer.platforms.synthesis.synthesis import synthesize_rtlil

INPUT = Fraction(125)


def assert_legal(settings):
    assert 600 <= settings.vco_mhz <= 1200
    assert 10 <= settings.input_mhz / settings.input_divider <= 450
    assert 2 <= settings.multiplier <= 63 and (settings.multiplier * 8).denominator == 1
    divider = settings.output_divider
    assert 1 <= divider <= 128 and (divider * 8).denominator == 1
    assert divider >= 2 or divider == 1
    assert 1 <= settings.input_divider <= 106
    assert settings.vco_mhz == settings.input_mhz * settings.multiplier / settings.input_divider
    assert settings.output_mhz == settings.vco_mhz / divider


@pytest.mark.parametrize("mhz", [5, 33, 66, 100, 133, 150, 187.5, 200, 464])
def test_common_frequencies_are_within_a_thousandth(mhz):
    settings = find_mmcm(INPUT, as_mhz(mhz))
    assert_legal(settings)
    assert abs(settings.output_mhz - as_mhz(mhz)) <= as_mhz(mhz) / 1000


@pytest.mark.parametrize(
    ("input_mhz", "mhz", "multiplier", "input_divider", "divider"),
    [
        # of the integer settings with the fastest comparison the one with the fastest VCO
        (125, 100, 8, 1, 10),
        (125, 150, 6, 1, 5),
        (100, 125, 10, 1, 8),
        (100, 150, 12, 1, 8),
        (100, 75, 12, 1, 16),
        # although a fraction would allow a faster comparison
        (125, 120, 48, 5, 10),
    ],
)
def test_integer_dividers_are_preferred(input_mhz, mhz, multiplier, input_divider, divider):
    settings = find_mmcm(Fraction(input_mhz), Fraction(mhz))
    assert_legal(settings)
    assert settings.output_mhz == mhz and not settings.fractional
    made = (settings.multiplier, settings.input_divider, settings.output_divider)
    assert made == (multiplier, input_divider, divider)


def test_fractions_only_where_integers_are_further_off():
    """Against all integer settings, by brute force."""
    integers = {
        Fraction(100 * m, d * o)
        for d in range(1, 11)
        for m in range(2, 64)
        if 600 <= Fraction(100 * m, d) <= 1200
        for o in range(1, 129)
    }
    seen = set()
    for mhz in ("157.5", "123.125", "33.333"):
        wanted = Fraction(mhz)
        settings = find_mmcm(Fraction(100), wanted)
        assert_legal(settings)
        distance = min(abs(made - wanted) for made in integers)
        if settings.fractional:
            assert abs(settings.output_mhz - wanted) < distance
        else:
            assert abs(settings.output_mhz - wanted) == distance
        seen.add(settings.fractional)
    assert seen == {False, True}


def test_random_frequencies_are_legal():
    rng = random.Random(1)
    for _ in range(3):
        assert_legal(find_mmcm(INPUT, as_mhz(round(rng.uniform(4.7, 460), 3))))


@pytest.mark.parametrize(
    ("mhz", "nearest"), [(1, "4.69"), (1000, "464"), (4.6, "4.69"), (465, "464")]
)
def test_unreachable_frequencies_name_the_nearest(mhz, nearest):
    with pytest.raises(UserError) as error:
        find_mmcm(INPUT, as_mhz(mhz))
    text = str(error.value)
    assert text.startswith(f"a clock of {mhz:g} MHz can't be made from 125 MHz; the nearest is ")
    assert abs(float(text.split("nearest is ")[1].split()[0]) - float(nearest)) < 0.5


def test_an_input_outside_the_phase_detector_range():
    with pytest.raises(UserError, match="its input must be 10 to 450 MHz"):
        find_mmcm(Fraction(5), Fraction(100))


@pytest.mark.parametrize("text", [0, -1, "fast", float("nan"), float("inf")])
def test_no_frequency(text):
    with pytest.raises(UserError, match="clock must be a frequency in MHz above 0, not "):
        as_mhz(text)


def test_as_mhz_is_exact():
    assert as_mhz(187.5) == Fraction(375, 2)
    assert as_mhz("33.333333") == Fraction(33333333, 10**6)


@pytest.mark.parametrize("mhz", [6.25, 33, 75, 125, 150, 187.5, 250, 333.3, 725])
def test_settings_of_ultrascale_plus(mhz):
    """UG572, table 3-4, and DS925, speed grade -2 at 0.72 V."""
    made = find_mmcm(Fraction(100), as_mhz(mhz), ULTRASCALE_PLUS)
    assert 800 <= made.vco_mhz <= 1600 and 10 <= made.input_mhz / made.input_divider <= 500
    assert 2 <= made.multiplier <= 128 and 1 <= made.output_divider <= 128
    assert made.output_divider >= 2 or made.output_divider == 1
    assert abs(made.output_mhz - as_mhz(mhz)) <= as_mhz(mhz) / 1000


@pytest.mark.parametrize(("mhz", "nearest"), [(5, "6.25"), (800, "72")])
def test_what_ultrascale_plus_cannot_make(mhz, nearest):
    with pytest.raises(UserError, match=f"from 100 MHz; the nearest is {nearest}"):
        find_mmcm(Fraction(100), Fraction(mhz), ULTRASCALE_PLUS)


def design(output_mhz, kind=XilinxClock, **options):
    m = Module()
    m.domains.sync = ClockDomain("sync")
    source, reset, counter = Signal(), Signal(), Signal(4)
    m.submodules.clock = clock = kind(source, INPUT, Fraction(output_mhz), reset)
    m.d.sync += counter.eq(counter + 1)
    assert clock.output_mhz == Fraction(output_mhz)
    return rtlil.convert(m, ports=[source, reset, counter], **options)


def test_rtlil():
    text = design(150)
    assert "parameter real \\CLKFBOUT_MULT_F" in text and "BUFG" in text
    assert (
        float(text.split('\\CLKOUT0_DIVIDE_F "')[1].split('"')[0]) * 150
        == find_mmcm(INPUT, Fraction(150)).vco_mhz
    )


def test_equal_frequencies_take_no_mmcm():
    text = design(125)
    assert "MMCME2_BASE" not in text and "BUFG" in text


def test_the_processor_s_clock_is_on_a_buffer():
    text = design(125, UltrascaleClock)
    assert "MMCM" not in text and "BUFG" not in text
    text = design(150, UltrascaleClock)
    assert "MMCME4_BASE" in text and "MMCME2" not in text and "BUFG" in text


def test_the_netlist_for_nextpnr_xilinx():
    """What its packer reads of an MMCM: pins that it ties itself, phases that it need not guess."""
    text = design(150, name="top", emit_src=False)
    netlist = json.loads(synthesize_rtlil(text, XC7).netlist.read_text())
    cells = netlist["modules"]["top"]["cells"].values()
    (mmcm,) = (cell for cell in cells if cell["type"] == "MMCME2_BASE")
    assert mmcm["parameters"]["CLKFBOUT_PHASE"] == mmcm["parameters"]["CLKOUT0_PHASE"] == "0.0"
    assert float(mmcm["parameters"]["CLKFBOUT_MULT_F"]) == 6
    assert not {"RST", "PWRDWN"} & mmcm["connections"].keys()
    assert "$scopeinfo" not in {cell["type"] for cell in cells}
