"""A command whose optional packages are not installed says in one line what to install."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from gateformer.model.exports import export
from gateformer.platforms import command_line
from tests.support.every_command import TINY, environment

_CODE = """
import importlib.machinery, sys

hidden = set({hidden!r})


class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            return None
        return super().find_spec(name, path, target)


sys.meta_path = [Finder if f is importlib.machinery.PathFinder else f for f in sys.meta_path]
from {module} import run_command

run_command({command!r}, {arguments!r})
"""

PACKAGES = (
    "gguf", "joblib", "matplotlib", "onnx", "onnxruntime", "qonnx", "sentencepiece", "tokenizers",
    "torch", "unicorn",
)  # fmt: skip
TEXT = ("--corpus", "text")
OUT = ("--out", "a.safetensors")
METHODS = ("ptq", "qat", "prune", "remove", "measure", "finetune")
NEEDED = [
    (("train", *TEXT, *OUT), "training needs torch", "train"),
    (("train-float", *TEXT, *OUT), "training needs torch", "train"),
    (("quantization-gap", *TEXT), "training needs torch", "train"),
    *(
        (("compress", name, "shakespeare-115k", *TEXT), "training needs torch", "train")
        for name in METHODS
    ),
    (("compress", "integer", "shakespeare-115k", *TEXT, *OUT), "training needs torch", "train"),
    (
        ("export", "shakespeare-115k", "--to", "onnx", "--out", "a.onnx"),
        "exporting to onnx needs torch",
        "export",
    ),
    (
        ("import", "a.pt", "--calibrate", "text", *OUT),
        "reading a nanoGPT checkpoint needs torch",
        "import",
    ),
    (("import", "a.gguf", "--calibrate", "text", *OUT), "reading a GGUF file needs gguf", "import"),
    (("firmware-bench", "--model", TINY), "the emulated processor needs unicorn", "firmware"),
    (
        ("console", "firmware", "--model", f"{TINY},seed=9"),
        "the emulated processor needs unicorn",
        "firmware",
    ),
]


@pytest.mark.parametrize("command, said, extra", NEEDED, ids=lambda value: str(value)[:50])
def test_one_line_says_what_to_install(tmp_path, command, said, extra):
    (tmp_path / "text").write_text("to be or not to be\n" * 500)
    (tmp_path / "a.pt").write_bytes(b"PK\x03\x04" + bytes(60))
    (tmp_path / "a.gguf").write_bytes(b"GGUF" + bytes(60))
    before = sorted(tmp_path.rglob("*"))
    process = run_without(PACKAGES, *command, cwd=tmp_path)
    assert process.stderr.count("\n") == 1 and f"[{extra}]" in process.stderr
    assert process.stderr.startswith(f"error: {said}, which is not installed; run: pip install")
    assert (process.returncode, process.stdout) == (2, "")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("target", export.TARGETS)
@pytest.mark.slow_but("onnx-int8-*", "qonnx-*", "onnx-True")
def test_an_export_needs_what_it_uses(tmp_path, target, check):
    used = {*export.PACKAGES[target], *(export.CHECKERS[target] if check else ())}
    for package in used:
        pytest.importorskip(package)
    out = tmp_path / f"a{'.pt2' if target == 'torch' else '.onnx'}"
    model = TINY if target in export.INTEGER_TARGETS else "shakespeare-115k"
    given = (model, "--to", target, "--out", str(out), *(() if check else ("--no-check",)))
    process = run_without({*PACKAGES} - used, "export", *given, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert out.is_file() and (" equals " in process.stdout) == check


def run_without(
    hidden: Iterable[str], command: str, *arguments: str, cwd: Path
) -> subprocess.CompletedProcess:
    """``gateformer command arguments`` where no package called one of ``hidden`` is found."""
    code = _CODE.format(
        hidden=sorted(hidden),
        module=command_line.__name__,
        command=command,
        arguments=list(arguments),
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=600,
    )
