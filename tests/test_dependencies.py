"""Dependencies point one way: model.arith, model, gateware, platforms, build."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = ["model", "gateware", "platforms", "build"]


def imported_modules(path: Path) -> set[str]:
    """Top-level and dotted names that a file imports, relative ones resolved to its package."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = path.parent.name if node.level else ""
            names.add(".".join(filter(None, [package, node.module])))
    return names


def sources(package: str) -> list[Path]:
    if package == "build":
        return [ROOT / "build.py"]
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", ORDER)
def test_a_package_imports_none_above_it(package):
    above = set(ORDER[ORDER.index(package) + 1 :])
    for path in sources(package):
        roots = {name.split(".")[0] for name in imported_modules(path)}
        assert not roots & above, f"{path.relative_to(ROOT)} imports {sorted(roots & above)}"


@pytest.mark.parametrize("package", ORDER[1:])
def test_hardware_needs_no_torch(package):
    for path in sources(package):
        roots = {name.split(".")[0] for name in imported_modules(path)}
        assert "torch" not in roots, f"{path.relative_to(ROOT)} imports torch"


def test_loading_and_compiling_a_model_imports_no_torch():
    import subprocess

    code = (
        "import sys; sys.modules['torch'] = None; "
        "import build, gateware.core, model.artifact, model.evaluate, platforms.flow"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_arith_imports_nothing_of_ours():
    ours = {name for name in imported_modules(ROOT / "model/arith.py") if name.startswith("model")}
    assert not ours


def test_only_platforms_name_vendors():
    for package in ("model", "gateware"):
        for path in sources(package):
            vendors = {
                name for name in imported_modules(path) if name.startswith("amaranth.vendor")
            }
            assert not vendors, f"{path.relative_to(ROOT)} imports {sorted(vendors)}"
