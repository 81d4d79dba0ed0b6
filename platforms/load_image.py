"""A file with what /load takes, for any terminal program: ``python -m platforms.load_image``."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from model.artifact import open_model
from model.cli import REQUIRED, ArgumentParser, run
from model.directories import require_writable
from model.errors import UserError
from model.whole_file import write_whole

from .console_client import ConsoleClient
from .console_link import DEFAULT_BAUD, SerialLink
from .console_load import wanted_image
from .image_request import ImageRequest, built_request
from .progress import working


def parser() -> argparse.ArgumentParser:
    """Command line of the image file."""
    p = ArgumentParser(
        prog="python -m platforms.load_image",
        description="Write the image of a model for /load, for terminal programs of all kinds.",
    )
    p.add_argument("model", help="shipped name, artifact file or random:…")
    p.add_argument("--out", metavar="FILE", help="the image file", **REQUIRED)
    where = p.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", help="serial port of a board that is asked what it takes")
    where.add_argument("--build", metavar="DIRECTORY", help="of a build, like build/zybo")
    p.add_argument("--baud", type=int, help=f"of the serial port (default: {DEFAULT_BAUD})")
    return p


def main() -> None:
    arguments = parser().parse_args()
    if arguments.build is not None and arguments.baud is not None:
        raise UserError("--baud is of a serial port; --build needs none")
    path = Path(arguments.out)
    require_writable(path, model=arguments.model)
    artifact = open_model(arguments.model)
    wanted = _wanted(arguments)
    with working(f"the image of {artifact.name}"):
        content = wanted.image(artifact)
    write_whole(path, content)
    print(f"{path}: {artifact.name} for {wanted.where}, {len(content):,} bytes")


def _wanted(arguments: argparse.Namespace) -> ImageRequest:
    if arguments.build is not None:
        return built_request(Path(arguments.build))
    baud = DEFAULT_BAUD if arguments.baud is None else arguments.baud
    with contextlib.closing(SerialLink(arguments.port, baud)) as link:
        client = ConsoleClient(link)
        client.synchronize()
        return wanted_image(client)[0]


if __name__ == "__main__":
    run(main)
