"""Sizes, streams and cores of a build whose model is on chip: asked for, or predicted to fit."""

from __future__ import annotations

import argparse
import dataclasses

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.decoder.model import DecoderModel

from ..boards.board import Board
from ..sizes.interleaved.search import best_together
from ..sizes.lanes_remark import lanes_remark
from ..sizes.search import SEARCHED
from ..sizes.sizing import choose_sizes
from ..support.defaults import AUTO, several_streams
from ..support.progress import console as status


def for_streams(artifact: Artifact, target: Board, arguments: argparse.Namespace) -> Board:
    """``target`` with its sizes and clock for as many streams as are asked for."""
    trained = not isinstance(artifact.model, DecoderModel)
    return target.with_streams(trained and several_streams(arguments))


def sizes_of(artifact: Artifact, target: Board, arguments: argparse.Namespace) -> HwConfig:
    """The hardware of a build: sizes that are asked for, and for the others those that fit.

    UserError as :func:`platforms.sizes.sizing.choose_sizes`.
    """
    given = {name: getattr(arguments, name) for name in SEARCHED}
    fixed = {name: value for name, value in given.items() if value is not None}
    sizes = _with_streams(artifact, target, arguments, fixed)
    if "lanes" in fixed:
        alone = dataclasses.replace(sizes, streams=1, cores=1)
        remark = lanes_remark(artifact.model, target, fixed, alone)
        if remark is not None:
            status.print(remark, markup=False, highlight=False, soft_wrap=True)
    return dataclasses.replace(sizes, reload=arguments.reload)


def _with_streams(
    artifact: Artifact, target: Board, arguments: argparse.Namespace, fixed: dict
) -> HwConfig:
    """Sizes for the streams and cores that are asked for, or for those with the most tokens.

    Of an imported model for one stream: others are those of a core that reads external memory.
    """
    if isinstance(artifact.model, DecoderModel):
        return choose_sizes(artifact.model, target, **fixed)
    if arguments.streams != AUTO:
        several = {"streams": arguments.streams or 1, "cores": arguments.cores or 1}
        # invalid together, before anything is searched
        HwConfig(reload=arguments.reload, **several)
        return choose_sizes(artifact.model, target, **fixed, **several)
    found = best_together(artifact.model, target, fixed)
    if not found:
        return choose_sizes(artifact.model, target, **fixed)
    best = found[-1].hw
    status.print(
        f"of all streams together most tokens: {found[-1].text}", highlight=False, soft_wrap=True
    )
    return best
