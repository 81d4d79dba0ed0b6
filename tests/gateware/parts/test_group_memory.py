"""Memory of wide words: banks, and every write seen by the reads after it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateformer.gateware.parts.group_memory import GroupMemory
from gateformer.gateware.parts.memory_banks import BANK_UNIT, bank_depths
from tests.support.component_simulation import simulate

GROUPS, WIDTH = 3, 5


@given(st.integers(1, 40_000))
def test_banks_hold_all_words_in_as_many_blocks_as_one(depth):
    banks = bank_depths(depth)
    assert sum(banks) == depth
    blocks = [-(-bank // BANK_UNIT) for bank in banks]
    assert sum(blocks) == -(-depth // BANK_UNIT)
    assert all(number.bit_count() == 1 for number in blocks)
    assert blocks == sorted(set(blocks), reverse=True)


@pytest.mark.parametrize("style", ["block", "distributed"])
@pytest.mark.parametrize("depth", [1, 2, 511, 512, 513, 1024, 1027, 1536, 3200])
def test_words_are_those_written(depth, style):
    rng = random.Random(depth)
    words = [rng.getrandbits(GROUPS * WIDTH) for _ in range(depth)]
    memory = GroupMemory(
        groups=GROUPS, group_width=WIDTH, initial_words=list(words), ram_style=style
    )
    latency = {"block": 2, "distributed": 1}[style]
    edges = [a for bank in range(0, depth, 512) for a in (bank - 1, bank) if a >= 0] + [depth - 1]

    async def bench(ctx):
        expected = []
        for _ in range(600):
            address = rng.choice(edges) if rng.random() < 0.5 else rng.randrange(depth)
            ctx.set(memory.address, address)
            expected.append(words[address])
            target = rng.choice([a for a in {*edges, rng.randrange(depth)} if a != address] or [-1])
            write = {"valid": 0, "address": max(target, 0), "group": rng.randrange(GROUPS)}
            write["data"] = rng.getrandbits(WIDTH)
            if target >= 0 and rng.random() < 0.5:
                write["valid"], shift = 1, WIDTH * write["group"]
                words[target] &= ~(2**WIDTH - 1 << shift)
                words[target] |= write["data"] << shift
            ctx.set(memory.write, write)
            await ctx.tick()
            if len(expected) >= latency:
                assert ctx.get(memory.word) == expected[-latency]

    simulate(memory, bench)
