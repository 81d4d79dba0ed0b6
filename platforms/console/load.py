"""``/load`` of the console (docs/console.md): the image of another model over the serial line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from gateformer.model.contract.artifact import Artifact, open_model
from gateformer.model.support.errors import UserError

from ..support.progress import console as status
from ..support.progress import working
from .answer import AnswerReader, Kind, Piece
from .client import ConsoleClient, Interrupted

if TYPE_CHECKING:
    from .image_request import ImageRequest

INFO, LOAD = "/info", "/load"
ENQ = b"\x05"
"""From here on, the console takes bytes as those of an image."""
CHUNK = 64
"""Bytes that are written at once."""
AHEAD = 4 * CHUNK
"""Bytes that may wait for the line, so that it is never idle, and Ctrl-C not late."""
LOOK = 0.002
"""Seconds between two looks at what waits."""
UNKNOWN = "unknown command"

Sent = Callable[[int], None]
"""Gets the number of bytes so far."""


class LoadError(UserError):
    """Nothing was loaded; the console is as before."""


def open_to_load(name: str) -> Artifact:
    """The model that is called so; LoadError if there is none."""
    try:
        return open_model(name)
    except UserError as error:
        raise LoadError(str(error)) from None


def load(client: ConsoleClient, artifact: Artifact, interrupted: Interrupted) -> Iterator[Piece]:
    """Load a model, with a progress bar; the console's answer.

    Whenever ``interrupted`` is true, no more is sent, and the console says so.

    Raises
    ------
    LoadError
        If the console takes no images, none of this model, or does not say which.
    UserError
        If the connection broke, or the device fell silent.
    """
    with working(f"the image of {artifact.name}"):
        content, line = _image(client, artifact)
    if interrupted():
        raise LoadError("interrupted; nothing was sent")
    if request(client) != line:
        _decline(client)
        raise LoadError(f"{client.link.name} now takes other images than before; try again")
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(
        *(*columns, TimeRemainingColumn()),
        console=status,
        transient=True,
        disable=not status.is_terminal,
    ) as progress:
        task = progress.add_task(artifact.name, total=len(content))
        _send(client, content, lambda count: progress.update(task, completed=count), interrupted)
    yield from client.receive()


def wanted_image(client: ConsoleClient) -> tuple[ImageRequest, str]:
    """What image the console takes, and the line that said so; it does not wait for one.

    Raises LoadError if it takes none, or does not say which; UserError as :func:`load`.
    """
    # not above: it imports all of Amaranth, which a console needs not wait for
    from .image_request import parse_request

    info = client.ask(INFO)
    line = request(client)
    _decline(client)
    try:
        return parse_request(client.link.name, info.information, line), line
    except UserError as error:
        raise LoadError(str(error)) from None


def _image(client: ConsoleClient, artifact: Artifact) -> tuple[bytes, str]:
    wanted, line = wanted_image(client)
    try:
        return wanted.image(artifact), line
    except UserError as error:
        raise LoadError(str(error)) from None


def request(client: ConsoleClient) -> str:
    """Ask for the line that says what an image must be; from then on the console waits for it.

    Raises LoadError if the console takes no images; UserError as :func:`load`.
    """
    from ..host.load import fixed_model

    reader, pieces = AnswerReader(), []
    content, name = client.send_line(LOAD), client.link.name
    end = time.monotonic() + client.link.answer_patience
    while True:
        before, asked, _ = content.partition(ENQ)
        pieces += reader.feed(before)
        if asked or reader.complete:
            break
        content = client.link.read(max(end - time.monotonic(), 0))
        if not content:
            raise LoadError(f"{name} did not ask for an image; the serial line is noisy: try again")
    lines = {kind: [p.text for p in pieces if p.kind is kind] for kind in Kind}
    if asked and len(lines[Kind.INFORMATION]) == 1:
        return lines[Kind.INFORMATION][0]
    if asked:
        _decline(client)
    refusals = lines[Kind.REFUSAL]
    if refusals and not refusals[0].startswith(UNKNOWN):
        raise LoadError(refusals[0])
    if refusals:
        raise LoadError(str(fixed_model(name, *client.link.reload_remedy)))
    raise LoadError(f"{name} did not say what images it takes; the serial line is noisy: try again")


def _decline(client: ConsoleClient) -> None:
    """Send no image: a second later, the console gives up."""
    list(client.receive())


def _send(client: ConsoleClient, content: bytes, sent: Sent, interrupted: Interrupted) -> None:
    link = client.link
    for start in range(0, len(content), CHUNK):
        if interrupted():
            return
        link.write(content[start : start + CHUNK])
        sent(min(start + CHUNK, len(content)))
        end = time.monotonic() + link.patience
        while link.unsent() > AHEAD:
            if time.monotonic() >= end:
                raise UserError(
                    f"{link.name} takes no bytes; plug the board in again and start again"
                )
            time.sleep(LOOK)
