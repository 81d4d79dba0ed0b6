"""Talk to a board, or its simulation: ``gateformer console PORT|sim|firmware``."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from typing import NoReturn

from gateformer.gateware.plan.serial_line import DEFAULT_BAUD, MAX_BAUD
from gateformer.model.contract.artifact import Artifact, open_model
from gateformer.model.support.cli import ArgumentParser, run, within
from gateformer.model.support.errors import UserError

from ..support.defaults import DEFAULT_MODEL
from .client import ConsoleClient
from .link import FIRMWARE, SIMULATION, Link, SerialLink, serial_ports
from .prompts import PromptEncoder, encoder_of
from .session import Session

PROGRAM = "gateformer console"
EPILOG = """\
Lines are prompts, or commands that begin with /; /help lists them. Without a terminal, lines come
from standard input, one prompt or command each, and the exit status is 2 if one was refused or its
answer did not arrive whole. /load MODEL makes the image of a shipped name, an artifact file or
random:…, and sends it, to a console that takes other models (gateformer build --reload).
"""


def parser() -> argparse.ArgumentParser:
    """Command line of the console."""
    p = ArgumentParser(prog=PROGRAM, description=__doc__, epilog=EPILOG)
    p.add_argument(
        "port",
        nargs="?",
        help=f"serial port, {SIMULATION}, or {FIRMWARE}: a Zynq board's, with an emulated "
        "processor; without it, the ports are listed",
    )
    baud = f"of the serial port (default: {DEFAULT_BAUD})"
    p.add_argument("--baud", type=within(int, 1, MAX_BAUD), help=baud)
    p.add_argument(
        "--model",
        help=f"of {SIMULATION} or {FIRMWARE}: shipped name, artifact file or random:… (default: "
        "that of gateformer build); of a board, the imported model that it was built with, whose "
        "tokenizer then cuts the prompts",
    )
    p.add_argument(
        "--load",
        metavar="MODEL",
        help="first replace the model by this one, as /load does: shipped name, artifact file or "
        "random:…",
    )
    p.add_argument(
        "--reload",
        action="store_true",
        help=f"of {SIMULATION} or {FIRMWARE}: an accelerator that takes other models",
    )
    return p


def main() -> int | None:
    arguments = parser().parse_args()
    if arguments.port is None:
        refuse_without_port()
    artifact = None if arguments.load is None else open_model(arguments.load)
    encoder = _encoder(arguments)
    if artifact is not None and arguments.port in (SIMULATION, FIRMWARE):
        _check_load(arguments, artifact)
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace")):
        stream.reconfigure(errors=errors)
    with contextlib.closing(open_link(arguments)) as link:
        client = ConsoleClient(link)
        client.synchronize()
        try:
            return Session(client, artifact, encoder).run()
        except BrokenPipeError:  # Whoever read the answers has left, as head does.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1


def _encoder(arguments: argparse.Namespace) -> PromptEncoder | None:
    """What encodes prompts for the model that was named; UserError if a board needs none."""
    if arguments.model is None:
        return None
    model: Artifact = open_model(arguments.model, imported=True)
    encoder = encoder_of(model)
    if encoder is None and arguments.port not in (SIMULATION, FIRMWARE):
        raise UserError(
            f"--model goes with {SIMULATION} or {FIRMWARE}, or with an imported model; the tokens "
            f"of {model.name} are characters, and a board has its model built in"
        )
    return encoder


def _check_load(arguments: argparse.Namespace, artifact) -> None:
    """UserError if what will be built, which takes a while, takes no such model."""
    from ..host.load import check_shape, fixed_model
    from .emulated_console import EmulatedLink
    from .simulation import SimulatedLink

    link = EmulatedLink if arguments.port == FIRMWARE else SimulatedLink
    if not arguments.reload:
        raise fixed_model(arguments.port, *link.reload_remedy)
    built = open_model(DEFAULT_MODEL if arguments.model is None else arguments.model)
    check_shape(arguments.port, built.model.config, artifact.model.config)


def open_link(arguments: argparse.Namespace) -> Link:
    """The link that the user asked for; UserError if there can't be one."""
    if arguments.reload and arguments.port not in (SIMULATION, FIRMWARE):
        raise UserError(
            f"--reload goes with {SIMULATION} or {FIRMWARE}; a board takes other models if "
            "gateformer build had --reload"
        )
    if arguments.port in (SIMULATION, FIRMWARE):
        if arguments.baud is not None:
            raise UserError(f"--baud is of a serial port; {arguments.port} has none")
        # not above: they import all of Amaranth, which a board needs not wait for
        if arguments.port == FIRMWARE:
            from .emulated_console import emulate

            return emulate(arguments.model, reload=arguments.reload)
        from .simulation import simulate

        return simulate(arguments.model, reload=arguments.reload)
    return SerialLink(arguments.port, DEFAULT_BAUD if arguments.baud is None else arguments.baud)


def refuse_without_port() -> NoReturn:
    """Print the serial ports there are; UserError that says what to type."""
    ports = serial_ports()
    for port in ports:
        print(f"{port.device}  {port.description}")
    others = f"{PROGRAM} {SIMULATION}, or {PROGRAM} {FIRMWARE}"
    if not ports:
        raise UserError(f"no serial ports found; is the board plugged in? Without one: {others}")
    raise UserError(f"name a port: {PROGRAM} {ports[0].device}; without a board: {others}")


if __name__ == "__main__":
    run(main)
