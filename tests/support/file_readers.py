"""Kinds of files with facts, each with a good one and the kind of every entry that is used."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.bench.models import read_points
from gateformer.model.compression.result import Losses, Result
from gateformer.model.contract import artifact
from gateformer.model.contract.random_model import random_model
from gateformer.platforms.boards.board import board
from gateformer.platforms.building import report
from gateformer.platforms.building.board_table import read_reports
from gateformer.platforms.console.image_request import built_request

SPEC = "random:d_model=4,n_layers=1,d_ff=6,ctx_len=3,vocab_size=5,seed=1"


@dataclasses.dataclass(frozen=True)
class Reader:
    """A kind of file: ``make`` writes a good one, ``read`` reads it, ``change`` rewrites its JSON.

    ``kinds``: kind of every entry by its path; ``*`` for each entry of a list or object.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], object]
    change: Callable[[Path, Callable[[dict], None]], None]
    kinds: dict[str, str]


def change_json(path: Path, change) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def change_metadata(entry: str):
    def changed(path: Path, change) -> None:
        with safetensors.safe_open(path, "numpy") as file:
            facts = json.loads(file.metadata()[entry])
        change(facts)
        tensors = safetensors.numpy.load(path.read_bytes())
        safetensors.numpy.save_file(tensors, path, {entry: json.dumps(facts)})

    return changed


def make_artifact(directory: Path) -> Path:
    path = directory / "m.safetensors"
    corpus = {"name": "a.txt", "sha256": "0"}
    info = {"val_loss_int": 1.5, "val_loss_float": 1.25, "corpus": corpus, "steps": 3}
    weights = {"token_embedding": np.ones((5, 4))}
    artifact.save(path, random_model(SPEC), weights, info)
    return path


def make_result(directory: Path) -> Path:
    return Result(
        name="r",
        method="ptq",
        settings={"bits": 8},
        command="python",
        source={"name": "s", "sha256": "0"},
        losses=[Losses("a.txt", 3, 1.5, 1.25, 2)],
        n_bytes=5,
        float_bytes=20,
        agreement={"greedy": 0.5, "by_position": [0.5, 0.25], "argmax": 0.75},
        gate="int8-ptq",
        config=random_model(SPEC).config.to_dict(),
        gateware="no",
        torch="2",
    ).save(directory)


def make_benchmark(directory: Path) -> Path:
    path, speed = directory / "b.json", {"median": 5.0}
    row = {"key": "c", "label": "C", "function": "f", "tokens_per_second": speed}
    content = {"schema_version": 1, "model": "m", "losses": {"f": 1.5}, "rows": [row]}
    path.write_text(json.dumps(content))
    return path


def make_report(directory: Path) -> Path:
    program = Program(random_model(SPEC), HwConfig(2, 4, 4, reload=True))
    cycles = report.cycles_section([100], report.SIMULATED)
    loaded = artifact.open_model(SPEC)
    content = report.build_report(loaded, program, board("ulx3s"), 50.0, cycles)
    used = dict.fromkeys(("lut", "ff", "bram", "dsp"), 3)
    section = report.resources_section(used, board("ulx3s"), "yosys")
    content["resources"] = {"synthesized": section, "placed": copy.deepcopy(section)}
    content["timing"]["fmax_mhz"] = 61.5
    built = directory / "ulx3s"
    built.mkdir(exist_ok=True)
    return report.write_report(content, built)


CONFIG = dict.fromkeys(
    ("vocab_size", "d_model", "n_heads", "n_layers", "d_ff", "ctx_len", "digits.*"), "integer"
)
USE = {"used": "number", "available": "positive", "unit": "text"}
READERS = {
    "artifact": Reader(
        make_artifact,
        artifact.load,
        change_metadata(artifact.FORMAT),
        {
            **{"spec_version": "integer", "digest": "text", "float_digest": "text"},
            **{f"config.{name}": kind for name, kind in CONFIG.items()},
            **{"config": "object", "scalars": "object", "info": "object"},
            **{"scalars.token_mult": "integer", "scalars.position_mult": "integer"},
            **{"scalars.shifts": "object", "scalars.shifts.*": "integer"},
            **{"scalars.score_shifts": "list", "scalars.score_shifts.*": "integer"},
            **{"scalars.vocabulary": "list", "scalars.vocabulary.*": "text"},
            **{"scalars.logit_scale": "positive", "info.steps": "any"},
            **{"info.val_loss_int": "number", "info.val_loss_float": "number"},
            **{"info.corpus": "object", "info.corpus.name": "text", "info.corpus.sha256": "text"},
        },
    ),
    "result of gateformer compress": Reader(
        make_result,
        Result.load,
        change_json,
        {
            **dict.fromkeys(("name", "method", "command", "gateware", "torch", "gate"), "text"),
            **dict.fromkeys(("schema_version", "n_bytes", "float_bytes"), "integer"),
            **{"settings": "object", "settings.bits": "any", "source": "object"},
            **{"source.name": "text", "source.sha256": "text", "losses": "list"},
            **{"losses.*": "object", "losses.*.text": "text", "losses.*.windows": "integer"},
            **{"losses.*.loss": "number", "losses.*.float_loss": "number"},
            **{"losses.*.left_out": "integer", "agreement": "object"},
            **{"agreement.greedy": "number", "agreement.argmax": "number"},
            **{"agreement.by_position": "list", "agreement.by_position.*": "number"},
            **{"config": "object", **{f"config.{name}": kind for name, kind in CONFIG.items()}},
        },
    ),
    "benchmark": Reader(
        make_benchmark,
        read_points,
        change_json,
        {
            **{"schema_version": "integer", "model": "text", "losses": "object"},
            **{"losses.f": "number", "rows": "list", "rows.*": "object", "rows.*.key": "text"},
            **{"rows.*.label": "text", "rows.*.function": "text"},
            **{"rows.*.tokens_per_second": "object"},
            **{"rows.*.tokens_per_second.median": "positive"},
        },
    ),
    "report for an image": Reader(
        make_report,
        lambda path: built_request(path.parent),
        change_json,
        {
            **{"board": "object", "board.console": "text"},
            **{"hardware": "object", "hardware.limits": "object", "model": "object"},
            **{"hardware.limits.*": "integer", "hardware.packing": "text"},
            **{"model.config": "object"},
            **{f"model.config.{name}": kind for name, kind in CONFIG.items()},
            **{f"hardware.{name}": "integer" for name in ("rows", "cols", "lanes")},
            **{f"hardware.{name}": "integer" for name in ("tree_levels", "norm_registers")},
        },
    ),
    "report for the table of boards": Reader(
        make_report,
        lambda path: read_reports(path.parent.parent),
        change_json,
        {
            **{"schema_version": "integer", "board": "object", "board.title": "text"},
            **{"board.device": "text", "hardware": "object", "hardware.packing": "text"},
            **{f"hardware.{name}": "integer" for name in ("rows", "cols", "lanes_built")},
            **{"cycles": "object", "cycles.mean": "positive", "timing": "object"},
            **{"timing.fmax_mhz": "positive", "timing.source": "text"},
            **{"tokens_per_second": "object", "tokens_per_second.value": "positive"},
            **{"tokens_per_second.clock_mhz": "positive", "resources": "object"},
            **{f"resources.{part}": "object" for part in ("synthesized", "placed")},
            **{
                f"resources.{part}.{unit}.{name}": kind
                for part in ("synthesized", "placed")
                for unit in ("lut", "bram", "dsp")
                for name, kind in USE.items()
            },
        },
    ),
}


def _torch_readers() -> dict[str, Reader]:
    """Float checkpoints and GPT-2's files, which torch reads."""
    try:
        from gateformer.model.floating.fake_quant import Scheme, quantize_model
        from gateformer.model.floating.file import open_float, save_float
        from gateformer.model.floating.gpt2_checkpoint import read_config, read_vocabulary

        from .checkpoints.gpt2_files import write_gpt2
        from .float_bench import VOCABULARY, model_of, windows
    except ImportError:
        return {}

    def make_float(directory: Path) -> Path:
        from gateformer.model.floating.fake_quant import learned_activation_steps

        model, layout = model_of("gpt2")
        state = dict(model.state_dict())
        quantize_model(model, layout, Scheme(), windows()[0])
        path, steps = directory / "f.safetensors", learned_activation_steps(model, layout)
        save_float(path, layout, state, VOCABULARY, None, steps, {"steps": 3})
        return path

    def make_gpt2(directory: Path) -> Path:
        written = write_gpt2(directory / "gpt2", layer_norm_epsilon=1e-5, dropout=0.1)
        (written / "vocab.json").write_text(json.dumps({"a": 0, "b": 1}))
        return written / "config.json"

    return {
        "float checkpoint": Reader(
            make_float,
            open_float,
            change_metadata(artifact.FLOAT_FORMAT),
            {
                **{"architecture": "text", "shape": "object", "shape.*": "integer"},
                **{"activation": "text", "norm_eps": "positive", "vocabulary": "list"},
                **{"vocabulary.*": "text", "activation_steps": "object"},
                **{"activation_steps.*": "positive", "info.steps": "any"},
            },
        ),
        "GPT-2's config.json": Reader(
            make_gpt2,
            read_config,
            change_json,
            {
                **{name: "integer" for name in ("vocab_size", "n_embd", "n_head", "n_layer")},
                **{"n_positions": "integer", "n_inner": "integer", "activation_function": "text"},
                **{"layer_norm_epsilon": "positive", "model_type": "text", "dropout": "any"},
            },
        ),
        "GPT-2's vocab.json": Reader(
            lambda directory: make_gpt2(directory).with_name("vocab.json"),
            lambda path: read_vocabulary(path.parent),
            change_json,
            {"*": "integer"},
        ),
    }


READERS |= _torch_readers()
