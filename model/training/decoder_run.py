"""What ``gateformer train`` does for a model of number contract version 2: a float training, then
the rounding of ``gateformer import``."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import torch

from ..contract import artifact
from ..contract.artifact import Artifact
from ..contract.windows import validation_windows
from ..evaluation.decoder_evaluation import (
    DecoderEvaluation,
    evaluate_decoder,
    print_evaluation,
    progress_bar,
)
from ..evaluation.quality import DEFAULT_TOKENS
from ..floating.checkpoints.artifact_twin import FAMILY, twin_weights
from ..floating.checkpoints.source import SourceModel
from ..floating.torch_decoder import TorchDecoder
from ..importing.choice import Choice
from ..importing.making import integers_of, ranges_of, say_what_was_made
from ..importing.texts import windows_of
from ..support.processes import processes
from ..support.terminal import Terminal
from ..text.codec import TextCodec
from ..text.corpus import Corpus
from ..text.tokenizer import CharTokenizer
from .decoder_recipe import DecoderRecipe
from .float_phase import digest, float_phase, subset
from .loop import cross_entropy, reuse_freed_memory, run_phase
from .losses import CURVE, draw_losses


def train_decoder(
    recipe: DecoderRecipe, corpus: Corpus, out: Path, runs: Path, threads: int = 1
) -> None:
    """Train by ``recipe``, write the artifact ``out``, its float twin in it, and the loss curve
    beside it; print what it is worth on the corpus' validation part.

    The checkpoint goes to the existing directory ``runs``, named after the settings, so a run
    continues where one of the same settings stopped. Ranges are taken from the training part.

    Raises UserError if corpus and model do not fit each other, Interrupted after Ctrl-C.
    """
    torch.set_num_threads(threads)
    reuse_freed_memory()
    shape = recipe.shape
    corpus.require_windows(shape.ctx_len)
    tokenizer = CharTokenizer.from_text(corpus.text, shape.vocab_size)
    tokens = corpus.train_tokens(tokenizer)
    validation = validation_windows(corpus.validation_tokens(tokenizer), shape.ctx_len)
    validation = subset(tuple(map(torch.from_numpy, validation)))
    model = TorchDecoder(shape, torch.Generator().manual_seed(recipe.seed))
    checkpoint = _checkpoint(recipe, corpus, runs)
    phase = float_phase(model, cross_entropy(model), recipe, checkpoint, recipe.average)
    history = run_phase(phase, torch.tensor(tokens), validation)
    if not processes().first:
        return
    codec = TextCodec.of_characters(tokenizer.vocabulary)
    source = SourceModel(out.stem, "trained here", FAMILY, shape, model.tensors())
    ranges = ranges_of(source, windows_of(codec, tokens, shape.ctx_len), recipe.weights)
    integers = integers_of(source, ranges, Choice(weights=recipe.weights), codec)
    made = Artifact(out.stem, integers, {}, {}, "")
    found = _measured(made, source, corpus)
    info = {
        "recipe": recipe.settings(),
        "corpus": {"name": corpus.name, "sha256": corpus.sha256},
        "calibration": {"name": corpus.name, "sha256": corpus.sha256, "tokens": ranges.count},
        "val_loss_int": found.integer_loss,
        "val_loss_float": math.log(found.agreement.float_perplexity),
        "train_seconds": round(history.seconds),
        "torch": torch.__version__,
    }
    artifact.save(out, integers, twin_weights(source), info)
    draw_losses(out.with_suffix(CURVE), {"float": history})
    say_what_was_made(out, integers)
    print_evaluation(found, as_json=False)


def _measured(made: Artifact, source: SourceModel, corpus: Corpus) -> DecoderEvaluation:
    bar, progress = progress_bar(Terminal(stderr=True), "integers against float")
    with bar:
        return evaluate_decoder(
            made,
            dataclasses.replace(
                corpus, name=f"the last tenth of {corpus.name}", text=corpus.validation
            ),
            source,
            DEFAULT_TOKENS,
            progress=progress,
        )


def _checkpoint(recipe: DecoderRecipe, corpus: Corpus, runs: Path) -> Path:
    """Where the float training is kept: the weights' format does not decide it."""
    settings = recipe.settings() | {"corpus": corpus.sha256}
    del settings["weights"]
    return runs / f"float-{digest(settings)}.pt"
