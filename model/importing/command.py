"""A model that you have becomes an artifact: GPT-2 or Llama type, from Hugging Face, nanoGPT,
llama2.c or GGUF. ``gateformer import SOURCE --calibrate TEXT --out mine.safetensors``
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path

from ..contract import artifact
from ..contract.artifact import SUFFIX, Artifact
from ..contract.choices import Bits
from ..contract.config import MAX_SIZE
from ..contract.decoder.model import DecoderModel
from ..evaluation.decoder_evaluation import (
    evaluate_decoder,
    print_evaluation,
    progress_bar,
)
from ..floating.checkpoints.opening import open_source
from ..floating.checkpoints.source import SourceModel
from ..support import cli
from ..support.directories import require_writable
from ..support.errors import UserError
from ..support.inputs import protecting, reading
from ..support.terminal import Terminal
from ..text.codec import TextCodec
from ..text.corpus import load_corpus
from ..text.encoding import encode_corpus
from .allocation import allocate, require_budget
from .choice import AUTO, LOGIT_BITS, NATIVE, Choice, weight_format
from .config import config_of, positions_of, require_room
from .making import integers_of, ranges_of, say_what_was_made
from .native import require_codes
from .texts import CALIBRATION_TOKENS, windows_of
from .vocabulary import source_codec

ALLOCATION_WINDOWS = 1
MEASURED_TOKENS = 2048
"""Predictions of the table at the end; ``gateformer evaluate`` takes more, and other text."""


def _parser() -> argparse.ArgumentParser:
    parser = cli.ArgumentParser(
        prog="gateformer import",
        description=__doc__.split(". ``")[0] + ".",
    )
    add = parser.add_argument
    add("source", type=Path, help="directory or file of the model")
    add("--out", type=Path, metavar="FILE", help="artifact to write", **cli.REQUIRED)
    add(
        "--calibrate",
        metavar="FILE",
        help=f"UTF-8 text to take ranges from, at most {CALIBRATION_TOKENS} of its tokens",
        **cli.REQUIRED,
    )
    add(
        "--bits",
        default="8",
        help="8, 7, 6, 5 or 4 per weight; trits:N; native: the codes of a GGUF file; auto: by "
        "measured sensitivity, within --budget",
    )
    add(
        "--budget",
        type=cli.within(int, 1, 2**40),
        metavar="BYTES",
        help="of all matrices, with --bits auto",
    )
    add(
        "--context",
        type=cli.within(int, 1, MAX_SIZE),
        metavar="N",
        help="positions of the artifact (default: the model's)",
    )
    for kind in ("key", "value"):
        add(
            f"--{kind}-bits",
            type=cli.within(int, 8, 16),
            default=getattr(Bits(), kind),
            metavar="N",
            help=f"of {kind}s as they are kept, 8 to 16; 8 take one byte of memory, more take two",
        )
    add(
        "--prefix",
        metavar="IDS",
        help="token ids, separated by commas, or bos: goes before every text, unseen",
    )
    add("--tokenizer", type=Path, metavar="PATH", help="tokenizer, if it is not with the model")
    add(
        "--no-measure",
        action="store_true",
        help="leave out the comparison with the float model, on the text's first "
        f"{MEASURED_TOKENS} tokens",
    )
    return parser


def prefix_tokens(asked: str | None, codec: TextCodec) -> tuple[int, ...]:
    """Token ids of ``--prefix``; UserError naming what is none."""
    if asked is None:
        return ()
    if asked == "bos":
        if codec.bos is None:
            raise UserError("--prefix bos needs a token that begins a text, and the model has none")
        return (codec.bos,)
    size = len(codec.pieces)
    parts = [part.strip() for part in asked.split(",")]
    for part in parts:
        if not (part.isascii() and part.isdigit() and int(part) < size):
            raise UserError(
                f"--prefix must be bos or token ids below {size} with commas between, not {part!r}"
            )
    return tuple(int(part) for part in parts)


@protecting
def main(
    argv: list[str] | None = None, then: Callable[[DecoderModel], None] = lambda model: None
) -> None:
    """Entry point; raises UserError. ``then`` gets the model at the end."""
    args = _parser().parse_args(argv)
    weights = weight_format(args.bits)
    if args.budget is not None and weights != AUTO:
        raise UserError("--budget is for --bits auto")
    reading(source=args.source, calibration_text=args.calibrate, tokenizer=args.tokenizer)
    require_writable(args.out, SUFFIX)
    source = open_source(args.source)
    codec = source_codec(args.source, source, args.tokenizer)
    bits = Bits(key=args.key_bits, value=args.value_bits, logit=LOGIT_BITS)
    prefix, context = prefix_tokens(args.prefix, codec), positions_of(source.shape, args.context)
    require_room(context, prefix, codec.add_bos, measured=not args.no_measure)
    config_of(source.shape, context, bits)
    corpus = load_corpus(args.calibrate, "--calibrate")
    if weights == AUTO:
        require_budget(source.shape, args.budget)
    if weights == NATIVE:
        require_codes(source)
    _say_what_it_is(source)
    console = Terminal(stderr=True)
    bar, progress = progress_bar(console, "tokens of the text")
    with bar:
        tokens, _ = encode_corpus(codec, corpus, progress=progress)
    windows = windows_of(codec, tokens, context - len(prefix), corpus.text)
    ranges = ranges_of(source, windows, weights, prefix)
    print(
        f"ranges from {ranges.count:,} tokens: {len(windows)} windows of {corpus.name}", flush=True
    )
    formats = {}
    if weights == AUTO:
        bar, progress = progress_bar(console, "sensitivity of matrices")
        with bar:
            few = windows[:ALLOCATION_WINDOWS]
            formats = allocate(source, ranges, few, args.budget, progress)
    choice = Choice(
        weights="int8" if weights == AUTO else weights,
        formats=formats,
        bits=bits,
        prefix=prefix,
    )
    model = integers_of(source, ranges, choice, codec, context)
    info = {
        "source": {"name": source.name, "kind": source.kind, "family": source.family},
        "calibration": {"name": corpus.name, "sha256": corpus.sha256, "tokens": ranges.count},
    }
    artifact.save(args.out, model, info=info)
    say_what_was_made(args.out, model)
    if not args.no_measure:
        made = Artifact(args.out.stem, model, {}, info, "")
        bar, progress = progress_bar(console, "integers against float")
        with bar:
            result = evaluate_decoder(
                made,
                dataclasses.replace(corpus, name=f"the calibration text {corpus.name}"),
                args.source,
                MEASURED_TOKENS,
                progress=progress,
            )
        print_evaluation(result, as_json=False)
    then(model)


def _say_what_it_is(source: SourceModel) -> None:
    shape = source.shape
    heads = f"{shape.n_heads} heads"
    if shape.n_kv_heads != shape.n_heads:
        heads += f" ({shape.n_kv_heads} of keys and values)"
    print(
        f"{source.name}: {source.family}, {source.kind}, {source.n_parameters:,} parameters; "
        f"{shape.n_layers} layers of {shape.d_model}, {heads} of {shape.head_dim}, "
        f"feed-forward {shape.d_ff}, vocabulary {shape.vocab_size:,}, context {shape.ctx_len:,}",
        flush=True,
    )
