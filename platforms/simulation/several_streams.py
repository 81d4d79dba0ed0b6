"""Several texts at once from a core in compiled simulation, whatever core it is."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from gateformer.gateware.core.ports import stream_port
from gateformer.gateware.core.token_loop import COUNT_BITS
from gateformer.model.contract.reference import check_request
from gateformer.model.contract.sampling import SamplingSettings

from .simulation import CoreSimulator


@dataclasses.dataclass(frozen=True)
class Request:
    """What one stream is to generate."""

    prompt: Sequence[int]
    count: int
    settings: SamplingSettings


class SeveralStreams(CoreSimulator):
    """As :class:`.simulation.CoreSimulator`, whose parameters it has, of a core with several
    streams; every one is started, and stopped, by itself, at any time."""

    def _add_streams(self, stall: float, seed: int) -> None:
        """Sources and sinks of the streams after the first one."""
        self._prompts, self._outputs = [self._prompt], [self._output]
        # prompts' tokens, before and after the last one
        self._taken = [(0, 0)] * self.program.streams
        for stream in range(1, self.program.streams):
            moods = {"stall": stall, "seed": seed + 2 * stream}
            self._prompts.append(self.simulation.source(f"prompt{stream}", **moods))
            self._outputs.append(self.simulation.sink(f"output{stream}", **moods))

    def _has_stopped(self) -> bool:
        """Whether nothing more will come, whatever one waits."""
        return False

    def begin(self, stream: int, request: Request) -> None:
        """Start a stream, which is idle; UserError for what ``check_request`` refuses."""
        self.begin_together({stream: request})

    def begin_together(self, requests: Mapping[int, Request]) -> None:
        """As :meth:`begin`, several streams in one cycle: all at once."""
        simulation = self.simulation
        for stream, request in requests.items():
            check_request(self.program.model.config, list(request.prompt), request.count)
            self._outputs[stream].clear()
            taken = len(self._prompts[stream].taken())
            self._taken[stream] = taken, taken + len(request.prompt)
            settings = stream_port("settings", stream)
            for name, value in vars(request.settings).items():
                simulation.set(f"{settings}__{name}", value)
            simulation.set(f"{settings}__count", min(request.count, 2**COUNT_BITS - 1))
        starts = [stream_port("start", stream) for stream in requests]
        for name in starts:
            simulation.set(name, 1)
        simulation.step()
        for name in starts:
            simulation.set(name, 0)
        for stream, request in requests.items():
            last = len(request.prompt) - 1
            self._prompts[stream].feed(
                {"token": token, "last": i == last} for i, token in enumerate(request.prompt)
            )

    def is_taken(self, stream: int) -> bool:
        """Whether the prompt of :meth:`begin` was taken."""
        return len(self._prompts[stream].taken()) == self._taken[stream][1]

    def first_beat_of(self, stream: int) -> int:
        """As ``first_beat``, of what :meth:`begin` started, if no other stream's pass was under way
        then."""
        return int(self._prompts[stream].taken()[self._taken[stream][0]]) + 2

    def stop(self, streams: Sequence[int]) -> None:
        """Abort streams, in one cycle; others go on. Their prompts have to be taken."""
        for stream in streams:
            self.simulation.set(stream_port("abort", stream), 1)
        self.simulation.step()
        for stream in streams:
            self.simulation.set(stream_port("abort", stream), 0)
        self.simulation.step()

    def busy(self, stream: int) -> bool:
        """Whether a stream has more to come."""
        return bool(self.simulation.get(stream_port("busy", stream)))

    def tokens(self, stream: int) -> list[tuple[int, int]]:
        """(token, cycle of its transfer) of what a stream has given since it was started."""
        port = stream_port("output", stream) + "__payload"
        shape = self.simulation.port(port).shape
        cycles, values = self._outputs[stream].read()
        found = (shape.from_bits(int(row[0])).token for row in values[port])
        return list(zip(found, map(int, cycles), strict=True))

    def generated(self, steps: int = 100) -> Iterator[tuple[int, int, int]]:
        """(stream, token, cycle of its transfer) of what the streams give, from their starts on and
        until all are idle, looked at every ``steps`` cycles.

        Raises RuntimeError if no token comes for too long, MemoryFault if the memory's answer was
        an error.
        """
        streams = range(self.program.streams)
        found, waited, busy = [0] * len(streams), 0, True
        while busy:
            self.simulation.step(steps)
            busy, waited = any(self.busy(stream) for stream in streams), waited + steps
            for stream in streams:
                if len(self._outputs[stream]) == found[stream]:
                    continue
                fresh, waited = self.tokens(stream)[found[stream] :], 0
                found[stream] += len(fresh)
                for token, cycle in fresh:
                    yield stream, token, cycle
            if waited > self._patience * self.program.model.config.ctx_len or self._has_stopped():
                raise self._silence(sum(found), waited)

    def run(self, steps: int = 100) -> None:
        """Until all streams are idle: :meth:`generated` without a look at what they give."""
        collections.deque(self.generated(steps), maxlen=0)
