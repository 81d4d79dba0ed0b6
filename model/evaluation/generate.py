"""Text from the integer function of a model, on this machine.

``gateformer generate ARTIFACT --prompt "Once upon a time"``
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

from ..contract.artifact import open_model
from ..contract.decoder.sampling import TOP_P_ONE
from ..support import cli
from ..support.cores import add_threads_option
from ..support.errors import UserError
from ..text.options import add_text_options, text_options
from .text_model import TextModel


def _parser() -> argparse.ArgumentParser:
    parser = cli.ArgumentParser(prog="gateformer generate", description=__doc__.splitlines()[0])
    parser.add_argument("artifact", help="path of an artifact, or name of a shipped model")
    add_text_options(parser, prompt="text to continue; must be given")
    parser.add_argument(
        "--top-p",
        type=cli.within(float, 1 / TOP_P_ONE, 1),
        help="keep the likeliest tokens that reach this share, above 0 to 1 "
        "(default: 1, all; imported models)",
    )
    parser.add_argument(
        "--stop", action="append", metavar="TEXT", help="end before this text; may be repeated"
    )
    parser.add_argument(
        "--chat", action="store_true", help="the prompt is what a user says: the chat template's"
    )
    parser.add_argument("--system", help="with --chat: what the system message says")
    add_threads_option(parser, "that share the work of a token (imported models)")
    parser.add_argument(
        "--speed", action="store_true", help="say tokens and seconds at the end, on stderr"
    )
    return parser


def until(pieces: Iterator[str], stops: list[str]) -> Iterator[str]:
    """Text of ``pieces`` up to the first of ``stops``, which may lie across several."""
    held, most = "", max(map(len, stops), default=1) - 1
    for piece in pieces:
        held += piece
        places = [place for stop in stops if (place := held.find(stop)) >= 0]
        if places:
            yield held[: min(places)]
            return
        ready = len(held) - most  # a stop may have begun in the rest
        if ready > 0:
            yield held[:ready]
            held = held[ready:]
    yield held


def main(argv: list[str] | None = None) -> None:
    """Entry point; raises UserError."""
    args = _parser().parse_args(argv)
    stops = args.stop or []
    if "" in stops:
        raise UserError("--stop needs a text, not an empty one")
    if args.system is not None and not args.chat:
        raise UserError("--system is for --chat; give both, or leave --system out")
    if args.prompt is None:
        raise UserError("--prompt is missing; give the text to continue")
    model = TextModel(open_model(args.artifact, imported=True), args.threads)
    options = text_options(args, model.config.vocab_size)
    settings = model.settings(options.temperature, options.top_k, args.top_p, options.seed)
    prompt = model.chat(options.prompt, args.system) if args.chat else model.encode(options.prompt)
    begun, count, silent = time.perf_counter(), 0, 0
    tokens = model.generate(prompt, options.tokens, settings, refeed=options.refeed)

    def counted() -> Iterator[int]:
        nonlocal count, silent
        for token in tokens:
            count += 1
            silent += not model.codec.pieces[token]
            yield token

    if not args.chat:
        print(options.prompt, end="", flush=True)
    for text in until(model.codec.stream(counted(), first=args.chat), stops):
        print(text, end="", flush=True)
    print(flush=True)
    if silent:
        print(f"{silent} of {count} tokens have no text: special or unused ones", file=sys.stderr)
    if args.speed:
        seconds = time.perf_counter() - begun
        print(f"{len(prompt)} tokens read, {count} written: {seconds:.2f} s", file=sys.stderr)


if __name__ == "__main__":
    cli.run(main)
