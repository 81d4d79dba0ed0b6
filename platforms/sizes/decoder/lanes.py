"""Lanes that a search tries for an imported model, and a bound that needs no search."""

from __future__ import annotations

import dataclasses

from gateformer.gateware.decoder.images import DecoderImages, code_bits
from gateformer.gateware.decoder.layout import DecoderLayout
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError

from ...boards.board import Board
from ...families.family import Family

DEFAULT_LANES = 64
"""Of the simulation."""
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

    Takes no time, however large the model is. UserError as
    :class:`gateware.decoder.images.DecoderImages`.
    """
    config = model.config
    code_bits = DecoderImages(model, 1).code_bits
    weights, cache = _n_weights(model), cache_bits(config)
    there = block_memory_bits(board.family, board.budget.bram)
    need = weights * code_bits + cache
    if need <= there:
        return
    remedies = []
    ends = ("token_embedding", config.head_name)
    fewer = max(FEWEST_BITS, *(code_bits(model.matrices[name]) for name in ends))
    if fewer < code_bits and weights * fewer + cache <= there:
        remedies.append(f"--bits {FEWEST_BITS}")
    if weights * code_bits < there:
        remedies.append("a smaller --context")
    advice = "choose a larger board"
    if remedies:
        advice = f"import it with {' or '.join(remedies)}, or {advice}"
    raise TooManyBits(
        f"the model does not fit {board.label}: its weights take {weights * code_bits:,} bits "
        f"({code_bits} each), keys and values {cache:,}, together {need - there:,} more than its "
        f"block memories' {there:,}; {advice}"
    )


def _n_weights(model: DecoderModel) -> int:
    """Of all matrices, embedding and head, too."""
    return sum(matrix.codes.size for matrix in model.matrices.values())
