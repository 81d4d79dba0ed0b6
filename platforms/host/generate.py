"""Text from an accelerator on this board: ``gateformer accelerator --prompt "ROMEO:"``."""

from __future__ import annotations

import argparse
import contextlib
import itertools
from pathlib import Path

from gateformer.model.contract.decoder.sampling import TOP_P_ONE
from gateformer.model.contract.sampling import checked_temperature
from gateformer.model.support.cli import ArgumentParser, run, within
from gateformer.model.support.counted import counted
from gateformer.model.support.errors import UserError
from gateformer.model.text.options import (
    TEXT_OPTIONS,
    add_text_options,
    flag,
    given_options,
    text_options,
)

from .driver import TIMEOUT, Accelerator
from .external_memory import address_and_size, is_physical
from .image_file import read_header
from .mapped_registers import MEMORY
from .model import HostModel, open_artifact

FOR_TEXT = (*TEXT_OPTIONS, "prompts", "top_p", "chat", "system")
LABEL = 60
"""Characters of a prompt that say which one it is."""


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
    add_text_options(
        p,
        prompt="text to continue; given several times, each is continued, as many at once as the "
        "accelerator has streams; without it, what the accelerator is",
        several=True,
    )
    p.add_argument(
        "--prompts",
        metavar="FILE",
        help="texts to continue, one per line of this file; blank lines are none",
    )
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
    p.add_argument(
        "--bench",
        action="store_true",
        help="measure tokens per second instead: of one stream, and of all together if there are "
        "several",
    )
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
    prompts = _prompts(arguments)
    _check_places(arguments)
    model = None if arguments.model is None else HostModel.open(arguments.model)
    loaded = None if arguments.load is None else open_artifact(arguments.load)
    _check_text(model if loaded is None else HostModel.of(loaded), prompts, arguments)
    with Accelerator(
        arguments.device,
        model,
        timeout=arguments.timeout,
        check_fabric=not arguments.any_fabric,
    ) as accelerator:
        if loaded is not None:
            accelerator.load(loaded)
        if arguments.weights is not None:
            _load_weights(accelerator, arguments)
        if arguments.bench:
            _bench(accelerator)
        elif not prompts:
            print(accelerator.info())
        elif len(prompts) == 1:
            _print_text(accelerator, prompts[0], arguments)
        else:
            _print_texts(accelerator, prompts, arguments)


def _bench(accelerator: Accelerator) -> None:
    with _waiting(accelerator, "measuring one stream"):
        alone = accelerator.bench()
    print(alone, flush=True)
    streams = accelerator.info().streams
    if streams > 1:
        with _waiting(accelerator, f"measuring {streams} streams together"):
            together = accelerator.bench_together()
        print(together)


def _waiting(accelerator: Accelerator, what: str) -> contextlib.AbstractContextManager:
    """Show that it goes on, of a model in external memory; others take milliseconds."""
    if accelerator.info().image is None:
        return contextlib.nullcontext()
    from ..support.progress import working  # a driver needs no terminal

    return working(what)


def _load_weights(accelerator: Accelerator, arguments: argparse.Namespace) -> None:
    from ..support.progress import working  # a driver needs no terminal

    name = f"loading {arguments.weights}"
    with working(name) as show:
        accelerator.load_image(
            arguments.weights,
            arguments.memory,
            progress=lambda done, total: show(f"{name}: {done / total:.0%}"),
        )


def _check_places(arguments: argparse.Namespace) -> None:
    """UserError for a device, an image or a memory that can't be one, whatever the machine has."""
    if arguments.device is not None and Path(arguments.device).is_file():
        raise UserError(
            f"--device {arguments.device} is an ordinary file; name a UIO device, /dev/uioN, or "
            f"{MEMORY}"
        )
    if arguments.weights is not None:
        read_header(arguments.weights)
    if arguments.memory is not None and is_physical(arguments.memory):
        address_and_size(arguments.memory)


def _check_text(model: HostModel | None, prompts: list[str], arguments: argparse.Namespace) -> None:
    """UserError for texts and settings that no accelerator takes, or none of a known model."""
    if arguments.temperature is not None:
        checked_temperature(arguments.temperature)
    if model is None or not prompts:
        return
    for prompt in prompts:
        if arguments.chat:
            model.chat(prompt, arguments.system)
        else:
            model.encode(prompt)
    options = text_options(arguments, model.vocab_size)
    model.settings(options.temperature, options.top_k, options.seed, arguments.top_p)


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
        if name in FOR_TEXT and arguments.prompt is None and arguments.prompts is None:
            raise UserError(f"{flag(name)} is for --prompt; give both, or leave {flag(name)} out")
    if arguments.system is not None and not arguments.chat:
        raise UserError("--system is for --chat; give both, or leave --system out")


def _prompts(arguments: argparse.Namespace) -> list[str]:
    """Those of ``--prompt`` and of the file, which is UserError if it has none."""
    prompts, path = list(arguments.prompt or ()), arguments.prompts
    if path is None:
        return prompts
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.rstrip("\r\n") for line in file]
    except OSError as error:
        raise UserError(
            f"--prompts {path} can't be read: {error.strerror}; give a file with a prompt per line"
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"--prompts {path} is no UTF-8; save it as that") from None
    found = [line for line in lines if line.strip()]
    if not found:
        raise UserError(f"--prompts {path} has no prompt; write one per line")
    return prompts + found


def _settings(accelerator: Accelerator, arguments: argparse.Namespace) -> dict:
    """What both kinds of generation take beside their prompts."""
    options = text_options(arguments, accelerator.info().config.vocab_size)
    return {
        "n": options.tokens,
        "temperature": options.temperature,
        "top_k": options.top_k,
        "seed": options.seed,
        "top_p": arguments.top_p,
        "refeed": options.refeed,
        "chat": arguments.chat,
        "system": arguments.system,
    }


def _print_text(accelerator: Accelerator, prompt: str, arguments: argparse.Namespace) -> None:
    pieces = accelerator.generate(prompt, **_settings(accelerator, arguments))
    with _waiting(accelerator, "reading the prompt"):
        first = next(pieces, "")
    if not arguments.chat:
        print(prompt, end="", flush=True)
    for piece in itertools.chain([first], pieces):
        print(piece, end="", flush=True)
    print()


def _print_texts(accelerator: Accelerator, prompts: list[str], arguments: argparse.Namespace):
    """Each text when it is complete, under its number and its prompt."""
    from ..support.progress import paused, working  # a driver needs no terminal

    texts = ["" if arguments.chat else prompt for prompt in prompts]
    done = 0

    def ended(index: int) -> None:
        nonlocal done
        done += 1
        with paused():
            print(f"# {index + 1} of {len(prompts)}: {_label(prompts[index])}")
            print(texts[index], flush=True)

    settings = _settings(accelerator, arguments)
    pieces = accelerator.generate_together(prompts, ended=ended, **settings)
    with working(f"generating {counted(len(prompts), 'text')}") as show:
        for number, (index, piece) in enumerate(pieces):
            texts[index] += piece
            of_all = f"{done} of {counted(len(prompts), 'text')}"
            show(f"{of_all}, {counted(number + 1, 'token')}")


def _label(prompt: str) -> str:
    """The prompt, or its beginning, in one line."""
    line = " ".join(prompt.split())
    return line if len(line) <= LABEL else f"{line[: LABEL - 1]}…"


if __name__ == "__main__":
    run(main)
