"""What several streams computed and gave, compared with the reference of each."""

from __future__ import annotations

import dataclasses

import numpy as np

from gateformer.gateware.core.taps import Mismatch, compare_tap
from gateformer.model.contract.decoder.reference import DecoderReference

from .several_streams import Request
from .streams import StreamsSimulator


@dataclasses.dataclass(frozen=True)
class Compared:
    """What was equal: passes, those with several tokens of one stream, integers on all taps."""

    passes: int
    lent: int
    integers: int


def compare_passes(simulator: StreamsSimulator) -> Compared:
    """Every tap of every slot, of all passes since the simulator's start or ``forget``, with the
    reference of the slot's stream; its first token there is at position 0.

    Raises Mismatch, naming the first difference.
    """
    model, readers = simulator.program.model, simulator.tap_readers()
    taps: dict[str, np.ndarray] = {}
    references: dict[int, DecoderReference] = {}
    passes = lent = integers = 0
    for tokens, predict in simulator.passes():
        passes += 1
        lent += len({each.stream for each in tokens}) < len(tokens)
        for each in sorted(tokens, key=lambda each: (each.stream, each.position)):
            if each.position == 0:
                references[each.stream] = DecoderReference(model, taps.__setitem__)
            references[each.stream].step(each.token)
            found = readers[each.slot].read_token(each.position, predict)
            integers += sum(
                compare_tap(each.position, name, values, taps[name])
                for name, values in found.items()
            )
    for slot, reader in enumerate(readers):
        if reader.left_over():
            raise Mismatch(f"slot {slot}: taps of more tokens than its passes have")
    return Compared(passes, lent, integers)


def check_streams(simulator: StreamsSimulator, requests: dict[int, Request]) -> tuple[int, int]:
    """Let all streams generate at once and compare every token and tap; (tokens, integers) that
    were equal. Raises Mismatch, naming the first difference."""
    model = simulator.program.model
    simulator.forget()
    simulator.begin_together(requests)
    simulator.run()
    count = 0
    for stream, request in requests.items():
        found = [token for token, _ in simulator.tokens(stream)]
        reference = DecoderReference(model)
        expected = list(reference.generate(request.prompt, request.count, request.settings))
        if found != expected:
            raise Mismatch(f"stream {stream}: tokens {found}, reference {expected}")
        count += len(found)
    return count, compare_passes(simulator).integers
