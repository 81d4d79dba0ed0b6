"""Training of float models for compression: ``gateformer train-float --preset NAME …``.

Writes a float checkpoint (:mod:`model.floating.file`): a model of another architecture than the
gateware's, or a larger one as a teacher. A run that was interrupted continues when it is started
again with the same settings.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from ..contract.artifact import SUFFIX
from ..floating.choices import FLOAT_PRESETS
from ..support import cli
from ..support.cores import MOST_THREADS
from ..support.directories import made_directory, require_writable
from ..support.inputs import protecting, reading
from ..text.corpus import CORPUS_HELP, load_corpus
from ..training.checks import MAX_COUNT, MAX_SEED, check_tuning
from ..training.train import require_packages, resumable


def _parser() -> argparse.ArgumentParser:
    parser = cli.ArgumentParser(
        prog="gateformer train-float",
        description="Train a float model and write it as a float checkpoint.",
        epilog="Ctrl-C saves a checkpoint; the same command continues from it.",
    )
    add = parser.add_argument
    add(
        "--preset",
        default=FLOAT_PRESETS[0],
        metavar="NAME",
        help=f"one of {', '.join(FLOAT_PRESETS)}",
    )
    add("--corpus", metavar="PATH", help=CORPUS_HELP)
    add("--out", metavar="FILE", type=Path, help="float checkpoint to write", **cli.REQUIRED)
    add("--steps", type=cli.within(int, 0, MAX_COUNT), default=2000, help="of training")
    add("--lr", type=float, default=1e-3, help="peak learning rate")
    add("--batch", type=cli.within(int, 1, MAX_COUNT), default=32, help="windows per step")
    seed = cli.within(int, 0, MAX_SEED)
    add("--seed", type=seed, default=1337, help="of the first weights and the batches")
    add("--threads", type=cli.within(int, 1, MOST_THREADS), default=1, help="processor threads")
    add("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where checkpoints go")
    return parser


def _train(args: argparse.Namespace):
    import torch

    from ..floating.file import FloatSource, save_float
    from ..floating.presets import fresh_model, preset
    from ..support.processes import processes
    from ..text.tokenizer import CharTokenizer
    from ..training.loop import reuse_freed_memory
    from .session import Session, Tuning

    torch.set_num_threads(args.threads)
    reuse_freed_memory()
    layout = preset(args.preset)
    tuning = Tuning(steps=args.steps, lr=args.lr, batch=args.batch, seed=args.seed)
    corpus = load_corpus(args.corpus)
    vocabulary = CharTokenizer.from_text(corpus.text, layout.shape.vocab_size).vocabulary
    model = fresh_model(layout, args.seed)
    start = hashlib.sha256(json.dumps(layout.facts(), sort_keys=True).encode()).hexdigest()
    source = FloatSource(args.preset, model, layout, vocabulary, args.out, start)
    session = Session(source, corpus, args.runs, tuning)
    session.tune(model, args.preset, {"method": "train_float"})
    if not processes().first:
        return
    info = {"corpus": {"name": corpus.name, "sha256": corpus.sha256}, "steps": args.steps}
    save_float(args.out, layout, model.state_dict(), vocabulary, info=info)


@protecting
def main(argv: list[str] | None = None) -> int | None:
    """Entry point; raises UserError. The exit status is that of an interrupt after Ctrl-C."""
    args = _parser().parse_args(argv)
    check_tuning(vars(args))
    reading(corpus=args.corpus)
    require_writable(args.out, SUFFIX)
    require_packages()
    with made_directory(args.runs):
        return resumable(lambda: _train(args))


if __name__ == "__main__":
    cli.run(main, together=True)
