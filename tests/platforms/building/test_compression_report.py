"""The report of compression draws what was measured, with the program's cycles."""

import json

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.compression.result import Losses, Result
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.building import compression_report
from gateformer.platforms.building.compression_report import mean_cycles
from tests.support.every_command import ROOT

SHIPPED = open_model("shakespeare-115k").model


def result(name: str, **changes) -> Result:
    facts = {
        "name": name,
        "method": "integer",
        "settings": {},
        "command": f"gateformer compress integer small --name {name}",
        "source": {"name": "small", "sha256": "0"},
        "losses": [Losses("input.txt", 871, 1.7, 1.6), Losses("other.txt", 3, 2.5, 2.4, 12)],
        "n_bytes": 1000,
        "float_bytes": 12_500,
        "agreement": {"greedy": 0.375, "by_position": [0.5, 0.25], "argmax": 0.75},
        "gate": "ternary-qat",
        "config": SHIPPED.config.to_dict(),
        "gateware": "yes: this artifact, bit for bit",
        "torch": "2",
    }
    return Result(**{**facts, **changes})


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "compression"
    path.mkdir()
    return path


def test_cycles_are_those_of_the_shipped_models_program():
    cycles = Program(SHIPPED, HwConfig()).cycles_by_position()
    assert mean_cycles(result("a")) == sum(cycles) / len(cycles)
    assert mean_cycles(result("a", config=None)) is None
    narrow = mean_cycles(result("a", config={**SHIPPED.config.to_dict(), "d_ff": 192}))
    assert narrow < mean_cycles(result("a"))


def test_report_has_every_result(directory, capsys):
    result("a").save(directory)
    result("b", config=None, gate=None, gateware="no: float").save(directory)
    result("c", gateware="its shape, after `integer`", gate="int8-ptq").save(directory)
    compression_report.main(["--results", str(directory)])
    report = directory.parent / "compression.md"
    assert capsys.readouterr().out == f"{report}: 3 results\n"
    lines = report.read_text().splitlines()
    cells = [
        "`a`", "input.txt", "1.7000", "1.6000", "+10.52%", "1,000", "12.50", "37.5%", "853.0",
        "passed (+15%)",
    ]  # fmt: skip
    at = lines.index("| " + " | ".join(cells) + " |")
    assert lines[at + 1].startswith("|  | other.txt | 2.5000 | 2.4000 | +10.52% |")
    assert lines[at + 2].endswith("| – | – |")
    assert lines[at + 4].endswith("| (853.0) | **not passed** (+2%) |")
    assert "| `b` | `gateformer compress integer small --name b` | no: float |" in lines
    assert "Of other.txt 12 characters that the model lacks were left out." in lines
    made = {path.name for path in directory.iterdir()}
    plots = {"perplexity.svg", "agreement.svg", "cycles.svg"}
    assert made == {"a.json", "b.json", "c.json"} | plots
    before = {name: (directory / name).read_bytes() for name in plots}
    compression_report.main(["--results", str(directory)])
    assert before == {name: (directory / name).read_bytes() for name in plots}


def test_a_report_elsewhere(directory, capsys, tmp_path):
    result("a").save(directory)
    (tmp_path / "other").mkdir()
    report = tmp_path / "other/mine.md"
    for _ in range(2):  # an earlier report is replaced
        compression_report.main(["--results", str(directory), "--out", str(report)])
        assert capsys.readouterr().out == f"{report}: 1 results\n"
    text = report.read_text()
    assert "(../compression/cycles.svg)" in text
    assert "gateformer compression-report --results compression --out mine.md\n" in text
    assert not (tmp_path / "compression.md").exists()


@pytest.mark.parametrize("content", ["", "# Notes\n", "# Compression: results, mine\n"])
@pytest.mark.parametrize("named", [True, False])
def test_another_file_is_no_report(directory, content, named):
    result("a").save(directory)
    notes = directory.parent / ("notes.md" if named else "compression.md")
    notes.write_text(content)
    with pytest.raises(UserError) as error:
        options = ["--out", str(notes)] if named else []
        compression_report.main(["--results", str(directory), *options])
    assert str(error.value) == (
        f"{notes} is no earlier report of gateformer compression-report; name another --out, or "
        "remove it first"
    )
    assert notes.read_text() == content and len(list(directory.iterdir())) == 1


def test_the_shipped_report_is_one():
    report = ROOT / f"{compression_report.RESULTS}.md"
    assert report.read_text().splitlines()[0] == compression_report.TITLE


def test_no_results_and_foreign_ones_are_named(directory):
    with pytest.raises(UserError) as error:
        compression_report.main(["--results", str(directory)])
    assert str(error.value) == f"no results in {directory}; make some with gateformer compress"
    path = result("a").save(directory)
    facts = json.loads(path.read_text())
    for content in ("no JSON", "[]", json.dumps({**facts, "schema_version": 0})):
        path.write_text(content)
        with pytest.raises(UserError) as error:
            compression_report.main(["--results", str(directory)])
        said = str(error.value)
        assert said.startswith(f"{path} is no result of schema version 1 (")
        assert said.endswith("); run its gateformer compress command again, or delete it")
    assert not (directory.parent / "compression.md").exists()
