"""``weights.bin`` of a program: the image of its model, for boards and for modelled memories."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import Artifact
from gateformer.model.support.errors import UserError

from ..host.image_file import IMAGE_FILE, ImageHeader, read_header, write_image
from ..support.progress import working
from .simulated_memory import words_as_bytes


def write_weights(artifact: Artifact, program: StreamedProgram, directory: Path) -> Path:
    """The image's file; its path. What is there of the same model and core stays."""
    path, shape, facts = directory / IMAGE_FILE, program.memory, program.facts
    header = ImageHeader(
        **dataclasses.asdict(shape),
        image_bytes=facts.image_bytes,
        memory_bytes=facts.memory_bytes,
        checksum=program.checksum,
        digest=artifact.model.digest,
        name=Path(artifact.name).name,
    )
    with working(f"writing {path}"):
        if not (path.is_file() and _is_whole(path, header)):
            write_image(path, header, words_as_bytes(shape, program.content()))
    return path


def _is_whole(path: Path, header: ImageHeader) -> bool:
    try:
        # as a file has it, with a long name cut
        return read_header(path) == ImageHeader.parse(header.pack(), str(path))
    except UserError:
        return False
