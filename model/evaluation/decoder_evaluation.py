"""How well an imported model's integers do on a text, beside the float model they came from."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ..contract.artifact import Artifact
from ..contract.decoder.model import DecoderModel
from ..floating.checkpoints.artifact_twin import twin_of
from ..floating.checkpoints.opening import open_source
from ..floating.checkpoints.source import SourceModel
from ..floating.decoder import FloatDecoder
from ..support.errors import UserError
from ..support.progress import ProgressBar
from ..support.terminal import Terminal
from ..text.codec import TextCodec
from ..text.corpus import Corpus
from ..text.encoding import encode_corpus
from ..text.model_codec import codec_of
from .quality import DEFAULT_TOKENS, WINDOW, Agreement, summary
from .saturation import saturation_lines
from .window_pool import WindowPool

MANY_SATURATIONS = 1e-4
"""Share of a stage's values that may be limited before it is named."""


@dataclasses.dataclass(frozen=True)
class DecoderEvaluation:
    """Losses in nats per token over ``tokens`` predictions; ``agreement`` with the float model."""

    model: str
    digest: str
    text: str
    tokens: int
    skipped: int
    window: int
    bits_per_weight: float
    integer_loss: float
    agreement: Agreement | None
    saturated: dict[str, float]

    def to_dict(self) -> dict:
        """JSON-ready form."""
        found = self.agreement
        given = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        del given["agreement"]
        return given | {
            "float_loss": found and math.log(found.float_perplexity),
            "perplexity_ratio": found and found.ratio,
            "perplexity_ratio_error": found and found.ratio_error,
            "kl": found and found.kl,
            "top1": found and found.top1,
        }


def bits_per_weight(model: DecoderModel) -> float:
    """Bits in memory per weight of a matrix, scales, multipliers and biases included."""
    matrices = model.matrices.values()
    return sum(m.bits for m in matrices) / sum(m.codes.size for m in matrices)


def bytes_per_token(model: DecoderModel, position: int) -> int:
    """Bytes that one token reads at a position: matrices, one embedding row, keys and values."""
    cfg, matrices = model.config, dict(model.matrices)
    if not cfg.tied_head:
        del matrices["token_embedding"]
    widths = sum(-(-bits // 8) for bits in (cfg.bits.key, cfg.bits.value))
    cache = widths * cfg.n_layers * cfg.cache_width * (position + 1)
    return round(sum(matrix.bits for matrix in matrices.values()) / 8) + cfg.d_model + cache


def text_windows(
    model: DecoderModel,
    codec: TextCodec,
    corpus: Corpus,
    tokens: int,
    skip_unknown: bool,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[np.ndarray, np.ndarray, int]:
    """(inputs, targets), both [n, window], of at most ``tokens`` predictions; characters skipped.

    Each window begins with the token that begins a text, if the model has one. Only as much of the
    text is encoded as that takes; ``progress`` is called with its characters, (done, total).
    Raises UserError if the text is shorter than one window, or as :func:`encode_corpus`.
    """
    length = min(WINDOW, model.config.ctx_len - len(model.prefix))
    own = length - codec.add_bos
    if own < 1:
        raise UserError(f"a context of {model.config.ctx_len} is too short to evaluate")
    most = max(tokens // length, 1)
    ids, skipped = encode_corpus(codec, corpus, skip_unknown, most * own + 1, progress)
    count = min((len(ids) - 1) // own, most)
    if count < 1:
        raise UserError(
            f"{corpus.name} has {len(ids)} tokens, but one window needs {own + 1}; give a longer "
            "text"
        )
    ids = np.asarray(ids[: count * own + 1], np.int64)
    inputs, targets = ids[:-1].reshape(count, own), ids[1:].reshape(count, own)
    if codec.add_bos:
        targets = np.concatenate([inputs[:, :1], targets], axis=1)
        inputs = np.pad(inputs, ((0, 0), (1, 0)), constant_values=codec.bos)
    return inputs, targets, skipped


def evaluate_decoder(
    artifact: Artifact,
    corpus: Corpus,
    source: Path | SourceModel | None = None,
    tokens: int = DEFAULT_TOKENS,
    skip_unknown: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    reading: Callable[[int, int], None] = lambda done, total: None,
    threads: int = 1,
) -> DecoderEvaluation:
    """Measure a model of contract version 2 on a text, and against a float model: ``source`` (or
    what is there), or the artifact's own twin, if there is either.

    ``progress`` is called with windows, ``reading`` before with characters, both (done, total).
    ``threads`` windows are computed at the same time; the figures do not depend on it. Raises
    UserError if the source is of another shape, or as :func:`text_windows`.
    """
    model = artifact.model
    codec = codec_of(model)
    inputs, targets, skipped = text_windows(model, codec, corpus, tokens, skip_unknown, reading)
    decoder = None
    if source is None:
        opened = twin_of(artifact)
    else:
        opened = source if isinstance(source, SourceModel) else open_source(source)
    if opened is not None:
        _check_source(model, opened)
        decoder = FloatDecoder(opened)
    windows = WindowPool(model, decoder, min(threads, len(inputs)))
    results = windows.results(inputs, targets, progress)
    found = None if decoder is None else summary(results)
    loss = float(np.mean(np.concatenate(results))) if found is None else math.log(found.perplexity)
    shares = windows.saturated(inputs)
    return DecoderEvaluation(
        model=artifact.name,
        digest=model.digest,
        text=corpus.name,
        tokens=targets.size,
        skipped=skipped,
        window=inputs.shape[1],
        bits_per_weight=bits_per_weight(model),
        integer_loss=loss,
        agreement=found,
        saturated={n: share for n, share in shares.items() if share > MANY_SATURATIONS},
    )


def _check_source(model: DecoderModel, source) -> None:
    for name in ("vocab_size", "d_model", "n_layers", "n_heads", "d_ff"):
        ours, theirs = getattr(model.config, name), getattr(source.shape, name)
        if ours != theirs:
            raise UserError(
                f"the source has {name} {theirs}, but the artifact {ours}; name the model that it "
                "was imported from"
            )


def print_evaluation(result: DecoderEvaluation, as_json: bool) -> None:
    """As JSON or as a table, with the stages that saturate."""
    if as_json:
        print(json.dumps(result.to_dict(), indent=2))
        return
    console, found = Terminal(), result.agreement
    table = Table(title=f"{result.model} on {result.text}", show_header=False)
    table.add_row("tokens predicted", _whole_windows(result))
    if result.skipped:
        table.add_row("characters skipped", f"{result.skipped:,}")
    table.add_row("bits per weight", f"{result.bits_per_weight:.2f}")
    table.add_row("loss of the integers, nats per token", f"{result.integer_loss:.4f}")
    table.add_row("perplexity of the integers", f"{math.exp(result.integer_loss):.3f}")
    if found is not None:
        change, error = 100 * (found.ratio - 1), 100 * found.ratio_error
        table.add_row("perplexity of the float model", f"{found.float_perplexity:.3f}")
        table.add_row("integers against float", f"{change:+.2f} ± {error:.2f} %")
        table.add_row("KL divergence, nats per token", f"{found.kl:.5f} ± {found.kl_error:.5f}")
        table.add_row("same likeliest token", f"{found.top1:.2%} ± {found.top1_error:.2%}")
    console.print(table)
    for line in saturation_lines(result.saturated):
        print(line)


def _whole_windows(result: DecoderEvaluation) -> str:
    return f"{result.tokens:,}: {result.tokens // result.window} windows of {result.window}"


def progress_bar(console: Console, what: str):
    """(progress, function of (done, total)) for one bar on ``console``."""
    bar = ProgressBar(console)
    return bar, bar.task(what)
