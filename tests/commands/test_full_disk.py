"""A disk that is full: every output notices, in one line, and nothing half-written is left.

A limit on the size of files stands for it: a write beyond fails with an error, as on a full disk.
"""

import ast
import contextlib
import errno
import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest

from gateformer.model.contract import artifact
from gateformer.model.contract.random_model import random_model
from gateformer.model.support.whole_file import complete_file, write_whole
from gateformer.model.training import losses
from gateformer.platforms.simulation.compiled_simulation import CompiledSimulation
from tests.support.every_command import ROOT, TINY, run
from tests.support.simulated_counter import Counter
from tests.support.user_error import message

LIMIT = 2048
"""Bytes."""
REASON = f"{os.strerror(errno.EFBIG)}; free space, or choose another place"


@contextlib.contextmanager
def full_disk(size: int = LIMIT):
    """No file grows beyond ``size``; the interpreter ignores the signal that tells it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def save_artifact(path):
    artifact.save(path, random_model(f"{TINY},seed=5"))


def draw(path):
    losses.draw_losses(path, {"float": losses.History(train=[1.0, 2.0], validation=[(1, 2.0)])})


def save_checkpoint(path):
    torch = pytest.importorskip("torch")
    from gateformer.model.training import loop as training

    model = torch.nn.Linear(64, 64)
    phase = type("Phase", (), {"model": model, "checkpoint": path})
    training._save_checkpoint(
        phase, torch.optim.Adam(model.parameters()), None, 1, losses.History()
    )


def save_float(path):
    torch = pytest.importorskip("torch")
    from gateformer.model.floating.file import save_float
    from gateformer.model.floating.presets import fresh_model, preset

    layout = preset("tinystories-gpt")
    with torch.no_grad():
        state = fresh_model(layout, 1).state_dict()
    save_float(path, layout, state, [chr(i) for i in range(layout.shape.vocab_size)], info={})


def export_integers(path):
    pytest.importorskip("onnx")
    from gateformer.model.exports.onnx_int8 import export_int8

    export_int8(random_model(TINY), path, check=False)


def copy(path):
    with complete_file(path) as temporary:
        shutil.copyfile(artifact.shipped_file("shakespeare-115k"), temporary)


OUTPUTS = {
    "text": lambda path: write_whole(path, "x" * 2 * LIMIT),
    "bytes": lambda path: write_whole(path, bytes(2 * LIMIT)),
    "view": lambda path: write_whole(path, memoryview(bytes(2 * LIMIT))),
    "array": lambda path: write_whole(path, np.zeros(LIMIT).tobytes()),
    "copy": copy,
    "artifact": save_artifact,
    "picture": draw,
    "checkpoint": save_checkpoint,
    "float checkpoint": save_float,
    "ONNX": export_integers,
}


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_an_output_beyond_the_disk(tmp_path, output, old):
    OUTPUTS[output](tmp_path / "warm")  # imports write files of their own
    (tmp_path / "warm").unlink()
    path = tmp_path / "output"
    if old:
        path.write_bytes(old)
    with full_disk():
        said = message(OUTPUTS[output], path)
    assert said == f"cannot write {path}: {REASON}"
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == ([old] if old else [])


@pytest.mark.parametrize("cycles", [100, 100_000])
def test_a_waveform_beyond_the_disk(tmp_path, cycles):
    """Noticed while it is simulated, or when it ends."""
    path = tmp_path / "counter.vcd"
    CompiledSimulation(Counter(8), waveform=(tmp_path / "warm.vcd", 0, 1)).close_waveform()
    simulation = CompiledSimulation(Counter(8), waveform=(path, 0, 10**9))

    def simulate():
        simulation.step(cycles)
        simulation.close_waveform()

    with full_disk(LIMIT if cycles == 100_000 else 256):
        assert message(simulate) == f"cannot write {path}: {REASON}"


def test_a_waveform_that_is_whole(tmp_path):
    simulation = CompiledSimulation(Counter(8), waveform=(tmp_path / "counter.vcd", 0, 10**9))
    simulation.step(10)
    simulation.close_waveform()
    simulation.close_waveform()
    assert (tmp_path / "counter.vcd").read_text().count("\n#") >= 19


@pytest.mark.slow
def test_a_build_whose_waveform_is_beyond_the_disk(tmp_path):
    arguments = ("sim", "--model", TINY, "--tokens", "7", "--waveform", "w.vcd")
    whole = run("build.py", *arguments, cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    size = (tmp_path / "w.vcd").stat().st_size
    (tmp_path / "w.vcd").unlink()
    assert size > 200_000  # more than any other file of this run

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    process = run("build.py", *arguments, cwd=tmp_path, preexec_fn=limit)
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].startswith("error: cannot write ")
    assert process.stderr.splitlines()[-1].endswith(f": {REASON}")
    assert not [path for path in tmp_path.iterdir() if "vcd" in path.name]


WRITING = {"write_text", "write_bytes", "savefig", "tofile"}
"""Methods, and functions, that write a file."""
FUNCTIONS = {"shutil.copy", "shutil.copy2", "shutil.copyfile", "json.dump", "np.save", "np.savez"}
IN_WORK_DIRECTORIES = {
    "support/yosys.py", "support/verilog.py", "families/gowin_chipdb.py", "simulation/cxxrtl.py",
    "synthesis/compile.py", "synthesis/mapping.py", "synthesis/synthesis.py",
    "synthesis/paths/depth.py", "place_and_route/run.py", "firmware/build.py", "sizes/points.py",
    "sizes/measurement.py",
}  # fmt: skip
"""Files below platforms/ that write what a tool reads, or what the cache keeps, where it goes."""


def is_checked(tree: ast.AST, call: ast.Call) -> bool:
    """In a block of complete_file, or into memory."""
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.With)]
    inside = [
        block
        for block in blocks
        if "complete_file" in "".join(ast.unparse(item) for item in block.items)
        and any(node is call for node in ast.walk(block))
    ]
    target = ast.unparse(call.args[0]) if call.args else ""
    return bool(inside) or target == "text"


def test_there_is_no_other_way_to_write():
    """Outputs go through ``model.support.whole_file``, which the tests above hold to it."""
    found = []
    for wing in ("model", "gateware", "platforms"):
        for path in sorted((ROOT / wing).rglob("*.py")):
            place = path.relative_to(ROOT / wing).as_posix()
            if place in IN_WORK_DIRECTORIES or path.stem == "whole_file":
                continue
            tree = ast.parse(path.read_text("utf-8"))
            for call in ast.walk(tree):
                if not isinstance(call, ast.Call) or not call.args:
                    continue
                called = ast.unparse(call.func)
                writes = (
                    "." in called and called.rpartition(".")[2] in WRITING
                ) or called in FUNCTIONS
                if writes and not is_checked(tree, call):
                    found.append(f"{path.relative_to(ROOT)}: {ast.unparse(call)[:60]}")
    assert not found, found


def test_a_disk_that_is_full_anywhere(tmp_path, capsys):
    from gateformer.model.support.cli import run as run_main

    def main():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(Path("some/file")))

    with pytest.raises(SystemExit) as ended:
        run_main(main)
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "error: cannot write some/file: No space left on device; free space, or choose "
        "another place\n"
    )
