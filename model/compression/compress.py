"""Compression of float models: ``gateformer compress METHOD MODEL …``.

A method starts from the float model inside an artifact or in a float checkpoint, measures the
result against it and prints the figures; with ``--results DIR`` they are ``NAME.json`` there, which
``gateformer compression-report`` draws. A run that was interrupted continues when it is
started again with the same settings.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import shlex
import sys
from pathlib import Path

from ..support import cli
from ..support.directories import made_directory, require_writable
from ..support.inputs import protecting
from ..text.corpus import Corpus, load_corpus
from ..training.train import parse_digits, require_packages, resumable
from .options import check_values, checked
from .result import GATES, Result


def _settings(args: argparse.Namespace) -> dict:
    """What decides the result, JSON-ready."""
    no_settings = {"model", "name", "out", "results", "runs", "threads", "corpus", "also"}
    settings = {key: value for key, value in vars(args).items() if key not in no_settings}
    for key in ("teacher", "calibration"):
        if settings.get(key):
            settings[key] = Path(settings[key]).name
    return settings


def _compress(session, args: argparse.Namespace, settings: dict):
    from ..floating.fake_quant import Scheme
    from . import methods

    if args.method in ("ptq", "qat"):
        scheme = Scheme(args.bits, args.granularity, args.observer, args.percentile)
        return methods.quantize(session, scheme, settings)
    if args.method == "integer":
        digits = parse_digits(args.digits)
        return methods.integers(session, digits, args.out, settings, args.threads)
    if args.method == "prune":
        return methods.prune(session, args.fraction, args.scope, args.rounds, settings)
    if args.method == "remove":
        return methods.remove(session, args.heads, args.units, settings)
    if args.method == "measure":
        return methods.measure(args.model)
    return methods.finetune(session, settings)


def command_line(argv: list[str]) -> str:
    """The command as text, absolute paths shortened to file names."""
    short = [Path(part).name if Path(part).is_absolute() else part for part in argv]
    return shlex.join(["python", "-m", "gateformer.model.compression.compress", *short])


@protecting
def run(argv: list[str]) -> Result:
    """Do what the command line says; the result, which is saved if there is ``--results``."""
    args = checked(argv)
    require_packages()
    # not above: they import torch, which a refusal need not wait for
    import torch

    from ..floating.file import open_float
    from ..training.loop import reuse_freed_memory
    from .session import Session, Tuning

    torch.set_num_threads(args.threads)
    reuse_freed_memory()
    names = {field.name for field in dataclasses.fields(Tuning)}
    given = {key: value for key, value in vars(args).items() if key in names}
    tuning = Tuning(**{"steps": 0, **given})
    check_values(args)
    source = open_float(args.model)
    if args.results is not None and args.results.is_dir():
        name = f"{_result_name(args, source)}.json"
        require_writable(args.results / name, ".json", "--results")
    calibration = load_corpus(args.calibration, "--calibration") if args.calibration else None
    session = Session(
        source, load_corpus(args.corpus), args.runs, tuning, calibration, args.windows
    )
    others = [load_corpus(path, "--also") for path in args.also]
    results = contextlib.nullcontext() if args.results is None else made_directory(args.results)
    with made_directory(args.runs), results:
        return _run(session, others, args, command_line(argv))


def _run(session, others: list[Corpus], args: argparse.Namespace, command: str) -> Result:
    import torch

    from .methods import source_bytes

    source, settings = session.source, _settings(args)
    made = _compress(session, args, settings)
    result = Result(
        name=_result_name(args, source),
        method=args.method,
        settings=settings,
        command=command,
        source={"name": source.name, "sha256": source.sha256},
        losses=session.losses(made.model, others),
        n_bytes=made.n_bytes,
        float_bytes=source_bytes(session),
        agreement=session.agreement(made.model),
        gate=None if args.windows else made.gate,
        config=None if made.config is None else made.config.to_dict(),
        gateware=made.gateware,
        torch=torch.__version__,
    )
    if args.out is not None:
        made.save(args.out)
    if args.results is not None:
        result.save(args.results)
    return result


def _result_name(args: argparse.Namespace, source) -> str:
    return args.name or f"{source.name}-{args.method}"


def describe(result: Result) -> list[str]:
    """The figures as lines of text."""
    lines = [
        f"{row.text}: {row.loss:.4f} nats, float {row.float_loss:.4f}, perplexity "
        f"{row.perplexity_ratio - 1:+.2%} ({row.windows} windows"
        + (f", {row.left_out} characters left out)" if row.left_out else ")")
        for row in result.losses
    ]
    ratio = result.float_bytes / result.n_bytes
    lines.append(
        f"{result.n_bytes:,} bytes, float {result.float_bytes:,}: {ratio:.2f} times smaller"
    )
    lines.append(
        f"same greedy characters {result.agreement['greedy']:.1%}, "
        f"same first choice on the text {result.agreement['argmax']:.1%}"
    )
    lines.append(f"gateware: {result.gateware}")
    if result.gate is not None:
        limit, meaning = GATES[result.gate]
        verdict = "passed" if result.passed else "not passed"
        lines.append(f"gate {verdict}: at most {limit - 1:+.0%} for {meaning}")
    return lines


@protecting
def main(argv: list[str] | None = None) -> int | None:
    """Entry point; raises UserError. The exit status is that of an interrupt after Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    checked(argv)  # a refusal, and --help, need not wait for torch
    require_packages()

    def run_and_print():
        result = run(argv)
        print(f"{result.name}:")
        for line in describe(result):
            print(f"  {line}")

    return resumable(run_and_print)


if __name__ == "__main__":
    cli.run(main)
