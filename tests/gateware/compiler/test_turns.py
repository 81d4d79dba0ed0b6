"""Several streams' turns: what they take, and that none waits for ever."""

import random

import pytest

from gateformer.gateware.compiler.interleaving import ISSUE_LATENCY, Lane
from gateformer.gateware.compiler.program import Program
from gateformer.gateware.compiler.several_cores import tokens_together, transfers
from gateformer.gateware.compiler.turns import Sequence, Turns
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.random_model import random_model

SPEC = "random:n_layers=2,d_model=12,n_heads=3,d_ff=20,ctx_len=6,vocab_size=9,digits.up_proj=3"
SPECS = [SPEC, SPEC.replace("d_model=12", "d_model=24")]  # an embedding of one read, of several


def program(streams: int) -> Program:
    return Program(random_model(SPEC), HwConfig(2, 6, 4, streams=streams))


@pytest.mark.parametrize(
    "sizes, most",
    [
        ({"streams": 2}, 420.1),
        ({"streams": 3}, 380.5),
        ({"rows": 16, "streams": 3, "cores": 2}, 150.3),
    ],
    ids=["2 streams", "3 streams", "2 cores of 3 streams"],
)
def test_the_shipped_model_of_the_zybo(sizes, most):
    """Cycles per token of all streams together, from the start to the end of their contexts."""
    artifact = open_model("shakespeare-115k")
    program = Program(artifact.model, HwConfig(lanes=128, **sizes))
    found = tokens_together(program)
    assert [len(cycles) for cycles in found] == [artifact.model.config.ctx_len] * program.streams
    assert round((max(map(max, found)) + 1) / sum(map(len, found)), 1) == most


def test_a_prompt_token_of_the_shipped_model_ends_with_the_last_layer_s_v():
    program = Program(open_model("shakespeare-115k").model, HwConfig(8, 64, 128))
    counts = program.cycles_by_position()
    assert (min(counts), sum(counts) / len(counts), max(counts)) == (540, 666, 792)
    assert sum(program.cycles(p, predict=False) for p in range(63)) + counts[63] == 20_415


BAR = 36_954 // 2
"""Half of what a prompt of 64 took before its tokens ended earlier and shared slots."""


@pytest.mark.parametrize("streams, cycles", [(1, 20_417), (2, 13_384), (3, 13_256), (4, 12_655)])
def test_the_first_token_after_a_prompt(streams, cycles):
    """Of the shipped model, from the start on, while the other streams are idle."""
    program = Program(open_model("shakespeare-115k").model, HwConfig(8, 64, 128, streams=streams))
    assert transfers(program, {0: Sequence(0, 64, 1)}) == {0: [cycles]}
    assert streams == 1 or cycles <= BAR


def test_a_slot_is_its_stream_s_as_soon_as_a_lent_token_has_ended():
    """Whoever begins while its slot is lent waits for a token at most, which two more delay, and
    its own; without slots of others the tokens of a prompt follow each other."""
    compiled, longest = program(3), 0
    alone = Turns(compiled).run({1: Sequence(0, 1, 1)})[1][0]
    for start in range(0, 1500, 50):
        found = Turns(compiled).run({0: Sequence(0, 6, 1), 1: Sequence(start, 1, 1)})
        longest = max(longest, found[1][0] - start)
    assert alone < longest < 4 * alone
    lent = Turns(compiled).run({0: Sequence(0, 6, 1)})[0][0]
    others = {1: Sequence(0, 1, 6), 2: Sequence(0, 1, 6)}
    assert lent < 0.75 * Turns(compiled).run({0: Sequence(0, 6, 1), **others})[0][0]


def test_queries_of_a_prompt_are_in_order():
    compiled = program(4)
    turns, queries = Turns(compiled), []
    give = turns._give

    def noted(slot, now):
        if compiled.interleaving.requests[slot.token.place].queries:
            queries.append((slot.token.place, slot.token.position, slot.number))
        give(slot, now)

    turns._give = noted
    turns.run({2: Sequence(0, 6, 1)})
    *layers, _ = sorted({place for place, *_ in queries})
    for layer in layers:
        assert [position for place, position, _ in queries if place == layer] == list(range(6))
    assert {slot for *_, slot in queries} == set(range(4))
    assert queries[-1][1:] == (5, 2)  # the last one in its stream's own


def test_one_stream_has_the_program_that_it_had():
    assert program(1).interleaving is None
    assert program(2).interleaving is not None


@pytest.mark.parametrize("spec", SPECS)
def test_squares_have_a_lock_where_an_embedding_has_several_reads(spec):
    compiled = Program(random_model(spec), HwConfig(2, 6, 12, streams=2))
    several = compiled.layout.embed_words > 1
    assert several == (spec != SPEC)
    assert ("squares" in compiled.interleaving.locks) == several


@pytest.mark.parametrize("streams", [2, 3, 8])
def test_every_stream_comes_to_its_end(streams):
    """No mix of locks leaves streams that wait for each other."""
    compiled, rng = program(streams), random.Random(streams)
    for _ in range(24 // streams):
        sequences = {}
        for stream in range(streams):
            sampled = rng.random() < 0.5
            sequences[stream] = Sequence(
                start=rng.randrange(2000),
                prompt=rng.randint(1, 6),
                count=rng.randint(1, 9),
                sampled=sampled,
                top_k=sampled and rng.random() < 0.5,
            )
        for stream, tokens in Turns(compiled).run(sequences).items():
            asked = sequences[stream]
            assert len(tokens) == min(asked.count, 6 - asked.prompt + 1)
            assert tokens == sorted(tokens)


def test_a_lane_has_one_instruction_s_beats_at_a_time():
    compiled = program(3)
    turns, given = Turns(compiled), []
    give = turns._give

    def noted(slot, now):
        given.append((now, slot.token.place, slot.token.position))
        give(slot, now)

    turns._give = noted
    turns.run({stream: Sequence(17 * stream, 1, 6) for stream in range(3)})
    for lane in Lane:
        end = 0
        for now, place, position in given:
            if compiled.interleaving.requests[place].lane is lane:
                assert now + ISSUE_LATENCY >= end
                end = now + ISSUE_LATENCY + compiled.instructions[place].beats(position)


def test_a_stream_is_never_earlier_than_alone():
    compiled = program(2)
    alone = Turns(compiled).run({0: Sequence(0, 2, 5)})[0]
    together = Turns(compiled).run({0: Sequence(0, 2, 5), 1: Sequence(3, 1, 6)})[0]
    assert all(a <= b for a, b in zip(alone, together, strict=True))
