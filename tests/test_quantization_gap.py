"""``python -m model.quantization_gap``: its rows are commands of model.train, its table theirs."""

import pytest

pytest.importorskip("torch")

from model import quantization_gap
from model.artifact import load, open_model
from model.errors import UserError
from model.quantization_gap import ROWS, SOURCE, command_of, document


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("".join(f"{n} sheep and {n * n % 97} goats. " for n in range(150)))
    return path


def test_every_row_is_another_command():
    commands = {tuple(command_of(name, 10)) for name in ROWS}
    assert len(commands) == len(ROWS)
    assert command_of("base", 10) == ["--preset", SOURCE, "--init", SOURCE, "--steps", "10"]
    assert "--init" not in command_of("cold-start", 10)
    assert command_of("longer", 10)[-2:] == ["--steps", "30"]


def test_the_table_is_what_the_artifacts_say(corpus, tmp_path, capsys):
    out, runs = tmp_path / "gap.md", tmp_path / "runs"
    options = ["--corpus", str(corpus), "--runs", str(runs), "--out", str(out), "--steps", "1"]
    only = ["--only", "step-per-matrix", "fixed-scales"]
    quantization_gap.main([*options, *only])
    assert capsys.readouterr().out.endswith(f"{out}: 2 rows\n")
    text = out.read_text()
    for name in only[1:]:
        trained = load(runs / "1" / f"{name}.safetensors")
        assert trained.info["recipe"]["steps"] == 1
        gap = trained.info["val_loss_int"] - open_model(SOURCE).info["val_loss_float"]
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert f"| {trained.info['val_loss_int']:.4f} | {gap:+.4f} |" in row
    choices = load(runs / "1" / "fixed-scales.safetensors").info["recipe"]["choices"]
    assert choices["learned_scales"] is False and choices["step_per_row"] is True
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*.safetensors")}
    quantization_gap.main([*options, *only])
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*.safetensors")} == before
    assert out.read_text() == text


def test_rows_are_ordered_by_loss():
    facts = {
        "base": {"val_loss_int": 1.9, "train_seconds": 1234},
        "longer": {"val_loss_int": 1.8, "train_seconds": 7},
    }
    text = document(facts, 10, 1.6, "python -m x")
    assert text.index("| `longer` |") < text.index("| `base` |")
    assert "| `base` | ternary, as `model.train` does it | 1.9000 | +0.3000 | 1,234 |" in text
    assert f"python -m model.train --preset {SOURCE} --init {SOURCE} --steps 30  # longer" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "no"], f"unknown row 'no'; expected some of {', '.join(ROWS)}"),
        (["--steps", "0"], "--steps must be at least 1, not 0"),
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
