"""Several texts at once from a streamed core in compiled simulation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from gateformer.gateware.core.ports import stream_port
from gateformer.gateware.decoder.taps import DecoderTapReader, tap_ports
from gateformer.gateware.memory.bus import Response
from gateformer.gateware.streamed.slots import slots_layout

from .several_streams import SeveralStreams
from .streamed_simulation import StreamedSimulator


@dataclasses.dataclass(frozen=True)
class PassToken:
    """A token of a pass over the weights, in one of its slots."""

    slot: int
    stream: int
    token: int
    position: int


class StreamsSimulator(SeveralStreams, StreamedSimulator):
    """As :class:`.streamed_simulation.StreamedSimulator`, whose parameters it has, with the streams
    of :class:`.several_streams.SeveralStreams`: those that begin together share every pass."""

    def __init__(self, program, *, taps: bool = False, stall: float = 0.0, seed: int = 1, **others):
        super().__init__(program, taps=taps, stall=stall, seed=seed, **others)
        simulation = self.simulation
        self._add_streams(stall, seed)
        self._slot_taps = [self._taps]
        for stream in range(1, program.streams):
            self._slot_taps.append(
                {
                    port: simulation.probe(
                        f"taps{stream}__{port.name}_valid", [f"taps{stream}__{port.name}_data"]
                    )
                    for port in (tap_ports(program) if taps else ())
                }
            )
        self._passes = simulation.probe("pass_begin", ["pass_slots"]) if taps else None

    def _has_stopped(self) -> bool:
        self.memory.check()
        return self.fault is not Response.OKAY

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
