"""The streams of an accelerator: each has runs of its own, and together they serve any number."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from gateformer.model.support.errors import UserError

from .info import AcceleratorInfo
from .register_access import RegisterFile
from .request import Piece, Request
from .run import AcceleratorRuns


class AcceleratorStreams(Sequence):
    """The :class:`.run.AcceleratorRuns` of each stream, by its number.

    Parameters
    ----------
    registers : RegisterFile
        The first stream's.
    info : AcceleratorInfo
    timeout : float, seconds
    """

    def __init__(self, registers: RegisterFile, info: AcceleratorInfo, timeout: float):
        self._name = registers.name
        self._runs = [AcceleratorRuns(registers, info, timeout)]
        for stream in range(1, info.streams):
            further = registers.of_stream(stream)
            self._runs.append(AcceleratorRuns(further, info, timeout, self._runs[0]))

    def __len__(self) -> int:
        return len(self._runs)

    def __getitem__(self, stream: int) -> AcceleratorRuns:
        """UserError if there is no such stream."""
        is_number = isinstance(stream, int) and not isinstance(stream, bool)
        if not is_number or not 0 <= stream < len(self):
            there = f"0 to {len(self) - 1}" if len(self) > 1 else "only 0"
            raise UserError(f"{self._name}: there is no stream {stream!r}; there is {there}")
        return self._runs[stream]

    def __iter__(self) -> Iterator[AcceleratorRuns]:
        return iter(self._runs)

    def abort(self) -> None:
        """Stop whatever runs; UserError if it does not stop."""
        for runs in self:
            runs.abort()

    def tell(self, info: AcceleratorInfo) -> None:
        """What the accelerator says of itself now."""
        for runs in self:
            runs.info = info

    def together(
        self, requests: Sequence[Request], ended: Callable[[int], None] | None = None
    ) -> Iterator[tuple[int, Piece]]:
        """Yield (number of the request, next piece of what follows it) as they come; a stream whose
        request is done takes the next one. ``ended`` gets the number of each that is done.

        Raises UserError if a stream is in use, and as :meth:`AcceleratorRuns.tokens`; then, or when
        it is closed, all streams are stopped.
        """
        for runs in self:
            if runs.in_use:
                raise UserError(
                    f"{runs.registers.name}: it is in use; read its run to the end, or close it, "
                    "first"
                )
        waiting, under_way = enumerate(requests), {}
        try:
            while True:
                for runs in self:
                    yield from self._serve(runs, waiting, under_way, ended)
                if not under_way:
                    return
        finally:
            for _, pieces in under_way.values():
                pieces.close()

    def _serve(self, runs, waiting, under_way, ended) -> Iterator[tuple[int, Piece]]:
        """What a stream has now, if anything."""
        if runs not in under_way:
            number, request = next(waiting, (None, None))
            if request is None:
                return
            under_way[runs] = number, request.pieces(runs)
        number, pieces = under_way[runs]
        try:
            piece = next(pieces)
        except StopIteration:
            del under_way[runs]
            if ended is not None:
                ended(number)
            yield from self._serve(runs, waiting, under_way, ended)
            return
        if piece is not None:
            begun = time.monotonic()
            yield number, piece
            for each in self:
                each.postpone(time.monotonic() - begun)
