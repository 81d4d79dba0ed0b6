"""Validation loss of the deployed integer function and of the float model it came from.

``gateformer evaluate ARTIFACT --corpus PATH``
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import math
import os
from collections.abc import Callable
from pathlib import Path

# Read when numpy is imported first. The products are small: more threads wait for each other only.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from rich.table import Table

from ..contract.artifact import Artifact, open_model
from ..contract.integer_model import IntegerModel
from ..contract.windows import cross_entropy, validation_windows, window_logits
from ..floating.twin import FloatModel
from ..native.stream import CompiledStream
from ..support import cli
from ..support.cores import add_threads_option, default_threads
from ..support.errors import ToolError, UserError
from ..support.progress import track
from ..support.terminal import Terminal
from ..text.corpus import TINY_SHAKESPEARE_SHA256, Corpus, load_corpus
from ..text.tokenizer import CharTokenizer
from .quality import DEFAULT_TOKENS, WINDOW

BATCH_TOKENS = 4096
"""Positions that are computed at once: bounds the memory."""
MOST_TOKENS = 2**31
COMPILED_FROM = 20_000
"""Positions from which on it is worth compiling the integer function."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Losses in nats per character over ``windows`` windows of ``ctx_len`` characters.

    ``float_loss`` and ``agreement``, the fraction of positions where integer and float model rank
    the same character first, are None if the artifact has no float weights. The windows are of the
    last ``validation_characters`` of the ``corpus_characters`` of the text.
    """

    model: str
    digest: str
    corpus: str
    corpus_sha256: str
    corpus_characters: int
    validation_characters: int
    windows: int
    ctx_len: int
    integer_loss: float
    float_loss: float | None
    agreement: float | None

    def to_dict(self) -> dict:
        """JSON-ready form, with the losses in bits per character, too."""
        bits = {
            f"{name}_bits": None if loss is None else loss / math.log(2)
            for name, loss in (("integer", self.integer_loss), ("float", self.float_loss))
        }
        return {**dataclasses.asdict(self), **bits}

    @property
    def text(self) -> str:
        """Which text it is, as a sentence."""
        return (
            f"the last {self.validation_characters:,} of {self.corpus_characters:,} characters of "
            f"{self.corpus}, SHA-256 {self.corpus_sha256[:16]}…"
        )


def integer_function(model: IntegerModel, positions: int) -> Callable[[np.ndarray], np.ndarray]:
    """What gives the logits [batch, length, vocab_size] of windows [batch, length].

    For many ``positions`` in C, if there is a compiler for it, else in numpy: the same integers.
    """
    if positions >= COMPILED_FROM:
        try:
            return CompiledStream(model).window_logits
        except (UserError, ToolError):  # no compiler, or the model is too wide for it
            pass
    return functools.partial(window_logits, model)


def evaluate(
    artifact: Artifact, corpus: Corpus, progress: Callable = lambda batches: batches
) -> Evaluation:
    """Measure an artifact on the validation text of a corpus.

    ``progress`` wraps the list of batches, as :func:`model.support.progress.track` does. Raises
    UserError if the text has a character that the model lacks or is shorter than one window.
    """
    model = artifact.model
    tokens = corpus.validation_tokens(CharTokenizer(model.vocabulary))
    inputs, targets = validation_windows(tokens, model.config.ctx_len, corpus.validation_name)
    twin = FloatModel(model.config, artifact.float_weights) if artifact.float_weights else None
    integer_logits = integer_function(model, inputs.size)
    integer_loss = float_loss = agreement = 0.0
    size = max(BATCH_TOKENS // model.config.ctx_len, 1)
    for start in progress(range(0, len(inputs), size)):
        batch = slice(start, start + size)
        share = len(inputs[batch]) / len(inputs)
        logits = integer_logits(inputs[batch])
        integer_loss += share * cross_entropy(logits * model.logit_scale, targets[batch])
        if twin is not None:
            float_logits = twin.logits(inputs[batch])
            float_loss += share * cross_entropy(float_logits, targets[batch])
            agreement += share * float(np.mean(logits.argmax(-1) == float_logits.argmax(-1)))
    return Evaluation(
        model=artifact.name,
        digest=model.digest,
        corpus=corpus.name,
        corpus_sha256=corpus.sha256,
        corpus_characters=len(corpus.text),
        validation_characters=len(corpus.validation),
        windows=len(inputs),
        ctx_len=model.config.ctx_len,
        integer_loss=integer_loss,
        float_loss=None if twin is None else float_loss,
        agreement=None if twin is None else agreement,
    )


def _table(result: Evaluation) -> Table:
    table = Table(
        title=f"{result.model} on {result.corpus}",
        caption=f"{result.windows} windows of {result.ctx_len} characters",
    )
    table.add_column("function")
    table.add_column("nats/char", justify="right")
    table.add_column("bits/char", justify="right")
    table.add_column("same argmax", justify="right")
    rows = [("integer (deployed)", result.integer_loss, result.agreement)]
    if result.float_loss is not None:
        rows.append(("float twin", result.float_loss, None))
    for name, loss, agreement in rows:
        same = "" if agreement is None else f"{agreement:.1%}"
        table.add_row(name, f"{loss:.4f}", f"{loss / math.log(2):.4f}", same)
    return table


def _parser() -> argparse.ArgumentParser:
    parser = cli.ArgumentParser(
        prog="gateformer evaluate",
        description="Loss of an artifact on a text: of a model trained here on its last tenth, of "
        "an imported one on its beginning.",
    )
    parser.add_argument("artifact", help="path of an artifact, or name of a shipped model")
    parser.add_argument(
        "--corpus",
        help="UTF-8 text file (default: Tiny Shakespeare, downloaded; an imported model needs one)",
    )
    imported = parser.add_argument_group("imported models")
    imported.add_argument(
        "--source",
        type=Path,
        metavar="PATH",
        help="the float model that it came from, to compare with (default: the "
        "artifact's own, if any)",
    )
    imported.add_argument(
        "--tokens",
        type=cli.within(int, 1, MOST_TOKENS),
        metavar="N",
        help=f"predictions, rounded to whole windows of {WINDOW}, or of the context if that is "
        f"shorter (default: {DEFAULT_TOKENS})",
    )
    imported.add_argument(
        "--skip-unknown", action="store_true", help="leave out characters without a token"
    )
    add_threads_option(imported, "windows computed at the same time")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Entry point; raises UserError."""
    args = _parser().parse_args(argv)
    artifact = open_model(args.artifact, imported=True)
    if artifact.model.config.spec_version != 1:
        _evaluate_imported(artifact, args)
        return
    for option in ("source", "tokens", "skip_unknown", "threads"):
        if getattr(args, option):
            raise UserError(
                f"--{option.replace('_', '-')} is for imported models, and {artifact.name} was "
                "trained here; leave it out"
            )
    trained_on = artifact.info.get("corpus")
    if args.corpus is None and trained_on and trained_on["sha256"] != TINY_SHAKESPEARE_SHA256:
        raise UserError(
            f"{artifact.name} was trained on {trained_on['name']}, not on Tiny Shakespeare; give a "
            "text with --corpus"
        )
    corpus = load_corpus(args.corpus)
    progress_console = Terminal(stderr=True)
    result = evaluate(
        artifact,
        corpus,
        lambda batches: track(batches, "validation windows", progress_console),
    )
    if args.json:
        print(json.dumps(result.to_dict(), indent=2))
    else:
        output = Terminal()
        output.print(_table(result))
        output.print(f"text: {result.text}", soft_wrap=True, highlight=False, markup=False)


def _evaluate_imported(artifact: Artifact, args: argparse.Namespace) -> None:
    # not above: it needs the readers of other people's files
    from . import decoder_evaluation

    if args.corpus is None:
        raise UserError(f"{artifact.name} needs a text that it has not seen; give it with --corpus")
    tokens = DEFAULT_TOKENS if args.tokens is None else args.tokens
    threads = default_threads() if args.threads is None else args.threads
    corpus = load_corpus(args.corpus, "--corpus")
    bar, reading = decoder_evaluation.progress_bar(Terminal(stderr=True), "tokens of the text")
    progress = bar.task("windows")
    with bar:
        result = decoder_evaluation.evaluate_decoder(
            artifact,
            corpus,
            args.source,
            tokens,
            args.skip_unknown,
            progress,
            reading,
            threads,
        )
    decoder_evaluation.print_evaluation(result, args.json)


if __name__ == "__main__":
    cli.run(main)
