"""Lanes that are searched for an imported model, and the bound before any search."""

from __future__ import annotations

import dataclasses

import pytest

from gateformer.gateware.decoder.layout import DecoderLayout
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.sizes.decoder.lanes import (
    TooManyBits,
    block_memory_bits,
    check_memory,
    lane_sizes,
)

from .shapes import GPT2, LLAMA, SHAPES

ZYBO = board("zybo")
LARGE = "random:positions=rotary,activation=silu,gated=1,vocab_size=512,d_model=128,n_heads=4,"
LARGE += "n_layers=2,d_ff=256,ctx_len=256"
BASE = HwConfig(tree_levels=1)


def of(spec: str):
    return open_model(spec, imported=True).model


@pytest.mark.parametrize("spec", SHAPES)
def test_every_number_of_whole_heads_that_is_built_is_tried_once_and_nothing_is_idle(spec):
    config = of(spec).config
    found = lane_sizes(config, BASE, {})
    lanes = [hw.lanes for hw in found]
    assert lanes == sorted(set(lanes))
    assert all(hw == dataclasses.replace(BASE, rows=1, cols=1, lanes=hw.lanes) for hw in found)
    assert all(DecoderLayout(config, n).lanes == n for n in lanes)
    most = 2 * config.n_heads * config.head_dim
    whole = {DecoderLayout(config, n).lanes for n in range(config.head_dim, most)}
    assert {n for n in lanes if n >= config.head_dim} == whole
    if config.head_dim >= 8:
        assert max(n for n in lanes if n < config.head_dim) == -(-config.head_dim // 2)
    assert min(config.head_dim, 4) <= min(lanes) < 8


def test_given_lanes_stay():
    assert [hw.lanes for hw in lane_sizes(of(LLAMA).config, BASE, {"lanes": 5})] == [5]


def test_a_block_memory_of_the_7_series_holds_36_kb():
    assert block_memory_bits(ZYBO.family, 60) == 60 * 36 * 1024
    assert block_memory_bits(board("ulx3s").family, 56) == 56 * 18 * 1024


def _with_blocks(bram: int):
    return dataclasses.replace(ZYBO, budget=dataclasses.replace(ZYBO.budget, bram=bram))


def _bits(model) -> tuple[int, int]:
    """Of weights at 8 bits, and of all positions' keys and values, counted here."""
    cfg = model.config
    weights = sum(
        8 * rows * columns for rows, columns in (m.shape for m in model.matrices.values())
    )
    per_position = cfg.n_kv_heads * cfg.head_dim * (cfg.bits.key + cfg.bits.value)
    return weights, cfg.n_layers * cfg.ctx_len * per_position


@pytest.mark.parametrize(
    ("blocks", "advice"),
    [
        (96, "import it with --bits 4, or choose a larger board"),
        (60, "choose a larger board"),
    ],
)
def test_numbers_that_block_memories_cannot_hold_are_refused_without_a_search(blocks, advice):
    model = of(LARGE)
    weights, cache = _bits(model)
    there = blocks * 36 * 1024
    with pytest.raises(TooManyBits) as caught:
        check_memory(model, _with_blocks(blocks))
    assert str(caught.value) == (
        f"the model does not fit zybo: its weights take {weights:,} bits, keys and values "
        f"{cache:,}, together {weights + cache - there:,} more than its block memories' {there:,}; "
        f"{advice}"
    )


def test_fewer_bits_are_advised_if_the_core_then_keeps_fewer():
    model = of(f"{LARGE},head=int4")
    with pytest.raises(UserError, match=r"import it with --bits 4, or choose"):
        check_memory(model, _with_blocks(80))
    # the embedding keeps its 8 bits, and pays them alone
    check_memory(of(f"{LARGE},weights=int4"), _with_blocks(86))
    with pytest.raises(UserError, match=r"block memories' [\d,]+; choose a larger"):
        check_memory(of(f"{LARGE},weights=int4"), _with_blocks(20))


@pytest.mark.parametrize("spec", [LLAMA, GPT2])
def test_a_small_model_passes(spec):
    check_memory(of(spec), ZYBO)
