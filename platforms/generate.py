"""Text from an accelerator on this board: ``python -m platforms.generate --prompt "ROMEO:"``."""

from __future__ import annotations

import argparse

from model.cli import ArgumentParser, run

from .driver import TIMEOUT, Accelerator


def parser() -> argparse.ArgumentParser:
    """Command line of the driver."""
    p = ArgumentParser(prog="python -m platforms.generate", description=__doc__.replace("``", ""))
    p.add_argument("--device", help="/dev/uioN or /dev/mem (default: the one that has it)")
    p.add_argument("--model", help="shipped name or artifact file that the bitstream is of")
    p.add_argument("--prompt", help="text to continue; without it, what the accelerator is")
    p.add_argument("--tokens", type=int, default=100, help="to generate (default: 100)")
    p.add_argument("--temperature", default="0.8", help="0: greedy (default: 0.8)")
    p.add_argument("--top-k", type=int, default=0, help="0: off (default)")
    p.add_argument("--seed", type=int, default=1, help="of the sampler (default: 1)")
    p.add_argument(
        "--continue",
        dest="refeed",
        action="store_true",
        help="at the end of the context go on with its last half as the new prompt",
    )
    p.add_argument("--bench", action="store_true", help="measure instead")
    p.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds (default: %(default)s)")
    p.add_argument(
        "--any-fabric",
        action="store_true",
        help="also if Linux knows of no bitstream, as after loading it by JTAG",
    )
    return p


def main() -> None:
    arguments = parser().parse_args()
    with Accelerator(
        arguments.device,
        arguments.model,
        timeout=arguments.timeout,
        check_fabric=not arguments.any_fabric,
    ) as accelerator:
        if arguments.bench:
            print(accelerator.bench())
        elif arguments.prompt is None:
            print(accelerator.info())
        else:
            _print_text(accelerator, arguments)


def _print_text(accelerator: Accelerator, arguments) -> None:
    pieces = accelerator.generate(
        arguments.prompt,
        arguments.tokens,
        arguments.temperature,
        arguments.top_k,
        arguments.seed,
        refeed=arguments.refeed,
    )
    print(arguments.prompt, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


if __name__ == "__main__":
    run(main)
