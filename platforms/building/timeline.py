"""Picture of one token's schedule: engines down, cycles across, idle visible."""

from __future__ import annotations

from html import escape

from gateformer.gateware.compiler.program import Program, Span

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


def timeline_svg(program: Program, position: int) -> str:
    """SVG of the token at ``position`` (greedy), drawn from the program that runs."""
    spans, total = program.timeline(position), program.cycles(position)
    scale = (WIDTH - LEFT - RIGHT) / total
    height = TOP + ROW * len(ENGINES) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="Helvetica,Arial,sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-weight="bold">One token at position {position}: '
        f"{total} cycles</text>",
        f'<text x="{LEFT}" y="42" font-size="12" fill="#555">bars: cycles in which an engine is '
        "given work (pipeline latency follows each); light: idle</text>",
    ]
    for row in range(len(ENGINES)):
        parts.append(
            f'<rect x="{LEFT}" y="{TOP + ROW * row}" width="{total * scale:.1f}" height="{BAR}" '
            'fill="#eef1f5"/>'
        )
    parts += _axis(total, scale, TOP + ROW * len(ENGINES))
    for row, engine in enumerate(ENGINES):
        parts += _row(engine, [s for s in spans if s.engine == engine], total, scale, row)
    return "\n".join([*parts, "</svg>", ""])


def _row(engine: str, spans: list[Span], total: int, scale: float, row: int) -> list[str]:
    y = TOP + ROW * row
    busy = sum(span.end - span.start for span in spans)
    parts = [
        f'<text x="{LEFT - 10}" y="{y + 17}" text-anchor="end">{engine}</text>',
        f'<text x="{LEFT - 10}" y="{y + 32}" text-anchor="end" font-size="12" fill="#555">'
        f"{busy / total:.0%} busy</text>",
    ]
    for span in spans:
        x, width = LEFT + span.start * scale, max((span.end - span.start) * scale, 0.6)
        label = f"{span.name}: cycles {span.start} to {span.end - 1}"
        parts.append(
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" '
            f'fill="{COLORS[engine]}"><title>{escape(label)}</title></rect>'
        )
        short = span.name.rsplit(".", 1)[-1]
        if width > CHARACTER * (len(short) + 1):
            parts.append(
                f'<text x="{x + width / 2:.1f}" y="{y + 22}" text-anchor="middle" '
                f'font-size="12" fill="white">{escape(short)}</text>'
            )
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
            f'<text x="{x:.1f}" y="{y + 16}" text-anchor="middle" font-size="12">{cycle}</text>'
        )
    return parts
