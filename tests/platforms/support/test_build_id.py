"""What names a design, or what was compiled of it, heeds all that the design is made from."""

import pytest

from gateformer.platforms.boards.axi_bridge import AxiBridge
from gateformer.platforms.boards.ultrascale.top import ZynqmpTop
from gateformer.platforms.boards.zynq_top import ZynqSystem, ZynqTop
from gateformer.platforms.support import build_id
from gateformer.platforms.support.build_id import sources_of
from gateformer.platforms.support.design_digest import code


@pytest.mark.parametrize(
    "classes",
    [(ZynqSystem, AxiBridge), (ZynqTop, *ZynqTop.hardware), (ZynqmpTop, *ZynqmpTop.hardware)],
)
def test_constants_of_other_files_are_heeded(monkeypatch, classes):
    """Addresses of registers, and which ports there are: whatever the file says that has them."""
    heard = []
    monkeypatch.setattr(build_id, "code", lambda path: heard.append(path.name) or code(path))
    plain = sources_of(classes)
    assert {"zynq_top.py", "axi_bridge.py", "zynq_address.py"} <= set(heard)
    assert len(heard) == len(set(heard)) == len(plain)
    monkeypatch.setattr(
        build_id, "code", lambda path: "other" if path.name == "zynq_address.py" else code(path)
    )
    assert sources_of(classes) != plain
