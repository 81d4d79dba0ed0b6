"""What a core is made from, as one digest: equal inputs give equal designs."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import amaranth

from gateformer import gateware
from gateformer.gateware.host.any_core import AnyProgram
from gateformer.model.contract import arith, sampling
from gateformer.model.contract.decoder import arith as decoder_arith
from gateformer.model.contract.decoder import sampling as decoder_sampling
from gateformer.model.support.cache import digest
from gateformer.model.support.sources import sources

from . import yosys

CONTRACT = (arith, sampling, decoder_arith, decoder_sampling)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def design_digest(program: AnyProgram) -> str:
    """SHA-256 (hex) over the model's digest, the hardware sizes, sources and tool versions.

    The sources are those of the gateware and of the contract that it implements, as :func:`code`.
    """
    contract = [Path(module.__file__) for module in CONTRACT]
    files = [*contract, *sources(gateware)]
    parts = [text for path in files for text in (path.name, code(path))]
    versions = (amaranth.__version__, yosys.version())
    made_for = (program.model.digest, repr(program.hw), repr(program.limits))
    made_for += tuple(repr(getattr(program, name, None)) for name in ("memory", "streams"))
    return digest(*made_for, *versions, *parts)


def code(source: Path) -> str:
    """Digest of what a Python file says to Python: without comments, docstrings and layout."""
    return _code(source.read_text(encoding="utf-8"))


@functools.cache
def _code(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        for statement in getattr(node, "body", []) if isinstance(node, _DOCUMENTED) else []:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                statement.value = ast.Constant(None)
    return digest(ast.dump(tree))
