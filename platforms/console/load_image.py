"""A file with what /load takes, for any terminal program: ``gateformer load-image``."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from gateformer.gateware.plan.serial_line import DEFAULT_BAUD, MAX_BAUD
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.cli import REQUIRED, ArgumentParser, run, within
from gateformer.model.support.directories import require_writable
from gateformer.model.support.errors import UserError
from gateformer.model.support.inputs import protecting, reading
from gateformer.model.support.whole_file import write_whole

from ..support.progress import working
from .client import ConsoleClient
from .image_request import ImageRequest, built_files, built_request
from .link import SerialLink
from .load import wanted_image

SUFFIXES = (".image", ".img", ".bin")
"""Of image files, as people call them."""


def parser() -> argparse.ArgumentParser:
    """Command line of the image file."""
    p = ArgumentParser(
        prog="gateformer load-image",
        description="Write the image of a model for /load, for terminal programs of all kinds.",
    )
    p.add_argument("model", help="shipped name, artifact file or random:…")
    p.add_argument("--out", metavar="FILE", help="the image file", **REQUIRED)
    where = p.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", help="serial port of a board that is asked what it takes")
    where.add_argument("--build", metavar="DIRECTORY", help="of a build, like build/zybo")
    baud = f"of the serial port (default: {DEFAULT_BAUD})"
    p.add_argument("--baud", type=within(int, 1, MAX_BAUD), help=baud)
    return p


@protecting
def main() -> None:
    arguments = parser().parse_args()
    if arguments.build is not None and arguments.baud is not None:
        raise UserError("--baud is of a serial port; --build needs none")
    path = Path(arguments.out)
    reading(model=arguments.model)
    if arguments.build is not None:
        reading(build=built_files(Path(arguments.build)))
    require_writable(path, SUFFIXES)
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
