"""Components that may stay unelaborated do, without a warning."""

import gc
import warnings

import pytest
from amaranth.hdl import Elaboratable, Fragment, Module, UnusedElaboratable

from gateformer.gateware.parts.elaboration import may_stay_unused


class Part(Elaboratable):
    def __init__(self, part=None):
        self.part = part
        self.number = 1


@pytest.mark.parametrize("may", [True, False])
def test_nothing_is_said_of_it_and_its_parts(may):
    Fragment.get(Module(), None)  # before the first one Amaranth says nothing
    gc.collect()  # those of tests before
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UnusedElaboratable)
        part = Part([Part(Part())])
        part.part[0].part.part = part
        if may:
            may_stay_unused(part)
        del part
        gc.collect()
    found = [warning for warning in said if warning.category is UnusedElaboratable]
    assert len(found) == (0 if may else 3)
