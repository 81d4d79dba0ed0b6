"""What ``gateformer bench`` compares: one row per way of running the model.

A row's ``generate(prompt, count)`` starts a new sequence, chooses ``count`` tokens greedily and
returns them with the seconds of each, from feeding the token before it to having chosen it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence

import numpy as np

from ..contract.artifact import Artifact
from ..contract.reference import Reference
from ..support.errors import UserError
from ..support.optional import require
from .stepwise import Generate, processor_clock, stepwise

FLOAT, INTEGER = "float32", "integer function"
"""Functions that rows compute: the artifact's float twin, or the deployed one."""
MEASURED = "measured"
PROCESSOR_TIME = "measured, processor time"
"""Of the thread: what other processes take from it does not count. For steps of a thread that
never waits, which an idle machine would run in the same time."""
C = "c"
"""Key of the rows on one core."""
ALL_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@dataclasses.dataclass(frozen=True)
class Row:
    """One way of running the model.

    Parameters
    ----------
    key, label : str, for ``--only`` and for the table
    function : str, FLOAT or INTEGER
    generate : Generate
    streams : int, sequences at the same time; the seconds are then those per token of all
    threads : int, 0 where there are none
    how : str, MEASURED (by the wall clock), PROCESSOR_TIME, or what else the seconds are
    """

    key: str
    label: str
    function: str
    generate: Generate
    streams: int = 1
    threads: int = 1
    how: str = MEASURED


def of_streams(key: str, streams: int) -> str:
    """Key of a row with so many streams, of which each count has a row."""
    return key if streams == 1 else f"{key}-x{streams}"


def _numpy(artifact: Artifact) -> Row:
    reference = Reference(artifact.model)

    def step(token):
        return int(np.argmax(reference.step(token)))

    generate = stepwise(reference.reset, step, processor_clock)
    return Row("numpy", "numpy reference", INTEGER, generate, how=PROCESSOR_TIME)


def _c(artifact: Artifact, streams: int = 1) -> Row:
    from ..native.stream import CompiledStream, StreamsInTurn

    stream = CompiledStream(artifact.model)
    generate = stream.timed if streams == 1 else StreamsInTurn(stream, streams).timed
    where = "one core" if streams == 1 else f"{streams} streams on one core"
    return Row(
        of_streams(C, streams), f"C ({stream.instructions}), {where}", INTEGER, generate, streams
    )


def _c_all(artifact: Artifact) -> Row:
    from ..native.stream import CompiledStream, StreamPool

    stream = CompiledStream(artifact.model)
    pool = StreamPool(stream, ALL_CORES)
    label = f"C ({stream.instructions}), {ALL_CORES} streams on {ALL_CORES} cores"
    return Row("c-all", label, INTEGER, pool.timed, ALL_CORES, ALL_CORES)


def _torch(artifact: Artifact, key: str, label: str, build: str, threads: int) -> Row:
    require({"torch": label}, "bench")
    _require_float(artifact)
    from . import torch_rows as bench_torch

    generate = getattr(bench_torch, build)(artifact, threads)
    how = PROCESSOR_TIME if threads == 1 else MEASURED
    return Row(key, label, FLOAT, generate, threads=threads, how=how)


def _onnx(artifact: Artifact, key: str, label: str, build: str, function: str) -> Row:
    require({"onnx": label, "onnxruntime": label}, "bench")
    if function == FLOAT:
        require({"torch": label}, "bench")
        _require_float(artifact)
    from . import onnx_rows as bench_onnx

    return Row(key, label, function, getattr(bench_onnx, build)(artifact), how=PROCESSOR_TIME)


def _require_float(artifact: Artifact) -> None:
    if not artifact.float_weights:
        raise UserError(f"{artifact.name} has no float weights")


def _one_and_all(key: str, label: str, build: str) -> dict:
    """Builders of a torch row on one thread and on all."""
    return {
        key: lambda a: _torch(a, key, f"{label}, 1 thread", build, 1),
        f"{key}-all": lambda a: _torch(
            a, f"{key}-all", f"{label}, {ALL_CORES} threads", build, ALL_CORES
        ),
    }


BUILDERS: dict[str, Callable[[Artifact], Row]] = {
    **_one_and_all("torch", "PyTorch FP32, full sequence", "full_sequence"),
    **_one_and_all("torch-kv", "PyTorch FP32, KV cache", "kv_cache"),
    "torch-compile": lambda a: _torch(
        a, "torch-compile", "PyTorch FP32, torch.compile of the KV step", "compiled", 1
    ),
    "onnx": lambda a: _onnx(a, "onnx", "onnxruntime FP32, full sequence", "full_sequence", FLOAT),
    "onnx-kv": lambda a: _onnx(a, "onnx-kv", "onnxruntime FP32, static KV", "static_kv", FLOAT),
    "onnx-int8": lambda a: _onnx(
        a, "onnx-int8", "onnxruntime INT8 (QDQ), full sequence", "int8", INTEGER
    ),
    "numpy": _numpy,
    C: _c,
    "c-all": _c_all,
}
"""Builders of the software's rows; each raises UserError where its row cannot be had."""


def build_rows(
    artifact: Artifact,
    keys: list[str],
    show: Callable[[str], None],
    streams: Sequence[int] = (1,),
) -> tuple[list[Row], dict[str, str]]:
    """The rows of these keys, and why the others are left out; ``show`` is told each key.

    C on one core has a row for each count of ``streams``.
    """
    rows, skipped = [], {}
    for key in keys:
        show(key)
        try:
            if key == C:
                rows += [_c(artifact, count) for count in streams]
            else:
                rows.append(BUILDERS[key](artifact))
        except UserError as error:
            skipped[key] = str(error)
    return rows, skipped
