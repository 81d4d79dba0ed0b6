"""The command line of a build: every bad input is one line, exit status 2."""

from __future__ import annotations

import pytest

from gateformer.platforms.building import size_choice
from tests.platforms.boards.test_board import NAMES
from tests.support.user_error import no_integer

from .test_build_cli import SIZES, TINY, build


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], f"name a board: {', '.join(NAMES)}; --help shows examples"),
        (["arty"], f"unknown board 'arty'; known: {', '.join(NAMES)}"),
        (
            ["ulx3s", "--variant", "9F"],
            "unknown variant '9F' of ulx3s; known: 12F, 25F, 45F, 85F",
        ),
        (["zybo", "--variant", "10"], "zybo has no variants; leave --variant out"),
        (
            ["sim", "--model", "random:d_model=10,n_heads=3"],
            "n_heads must divide d_model, but 3 does not divide 10; choose one of 1, 2, 5, 10",
        ),
        (["sim", "--model", TINY, "--rows", "0"], no_integer("--rows", "from 1 to 512", 0)),
        (
            ["sim", "--model", TINY, "--rows", "4", "--lanes", "6"],
            "lanes must be a multiple of rows (4), not 6; choose 4 or 8",
        ),
        (["sim", "--model", TINY, "--tokens", "0"], no_integer("--tokens", "of at least 1", 0)),
        (
            ["sim", "--model", TINY, "--temperature", "-1"],
            "temperature must be a finite number of at least 0 (0: greedy), not -1",
        ),
        (
            ["sim", "--model", TINY, "--temperature", "warm"],
            "temperature must be a finite number of at least 0 (0: greedy), not warm",
        ),
        (
            ["sim", "--model", TINY, "--top-k", "12"],
            "top-k must be 0 (off) to 11 (the vocabulary), not 12",
        ),
        (
            ["sim", "--model", TINY, "--seed", "-1"],
            no_integer("--seed", "from 0 to 4294967295", -1),
        ),
        (
            ["sim", "--model", TINY, "--prompt", ""],
            "the prompt must have at least 1 token, but is empty",
        ),
        (
            ["sim", "--model", TINY, "--prompt", "       "],
            "the prompt has 7 tokens, but the context holds 6; shorten the prompt",
        ),
        (["sim", "--rows", "x"], no_integer("--rows", "from 1 to 512", "x")),
        (
            ["zybo", "--toolchain", "ise"],
            "unknown toolchain 'ise' for zybo; known: vivado, openxc7",
        ),
        (
            ["ulx3s", "--toolchain", "vivado"],
            "unknown toolchain 'vivado' for ulx3s; known: nextpnr",
        ),
        (
            ["zybo", "--baud", "9600"],
            "zybo has no text console on a serial port; leave --baud out",
        ),
        (
            ["ulx3s", "--model", TINY, *SIZES, "--baud", "99999999"],
            "a clock of 90000000 Hz cannot make 99999999 baud; the nearest rate is 22500000 baud",
        ),
        (
            ["ulx3s", "--clock", "260"],
            "clock must be at most 259 MHz, not 260: a MULT18X18D of LFE5U-85F-6BG381C is not "
            "faster from its input to its output register",
        ),
        (["ulx3s", "--baud", "0"], no_integer("--baud", "from 300 to 100000000", 0)),
        (
            ["sim", "--waveform", "none/w.vcd"],
            "--waveform none/w.vcd: there is no directory none",
        ),
        (["cora-z7", "--program"], "no programmer is known for cora-z7; leave --program out"),
        (["sim", "--program"], "--program is for a board, not for sim"),
        (["sim", "--baud", "9600"], "--baud is for a board, not for sim"),
        (["sim", "--toolchain", "vivado"], "--toolchain is for a board, not for sim"),
        (["zybo", "--check"], "--check is for sim, not for zybo"),
        (["ulx3s", "--waveform", "w.vcd"], "--waveform is for sim, not for ulx3s"),
        (["tang-nano-9k", "--cycles", "0:9"], "--cycles is for sim, not for tang-nano-9k"),
        *(
            (
                ["ulx3s", "--export", "ip", *option],
                f"{option[0]} is for a board's build, not for --export; leave one of them out",
            )
            for option in (["--program"], ["--toolchain", "nextpnr"], ["--baud", "9600"])
        ),
        (
            ["zybo", "--program", "--timeline"],
            "--program is for a board's build, not for --timeline; leave one of them out",
        ),
        (
            ["zybo", "--timeline", "--clock", "500"],
            "--timeline counts cycles, whatever the clock; leave --clock out",
        ),
        (
            ["zybo", "--export", "ip", "--timeline"],
            "--timeline is for a run of its own, not for --export; leave one of them out",
        ),
        (
            ["sim", "--check", "--waveform", "w.vcd"],
            "--waveform is for text out of sim, not for --check; leave one of them out",
        ),
        (
            ["sim", "--cycles", "0:9"],
            "--cycles is for --waveform; give both, or leave --cycles out",
        ),
        (
            ["zybo", "--position", "0"],
            "--position is for --timeline; give both, or leave --position out",
        ),
        *(
            (
                [board, "--firmware"],
                "--firmware is for a board with a processor (zybo, zybo-z7-20, cora-z7), not for "
                f"{board}",
            )
            for board in ("sim", "ulx3s", "arty-a7-35")
        ),
        (
            ["kv260", "--firmware"],
            "--firmware runs on the processor of a Zynq-7000, not on that of kv260; Linux drives "
            "the core there (docs/kv260.md)",
        ),
        (["kv260", "--program"], "no programmer is known for kv260; leave --program out"),
        (
            ["zybo", "--firmware", "--timeline"],
            "--timeline is for a run of its own, not for --firmware; leave one of them out",
        ),
        (["--list", "--seed", "1"], "--list shows every board and model; leave --seed out"),
        (
            ["zybo", "--export", "ip", "--prompt", "x"],
            "--prompt is for a board's build, not for --export; leave one of them out",
        ),
        *(
            (
                ["zybo", f"--{mode}", "--no-synthesis"],
                f"--{mode} synthesizes nothing; leave --no-synthesis out",
            )
            for mode in ("firmware", "timeline")
        ),
        (
            ["sim", "--no-synthesis"],
            "nothing is synthesized for sim; leave --no-synthesis out",
        ),
        (
            ["zybo", "--no-synthesis", "--program"],
            "--program needs a bitstream; leave --no-synthesis out",
        ),
        (["sim", "--check", "--out", "x"], "--check writes nothing; leave --out out"),
        (["--list", "--out", "x"], "--list shows every board and model; leave --out out"),
        (["--list", "zybo"], "--list shows every board and model; leave zybo out"),
        (["mine.py"], "there is no board file mine.py; name one, or a board of --list"),
        (["zybo", "--clock", "0"], "clock must be 1 to 1000 MHz, not 0"),
        (
            ["sim", "--model", TINY, "--timeline", "--position", "6"],
            "position must be 0 to 5, not 6",
        ),
        (
            ["sim", "--model", TINY, "--waveform", "w.vcd", "--cycles", "9:2"],
            "cycles must be first:last with first <= last, not '9:2'",
        ),
    ],
)
def test_bad_input_is_one_line(tmp_path, arguments, message):
    result = build(tmp_path, *arguments)
    assert result.stderr == f"error: {message}\n"
    assert result.returncode == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name, clock, nearest",
    [
        ("kv260", "900", "100 MHz; the nearest is 725.000"),
        ("zybo", "3", "125 MHz; the nearest is 4.6"),
    ],
)
def test_a_clock_is_refused_before_sizes_are_searched(tmp_path, monkeypatch, name, clock, nearest):
    monkeypatch.setattr(size_choice, "choose_sizes", lambda *_, **__: pytest.fail("searched"))
    result = build(tmp_path, name, "--model", TINY, "--clock", clock)
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    assert result.stderr.startswith(f"error: a clock of {clock} MHz can't be made from {nearest}")


def test_a_file_in_the_place_of_the_build_directory(tmp_path):
    (tmp_path / "build").write_text("")
    result = build(tmp_path, "sim", "--model", TINY, *SIZES)
    assert result.stderr == "error: build is a file, where a directory is needed; name another\n"
    assert result.returncode == 2


def test_a_model_too_large_for_the_board_names_the_resource(tmp_path):
    large = "random:d_model=64,n_heads=4,n_layers=8,d_ff=256"
    result = build(tmp_path, "tang-nano-9k", "--model", large, *SIZES)
    assert result.returncode == 2
    assert result.stderr.startswith(
        f"error: the model does not fit tang-nano-9k with {' '.join(SIZES)}: it needs about "
    )
    assert "BRAM" in result.stderr and result.stderr.count("\n") == 1
