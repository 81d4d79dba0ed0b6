"""Several texts at once from a streamed core in compiled simulation."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gateformer.gateware.core.token_loop import COUNT_BITS
from gateformer.gateware.decoder.taps import DecoderTapReader, tap_ports
from gateformer.gateware.memory.bus import Response
from gateformer.gateware.core.ports import stream_port
from gateformer.gateware.streamed.slots import slots_layout
from gateformer.model.contract.reference import check_request
from gateformer.model.contract.sampling import SamplingSettings

from .streamed_simulation import StreamedSimulator


@dataclasses.dataclass(frozen=True)
class Request:
    """What one stream is to generate."""

    prompt: Sequence[int]
    count: int
    settings: SamplingSettings


@dataclasses.dataclass(frozen=True)
class PassToken:
    """A token of a pass over the weights, in one of its slots."""

    slot: int
    stream: int
    token: int
    position: int


class StreamsSimulator(StreamedSimulator):
    """As :class:`.streamed_simulation.StreamedSimulator`, whose parameters it has; every stream is
    started, and stopped, by itself, at any time."""

    def __init__(self, program, *, taps: bool = False, stall: float = 0.0, seed: int = 1, **others):
        super().__init__(program, taps=taps, stall=stall, seed=seed, **others)
        simulation = self.simulation
        self._prompts, self._outputs = [self._prompt], [self._output]
        self._taken = [(0, 0)] * program.streams  # prompts' tokens, before and after the last one
        self._slot_taps = [self._taps]
        for stream in range(1, program.streams):
            moods = {"stall": stall, "seed": seed + 2 * stream}
            self._prompts.append(simulation.source(f"prompt{stream}", **moods))
            self._outputs.append(simulation.sink(f"output{stream}", **moods))
            self._slot_taps.append(
                {
                    port: simulation.probe(
                        f"taps{stream}__{port.name}_valid", [f"taps{stream}__{port.name}_data"]
                    )
                    for port in (tap_ports(program) if taps else ())
                }
            )
        self._passes = simulation.probe("pass_begin", ["pass_slots"]) if taps else None

    def begin(self, stream: int, request: Request) -> None:
        """Start a stream, which is idle; UserError for what ``check_request`` refuses."""
        self.begin_together({stream: request})

    def begin_together(self, requests: Mapping[int, Request]) -> None:
        """As :meth:`begin`, several streams in one cycle: their tokens share every pass."""
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

        Raises MemoryFault, or RuntimeError if no token comes for too long.
        """
        streams = range(self.program.streams)
        found, waited, busy = [0] * len(streams), 0, True
        while busy:
            self.simulation.step(steps)
            self.memory.check()
            busy, waited = any(self.busy(stream) for stream in streams), waited + steps
            for stream in streams:
                if len(self._outputs[stream]) == found[stream]:
                    continue
                fresh, waited = self.tokens(stream)[found[stream] :], 0
                found[stream] += len(fresh)
                for token, cycle in fresh:
                    yield stream, token, cycle
            if (
                waited > self._patience * self.program.model.config.ctx_len
                or self.fault is not Response.OKAY
            ):
                raise self._silence(sum(found), waited)

    def run(self, steps: int = 100) -> None:
        """Until all streams are idle: :meth:`generated` without a look at what they give."""
        collections.deque(self.generated(steps), maxlen=0)

    def forget(self) -> None:
        """Passes and taps so far; those of a pass that is under way must not be asked for."""
        probes = [probe for taps in self._slot_taps for probe in taps.values()]
        for probe in (*probes, *([self._passes] if self._passes else [])):
            probe.clear()

    def pass_cycles(self) -> list[int]:
        """In which each pass so far began."""
        return self._passes.read()[0].tolist()

    def passes(self) -> Iterator[tuple[list[PassToken], bool]]:
        """(tokens, whether the next token is chosen after one of them) of each pass so far."""
        layout = slots_layout(self.program)
        for row in self._passes.read()[1]["pass_slots"]:
            value = sum(int(chunk) << 32 * i for i, chunk in enumerate(row))
            slots = [layout.from_bits(value)[n] for n in range(self.program.streams)]
            found = [
                PassToken(n, slot.stream, slot.token, slot.position)
                for n, slot in enumerate(slots)
                if slot.enabled
            ]
            yield found, any(slot.enabled and slot.predict for slot in slots)

    def tap_readers(self) -> list[DecoderTapReader]:
        """Of each slot, from the simulator's start or the last :meth:`forget` on."""
        readers = []
        for slot, probes in enumerate(self._slot_taps):
            prefix = stream_port("taps", slot)
            records: dict[str, np.ndarray] = {
                port.name: port.unpack(probe.read()[1][f"{prefix}__{port.name}_data"])
                for port, probe in probes.items()
            }
            readers.append(DecoderTapReader(self.program, records, slot))
        return readers
