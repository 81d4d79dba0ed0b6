"""YoWASP compiles itself once, never side by side."""

from __future__ import annotations

import pytest

from gateformer.platforms.support import yosys


@pytest.fixture
def first_use(tmp_path, monkeypatch):
    """A machine on which YoWASP never ran; returns the list of its runs."""
    compiled = tmp_path / "yowasp" / yosys.PACKAGE
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(compiled.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runs = []

    def compile_itself(command, directory, **_):
        runs.append(command)
        compiled.mkdir(parents=True, exist_ok=True)
        (compiled / "yosys.wasm").write_text("machine code" * len(runs))
        return ""

    monkeypatch.setattr(yosys, "run_tool", compile_itself)
    return runs, compiled / "yosys.wasm"


def test_prepared_once(first_use):
    runs, _ = first_use
    yosys.prepare()
    yosys.prepare()
    assert len(runs) == 1


def test_prepared_again_when_the_compiled_file_is_another_or_gone(first_use):
    runs, compiled = first_use
    yosys.prepare()
    compiled.write_text("half of the mach")
    yosys.prepare()
    compiled.unlink()
    yosys.prepare()
    assert len(runs) == 3
