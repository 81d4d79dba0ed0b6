"""What a streamed core is built of, and what not."""

import pytest

from gateformer.gateware.console.system import ConsoleCore
from gateformer.gateware.streamed.core import StreamedCore
from tests.support.imported.small_streamed import program


@pytest.mark.parametrize(
    ("depth", "expected"),
    [(100, "depth must be a power of two, not 100"), (4, "depth must be 8 to 65536, not 4")],
)
def test_a_depth_that_is_none(depth, expected):
    with pytest.raises(ValueError, match=f"^{expected}$"):
        StreamedCore(program(), depth=depth)


def test_a_console_in_gateware_has_no_memory():
    with pytest.raises(TypeError, match="no memory bus"):
        ConsoleCore(program(), name="small", build_id=1, clock_hz=1_000_000)
