"""``gateformer bench``: rows, statistics, output, and what it says of bad input."""

import dataclasses
import json

import numpy as np
import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.compiler.several_cores import tokens_together
from gateformer.model.bench import bench
from gateformer.model.bench import rows as bench_rows
from gateformer.model.bench.accelerator import of_cycles
from gateformer.model.bench.measure import Measurement, measure
from gateformer.model.bench.report import document, ratio
from gateformer.model.bench.rows import INTEGER, Row, build_rows
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import ToolError, UserError
from gateformer.model.support.optional import install_command
from gateformer.platforms.boards.board import board
from gateformer.platforms.sizes.sizing import choose_sizes
from tests.support.user_error import no_integer

MODEL = "random:d_model=8,n_layers=1,d_ff=12,ctx_len=6,vocab_size=20"


def measurement(key, seconds, **changes):
    facts = {"label": key, "function": INTEGER, "how": "measured", "streams": 1, "threads": 1}
    return Measurement(key, **{**facts, "seconds": np.array(seconds), "position": 0, **changes})


def test_an_interrupted_step_does_not_count():
    result = measurement("c", [[1.0, 2.0], [1.0, 900.0], [500.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    assert result.tokens_per_second().tolist() == [1 / 1.5] * 3
    assert result.by_position()[1].tolist() == [1, 0.5]


def test_quartiles_are_those_of_the_rates():
    low, median, high = measurement("c", [[1.0], [2.0], [4.0]]).tokens_per_second()
    assert (low, median, high) == (1 / 3, 1 / 2, 1 / 1.5)


def test_ratios_are_to_the_kv_cache():
    slow, fast = measurement("torch-kv", [[4.0]]), measurement("c", [[0.5]])
    assert ratio(fast, [slow, fast]) == 8
    assert ratio(fast, [fast]) is None


def test_rows_choose_the_reference_tokens_in_turn():
    artifact, shown = open_model(MODEL), []
    rows, skipped = build_rows(artifact, ["numpy", "c", "c-all"], shown.append, [1, 3])
    assert not skipped
    assert [row.key for row in rows] == ["numpy", "c", "c-x3", "c-all"]
    assert [row.streams for row in rows[:3]] == [1, 1, 3]
    shown.clear()
    results = measure(rows, artifact.model, [3], 6, 2, shown.append)
    assert shown == 3 * [row.label for row in rows]
    for result in results:
        assert result.same_tokens
        assert result.seconds.shape == (2, 6)
        assert (result.seconds > 0).all()


def test_a_wrong_token_is_no_result():
    artifact = open_model(MODEL)
    row = Row("x", "wrong", INTEGER, lambda prompt, count: ([99] * count, np.ones(count)))
    with pytest.raises(ToolError) as caught:
        measure([row], artifact.model, [3], 6, 1, lambda label: None)
    assert str(caught.value) == "wrong does not choose the tokens of the reference"


def test_rows_without_float_weights_are_left_out():
    pytest.importorskip("torch")
    _, skipped = build_rows(open_model(MODEL), ["torch", "torch-kv"], lambda key: None)
    assert skipped == {key: f"{MODEL} has no float weights" for key in ("torch", "torch-kv")}


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(
        "gateformer.model.support.optional.importlib.util.find_spec", lambda name: None
    )
    _, skipped = build_rows(open_model(MODEL), ["onnx-int8"], lambda key: None)
    assert skipped["onnx-int8"] == (
        "onnxruntime INT8 (QDQ), full sequence needs onnx, which is not installed; "
        f"run: {install_command('bench')}"
    )


@pytest.mark.parametrize("key", ["torch", "torch-kv"])
def test_torch_rows_choose_the_float_model_tokens(key):
    pytest.importorskip("torch")
    from gateformer.model.floating.twin import FloatModel

    artifact = open_model("shakespeare-115k")
    twin = FloatModel(artifact.model.config, artifact.float_weights, np.float64)
    tokens, seconds = bench_rows.BUILDERS[key](artifact).generate([10, 82], 40)
    logits = twin.logits(np.array([[10, 82, *tokens[:-1]]]))[0, 1:]
    assert tokens == logits.argmax(-1).tolist()
    assert seconds.shape == (40,)


@pytest.mark.parametrize("key", ["onnx", "onnx-kv", "onnx-int8"])
def test_onnx_rows_choose_the_same_tokens(key):
    pytest.importorskip("onnxruntime")
    from gateformer.model.contract.reference import Reference
    from gateformer.model.contract.sampling import SamplingSettings

    artifact = open_model("shakespeare-115k")
    row = bench_rows.BUILDERS[key](artifact)
    expected = list(Reference(artifact.model).generate([10, 82], 40, SamplingSettings()))
    if row.function != INTEGER:
        expected = bench_rows.BUILDERS["torch-kv"](artifact).generate([10, 82], 40)[0]
    for _ in range(2):  # the second sequence begins anew
        assert row.generate([10, 82], 40)[0] == expected


def test_accelerator_is_cycles_over_the_clock():
    facts = {"board": "b", "title": "B", "clock_mhz": 125.0, "cycles": [600, 604, 608, 612]}
    facts |= {"rows": 8, "cols": 64, "lanes": 32}
    result = of_cycles({**facts, "streams": 1}, 1, 2)
    assert (result.key, result.label) == ("accelerator-b", "B, 8 × 64, 32 lanes")
    assert result.how == "simulated cycles at 125 MHz, not run on a board"
    assert (result.seconds * 125e6).round(6).tolist() == [[604, 608]]
    assert result.tokens_per_second().tolist() == pytest.approx([125e6 / 606] * 3)
    several = of_cycles({**facts, "streams": 2}, 1, 2)
    assert (several.key, several.label) == ("accelerator-b-x2", "B, 8 × 64, 32 lanes, 2 streams")
    assert several.how == "predicted cycles at 125 MHz, not run on a board"
    assert several.streams == 2
    assert several.tokens_per_second().tolist() == pytest.approx([2 * 125e6 / 606] * 3)


def test_command_writes_table_json_and_pictures(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    options = ["--only", "numpy", "c", "--repeats", "2", "--tokens", "4", "--prompt", "AB"]
    bench.main([MODEL, *options, "--json", str(tmp_path / "b.json"), "--svg", str(tmp_path)])
    assert "numpy reference" in capsys.readouterr().out
    content = json.loads((tmp_path / "b.json").read_text())
    assert [row["key"] for row in content["rows"]] == ["numpy", "c"]
    assert content["machine"]["processor"] and content["versions"]["numpy"] == np.__version__
    for row in content["rows"]:
        assert len(row["by_position"]["tokens_per_second"]["median"]) == 4
        assert row["by_position"]["first_position"] == 1
        rates = row["tokens_per_second"]
        assert rates["lower_quartile"] <= rates["median"] <= rates["upper_quartile"]
    for name in bench.PICTURES:
        assert (tmp_path / name).read_text().startswith("<?xml")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["b.json", *bench.PICTURES])


def test_c_and_board_side_by_side_by_stream_count(tmp_path):
    """Each count has a row of both, and the board's is what its program's turns take."""
    path, options = tmp_path / "b.json", ["--only", "c", "accelerator", "--repeats", "1"]
    bench.main([MODEL, *options, "--streams", "1", "2", "2", "--json", str(path)])
    rows = json.loads(path.read_text())["rows"]
    keys = ["c", "c-x2", "accelerator-zybo", "accelerator-zybo-x2"]
    assert [(row["key"], row["streams"]) for row in rows] == list(
        zip(keys, (1, 2, 1, 2), strict=True)
    )
    model, target = open_model(MODEL).model, board("zybo")
    hw = choose_sizes(model, target)
    stamps = tokens_together(Program(model, dataclasses.replace(hw, streams=2)))
    seconds = (max(map(max, stamps)) + 1) / (target.default_clock_mhz * 1e6)
    assert rows[3]["tokens_per_second"]["median"] == pytest.approx(2 * 6 / seconds)


def test_a_file_is_drawn_again(tmp_path, capsys):
    """With --svg and nothing else; what is no benchmark is named."""
    pytest.importorskip("matplotlib")
    facts = {"model": "mine", "machine": {}, "versions": {}}
    path, other = tmp_path / "b.json", tmp_path / "other.json"
    rows = [measurement("c", [[1.0, 2.0], [3.0, 2.5], [2.0, 2.0]])]
    path.write_text(json.dumps(document(rows, {}, facts)))
    bench.main([str(path), "--svg", str(tmp_path)])
    for name in bench.PICTURES:
        assert "mine" in (tmp_path / name).read_text()
    for options in ([], ["--svg", str(tmp_path), "--repeats", "3"], ["--only", "c"]):
        with pytest.raises(UserError) as caught:
            bench.main([str(path), *options])
        assert str(caught.value) == (
            f"{path} is drawn as it is: it goes with --svg DIR and nothing else"
        )
    for content in ("", "[]", "{}", path.read_text().replace("0.5", "NaN"), '{"rows": []}'):
        other.write_text(content)
        with pytest.raises(UserError) as caught:
            bench.main([str(other), "--svg", str(tmp_path)])
        assert str(caught.value) == (
            f"{other} is no benchmark of schema version 1 with its positions; "
            "write one with gateformer bench MODEL --json FILE"
        )
    with pytest.raises(UserError) as caught:
        bench.main([str(tmp_path / "no.json"), "--svg", str(tmp_path)])
    assert str(caught.value) == f"cannot read {tmp_path / 'no.json'}: No such file or directory"


def test_document_says_what_was_left_out():
    content = document([measurement("c", [[1.0]])], {"onnx": "no"}, {"model": "m"})
    assert content["skipped"] == {"onnx": "no"}
    assert json.loads(json.dumps(content)) == content


@pytest.mark.parametrize(
    "options, text",
    [
        (["--only", "cc"], f"unknown row 'cc'; expected some of {', '.join(bench.KEYS)}"),
        (
            ["--only", "c", "--skip", "c"],
            "--skip leaves no row; leave one of --only or --skip out",
        ),
        (
            ["--only", "c", "--board", "zybo"],
            "--board is for the row accelerator, which is not among those to measure",
        ),
        (
            ["--only", "numpy", "--streams", "2"],
            "--streams is for the rows c and accelerator, none of which is to be measured",
        ),
        (["--only", "c", "--streams", "9"], no_integer("--streams", "from 1 to 8", 9)),
        (["--repeats", "0"], no_integer("--repeats", "from 1 to 100000", 0)),
        (["--tokens", "7"], "--tokens must be 1 to 6 (the context's end after the prompt), not 7"),
        (["--tokens", "0"], no_integer("--tokens", "of at least 1", 0)),
        (["--prompt", ""], "--prompt must have at least 1 character, but is empty"),
        (
            ["--prompt", "AAAAAAA"],
            "the prompt has 7 tokens, but the context holds 6; shorten --prompt",
        ),
        (["--json", "/nowhere/b.json"], "--json /nowhere/b.json: there is no directory /nowhere"),
        (["--svg", "/nowhere"], "--svg /nowhere: there is no directory /nowhere"),
        (["--only", "torch-kv"], "no row is left; see the lines above"),
    ],
)
def test_bad_input(options, text):
    with pytest.raises(UserError) as caught:
        bench.main([MODEL, *options])
    assert str(caught.value) == text
