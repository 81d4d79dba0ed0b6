"""Sizes for several streams, and how many streams and cores are the fastest together."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.compiler.several_cores import cycles_together
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.building.board_flow import refuse_if_too_large
from gateformer.platforms.families.family import Resources
from gateformer.platforms.sizes.interleaved.search import GAIN, best_together
from gateformer.platforms.sizes.report import explanation
from gateformer.platforms.sizes.search import choose, search
from gateformer.platforms.sizes.sizing import choose_sizes, fewer_that_fit

SPEC = "random:vocab_size=20,d_model=16,n_heads=2,n_layers=1,d_ff=32,ctx_len=12,seed=3"
ZYBO = board("zybo")
FIXED = {"rows": 2, "packing": "2bit"}


@pytest.fixture(scope="module")
def model():
    return open_model(SPEC).model


def small(**budget) -> object:
    """A Zybo with less of something."""
    return dataclasses.replace(ZYBO, budget=dataclasses.replace(ZYBO.budget, **budget))


@pytest.mark.parametrize("streams, cores", [(2, 1), (3, 1), (2, 2), (1, 3)])
def test_the_choice_is_the_fastest_of_all_that_fit(model, streams, cores):
    candidates = search(model, ZYBO, FIXED, streams=streams, cores=cores)
    chosen = choose(candidates)
    assert not chosen.least and (chosen.hw.streams, chosen.hw.cores) == (streams, cores)
    exact = {c.hw: cycles_together(Program(model, c.hw)) for c in candidates if c.fits}
    assert chosen.cycles == exact[chosen.hw] == min(exact.values())
    assert len(exact) > 3
    for candidate in candidates:
        if candidate.fits:
            assert candidate.cycles <= exact[candidate.hw]
            assert candidate.least or candidate.cycles == exact[candidate.hw]
    several = {"streams": streams, "cores": cores}
    assert choose_sizes(model, ZYBO, **FIXED, **several) == chosen.hw


def test_more_streams_and_cores_take_more(model):
    fixed = FIXED | {"cols": 8, "lanes": 8}
    one, two, four = (search(model, ZYBO, fixed, streams=n)[0].need for n in (1, 2, 4))
    assert one.lut < two.lut < four.lut and one.ff < two.ff < four.ff and one.dsp == two.dsp
    cores = search(model, ZYBO, fixed, cores=2)[0].need
    assert cores.dsp == 2 * one.dsp and cores.lut < 2 * one.lut + two.lut - one.lut


def test_streams_and_cores_are_chosen_together(model):
    found = best_together(model, ZYBO, FIXED)
    assert found[0] == choose(search(model, ZYBO, FIXED)) and len(found) > 1
    for before, after in itertools.pairwise(found):
        assert after.cycles < (1 - GAIN) * before.cycles and after.fits
        assert after.hw.all_streams >= before.hw.all_streams
    for streams, cores in ((2, 1), (1, 2), (4, 1), (2, 4)):
        other = choose(search(model, ZYBO, FIXED, streams=streams, cores=cores))
        assert other is None or not other.fits or (1 - GAIN) * found[-1].cycles <= other.cycles


def test_what_does_not_fit_names_fewer(model):
    hw = choose_sizes(model, ZYBO, **FIXED)
    need = search(model, ZYBO, {n: getattr(hw, n) for n in ("rows", "cols", "lanes", "packing")})
    target = small(lut=round(1.05 * need[0].need.lut))
    many = dataclasses.replace(hw, streams=4)
    fewer = fewer_that_fit(model, target, many)
    assert fewer is not None and fewer.startswith("--streams ")
    assert fewer_that_fit(model, small(lut=10), many) is None
    sizes = {name: getattr(hw, name) for name in ("rows", "cols", "lanes", "packing")}
    with pytest.raises(UserError, match=rf"with .* --streams 4: .* more than .*{fewer}$"):
        choose_sizes(model, target, **sizes, streams=4)


def test_a_design_that_turns_out_too_large_names_fewer_streams(model):
    program = Program(model, HwConfig(2, 8, 8, streams=3))
    used = Resources(lut=18_000, ff=10_000, bram=32.5, dsp=80, detail={})
    with pytest.raises(UserError, match=r"try .*--streams 2$"):
        refuse_if_too_large(program, ZYBO, used)


@pytest.mark.parametrize("streams, advice", [(1, ""), (2, "take fewer streams or cores, ")])
def test_what_fits_nowhere_could_be_less(model, streams, advice):
    target = small(lut=10)
    said = explanation(search(model, target, FIXED, streams=streams), target)
    assert said.endswith(f"; {advice}train a smaller model or choose a larger board")
