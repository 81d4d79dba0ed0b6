"""Long work says what it is, how far it is, and says it once."""

import contextlib
import re

import pytest

from gateformer.model.contract.artifact import open_model
from gateformer.platforms.boards.board import board
from gateformer.platforms.building import command, listing
from gateformer.platforms.building.flow import build
from gateformer.platforms.console import firmware_bench
from gateformer.platforms.console.emulated_console import emulate
from gateformer.platforms.console.simulation import simulate
from gateformer.platforms.simulation import cxxrtl
from gateformer.platforms.sizes import measurement
from gateformer.platforms.sizes import search as fit_search
from gateformer.platforms.support import progress
from tests.platforms.sizes.test_fit import SPEC
from tests.support.own_boards import TINY


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(measurement, "_MEMORY", {})


@pytest.fixture
def shown(monkeypatch):
    """What the spinners of the search of sizes and of the list say, one after another."""
    texts = []

    @contextlib.contextmanager
    def working(what):
        texts.append(what)
        yield texts.append

    monkeypatch.setattr(measurement, "working", working)
    monkeypatch.setattr(listing, "working", working)
    return texts


def test_a_search_says_how_far_it_is_and_is_kept(empty_cache, shown):
    model = open_model(SPEC).model
    found = fit_search.search(model, board("zybo"))
    title = "searching sizes, once for each model and version"
    counts = [f"{title}: {i + 1} of {len(found)}" for i in range(len(found))]
    assert shown == [title, *counts]
    measurement._MEMORY.clear()
    assert fit_search.search(model, board("zybo")) == found
    assert len(shown) == 1 + len(found)


def test_the_list_says_what_it_searches(empty_cache, shown):
    output = progress.Console(quiet=True)
    boards = {name: board(name) for name in ("zybo", "cora-z7")}
    listing.print_boards(boards, [SPEC], output, fits=True)
    assert [text for text in shown if "searching" not in text] == [
        "finding the sizes that fit",
        f"finding the sizes of {SPEC} that fit zybo",
        f"finding the sizes of {SPEC} that fit cora-z7",
    ]


class Stopped(Exception):
    pass


def text_out_of_sim(model):
    build(command.parser().parse_args(["sim", "--model", model, "--prompt", " "]))


def bench_of_the_firmware(model):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["firmware_bench", "--model", model])
        firmware_bench.main()


@pytest.mark.parametrize("run", [simulate, emulate, text_out_of_sim, bench_of_the_firmware])
def test_a_compilation_is_told_once(empty_cache, tmp_path, monkeypatch, run):
    told = []

    def stop(*_):
        told.extend(task.description for task in progress._active[0].tasks)
        raise Stopped

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cxxrtl, "_compile", stop)
    with pytest.raises(Stopped):
        run(TINY)
    (said,) = told
    assert re.fullmatch(
        r"compiling the simulation \(about [12]0 s of one core, the first time only\)", said
    )
