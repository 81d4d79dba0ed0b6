"""``gateformer quantization-gap``: its rows are commands of gateformer train, its table theirs."""

import pytest

pytest.importorskip("torch")

from gateformer.model.compression.result import Result
from gateformer.model.contract.artifact import load, open_model
from gateformer.model.floating.file import open_float
from gateformer.model.studies import activation_gap, quantization_gap
from gateformer.model.studies.quantization_gap import ROWS, SOURCE, command_of, document
from gateformer.model.support.errors import UserError
from gateformer.model.training import train
from tests.support.user_error import no_integer


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("".join(f"{n} sheep and {n * n % 97} goats. " for n in range(150)))
    return path


def test_every_row_is_another_command():
    commands = {tuple(command_of(name, 10)) for name in ROWS}
    assert len(commands) == len(ROWS)
    start = ["--preset", SOURCE, "--init", SOURCE]
    base = ["--steps", "10", "--lr", "6e-3", "--average", "0", "--fixed-steps", "0"]
    assert command_of("base", 10) == [*start, *base, "--no-weights-return"]
    assert command_of("returning", 10) == [*start, *base, "--weights-return"]
    together = ["--lr", "1.2e-2", "--average", "0.97", "--steps", "8", "--fixed-steps", "2"]
    assert command_of("together", 10) == [*start, "--no-weights-return", *together]
    assert "--init" not in command_of("cold-start", 10)
    assert command_of("longer", 10)[-2:] == ["--steps", "30"]
    for name in ROWS:
        train._parser().parse_args([*command_of(name, 10), "--out", "x"])


def test_the_table_is_what_the_artifacts_say(corpus, tmp_path, capsys):
    out, runs = tmp_path / "gap.md", tmp_path / "runs"
    options = ["--corpus", str(corpus), "--runs", str(runs), "--out", str(out), "--steps", "1"]
    only = ["--only", "step-per-matrix", "fixed-scales"]
    quantization_gap.main([*options, *only])
    assert capsys.readouterr().out.endswith(f"{out}: 2 rows\n")
    text = out.read_text()
    for name in only[1:]:
        (path,) = runs.glob(f"1-*/{name}.safetensors")
        trained = load(path)
        assert trained.info["recipe"]["steps"] == 1
        gap = trained.info["val_loss_int"] - open_model(SOURCE).info["val_loss_float"]
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert f"| {trained.info['val_loss_int']:.4f} | {gap:+.4f} |" in row
    choices = trained.info["recipe"]["choices"]
    assert choices["learned_scales"] is False and choices["step_per_row"] is True
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*.safetensors")}
    quantization_gap.main([*options, *only])
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*.safetensors")} == before
    assert out.read_text() == text


def test_squared_relu_is_simulated(corpus, tmp_path, capsys):
    out, runs = tmp_path / "gap.md", tmp_path / "runs"
    options = ["--corpus", str(corpus), "--runs", str(runs), "--out", str(out), "--steps", "1"]
    only = ["--only", *activation_gap.ROWS]
    quantization_gap.main([*options, *only])
    assert capsys.readouterr().out.endswith(f"{out}: 2 rows\n")
    lines = out.read_text().splitlines()
    found = {}
    for name in activation_gap.ROWS:
        (path,) = runs.glob(f"1-*/{name}.json")
        result = Result.load(path)
        assert result.settings["bits"] == 2 and result.settings["steps"] == 1
        source = open_float(path.with_suffix(".safetensors"))
        assert source.layout.architecture == name and source.sha256 == result.source["sha256"]
        losses = result.losses[0]
        gap = losses.loss - losses.float_loss
        row = next(line for line in lines if line.startswith(f"| `{name}` |"))
        assert row.endswith(f"| {losses.float_loss:.4f} | {losses.loss:.4f} | {gap:+.4f} |")
        found[name] = path.stat().st_mtime_ns
    text = out.read_text()
    quantization_gap.main([*options, *only])
    assert out.read_text() == text
    assert found == {path.stem: path.stat().st_mtime_ns for path in runs.rglob("*.json")}


def test_a_result_of_another_text_does_not_count(corpus, tmp_path):
    out, runs = tmp_path / "gap.md", tmp_path / "runs"
    options = ["--runs", str(runs), "--out", str(out), "--steps", "1", "--only", "base"]
    quantization_gap.main(["--corpus", str(corpus), *options])
    other = tmp_path / "other.txt"
    other.write_text(corpus.read_text()[::-1])
    quantization_gap.main(["--corpus", str(other), *options])
    texts = {load(path).info["corpus"]["name"] for path in runs.rglob("base.safetensors")}
    assert texts == {"corpus.txt", "other.txt"}


def test_rows_are_ordered_by_loss():
    facts = {"base": {"val_loss_int": 1.9}, "longer": {"val_loss_int": 1.8}}
    text = document(facts, 10, 1.6, "python -m x")
    assert text.index("| `longer` |") < text.index("| `base` |")
    assert f"| `base` | {ROWS['base'][0]} | 1.9000 | +0.3000 |\n" in text
    assert f"gateformer train {' '.join(command_of('longer', 10))}  # longer" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--only", "no"],
            f"unknown row 'no'; expected some of {', '.join(ROWS)}, relu, squared-relu",
        ),
        (["--steps", "0"], no_integer("--steps", "from 1 to 1000000000", 0)),
        (
            ["--corpus", "no.txt"],
            "corpus no.txt does not exist; give a UTF-8 text file, or leave --corpus out to "
            "download Tiny Shakespeare",
        ),
        (
            ["--out", "/nowhere/gap.md"],
            "directory /nowhere of --out does not exist; create it first",
        ),
    ],
)
def test_bad_input(options, message, monkeypatch, tmp_path, capsys):
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        quantization_gap.main(options)
    assert str(caught.value) == message
    assert not (tmp_path / "runs").exists()
    assert capsys.readouterr() == ("", "")
