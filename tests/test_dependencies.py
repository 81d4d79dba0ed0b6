"""Dependencies point one way: model, gateware, platforms, build; and what each may need."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_rooms import IMPORTS, MODULES, ROOT

ORDER = ["model", "gateware", "platforms"]


def wing(name: str) -> str:
    return name.split(".")[1]


def outside(path: Path) -> set[str]:
    """Dotted names that a file imports absolutely."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("package", ORDER)
def test_a_wing_imports_none_above_it(package):
    above = set(ORDER[ORDER.index(package) + 1 :])
    for name in (name for name in MODULES if wing(name) == package):
        climbed = sorted(target for target in IMPORTS[name] if wing(target) in above)
        assert not climbed, f"{name} imports {climbed}"


@pytest.mark.parametrize("package", ORDER[1:])
def test_hardware_needs_no_torch(package):
    for name, path in MODULES.items():
        if wing(name) == package:
            roots = {imported.split(".")[0] for imported in outside(path)}
            assert "torch" not in roots, f"{name} imports torch"


def test_loading_and_compiling_a_model_imports_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None; "
        "import gateformer.gateware.core.core, gateformer.model.contract.artifact; "
        "import gateformer.model.evaluation.evaluate, gateformer.platforms.building.flow"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_arith_imports_nothing_of_ours():
    assert not IMPORTS["gateformer.model.contract.arith"]


def test_only_platforms_name_vendors():
    for name, path in MODULES.items():
        if wing(name) != "platforms":
            vendors = {other for other in outside(path) if other.startswith("amaranth.vendor")}
            assert not vendors, f"{name} imports {sorted(vendors)}"
