"""Every picture that the project draws or ships: readable, with few data and with crowded ones."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import matplotlib

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.host.any_core import compile_model
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.bench.measure import Measurement
from gateformer.model.bench.models import ROWS, Point, models_figure
from gateformer.model.bench.picture import platform_figure, position_figure
from gateformer.model.bench.redraw import read_results
from gateformer.model.bench.rows import FLOAT, INTEGER, MEASURED
from gateformer.model.compression.result import GATES, Losses, Result, load_results
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.picture import line_styles, svg
from gateformer.model.training.losses import History, losses_figure
from gateformer.platforms.boards.board import board
from gateformer.platforms.building import compression_plots
from gateformer.platforms.building.timeline import timeline_svg
from gateformer.platforms.sizes.families import limits
from gateformer.platforms.sizes.picture import fit_figure
from gateformer.platforms.sizes.resource_model import Prediction
from gateformer.platforms.sizes.search import Candidate, pareto_front
from tests.support.picture_checks import faults
from tests.support.svg_checks import arrow_faults, connections, svg_faults

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BENCHMARKS = [DOCS / "bench" / folder / "shakespeare-115k.json" for folder in ("", "streams")]
MODEL = "random:vocab_size=20,d_model=16,n_heads=2,n_layers=1,d_ff=32,ctx_len=12,seed=3"
COUNTS = {"one": 1, "few": 3, "crowded": 26}
"""How many of whatever a picture shows."""


def benchmark(count: int):
    """Rows whose speeds differ by 1 %, some measured, some not."""
    numbers = np.random.default_rng(count)
    rows = []
    for number in range(count):
        spread = numbers.uniform(0.7, 1.4, (5, 12))
        simulated = number % 5 == 4
        rows.append(
            Measurement(
                f"row-{number}",
                f"A platform with a rather long name, number {number}",
                INTEGER if number % 2 else FLOAT,
                "simulated cycles at 125 MHz, not run on a board" if simulated else MEASURED,
                1,
                1,
                1e-4 * 1.01**number * (np.ones((5, 12)) if simulated else spread),
                0,
            )
        )
    return rows


def points(count: int):
    """As many models on as many boards as asked for, close together."""
    found = []
    for number in range(count):
        model, loss = f"a-model-of-mine-{number}", 1.6 + 0.002 * number
        for row in ROWS:
            function = INTEGER if row in ("c", "accelerator") else FLOAT
            places = [f"Board {n}, 8 × 64" for n in range(count)] if row == "accelerator" else [row]
            for place, where in enumerate(places):
                rate = 1e4 * (1 + 0.03 * number + 0.01 * place)
                found.append(Point(model, row, function, where, rate, loss))
    return found


def histories(count: int):
    numbers = np.random.default_rng(count)
    names = ("float", "integer", "fixed")[: min(count, 3)]
    steps = 40 * count
    return {
        name: History(
            list(1.5 + 3 / np.arange(1, steps + 1) + numbers.normal(0, 0.05, steps)),
            [(step, 1.6) for step in range(10, steps + 1, 10)],
        )
        for name in names
    }


def search(count: int, name: str = "zybo"):
    """Sizes around a front, many with nearly the same share and cycles."""
    target, numbers = board(name), random.Random(count)
    most = limits(target.family, target.budget)
    found = []
    for number in range(count * 10):
        rows = 2 ** (number % 4)
        hw = HwConfig(rows=rows, cols=rows * 16, lanes=rows * 4)
        share = numbers.uniform(0.05, 1.3)
        cycles = 900 / share * numbers.uniform(1, 1.5)
        lut = int(share * target.budget.lut)
        bram = target.budget.bram + numbers.choice((0, 0, 1))
        over = [name for name, need in (("lut", lut), ("bram", bram)) if need > most[name]]
        found.append(Candidate(hw, cycles, Prediction(lut, lut, bram, 1), tuple(over)))
    return found, target


def results(count: int):
    found = []
    for number in range(count):
        gate = (*GATES, None)[number % (len(GATES) + 1)]
        agreement = {"greedy": 0.5, "by_position": list(np.linspace(1, 0, 64)), "argmax": 0.9}
        found.append(
            Result(
                name=f"a-result-with-a-long-name-{number}",
                method="ptq",
                settings={},
                command="c",
                source={"name": "s", "sha256": "0"},
                losses=[Losses("input.txt", 1, 1.6 + 0.002 * (number % 7), 1.6)],
                n_bytes=1000 + number,
                float_bytes=4000,
                agreement=agreement,
                gate=gate,
                config=open_model(MODEL).model.config.to_dict() if number % 2 else None,
                gateware="yes" if number % 4 == 1 else "no",
                torch="2",
            )
        )
    return found


FIGURES = {
    "bench by platform": lambda count: platform_figure("mine", benchmark(count)),
    "bench by position": lambda count: position_figure("mine", benchmark(count)),
    "loss over speed": lambda count: models_figure(points(min(count, 12))),
    "losses of a training": lambda count: losses_figure(histories(count)),
    "fit": lambda count: fit_figure("mine", *search(count)),
    "fit of a large device": lambda count: fit_figure("mine", *search(count, "arty-a7-100")),
    **{
        f"compression, {name}": lambda count, plot=plot: plot(results(count))
        for name, plot in compression_plots.PLOTS
    },
}


@pytest.mark.parametrize("count", COUNTS.values(), ids=COUNTS)
@pytest.mark.parametrize("name", FIGURES)
def test_what_is_drawn_can_be_read(name, count):
    assert faults(FIGURES[name](count)) == []


def test_the_shipped_pictures_can_be_read():
    for path in BENCHMARKS:
        name, rows = read_results(path)
        assert faults(platform_figure(name, rows)) == []
        assert faults(position_figure(name, rows)) == []
    for _, plot in compression_plots.PLOTS:
        assert faults(plot(load_results(DOCS / "compression"))) == []


@pytest.mark.parametrize("name", FIGURES)
def test_the_users_settings_change_nothing(name):
    expected = svg(FIGURES[name](3))
    with matplotlib.style.context("dark_background"):
        assert svg(FIGURES[name](3)) == expected


def test_labels_of_the_front_are_kept_where_they_cover_nothing():
    candidates, target = search(26)
    texts = {text.get_text() for text in fit_figure("mine", candidates, target).axes[0].texts}
    assert 1 <= len(texts) <= 7 and len(pareto_front(candidates)) > 1


def test_line_styles_never_repeat():
    styles = line_styles()
    looks = [tuple(next(styles).values()) for _ in range(100)]
    assert len(set(looks)) == 100


@pytest.mark.parametrize("position", [0, 64, 127])
@pytest.mark.parametrize("model", ["shakespeare-115k", "shakespeare-zybo", MODEL])
def test_the_timeline_can_be_read(model, position):
    program = Program(open_model(model).model, HwConfig(rows=8, cols=64, lanes=64))
    drawn = timeline_svg(program, min(position, program.model.config.ctx_len - 1))
    assert svg_faults(drawn) == []


IMPORTED = ("n_kv_heads=2", "norm=layer,activation=gelu", "positions=rotary,gated=1,d_ff=900")


@pytest.mark.parametrize("position", [0, 20])
@pytest.mark.parametrize("choices", IMPORTED)
def test_the_timeline_of_an_imported_model_can_be_read(choices, position):
    model = open_model(f"random:vocab_size=300,ctx_len=32,{choices}", imported=True).model
    drawn = timeline_svg(compile_model(model, HwConfig(rows=1, cols=1, lanes=16)), position)
    assert svg_faults(drawn) == []


def test_the_block_diagram_can_be_read_and_its_arrows_lead_from_box_to_box():
    diagram = (DOCS / "core.svg").read_text(encoding="utf-8")
    assert svg_faults(diagram) == []
    assert arrow_faults(diagram) == []


def test_the_block_diagram_has_the_connections_of_the_core():
    """Those of gateware/core/core.py."""
    diagram = (DOCS / "core.svg").read_text(encoding="utf-8")
    assert connections(diagram) == {
        ("host interface", "sequencer"),
        ("sequencer", "host interface"),
        ("sequencer", "ternary engine"),
        ("sequencer", "vector unit"),
        ("sequencer", "INT8 array"),
        ("sequencer", "softmax"),
        ("weight memory", "ternary engine"),
        ("activation memory", "ternary engine"),
        ("ternary engine", "vector unit"),
        ("vector unit", "activation memory"),
        ("vector unit", "vector memories"),
        ("vector memories", "vector unit"),
        ("vector unit", "INT8 array"),
        ("INT8 array", "vector unit"),
        ("array memory", "INT8 array"),
        ("INT8 array", "softmax"),
        ("softmax", "INT8 array"),
        ("softmax", "vector unit"),
        ("INT8 array", "sampler"),
        ("sampler", "sequencer"),
    }


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.parent.name)
def test_a_benchmark_is_drawn_again_from_its_file(path):
    """With the quartiles that it states, at every position and in the mean."""
    _, rows = read_results(path)
    names = ("lower_quartile", "median", "upper_quartile")
    for row, stated in zip(rows, json.loads(path.read_text())["rows"], strict=True):
        mean = [stated["tokens_per_second"][name] for name in names]
        assert row.tokens_per_second() == pytest.approx(mean, rel=1e-12)
        rates = [stated["by_position"]["tokens_per_second"][name] for name in names]
        assert row.by_position() == pytest.approx(np.array(rates), rel=1e-12)
        for field in ("key", "label", "function", "how", "streams", "threads", "same_tokens"):
            assert dataclasses.asdict(row)[field] == stated[field]
