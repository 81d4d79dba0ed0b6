"""Which stages of an imported model were limited on a text, in a line for each kind of stage."""

from __future__ import annotations

from collections.abc import Mapping

HARMFUL = 1e-2
"""Share of a stage's values from which on limits cost quality; below, perplexity tells whether."""


def saturation_lines(saturated: Mapping[str, float]) -> list[str]:
    """Lines about the ``saturated`` stages (``layers.7.v``, ``final_norm``) with their shares."""
    kinds: dict[str, dict[str, float]] = {}
    for stage, share in saturated.items():
        kinds.setdefault(stage.rpartition(".")[2], {})[stage] = share
    return [_line(kind, stages) for kind, stages in kinds.items()]


def _line(kind: str, stages: Mapping[str, float]) -> str:
    stage, share = max(stages.items(), key=lambda item: item[1])
    if len(stages) == 1:
        line = f"{stage} saturates: {share:.3%} of its values"
    else:
        place = stage.removesuffix(f".{kind}")
        line = f"{kind} saturates in {len(stages)} layers, most in {place}: {share:.3%}"
    if share >= HARMFUL:
        return f"{line}; calibrate on a text more like this"
    return f"{line}; so few need nothing done if the perplexity is near the float model's"
