"""Picture of one token's schedule: engines down, cycles across, idle visible."""

from __future__ import annotations

from html import escape

from gateformer.gateware.compiler.program import Span
from gateformer.gateware.decoder.program import DecoderProgram
from gateformer.gateware.decoder.timeline import ENGINES as DECODER_ENGINES
from gateformer.gateware.decoder.timeline import MEMORY, SharedSpan
from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.streamed.program import StreamedProgram

WIDTH = 880
"""Pixels that README shows: the sizes of letters below are those that are seen."""
LEFT, RIGHT, TOP, ROW, BAR = 120, 30, 60, 56, 34
CHARACTER = 7.5
"""Pixels of one of 12 pixels' height, at most on average, in wide fonts."""
ENGINES = ("ternary engine", "int8 array", "vector unit", "sampler")
COLORS = {
    "ternary engine": "#34507a",
    "int8 array": "#2f7d46",
    "vector unit": "#a06a1c",
    "sampler": "#7a3470",
}
IMPORTED_COLORS = {
    MEMORY: "#b08a2e",
    "lanes": "#34507a",
    "softmax": "#2f7d46",
    "requantizer": "#6b6f76",
    "rotation": "#1d7a85",
    "gate": "#a06a1c",
    "residual": "#8a3b2f",
    "sampler": "#7a3470",
}
BY_NAME = {"scores": "#2f7d46", "probabilities": "#7aa02f"}
"""Of what attention gives to lanes and softmax."""
LEGEND = (
    ("matrices", IMPORTED_COLORS["lanes"]),
    ("scores: keys times queries", BY_NAME["scores"]),
    ("values times probabilities", BY_NAME["probabilities"]),
)
_ASIDE = {
    False: "pipeline latency follows each",
    True: "low: in that share of them; pipeline latency follows each",
}
LEGEND_ROW = 26


def timeline_svg(program: AnyProgram, position: int) -> str:
    """SVG of the token at ``position`` (greedy), drawn from the program that runs.

    A bar's height is the share of its cycles in which the engine gets a number.
    """
    spans, total = program.timeline(position), program.cycles(position)
    imported = isinstance(program, DecoderProgram)
    engines = DECODER_ENGINES if imported else ENGINES
    if isinstance(program, StreamedProgram):
        engines = (MEMORY, *engines)
    scale = (WIDTH - LEFT - RIGHT) / total
    bottom = TOP + ROW * len(engines)
    height = bottom + 30 + (LEGEND_ROW if imported else 0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="Helvetica,Arial,sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-weight="bold">{_what(program)} at position {position}: '
        f"{total:,} cycles{never_waiting(program)}</text>",
        f'<text x="{LEFT}" y="42" font-size="12" fill="#555">bars: cycles in which an engine is '
        f"given work ({_ASIDE[imported]}); light: idle</text>",
    ]
    for row in range(len(engines)):
        parts.append(
            f'<rect x="{LEFT}" y="{TOP + ROW * row}" width="{total * scale:.1f}" height="{BAR}" '
            'fill="#eef1f5"/>'
        )
    parts += _axis(total, scale, bottom)
    parts += _legend(bottom + 42) if imported else []
    for row, engine in enumerate(engines):
        parts += _row(engine, [s for s in spans if s.engine == engine], total, scale, row)
    return "\n".join([*parts, "</svg>", ""])


def never_waiting(program: AnyProgram) -> str:
    """What a count of a program's cycles is of where the memory may take more."""
    streamed = isinstance(program, StreamedProgram)
    return " with a memory that never waits" if streamed else ""


def _what(program: AnyProgram) -> str:
    streams = program.streams if isinstance(program, StreamedProgram) else 1
    return "One token" if streams == 1 else f"A token of each of {streams} streams"


def _row(engine: str, spans: list[Span], total: int, scale: float, row: int) -> list[str]:
    y = TOP + ROW * row
    busy = sum((span.end - span.start) * _share(span) for span in spans)
    parts = [
        f'<text x="{LEFT - 10}" y="{y + 17}" text-anchor="end">{engine}</text>',
        f'<text x="{LEFT - 10}" y="{y + 32}" text-anchor="end" font-size="12" fill="#555">'
        f"{busy / total:.0%} busy</text>",
    ]
    for span in spans:
        x, width = LEFT + span.start * scale, max((span.end - span.start) * scale, 0.6)
        label = f"{span.name}: cycles {span.start:,} to {span.end - 1:,}"
        high = f"{max(BAR * _share(span), 1):g}" if _share(span) < 1 else str(BAR)
        top = f"{y + BAR - float(high):g}"
        parts.append(
            f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{high}" '
            f'fill="{_color(span)}"><title>{escape(label)}</title></rect>'
        )
        short = span.name.rsplit(".", 1)[-1]
        if width > CHARACTER * (len(short) + 1) and float(high) == BAR:
            parts.append(
                f'<text x="{x + width / 2:.1f}" y="{y + 22}" text-anchor="middle" '
                f'font-size="12" fill="white">{escape(short)}</text>'
            )
    return parts


def _share(span: Span) -> float:
    return span.share if isinstance(span, SharedSpan) else 1


def _color(span: Span) -> str:
    if not isinstance(span, SharedSpan):
        return COLORS[span.engine]
    named = BY_NAME.get(span.name.rsplit(".", 1)[-1])
    return named or IMPORTED_COLORS[span.engine]


def _legend(y: float) -> list[str]:
    """What the colors of the lanes are."""
    parts, x = [], LEFT
    for text, color in LEGEND:
        parts.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{color}"/>')
        parts.append(f'<text x="{x + 18}" y="{y}" font-size="12">{text}</text>')
        x += round(6 * len(text)) + 48
    return parts


def _axis(total: int, scale: float, y: float) -> list[str]:
    step = next(s for n in range(1, 12) for s in (10**n, 2 * 10**n, 5 * 10**n) if total / s <= 11)
    parts = [
        f'<text x="{LEFT - 10}" y="{y + 16}" text-anchor="end" font-size="12">cycle</text>',
    ]
    for cycle in range(0, total + 1, step):
        x = LEFT + cycle * scale
        parts.append(
            f'<path d="M{x:.1f},{TOP} V{y}" stroke="#ccc" stroke-dasharray="2 3"/>'
            f'<text x="{x:.1f}" y="{y + 16}" text-anchor="middle" font-size="12">{cycle:,}</text>'
        )
    return parts
