"""Several texts at once from a core on chip in compiled simulation."""

from __future__ import annotations

from collections.abc import Mapping

from gateformer.gateware.compiler.turns import Sequence, Turns
from gateformer.gateware.core.interleaved_taps import records_of_sequence, records_of_streams
from gateformer.gateware.core.interleaver import issued_layout
from gateformer.gateware.core.taps import Mismatch, check_taps
from gateformer.model.contract.reference import Reference

from .port_value import to_integer
from .several_streams import Request, SeveralStreams
from .simulation import CoreSimulator


class InterleavedSimulator(SeveralStreams):
    """As :class:`.several_streams.SeveralStreams`, of a
    :class:`gateware.core.interleaved_core.InterleavedCore`."""

    def __init__(self, program, *, taps: bool = False, stall: float = 0.0, seed: int = 1, **others):
        super().__init__(program, taps=taps, stall=stall, seed=seed, **others)
        self._add_streams(stall, seed)
        self._issued = self.simulation.probe("issued_valid", ["issued"]) if taps else None

    @property
    def has_taps(self) -> bool:
        return self._issued is not None

    def forget(self) -> None:
        """Taps so far, of programs that have ended."""
        for probe in (*self._taps.values(), *([self._issued] if self._issued else [])):
            probe.clear()

    def issued(self) -> list[tuple[int, int, int]]:
        """(stream, place, position) of each turn so far."""
        layout, found = issued_layout(self.program), []
        for row in self._issued.read()[1]["issued"]:
            item = layout.from_bits(to_integer(row))
            found.append((item.stream, item.place, item.position))
        return found


def core_simulator(program, **options) -> CoreSimulator:
    """The simulator of a core on chip, with one stream or several; ``options`` as of both."""
    kind = InterleavedSimulator if program.streams > 1 else CoreSimulator
    return kind(program, **options)


def expected_tokens(model, request: Request) -> list[int]:
    """The reference's."""
    return list(Reference(model).generate(request.prompt, request.count, request.settings))


def check_together(
    simulator: InterleavedSimulator, requests: Mapping[int, Request]
) -> tuple[int, int]:
    """Reset the core, let streams generate at once; compare tokens, their cycles, and every tap if
    there are taps; (tokens, integers of taps) that were equal.

    Raises Mismatch, naming the first difference.
    """
    program, count, integers = simulator.program, 0, 0
    simulator.stop(range(program.streams))  # whose turn was last counts, too
    simulator.forget()
    begun = simulator.simulation.cycles
    simulator.begin_together(requests)
    simulator.run()
    sequences = {stream: sequence_of(request) for stream, request in requests.items()}
    predicted = Turns(program).run(sequences)
    parts = None
    if simulator.has_taps:
        parts = records_of_streams(program, simulator.issued(), simulator.tap_records())
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
            records = records_of_sequence(parts[stream])
            integers += check_taps(program, records, fed, len(request.prompt))
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
