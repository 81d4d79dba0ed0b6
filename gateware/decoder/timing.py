"""When an instruction may follow another: every latency is a constant."""

from __future__ import annotations

import dataclasses

from .instruction import Instruction, Sink, Source
from .lanes import DecoderLanes
from .serial.gate import Gate
from .serial.residual import Residual
from .serial.rotation import Rotation

MIN_DURATION = 2
"""Cycles from an instruction's first beat to the next one's, at least: the sequencer fetches one
instruction ahead."""


WRITE_REGISTER = 1
"""Cycles from a result to the write port of its memory."""


class Timing:
    """Cycles between beats.

    Parameters
    ----------
    source_latency : int
        From a beat to its number at the requantizer.
    requantizer_latency : int
    maximum_latency : int
        From the last beat of SCORE to the first of WEIGH, at least.
    prepare : int
        From a residual number to the norm's factor that includes it.

    Attributes
    ----------
    value_latency : int
        From a beat to its requantized number.
    """

    def __init__(
        self, source_latency: int, requantizer_latency: int, maximum_latency: int, prepare: int
    ):
        self.source_latency = source_latency
        self.maximum_latency = maximum_latency
        self.value_latency = source_latency + requantizer_latency
        self._prepare = prepare

    def with_waits(self, plain: list[Instruction]) -> list[Instruction]:
        """The instructions with the waits between them."""
        waited = []
        for item, following in zip(plain, [*plain[1:], None], strict=True):
            gap = 1 if following is None else self.gap(item, following)
            gap = max(gap, MIN_DURATION + 1 - item.beats(0))
            waited.append(dataclasses.replace(item, wait=gap - 1))
        return waited

    def gap(self, item: Instruction, following: Instruction) -> int:
        """Cycles from the last beat of ``item`` to the first of ``following``, at least."""
        value, source = self.value_latency, self.source_latency
        written = value + WRITE_REGISTER + 1
        activation = written - DecoderLanes.ACTIVATION_READ
        match following.source:
            case Source.NORM:
                return value + self._prepare - source + 1
            case Source.POSITION:
                return Residual.TURNAROUND
            case Source.WEIGH:
                scored = item.source is Source.SCORE
                return self.maximum_latency if scored else self._after_lanes
            case Source.SCORE:
                if item.source is Source.LANE:
                    return self._after_lanes
                # the values come last; before them, keys that may have been turned
                keys = Rotation.SECOND - item.beats(0)
                return written + max(keys, 0) - DecoderLanes.CACHE_READ
            case Source.MATRIX | Source.GROUP_SUMS if item.source in (Source.NORM, Source.LANE):
                return activation
            case Source.MATRIX | Source.GROUP_SUMS if item.sink is Sink.GATE:
                return activation + Gate.LATENCY
        return 1

    @property
    def _after_lanes(self) -> int:
        """The accumulators, and the sums of probabilities, are read this long after their beat."""
        return max(self.source_latency - DecoderLanes.ACCUMULATED, 1)
