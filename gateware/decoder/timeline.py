"""What the parts of a decoder core do in each cycle of a token, from the program that runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..compiler.program import Span
from .instruction import Instruction, Sink, Source

ENGINES = ("lanes", "softmax", "requantizer", "rotation", "gate", "residual", "sampler")
"""In the order in which a number meets them."""
MEMORY = "memory"
"""Before them all, where weights, keys and values come from external memory."""

_WITH_LANES = (Source.MATRIX, Source.SCORE, Source.WEIGH)


@dataclasses.dataclass(frozen=True)
class SharedSpan(Span):
    """A span in which an engine gets a number in that share of the cycles."""

    share: float = 1.0


def timeline(
    instructions: Sequence[Instruction],
    position: int,
    total: int,
    scale_words: Callable[[Instruction], int] | None = None,
) -> list[SharedSpan]:
    """Spans of all engines for a greedy token at ``position`` that takes ``total`` cycles.

    They are of the beats: an engine has what a beat makes a constant number of cycles later. Equal
    ones that follow each other without a wait are one. ``scale_words``: of a core that reads
    external memory, the words that an instruction takes beside its beats.
    """
    spans, now, streamed = [], 0, scale_words is not None
    for item in instructions:
        end = now + item.beats(position) + (scale_words(item) if streamed else 0)
        engines = list(_engines(item))
        if streamed and (taken := _taken(item, position)):
            engines.insert(0, (MEMORY, taken))
        for engine, share in engines:
            spans.append(SharedSpan(engine, item.name, now, end, share))
        now = end + item.wait
    spans.append(SharedSpan("sampler", "sample", now, total))
    order = (MEMORY, *ENGINES) if streamed else ENGINES
    return [span for engine in order for span in _joined(s for s in spans if s.engine == engine)]


def _taken(item: Instruction, position: int) -> float:
    """Share of the beats that take a word of the memory."""
    match item.source:
        case Source.MATRIX | Source.PROGRAM:
            return 1
        case Source.MOVE:
            return float(item.sink is Sink.BUFFER)
        case Source.SCORE | Source.WEIGH:
            return position / (position + 1)
    return 0


def _engines(item: Instruction) -> Iterator[tuple[str, float]]:
    """(engine, share of the beats in which it gets something)."""
    if item.source in _WITH_LANES:
        yield "lanes", 1
    if item.source in (Source.SCORE, Source.WEIGH):
        yield "softmax", 1 / item.inner
        return
    if item.source in (Source.MOVE, Source.PROGRAM):
        return
    share = 1 / item.inner
    yield "requantizer", share
    if item.turned:
        yield "rotation", share
    if item.sink is Sink.GATE:
        yield "gate", share
    if item.sink in (Sink.LOAD, Sink.ADD) or item.source is Source.NORM:
        yield "residual", share
    if item.sink is Sink.LOGIT:
        yield "sampler", share


def _joined(spans: Iterable[SharedSpan]) -> list[SharedSpan]:
    found: list[SharedSpan] = []
    for span in spans:
        last = found[-1] if found else None
        if last and (last.name, last.end, last.share) == (span.name, span.start, span.share):
            found[-1] = dataclasses.replace(last, end=span.end)
        else:
            found.append(span)
    return found
