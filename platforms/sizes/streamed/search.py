"""Ports, lanes and streams of a streamed core: what each choice is predicted to give and take."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from gateformer.gateware.memory.bus import MemoryShape
from gateformer.gateware.plan.hw_config import MOST_STREAMS
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError

from ...boards.board import Board
from ...boards.external_memory import REFRESH_US, ExternalMemory
from ...support.progress import working
from ..facts import AnyModel
from ..families import limits
from ..resource_model import Prediction
from .program import SizedStreamedProgram
from .resources import StreamedResources

POSITION = 256
"""Of the tokens whose cycles are compared, or the middle of a shorter context."""
STREAMS_OF_A_BUILD = 2
"""That ``build.py`` takes at most by itself: a prompt alone profits, too, and each takes LUTs."""
MEMORY, PORTS, LANES = "memory", "ports", "lanes"
"""What bounds a pass: the memory's bandwidth, the bytes that the ports take per cycle where the
memory would give more, or what lanes and the units behind them compute."""


@dataclasses.dataclass(frozen=True)
class StreamedChoice:
    """A streamed core for a model on a board.

    Attributes
    ----------
    shape : MemoryShape, the ports of the memory that it uses
    lanes : int, of a stream
    streams : int
    cycles : float
        Of a pass in which every stream has a token, predicted.
    tokens_per_second : float, of all streams together
    bound : str, MEMORY, PORTS or LANES
    need : Prediction, of the whole top
    exceeded : tuple of str
        Resources of which it takes more than a choice may, ``"memory"`` if the model with keys and
        values of all streams is more than the board has room for.
    """

    shape: MemoryShape
    lanes: int
    streams: int
    cycles: float
    tokens_per_second: float
    bound: str
    need: Prediction
    exceeded: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        return not self.exceeded


def can_be_streamed(model: AnyModel, board: Board) -> bool:
    """Whether there is a memory beside the device, and a core for it."""
    return board.memory is not None and isinstance(model, DecoderModel)


def shapes(memory: ExternalMemory) -> list[MemoryShape]:
    """The board's ports, half of them, …"""
    found, ports = [], memory.shape.ports
    while ports:
        found.append(dataclasses.replace(memory.shape, ports=ports))
        ports //= 2
    return found


def pass_cycles(
    program: SizedStreamedProgram, memory: ExternalMemory, clock_mhz: float, position: int
) -> tuple[float, str]:
    """(cycles, bound) of a pass in which every stream has a token at ``position``: those of the
    program, or those that memory and ports take for its words, refresh included, if they are more.
    """
    shaped = dataclasses.replace(memory, shape=program.memory)
    interval, length = REFRESH_US
    rate = shaped.bytes_per_cycle(clock_mhz) * (1 - length / interval)
    computed, read = program.cycles(position), program.bytes_per_pass(position) / rate
    if read <= computed:
        return computed, LANES
    return read, PORTS if memory.usable > program.memory.word_bytes * clock_mhz * 1e6 else MEMORY


def choices(
    model: DecoderModel,
    board: Board,
    *,
    ports: Sequence[MemoryShape] | None = None,
    streams: Sequence[int] = range(1, MOST_STREAMS + 1),
    clock_mhz: float | None = None,
) -> Iterator[StreamedChoice]:
    """Choices for a board with a budget and a memory, of the shapes ``ports`` (by default
    :func:`shapes`), each with ``streams``, ascending, until they do not fit: about a second each.
    Raises UserError as StreamedProgram."""
    clock = board.default_clock_mhz if clock_mhz is None else clock_mhz
    resources = StreamedResources(board.family)
    most = limits(board.family, board.budget, board.limits)
    position = min(POSITION, model.config.ctx_len // 2)
    for shape in shapes(board.memory) if ports is None else ports:
        for number in streams:
            program = SizedStreamedProgram(model, shape, number)
            cycles, bound = pass_cycles(program, board.memory, clock, position)
            need = resources.top(program)
            exceeded = [name for name in most if getattr(need, name, 0) > most[name]]
            if not board.memory.holds(program.facts.image_bytes, program.facts.memory_bytes):
                exceeded.append(MEMORY)
            yield StreamedChoice(
                shape,
                program.layout.lanes,
                number,
                cycles,
                number * clock * 1e6 / cycles,
                bound,
                need,
                tuple(exceeded),
            )
            if exceeded:  # and more streams take more of everything
                break


def search(model: DecoderModel, board: Board) -> list[StreamedChoice]:
    """:func:`choices`, the fastest first: of equals that with the fewest LUTs."""
    found = []
    title = "searching ports and streams"
    with working(title) as show:
        for choice in choices(model, board):
            found.append(choice)
            show(f"{title}: {len(found)}, the last {choice.shape.ports} and {choice.streams}")
    return sorted(found, key=lambda c: (-c.tokens_per_second, c.need.lut))


def best(found: Sequence[StreamedChoice]) -> StreamedChoice | None:
    """The fastest that fits, if any does."""
    return next((choice for choice in found if choice.fits), None)


def streams_that_fit(model: DecoderModel, board: Board, clock_mhz: float) -> int:
    """Streams of a build that was not asked for a number: as many as are predicted to fit all of
    the board's ports, at most :data:`STREAMS_OF_A_BUILD`; 1 without a budget."""
    if board.budget is None:
        return 1
    numbers = range(2, STREAMS_OF_A_BUILD + 1)
    try:
        found = choices(
            model, board, ports=[board.memory.shape], streams=numbers, clock_mhz=clock_mhz
        )
        return max((choice.streams for choice in found if choice.fits), default=1)
    except UserError:  # of a family that was not calibrated, or said again by the build
        return 1
