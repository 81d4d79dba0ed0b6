"""Text from an accelerator on this board: ``gateformer accelerator --prompt "ROMEO:"``."""

from __future__ import annotations

import argparse

from gateformer.model.contract.decoder.sampling import TOP_P_ONE
from gateformer.model.support.cli import ArgumentParser, run, within
from gateformer.model.support.errors import UserError
from gateformer.model.text.options import (
    TEXT_OPTIONS,
    add_text_options,
    flag,
    given_options,
    text_options,
)

from .driver import TIMEOUT, Accelerator

MAX_WORD = 2**32 - 1
"""A register holds no more."""
FOR_TEXT = (*TEXT_OPTIONS, "top_p", "chat", "system")


def parser() -> argparse.ArgumentParser:
    """Command line of the driver."""
    p = ArgumentParser(prog="gateformer accelerator", description=__doc__)
    p.add_argument("--device", help="/dev/uioN or /dev/mem (default: the one that has it)")
    p.add_argument("--model", help="shipped name or artifact file that the bitstream is of")
    p.add_argument(
        "--load",
        metavar="MODEL",
        help="first replace the accelerator's model by this one of the same shape",
    )
    p.add_argument(
        "--weights",
        metavar="FILE",
        help="first copy this image, weights.bin, to the memory that the accelerator reads",
    )
    p.add_argument(
        "--memory",
        metavar="WHERE",
        help="with --weights: /dev/udmabufN, or ADDRESS:SIZE of physical memory (default: the "
        "first buffer of u-dma-buf)",
    )
    add_text_options(p, prompt="text to continue; without it, what the accelerator is")
    p.add_argument(
        "--top-p",
        type=within(float, 1 / TOP_P_ONE, 1),
        help="keep the likeliest tokens that reach this share (imported models)",
    )
    p.add_argument(
        "--chat",
        action="store_true",
        help="the prompt is what a user says: the model's chat template makes a prompt of it",
    )
    p.add_argument("--system", help="with --chat: what the system message says")
    p.add_argument("--bench", action="store_true", help="measure tokens per second instead")
    p.add_argument(
        "--timeout",
        type=float,
        default=TIMEOUT,
        help="seconds without progress after which it gives up",
    )
    p.add_argument(
        "--any-fabric",
        action="store_true",
        help="also if Linux knows of no bitstream, as after loading it by JTAG",
    )
    return p


def main() -> None:
    arguments = parser().parse_args()
    _refuse_unheeded(arguments)
    _check_numbers(arguments)
    with Accelerator(
        arguments.device,
        arguments.model,
        timeout=arguments.timeout,
        check_fabric=not arguments.any_fabric,
    ) as accelerator:
        if arguments.load is not None:
            accelerator.load(arguments.load)
        if arguments.weights is not None:
            _load_weights(accelerator, arguments)
        if arguments.bench:
            print(accelerator.bench())
        elif arguments.prompt is None:
            print(accelerator.info())
        else:
            _print_text(accelerator, arguments)


def _check_numbers(arguments: argparse.Namespace) -> None:
    """UserError for a number that no accelerator takes; the others depend on its model."""
    if arguments.tokens is not None and arguments.tokens < 1:
        raise UserError(f"tokens must be at least 1, not {arguments.tokens}")
    if arguments.top_k is not None and not 0 <= arguments.top_k <= MAX_WORD:
        raise UserError(f"top-k must be 0 to {MAX_WORD}, not {arguments.top_k}")
    if arguments.seed is not None and not 0 <= arguments.seed <= MAX_WORD:
        raise UserError(f"seed must be an integer from 0 to {MAX_WORD}, not {arguments.seed}")


def _load_weights(accelerator: Accelerator, arguments: argparse.Namespace) -> None:
    from ..support.progress import working  # a driver needs no terminal

    name = f"loading {arguments.weights}"
    with working(name) as show:
        accelerator.load_image(
            arguments.weights,
            arguments.memory,
            progress=lambda done, total: show(f"{name}: {done / total:.0%}"),
        )


def _refuse_unheeded(arguments: argparse.Namespace) -> None:
    """UserError naming the first option of a text without ``--prompt``, or beside ``--bench``."""
    if arguments.memory is not None and arguments.weights is None:
        raise UserError("--memory is for --weights; give both, or leave --memory out")
    if arguments.load is not None and arguments.weights is not None:
        raise UserError(
            "--load is for models in the accelerator's own memories, --weights for those in "
            "external memory; leave one of them out"
        )
    for name in given_options(arguments):
        if name in FOR_TEXT and arguments.bench:
            raise UserError(f"{flag(name)} is for text, not for --bench; leave one of them out")
        if name in FOR_TEXT and arguments.prompt is None:
            raise UserError(f"{flag(name)} is for --prompt; give both, or leave {flag(name)} out")


def _print_text(accelerator: Accelerator, arguments: argparse.Namespace) -> None:
    options = text_options(arguments, accelerator.info().config.vocab_size)
    pieces = accelerator.generate(
        options.prompt,
        options.tokens,
        options.temperature,
        options.top_k,
        options.seed,
        top_p=arguments.top_p,
        refeed=options.refeed,
        chat=arguments.chat,
        system=arguments.system,
    )
    if not arguments.chat:
        print(options.prompt, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


if __name__ == "__main__":
    run(main)
