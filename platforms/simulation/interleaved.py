"""Several texts at once from a core on chip in compiled simulation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from gateformer.gateware.compiler.several_cores import transfers
from gateformer.gateware.compiler.turns import Sequence
from gateformer.gateware.core.interleaved_taps import records_of_sequence, records_of_streams
from gateformer.gateware.core.interleaver import issued_layout
from gateformer.gateware.core.ports import stream_port
from gateformer.gateware.core.taps import Mismatch, check_taps, tap_ports
from gateformer.model.contract.reference import Reference

from .port_value import to_integer
from .several_streams import Request, SeveralStreams
from .simulation import CoreSimulator


class InterleavedSimulator(SeveralStreams):
    """As :class:`.several_streams.SeveralStreams`, of a
    :class:`gateware.core.interleaved_core.InterleavedCore` or
    :class:`gateware.core.several_cores.SeveralCores`."""

    def __init__(self, program, *, taps: bool = False, stall: float = 0.0, seed: int = 1, **others):
        super().__init__(program, taps=taps, stall=stall, seed=seed, **others)
        self._add_streams(stall, seed)
        self._parts = []
        if taps:
            further = (self._probes_of(core) for core in range(1, program.hw.cores))
            self._parts = [_CoreTaps(self, *each) for each in enumerate((self._taps, *further))]

    def _probes_of(self, core: int) -> dict:
        probes = {}
        for port in tap_ports(self.program):
            name = f"{stream_port('taps', core)}__{port.name}"
            probes[port] = self.simulation.probe(f"{name}_valid", [f"{name}_data"])
        return probes

    @property
    def has_taps(self) -> bool:
        return bool(self._parts)

    def forget(self) -> None:
        """Taps so far, of programs that have ended."""
        for part in self._parts:
            part.forget()

    def records(self) -> list[dict[str, np.ndarray]]:
        """Of each stream, as of ``tap_records``, since :meth:`forget`."""
        return [records for part in self._parts for records in part.records()]


class _CoreTaps:
    """What the taps of one core recorded."""

    def __init__(self, simulator: InterleavedSimulator, core: int, probes: dict):
        self._program, simulation = simulator.program.one_core, simulator.simulation
        self._probes, self._issued = probes, None
        if self._program.streams > 1:
            self._name = stream_port("issued", core)
            self._issued = simulation.probe(stream_port("issued_valid", core), [self._name])

    def forget(self) -> None:
        for probe in self._probes.values():
            probe.clear()
        if self._issued is not None:
            self._issued.clear()

    def records(self) -> list[dict[str, np.ndarray]]:
        """By stream."""
        found = {
            port.name: port.unpack(next(iter(probe.read()[1].values())))
            for port, probe in self._probes.items()
        }
        if self._issued is None:
            return [found]
        streams = records_of_streams(self._program, self._turns(), found)
        return [records_of_sequence(tokens) for tokens in streams]

    def _turns(self) -> Iterator[tuple[int, int, int, int]]:
        """(stream, slot, place, position) of each turn."""
        layout = issued_layout(self._program)
        for row in self._issued.read()[1][self._name]:
            item = layout.from_bits(to_integer(row))
            yield item.stream, item.slot, item.place, item.position


def core_simulator(program, **options) -> CoreSimulator:
    """The simulator of a core on chip, with one stream or several; ``options`` as of both."""
    kind = InterleavedSimulator if program.streams > 1 else CoreSimulator
    return kind(program, **options)


def expected_tokens(model, request: Request) -> list[int]:
    """The reference's."""
    return list(Reference(model).generate(request.prompt, request.count, request.settings))


def check_together(
    simulator: InterleavedSimulator,
    requests: Mapping[int, Request],
    starts: Mapping[int, int] | None = None,
) -> tuple[int, int]:
    """Reset the core, let streams generate, which begin at once, or so many cycles after the first
    one; compare tokens, their cycles, and every tap if there are taps; (tokens, integers of taps)
    that were equal.

    Raises Mismatch, naming the first difference.
    """
    program, count, integers = simulator.program, 0, 0
    simulator.stop(range(program.streams))  # whose turn was last counts, too
    simulator.forget()
    begun = simulator.simulation.cycles
    starts = dict.fromkeys(requests, 0) | dict(starts or {})
    for start in sorted(set(starts.values())):
        simulator.simulation.step(start - (simulator.simulation.cycles - begun))
        simulator.begin_together({n: each for n, each in requests.items() if starts[n] == start})
    simulator.run()
    sequences = {n: sequence_of(request, starts[n]) for n, request in requests.items()}
    predicted = transfers(program, sequences)
    parts = simulator.records() if simulator.has_taps else None
    for stream, request in requests.items():
        expected = expected_tokens(program.model, request)
        tokens, cycles = zip(*simulator.tokens(stream), strict=True)
        if list(tokens) != expected:
            raise Mismatch(f"stream {stream}: tokens {list(tokens)}, reference {expected}")
        taken = [cycle - begun for cycle in cycles]
        if taken != predicted[stream]:
            raise Mismatch(f"stream {stream}: cycles {taken}, predicted {predicted[stream]}")
        count += len(expected)
        if parts is not None:
            fed = [*request.prompt, *expected][: len(request.prompt) + len(expected) - 1]
            integers += check_taps(program, parts[stream], fed, len(request.prompt))
    return count, integers


def sequence_of(request: Request, start: int = 0) -> Sequence:
    """What of a request the cycles depend on."""
    sampled = not request.settings.greedy
    return Sequence(
        start,
        len(request.prompt),
        request.count,
        sampled=sampled,
        top_k=sampled and request.settings.top_k > 0,
    )
