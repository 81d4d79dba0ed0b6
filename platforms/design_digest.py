"""What a core is made from, as one digest: equal inputs give equal designs."""

from __future__ import annotations

from pathlib import Path

import amaranth

import gateware
from gateware.program import Program
from model import arith, sampling
from model.cache import digest

from . import yosys


def design_digest(program: Program) -> str:
    """SHA-256 (hex) over the model's digest, the hardware sizes, sources and tool versions.

    The sources are those of the gateware and of the contract that it implements.
    """
    contract = [Path(module.__file__) for module in (arith, sampling)]
    sources = [*contract, *sorted(Path(gateware.__file__).parent.glob("*.py"))]
    parts = [text for path in sources for text in (path.name, path.read_text(encoding="utf-8"))]
    versions = (amaranth.__version__, yosys.version())
    return digest(program.model.digest, repr(program.hw), *versions, *parts)
