"""``gateformer load-image``: the same image from a port and from a build's report."""

import dataclasses
import json
import sys

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.console.image import console_image
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.gateware.plan.layout import Layout
from gateformer.gateware.plan.reload_limits import ReloadLimits
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.building import report
from gateformer.platforms.console import load_image
from gateformer.platforms.console.image_request import parse_request
from gateformer.platforms.firmware.image import firmware_image
from tests.support.console.fake_console import INFO, FakeConsole
from tests.support.console.fake_loading_console import SHAPE, LoadingConsole
from tests.support.console.load_bench import packed

MODEL, BUILT = f"{SHAPE},seed=2", f"{SHAPE},seed=1"
HW = HwConfig(2, 4, 4, reload=True)


def expected(make=console_image):
    """The image of MODEL for a core that was built with BUILT, and the core's limits."""
    model, limits = open_model(MODEL).model, ReloadLimits.of(open_model(BUILT).model)
    return packed(make(model, Layout(model.config, HW), limits, name=MODEL)), limits


@pytest.fixture
def write(monkeypatch, capsys, tmp_path):
    """Function of arguments to what is printed; the file is ``image``."""

    def call(*arguments, model=MODEL):
        out = tmp_path / "image"
        monkeypatch.setattr(sys, "argv", ["load_image", model, *arguments, "--out", str(out)])
        try:
            load_image.main()
        finally:
            assert not list(tmp_path.glob(".*"))
        return capsys.readouterr().out

    return call


def build(directory, name: str, hw=HW):
    """The report of a build for that board."""
    artifact = open_model(BUILT)
    program = Program(artifact.model, hw)
    cycles = report.cycles_section([100], report.SIMULATED)
    report.write_report(
        report.build_report(artifact, program, board(name), 50.0, cycles), directory
    )
    return str(directory)


def test_from_a_port(write, tmp_path):
    content, limits = expected()
    with LoadingConsole(content, dataclasses.astuple(limits)) as device:
        said = write("--port", device.port)
    assert (tmp_path / "image").read_bytes() == content
    assert said == f"{tmp_path}/image: {MODEL} for {device.port}, {len(content):,} bytes\n"
    assert device.received == [b""]


@pytest.mark.parametrize(("name", "make"), [("zybo", firmware_image), ("ulx3s", console_image)])
def test_from_a_build(write, tmp_path, name, make):
    write("--build", build(tmp_path, name))
    assert (tmp_path / "image").read_bytes() == expected(make)[0]


def message(write, tmp_path, *arguments, model=MODEL) -> str:
    with pytest.raises(UserError) as error:
        write(*arguments, model=model)
    assert not (tmp_path / "image").exists()
    return str(error.value)


def test_other_models(write, tmp_path):
    where = build(tmp_path, "ulx3s")
    other = MODEL.replace("ctx_len=16", "ctx_len=17")
    assert message(write, tmp_path, "--build", where, model=other) == (
        f"{where}: the accelerator has ctx_len 16, the model 17; only a model of the same shape "
        "can be loaded: build one for this model"
    )
    assert message(write, tmp_path, "--build", where, model=f"{MODEL},digits=2") == (
        f"{where}: the core takes images of another shape (other digits per weight in some matrix, "
        "or another version of the program); build one for this model"
    )


def test_builds_that_take_none(write, tmp_path):
    assert message(write, tmp_path, "--build", str(tmp_path)) == (
        f"cannot read {tmp_path}/report.json: No such file or directory; name the directory of a "
        "build, like build/zybo"
    )
    fixed = build(tmp_path, "zybo", HwConfig(2, 4, 4))
    assert message(write, tmp_path, "--build", fixed) == (
        f"{tmp_path}: the accelerator's model is fixed; build it with: gateformer build BOARD "
        "--reload"
    )
    path = tmp_path / "report.json"
    old = json.loads(path.read_text())
    del old["hardware"]["limits"]
    for content in (json.dumps(old), "[]", "{", "\xff"):
        path.write_text(content, encoding="latin-1")
        said = message(write, tmp_path, "--build", fixed)
        assert said.startswith(f"{path} is no report of this version (")
        assert said.endswith("); build again")


@pytest.mark.parametrize("hw", [HW, HwConfig(2, 4, 4)])
def test_a_build_of_the_simulation(write, tmp_path, hw):
    assert message(write, tmp_path, "--build", build(tmp_path, "sim", hw)) == (
        f"{tmp_path} is a build of the simulation, which takes no image files; name a board's, "
        "like build/zybo"
    )


def test_wrong_arguments(write, tmp_path):
    assert message(write, tmp_path, "--build", "x", "--baud", "9600") == (
        "--baud is of a serial port; --build needs none"
    )
    assert "no model 'nothing'" in message(write, tmp_path, "--build", "x", model="nothing")
    assert "one of the arguments --port --build is required" in message(write, tmp_path)
    with FakeConsole() as device:
        assert message(write, tmp_path, "--port", device.port) == (
            f"{device.port}: the accelerator's model is fixed; build it with: gateformer build "
            "BOARD --reload"
        )


def test_facts_of_a_console():
    info = tuple(line.removeprefix("# ") for line in INFO)
    line = "image 100 words, shape 0a0b0c0d, limits 1 2 3 4"
    wanted = parse_request("there", info, line)
    assert wanted.hw == HwConfig(2, 4, 4) and wanted.first == (100, 0x0A0B0C0D)
    assert wanted.limits == ReloadLimits(1, 2, 3, 4)
    assert parse_request("there", ("no model", *info[1:]), line) == wanted
    with pytest.raises(UserError) as error:
        parse_request("there", info[:2], line)
    assert str(error.value) == (
        f"there does not say what images it takes, but '{info[0]} / {info[1]} / {line}'; try "
        "again, or build it with this version of the program"
    )
    unknown = (*info[:2], info[2].replace("2bit", "unknown"))
    with pytest.raises(UserError) as error:
        parse_request("there", unknown, line)
    assert str(error.value) == (
        "there: packing is unknown, expected 2bit or 3in5; build bitstream and firmware again, "
        "with the same options"
    )
