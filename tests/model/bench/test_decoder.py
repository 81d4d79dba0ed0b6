"""``gateformer bench-decoder``: what is timed, its output, and what it says of bad input."""

import json

import pytest

from gateformer.model.bench import decoder
from gateformer.model.bench.accelerator import board_cycles
from gateformer.model.bench.decoder_rows import BEGIN, DecoderRow
from gateformer.model.contract import artifact
from gateformer.model.contract.decoder.random_decoder import random_decoder
from gateformer.model.support.errors import UserError
from gateformer.model.support.optional import install_command
from gateformer.platforms.sizes import cycles
from tests.support.user_error import message

SHAPE = {"vocab_size": 26, "d_model": 16, "n_heads": 2, "n_layers": 1, "d_ff": 24, "ctx_len": 20}
SIZES = ("--tokens", "4", "--prompt-tokens", "6", "--repeats", "3")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "mine.safetensors"
    artifact.save(path, random_decoder(3, **SHAPE))
    return str(path)


def test_a_row_reads_the_prompt_and_steps_after_a_short_one():
    did = []
    row = DecoderRow("x", "x", lambda tokens: did.append(list(tokens)), did.append)
    times = iter([1.0, 3.0, 10.0, 14.0])
    seconds = row.timed(list(range(30)), 20, 3, lambda: next(times))
    assert did == [[*range(20)], [*range(BEGIN)], BEGIN, BEGIN + 1, BEGIN + 2]
    assert seconds == (2, 4)


def test_command_writes_table_and_json(path, tmp_path, capsys):
    file = tmp_path / "b.json"
    decoder.main([path, *SIZES, "--threads", "2", "--json", str(file)])
    assert "integers in C" in capsys.readouterr().out
    content = json.loads(file.read_text())
    assert {key: content[key] for key in ("threads", "tokens", "prompt_tokens", "repeats")} == {
        "threads": 2,
        "tokens": 4,
        "prompt_tokens": 6,
        "repeats": 3,
    }
    (row,) = content["rows"]
    assert row["key"] == "stream"
    for rates in row["tokens_per_second"].values():
        assert 0 < rates["lower_quartile"] <= rates["median"] <= rates["upper_quartile"]


def test_a_row_of_a_board_is_its_cycles(path, tmp_path, monkeypatch, capsys):
    """Of the same tokens; a board without one is told in a line."""
    taken = [*range(1000, 1020)]
    facts = {"board": "zybo", "title": "Zybo", "lanes": 8, "clock_mhz": 50.0, "cycles": taken}
    facts["streams"] = 1

    def board_cycles(model, board):
        assert model == path
        if board != "zybo":
            raise UserError("the model does not fit")
        return facts

    monkeypatch.setattr(decoder, "check_boards", lambda boards: None)
    monkeypatch.setattr(decoder, "board_cycles", board_cycles)
    file = tmp_path / "b.json"
    decoder.main([path, *SIZES, "--board", "zybo", "cora-z7", "--json", str(file)])
    printed = capsys.readouterr()
    _, row = json.loads(file.read_text())["rows"]
    rate = 4 * 50e6 / sum(taken[BEGIN : BEGIN + 4])
    assert row["key"] == "accelerator-zybo"
    assert row["tokens_per_second"] == {
        "step": {"lower_quartile": rate, "median": rate, "upper_quartile": rate}
    }
    assert f"{rate:,.1f}" in printed.out and "not run on a board" in " ".join(printed.out.split())
    assert "accelerator, cora-z7 left out: the model does not fit" in printed.err


def test_cycles_of_an_imported_model_on_a_board():
    model = "random:positions=rotary,d_model=8,n_layers=1,d_ff=8,ctx_len=4"
    found = board_cycles(model, "zybo")
    assert found["board"] == "zybo" and len(found["cycles"]) == 4
    assert message(cycles.main, [model, "--streams", "1", "3"]) == (
        "--streams 3: the core of an imported model has 1 stream on chip; leave --streams out"
    )


def test_an_unknown_board_is_told_before_the_work(path):
    said = message(decoder.main, [path, *SIZES, "--board", "nosuch"])
    assert said.startswith("unknown board 'nosuch'; known: ")


def test_llama_cpp_is_named_with_how_to_install_it(path, monkeypatch):
    monkeypatch.setattr(
        "gateformer.model.support.optional.importlib.util.find_spec", lambda name: None
    )
    assert message(decoder.main, [path, *SIZES, "--against", "a.gguf"]) == (
        f"--against needs llama_cpp, which is not installed; run: {install_command('llama')}"
    )


def test_a_file_that_llama_cpp_cannot_load_is_named(path, tmp_path):
    pytest.importorskip("llama_cpp")
    for name in ("none.gguf", "mine.safetensors"):
        with pytest.raises(UserError) as caught:
            decoder.main([path, *SIZES, "--against", str(tmp_path / name)])
        said = str(caught.value)
        assert "\n" not in said and said.endswith("name a GGUF file of the model")
        assert said.startswith(f"--against {tmp_path / name}: ")


@pytest.mark.parametrize(
    "sizes, said",
    [
        (("--tokens", "13"), "--tokens: 21 tokens are more than the context of 20; give fewer"),
        (
            ("--tokens", "4", "--prompt-tokens", "21"),
            "--prompt-tokens: 21 tokens are more than the context of 20; give fewer",
        ),
    ],
)
def test_more_tokens_than_the_context(path, sizes, said):
    assert message(decoder.main, [path, "--prompt-tokens", "6", *sizes]) == said


def test_a_model_that_was_trained_here_has_another_bench():
    spec = "random:d_model=8,n_layers=1,d_ff=12,ctx_len=6,vocab_size=20"
    assert message(decoder.main, [spec]) == (
        f"{spec} was trained here; its speed is gateformer bench's"
    )
