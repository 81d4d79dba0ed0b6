"""Ports and streams of a build's streamed core: asked for, or predicted to fit."""

from __future__ import annotations

import argparse
import dataclasses

from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError

from ..boards.target import Board
from ..sizes.streamed.search import streams_that_fit
from ..support.defaults import AUTO
from ..support.progress import console as status
from ..support.progress import working

STREAMED_ONLY = ("streams", "ports")
"""Options of such a core, of which one with its model on chip has the first."""


def refuse_on_chip(artifact: Artifact, target: Board, arguments: argparse.Namespace) -> None:
    """UserError naming one of them that a core with the model on chip does not have there."""
    for option in STREAMED_ONLY:
        value = getattr(arguments, option)
        if value is None:
            continue
        if option != "streams" or isinstance(artifact.model, DecoderModel):
            raise UserError(_on_chip(option, artifact, target))
    _refuse_export(artifact, arguments)


def _refuse_export(artifact: Artifact, arguments: argparse.Namespace) -> None:
    for option, written in (("streams", "a core of 1 stream"), ("cores", "1 core")):
        value = getattr(arguments, option)
        if value not in (None, 1) and arguments.export:
            raise UserError(
                f"--export writes {written} for {artifact.name}, not {value}; leave --{option} out"
            )


def _on_chip(option: str, artifact: Artifact, target: Board) -> str:
    """Why it is refused."""
    if target.memory is None:
        return (
            f"--{option} of an imported model is for a core that reads it from external memory, "
            f"which {target.name} does not have; leave it out"
        )
    return (
        f"--{option} of an imported model is for a core that reads it from external memory, and "
        f"{artifact.name} is held on chip for {target.name}; leave it out"
    )


def with_ports(target: Board, ports: int | None) -> Board:
    """The board, whose memory has so many of its ports; UserError if it cannot."""
    if ports is None:
        return target
    if target.memory is None:
        raise UserError(
            f"--ports is of the external memory, which {target.name} does not have; leave it out"
        )
    numbers = [1 << i for i in range(target.memory.shape.ports.bit_length())]
    if ports not in numbers:
        few = ", ".join(map(str, numbers))
        raise UserError(f"ports must be one of {few} for {target.name}, not {ports}")
    shape = dataclasses.replace(target.memory.shape, ports=ports)
    return dataclasses.replace(target, memory=dataclasses.replace(target.memory, shape=shape))


def streams_of(artifact: Artifact, target: Board, arguments: argparse.Namespace) -> int:
    """As many as were asked for, or as are predicted to fit, which a line says."""
    if arguments.streams not in (None, AUTO):
        return arguments.streams
    clock = target.default_clock_mhz if arguments.clock is None else arguments.clock
    with working("predicting how many streams fit"):
        count = streams_that_fit(artifact.model, target, clock)
    if count > 1:
        status.print(
            f"{count} streams are predicted to fit {target.label}: so many texts side by side; "
            "--streams chooses (docs/streamed_core.md)",
            soft_wrap=True,
        )
    return count
