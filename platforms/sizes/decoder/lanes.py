"""Lanes that a search tries for an imported model, and a bound that needs no search."""

from __future__ import annotations

import dataclasses

from gateformer.gateware.decoder.layout import DecoderLayout
from gateformer.gateware.decoder.weights.word_format import WordFormat
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError

from ...boards.board import Board
from ...families.family import Family

DEFAULT_LANES = 64
"""Of the simulation."""
CONTEXT_SHARE = 0.75
"""Of the block memories, for weights if a smaller context is to make a model fit."""
FEWEST_LANES = 4
"""Fewer save next to nothing of a core."""
FEWEST_BITS = 4
"""Of ``gateformer import --bits`` for the weights of layers."""


class TooManyBits(UserError):
    """A model's weights, keys and values are more than a board's block memories hold."""


def lane_sizes(config: ModelConfig, base: HwConfig, fixed: dict) -> list[HwConfig]:
    """Candidates for a model: ``base`` with other lanes, and no ternary engine.

    ``fixed`` may have ``lanes``. Otherwise they are a head in 1, 2, 4, … words and every number
    of whole heads that is built as such: of lanes that lay out the core in the same way there are
    the fewest.
    """
    most = config.n_heads * config.head_dim
    if "lanes" in fixed:
        numbers = {fixed["lanes"]}
    else:
        halves = (-(-config.head_dim >> i) for i in range(config.head_dim.bit_length()))
        heads = range(config.head_dim, most + 1, config.head_dim)
        parts = (lanes for lanes in halves if lanes >= min(FEWEST_LANES, config.head_dim))
        numbers = {*parts, *(DecoderLayout(config, lanes).lanes for lanes in heads)}
    return [dataclasses.replace(base, rows=1, cols=1, lanes=lanes) for lanes in sorted(numbers)]


def simulated(config: ModelConfig, base: HwConfig, fixed: dict) -> HwConfig:
    """Of a simulation, which has room for all: :data:`DEFAULT_LANES`, less what would be idle."""
    built = DecoderLayout(config, DEFAULT_LANES).lanes
    return dataclasses.replace(base, rows=1, cols=1, lanes=fixed.get("lanes", built))


def code_bits(model: DecoderModel) -> int:
    """Bits of all codes of weights, without scales."""
    return sum(matrix.format.bits * matrix.codes.size for matrix in model.matrices.values())


def cache_bits(config: ModelConfig) -> int:
    """Bits of all keys and values."""
    width = config.bits.key + config.bits.value
    return config.n_layers * config.ctx_len * config.cache_width * width


def block_memory_bits(family: Family, blocks: float) -> int:
    """Bits that so many block memories hold at their widest."""
    depth, width = max(family.bram_shapes, key=lambda shape: shape[0] * shape[1])
    return round(blocks / family.bram_piece) * depth * width


def check_memory(model: DecoderModel, board: Board) -> None:
    """Raise TooManyBits if block memories are too few whatever the lanes: numbers alone count.

    Takes no time, however large the model is.
    """
    config = model.config
    ends = ("token_embedding", config.head_name)
    cache, weights, fewer = cache_bits(config), 0.0, 0.0
    for name, matrix in model.matrices.items():
        # a scale for a whole group: as few bits as any number of lanes takes
        form = WordFormat.holding(matrix.format.group or 1, [matrix])
        weights += matrix.codes.size * form.bits_per_weight
        least = form.bits_per_weight if name in ends else min(FEWEST_BITS, form.bits_per_weight)
        fewer += matrix.codes.size * least
    there = block_memory_bits(board.family, board.budget.bram)
    need = weights + cache
    if need <= there:
        return
    remedies = []
    if fewer < weights and fewer + cache <= there:
        remedies.append(f"--bits {FEWEST_BITS}")
    # tables and the sampler take their part of what a context of any size leaves
    if weights < CONTEXT_SHARE * there:
        remedies.append("a smaller --context")
    elif not remedies and fewer < CONTEXT_SHARE * there:
        remedies.append(f"--bits {FEWEST_BITS} and a smaller --context")
    advice = "choose a larger board"
    if remedies:
        advice = f"import it with {' or '.join(remedies)}, or {advice}"
    raise TooManyBits(
        f"the model does not fit {board.label}: its weights take {weights:,.0f} bits, keys and "
        f"values {cache:,}, together {need - there:,.0f} more than its block memories' {there:,}; "
        f"{advice}"
    )
