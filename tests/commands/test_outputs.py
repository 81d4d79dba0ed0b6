"""No output of a command replaces what it reads, however that was named."""

import json
import os
import sys
from pathlib import Path

import pytest

from gateformer.model.contract import artifact
from gateformer.model.contract.random_model import random_model
from gateformer.model.support.inputs import protecting, reading
from gateformer.model.support.whole_file import write_whole
from tests.support.every_command import TINY, main_of
from tests.support.user_error import message

INPUT, OUT = "in/model.safetensors", "OUT"
TRAIN = ("--float-steps", "1", "--steps", "1")
CASES = [
    ("build.py", "sim", "--model", INPUT, "--waveform", OUT),
    ("train", "--corpus", INPUT, "--out", OUT),
    *(("train", "--corpus", "text", option, INPUT, "--out", OUT)
      for option in ("--init", "--teacher", "--writer")),
    ("train-float", "--corpus", INPUT, "--out", OUT),
    ("compress", "ptq", INPUT, "--corpus", "text", "--out", OUT),
    ("compress", "qat", "shakespeare-115k", "--teacher", INPUT, "--out", OUT),
    *(("compress", "ptq", "shakespeare-115k", option, INPUT, "--out", OUT)
      for option in ("--corpus", "--calibration", "--also")),
    *(("export", INPUT, "--to", target, "--out", OUT)
      for target in ("onnx", "onnx-kv", "onnx-int8", "qonnx", "torch")),
    ("quantization-gap", "--corpus", INPUT, "--out", OUT),
    ("bench", INPUT, "--only", "numpy", "--json", OUT),
    ("bench-decoder", INPUT, "--json", OUT),
    ("bench-models", TINY, INPUT, "--svg", OUT),
    ("load-image", INPUT, "--build", "build", "--out", OUT),
    ("fit", INPUT, "--board", "zybo", "--json", OUT),
    ("fit", INPUT, "--json", OUT),
]  # fmt: skip
KINDS = [
    (".vcd", "--waveform", ("build.py", "sim", "--model", TINY)),
    (".safetensors", "--out", ("train", "--corpus", "text")),
    (".safetensors", "--out", ("train-float", "--corpus", "text")),
    (".safetensors", "--out", ("compress", "ptq", "shakespeare-115k", "--corpus", "text")),
    *(
        (".onnx", "--out", ("export", TINY, "--to", target))
        for target in ("onnx", "onnx-kv", "onnx-int8", "qonnx")
    ),
    (".pt2", "--out", ("export", TINY, "--to", "torch")),
    (".md", "--out", ("quantization-gap", "--corpus", "text")),
    (".md", "--out", ("compression-report", "--results", "in")),
    (".json", "--json", ("bench", TINY, "--only", "numpy")),
    (".json", "--json", ("bench-decoder", TINY)),
    (".svg", "--svg", ("bench-models", TINY)),
    (".image or .img or .bin", "--out", ("load-image", TINY, "--build", "build")),
    (".json", "--json", ("fit", TINY, "--board", "zybo")),
    (".json", "--json", ("fit", TINY)),
]
"""What a command writes, the option that names it, and the command without that."""
NAMES = ["same", "dotted", "absolute", "symbolic", "hard", "through a directory"]


def call(monkeypatch, command: str, *arguments) -> None:
    """The main function of a command, in this process."""
    monkeypatch.setattr(sys, "argv", [command, *map(str, arguments)])
    main_of(command)()


def named(kind: str, path: Path) -> str:
    """Another name of a file, made if it must be."""
    other = Path(f"other{path.suffix}")
    if kind == "symbolic":
        other.symlink_to(path)
    elif kind == "hard":
        os.link(path, other)
    elif kind == "through a directory":
        Path("there").symlink_to(path.parent, target_is_directory=True)
        return f"there/{path.name}"
    else:
        same = {"same": path, "dotted": Path("in/../in/.") / path.name, "absolute": path.absolute()}
        # not normalized by Path
        return "in/../" + str(path) if kind == "dotted" else str(same[kind])
    return str(other)


def everything(directory: Path) -> dict:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in", "build"):
        Path(name).mkdir()
    artifact.save(INPUT, random_model(TINY))
    Path("text").write_text("to be or not to be\n" * 500)
    return tmp_path


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_an_input_is_not_replaced(place, monkeypatch, case, kind):
    out = named(kind, Path(INPUT))
    before = everything(place)
    arguments = [out if argument == OUT else argument for argument in case]
    said = message(call, monkeypatch, *arguments)
    assert said.startswith(f"{out} is the ") and "which would be overwritten; name another" in said
    assert everything(place) == before


@pytest.mark.parametrize("name", ["model.py", "kept"])
@pytest.mark.parametrize("expected, option, command", KINDS)
def test_a_file_of_another_kind_is_not_replaced(
    place, monkeypatch, expected, option, command, name
):
    Path(name).write_text("kept")
    before = everything(place)
    assert message(call, monkeypatch, *command, option, name) == (
        f"{option} {name} exists and is no {expected} file; name another, or remove it first"
    )
    assert everything(place) == before


@pytest.mark.parametrize("option, command", sorted({(case[1], case[2]) for case in KINDS}))
def test_an_empty_path_is_none(place, monkeypatch, option, command):
    """It would be the present directory."""
    before = everything(place)
    assert message(call, monkeypatch, *command, option, "") == (
        f"argument {option}: expected a path, not an empty text; see --help"
    )
    assert everything(place) == before


@pytest.mark.parametrize("kind", ["same", "symbolic", "hard"])
@pytest.mark.parametrize("given", ["in", "in/model.safetensors", "in/model.safetensors.index.json"])
@pytest.mark.parametrize(
    "name",
    ["config.json", "vocab.json", "tokenizer.json", "model-00002-of-00002.safetensors"],
)
def test_what_belongs_to_an_input_is_not_replaced(place, monkeypatch, given, name, kind):
    for file in (given, f"in/{name}"):
        if not Path(file).exists():
            Path(file).write_text("{}")
    out = named(kind, Path("in") / name)
    before = everything(place)
    said = message(call, monkeypatch, "export", given, "--to", "onnx", "--out", out)
    assert said == (
        f"{out} belongs to the model {given}, and would be overwritten; name another --out"
    )
    assert everything(place) == before


def test_an_earlier_export_in_the_directory_is_replaced(place):
    @protecting
    def main():
        reading(model="in")
        write_whole("in/model.onnx", "new")

    Path("in/model.onnx").write_text("old")
    main()
    assert Path("in/model.onnx").read_text() == "new"


def test_a_shipped_model_is_an_input(place, monkeypatch):
    monkeypatch.setattr(artifact, "SHIPPED", place / "in")
    before = everything(place)
    said = message(
        call,
        monkeypatch,
        "export",
        "model",
        "--to",
        "onnx-int8",
        "--out",
        INPUT,
    )
    assert said == f"{INPUT} is the model, which would be overwritten; name another --out"
    assert everything(place) == before


@pytest.mark.parametrize(
    "command, picture",
    [
        (
            ("bench", INPUT, "--only", "numpy", "--svg", "pictures"),
            "bench-platforms.svg",
        ),
        (
            ("bench", INPUT, "--only", "numpy", "--svg", "pictures"),
            "bench-positions.svg",
        ),
        (
            (
                "train",
                "--corpus",
                INPUT,
                "--out",
                "pictures/a.safetensors",
            ),
            "a.svg",
        ),
    ],
)
def test_pictures_beside_an_output(place, monkeypatch, command, picture):
    Path("pictures").mkdir()
    Path("pictures", picture).symlink_to(place / INPUT)
    before = everything(place)
    assert "which would be overwritten" in message(call, monkeypatch, *command)
    assert everything(place) == before


@pytest.mark.parametrize("name", ["results/perplexity.svg", "results/cycles.svg", "results.md"])
def test_the_report_of_results(place, monkeypatch, name):
    Path("results").mkdir()
    Path("results/a.json").write_text("{}")
    Path(name).symlink_to(place / "results/a.json")
    before = everything(place)
    said = message(
        call,
        monkeypatch,
        "compression-report",
        "--results",
        "results",
    )
    option = "--out" if name == "results.md" else "--results"
    assert said == f"{name} is the result, which would be overwritten; name another {option}"
    assert everything(place) == before


@pytest.mark.parametrize("name", ["report.json", "top.v"])
def test_the_files_of_a_build(place, monkeypatch, name):
    Path("build/top.v").write_text("module top; endmodule")
    Path("build/report.json").write_text(json.dumps({"files": ["build/zybo/top.v"]}))
    before = everything(place)
    out = f"build/{name}"
    said = message(
        call,
        monkeypatch,
        "load-image",
        INPUT,
        "--build",
        "build",
        "--out",
        out,
    )
    assert said == f"{out} is the build, which would be overwritten; name another --out"
    assert everything(place) == before


def test_what_nobody_checked_before(place):
    """The last resort: whatever is written goes through one function."""

    @protecting
    def main():
        reading(model=INPUT, corpus=["text"])
        write_whole(named("symbolic", Path(INPUT)), "replaced")

    before = everything(place)
    assert message(main) == (
        "other.safetensors is the model, which would be overwritten; choose another place"
    )
    assert {path for path in everything(place)} == {*before, place / "other.safetensors"}
    write_whole(INPUT, "replaced")  # the command has ended


def test_what_is_read_by_an_inner_command_is_safe_in_it(place):
    @protecting
    def inner():
        reading(corpus="text")
        write_whole(INPUT, "replaced")

    @protecting
    def outer():
        reading(model=INPUT)
        inner()

    assert "is the model" in message(outer)
