"""Several texts at once from a streamed core in compiled simulation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from gateformer.gateware.core.token_loop import COUNT_BITS
from gateformer.gateware.decoder.taps import DecoderTapReader, tap_ports
from gateformer.gateware.memory.bus import Response
from gateformer.gateware.streamed.slots import slots_layout, stream_port
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
        self._fed = [0] * program.streams
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
        check_request(self.program.model.config, list(request.prompt), request.count)
        simulation, last = self.simulation, len(request.prompt) - 1
        self._outputs[stream].clear()
        settings = stream_port("settings", stream)
        for name, value in vars(request.settings).items():
            simulation.set(f"{settings}__{name}", value)
        simulation.set(f"{settings}__count", min(request.count, 2**COUNT_BITS - 1))
        self._pulse(stream_port("start", stream))
        self._fed[stream] += len(request.prompt)
        self._prompts[stream].feed(
            {"token": token, "last": i == last} for i, token in enumerate(request.prompt)
        )

    def is_taken(self, stream: int) -> bool:
        """Whether all of its prompts were taken."""
        return len(self._prompts[stream].taken()) == self._fed[stream]

    def stop(self, streams: Sequence[int]) -> None:
        """Abort streams, in one cycle; others go on. Their prompts have to be taken."""
        for stream in streams:
            self.simulation.set(stream_port("abort", stream), 1)
        self.simulation.step()
        for stream in streams:
            self.simulation.set(stream_port("abort", stream), 0)
        self.simulation.step()

    def _pulse(self, name: str) -> None:
        self.simulation.set(name, 1)
        self.simulation.step()
        self.simulation.set(name, 0)

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

    def run(self, steps: int = 100) -> None:
        """Until all streams are idle, looked at every that many cycles.

        Raises MemoryFault, or RuntimeError if no token comes for too long.
        """
        streams = range(self.program.streams)
        before, waited = -1, 0
        while any(self.busy(stream) for stream in streams):
            self.simulation.step(steps)
            self.memory.check()
            count = sum(len(self._outputs[stream]) for stream in streams)
            waited = 0 if count != before else waited + steps
            if (
                waited > self._patience * self.program.model.config.ctx_len
                or self.fault is not Response.OKAY
            ):
                raise self._silence(count, waited)
            before = count

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
        """Of each slot, from the simulator's start on."""
        readers = []
        for slot, probes in enumerate(self._slot_taps):
            prefix = stream_port("taps", slot)
            records: dict[str, np.ndarray] = {
                port.name: port.unpack(probe.read()[1][f"{prefix}__{port.name}_data"])
                for port, probe in probes.items()
            }
            readers.append(DecoderTapReader(self.program, records, slot))
        return readers
