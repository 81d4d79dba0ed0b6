"""``gateformer bench-models``: points of several benchmarks, and what it says of bad files."""

import json

import pytest

from gateformer.model.bench import models as bench_models
from gateformer.model.bench.models import Point, read_points
from gateformer.model.bench.rows import FLOAT, INTEGER
from gateformer.model.contract.artifact import open_model, save
from gateformer.model.support.errors import UserError
from tests.support.user_error import no_integer


def benchmark(**changes):
    rows = [
        {"key": "torch-kv", "label": "PyTorch", "function": FLOAT},
        {"key": "c", "label": "C", "function": INTEGER},
        {"key": "numpy", "label": "numpy", "function": INTEGER},
        {"key": "accelerator-zybo", "label": "Zybo, 8 × 64", "function": INTEGER},
        {
            "key": "accelerator-zybo-x2",
            "label": "Zybo, 8 × 64, 2 streams",
            "function": INTEGER,
            "streams": 2,
        },
    ]
    rates = [3000.0, 400_000.0, 900.0, 145_000.0, 290_000.0]
    return {
        "schema_version": 1,
        "model": "tiny",
        "losses": {FLOAT: 1.5, INTEGER: 1.75},
        "rows": [
            row | {"tokens_per_second": {"median": rate}}
            for row, rate in zip(rows, rates, strict=True)
        ],
        **changes,
    }


@pytest.fixture
def write(tmp_path):
    def write(content, name="a.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_each_row_has_the_loss_of_its_function(write):
    assert read_points(write(benchmark())) == [
        Point("tiny", "torch-kv", FLOAT, "PyTorch", 3000.0, 1.5),
        Point("tiny", "c", INTEGER, "C", 400_000.0, 1.75),
        Point("tiny", "accelerator", INTEGER, "Zybo, 8 × 64", 145_000.0, 1.75),
    ]


def test_rows_without_a_loss_are_left_out(write):
    points = read_points(write(benchmark(losses={FLOAT: None, INTEGER: 1.75})))
    assert [point.row for point in points] == ["c", "accelerator"]


def test_all_models_are_in_one_picture(write, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    files = [write(benchmark()), write(benchmark(model="pruned"), "b.json")]
    picture = tmp_path / "models.svg"
    bench_models.main([*map(str, files), "--svg", str(picture)])
    assert capsys.readouterr().out == f"{picture}: 6 points of 2 benchmarks\n"
    drawn = picture.read_text()
    for text in ("tiny", "pruned", "PyTorch, KV cache", "Zybo"):
        assert text in drawn
    bench_models.main([*map(str, files), "--svg", str(picture)])
    assert picture.read_text() == drawn


def test_a_model_is_measured(write, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    untrained = "random:d_model=8,n_layers=1,d_ff=12,ctx_len=6,vocab_size=20"
    mine, picture = tmp_path / "mine.safetensors", tmp_path / "models.svg"
    save(mine, open_model(untrained).model, info={"val_loss_int": 1.25})
    argv = [str(mine), str(write(benchmark())), "--svg", str(picture), "--repeats", "1"]
    bench_models.main([*argv, "--board", "zybo", "ulx3s:25F"])
    output = capsys.readouterr()
    assert "mine: 6 greedy tokens, 1 repeats" in output.out
    assert output.out.endswith(f"{picture}: 6 points of 2 benchmarks\n")
    assert "torch-kv left out: mine has no float weights" in output.err
    for text in ("mine", "tiny", "Digilent Zybo Z7-10", "Radiona ULX3S 25F"):
        assert text in picture.read_text()
    with pytest.raises(UserError) as caught:
        bench_models.main([str(mine), untrained, "--svg", str(picture)])
    assert str(caught.value) == (
        f"{untrained} states no validation loss; train it with gateformer train"
    )
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", json.dumps(benchmark(schema_version=2)), json.dumps({"rows": 1})]
)
def test_a_file_that_is_no_benchmark(write, content):
    path = write(content)
    with pytest.raises(UserError) as caught:
        read_points(path)
    said = str(caught.value)
    assert said.startswith(f"{path} is no benchmark of schema version 1 (")
    assert said.endswith("); write one with gateformer bench MODEL --json FILE")


def test_a_benchmark_with_nothing_to_draw(write):
    path = write(benchmark(losses={FLOAT: None, INTEGER: None}))
    with pytest.raises(UserError) as caught:
        read_points(path)
    assert str(caught.value) == (
        f"{path} has nothing to draw: its model states no validation loss, or none of the rows "
        "torch-kv, onnx-kv, c, accelerator was measured"
    )


def test_places_that_cannot_be_read_or_written(write, tmp_path):
    pytest.importorskip("matplotlib")
    missing = tmp_path / "missing.json"
    with pytest.raises(UserError) as caught:
        bench_models.main([str(missing), "--svg", str(tmp_path / "a.svg")])
    assert str(caught.value) == f"cannot read {missing}: No such file or directory"
    nowhere = tmp_path / "nowhere" / "a.svg"
    with pytest.raises(UserError) as caught:
        bench_models.main([str(write(benchmark())), "--svg", str(nowhere)])
    assert str(caught.value) == f"--svg {nowhere}: there is no directory {nowhere.parent}"
    with pytest.raises(UserError) as caught:
        bench_models.main(["tiny.safetensors", "--svg", str(tmp_path / "a.svg"), "--repeats", "0"])
    assert str(caught.value) == no_integer("--repeats", "from 1 to 100000", 0)
