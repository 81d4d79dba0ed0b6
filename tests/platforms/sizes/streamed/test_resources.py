"""The stored factors come from the stored designs, and how far they are from each."""

import pytest

from gateformer.model.support.errors import UserError
from gateformer.platforms.families.ecp5 import ECP5
from gateformer.platforms.sizes.streamed import resources

DATA = resources.load_data()["xc7"]
POINTS = DATA["points"]


def test_factors_are_those_of_the_points():
    found = resources.fit(POINTS)
    for resource, units in DATA["factors"].items():
        for unit, terms in units.items():
            assert found[resource][unit] == pytest.approx(terms, rel=1e-3, abs=1e-2)


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point['what']}, {point['streams']}")
def test_errors_are_those_of_the_document(point):
    """docs/streamed_core.md states them."""
    limit = 0.08 if point["checks"] else 0.03
    for resource in ("lut", "sites"):
        found = resources.predicted(point, DATA["factors"], resource)
        assert abs(found / point[resource] - 1) < limit, resource
    assert abs(point["known"]["bram"] - point["bram"]) <= 0.5
    assert point["known"]["dsp"] == point["dsp"]


def test_a_family_that_was_not_calibrated():
    with pytest.raises(UserError, match=r"^streamed cores of .* were not calibrated; known: xc7$"):
        resources.StreamedResources(ECP5)
