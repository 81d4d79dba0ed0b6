"""The driver with two streams: texts alone, in turns and together are the reference's."""

import itertools

import pytest

from tests.support.imported.small_accelerator import reference_text
from tests.support.imported.small_streamed import simulated_registers
from tests.support.user_error import message

from .two_streams import PROMPTS, TEXTS, opened, status, tokens_of

SAMPLING = (1.3, 0, 4_294_967_294, None)
"""The last seeds; top-k and top-p take the small model's sampler long."""


@pytest.fixture
def accelerator():
    return opened()


def test_info(accelerator):
    info = accelerator.info()
    assert info.streams == 2 and ", streams 2\n" in str(info)


@pytest.mark.parametrize("stream", [0, 1])
def test_each_stream_alone(accelerator, stream):
    for text, given in zip(TEXTS, [(0, 0, 1, None), SAMPLING], strict=False):
        temperature, top_k, seed, top_p = given
        pieces = accelerator.generate(text, 5, temperature, top_k, seed, top_p=top_p, stream=stream)
        assert "".join(pieces) == reference_text(text, 5, *given)


def test_streams_read_in_turns(accelerator):
    runs = [accelerator.generate(PROMPTS[s], 12 + s, stream=s) for s in range(2)]
    found = list(itertools.zip_longest(*runs))
    assert [first for first, _ in found[:12]] == tokens_of(0, 12)
    assert [second for _, second in found] == tokens_of(1, 13)


@pytest.mark.parametrize("stream", [0, 1])
def test_what_nobody_reads_waits_and_holds_up_no_other(stream):
    """Its queue has 16 tokens; its timeout is not spent meanwhile."""
    patient = opened(timeout=3)
    slow = patient.generate(PROMPTS[0], 20, stream=stream)
    first = next(slow)
    for _ in range(2):
        assert list(patient.generate(PROMPTS[1], 9, stream=1 - stream)) == tokens_of(1, 9)
    simulated_registers(2).run(80_000)
    found = status(stream)
    assert found["busy"] and found["output_level"] == 16
    assert [first, *slow] == tokens_of(0, 20)


def test_a_run_that_is_begun_and_closed_leaves_the_other_alone(accelerator):
    long = accelerator.generate(PROMPTS[0], 20)
    found = [next(long)]
    for count in (1, 2, 5):
        other = accelerator.generate(PROMPTS[1], 9, stream=1)
        assert [next(other) for _ in range(count)] == tokens_of(1, count)
        other.close()
        found.append(next(long))
        assert not status(1)["busy"]
    assert found + list(long) == tokens_of(0, 20)


def test_texts_together(accelerator):
    """More of them than streams, of different lengths; a seed for each."""
    found, ended = [""] * len(TEXTS), []
    temperature, top_k, seed, top_p = SAMPLING
    pieces = accelerator.generate_together(
        TEXTS, 4, temperature, top_k, seed, top_p=top_p, ended=ended.append
    )
    for index, piece in pieces:
        assert index not in ended
        found[index] += piece
    assert sorted(ended) == list(range(len(TEXTS)))
    for index, text in enumerate(TEXTS):
        own = (temperature, top_k, (seed + index) % 2**32, top_p)
        assert found[index] == reference_text(text, 4, *own), index


def test_tokens_together_go_on_in_a_new_context(accelerator):
    found = [[], []]
    for index, token in accelerator.generate_together(PROMPTS, 30, refeed=True):
        found[index].append(token)
    # ids have no prefix: all of the context is theirs
    for index, prompt in enumerate(PROMPTS):
        alone = accelerator.generate(prompt, 30, seed=1 + index, refeed=True)
        assert found[index] == list(alone) and len(found[index]) == 30


def test_together_they_share_passes(accelerator):
    list(accelerator.generate(PROMPTS[0], 15))
    alone = accelerator.last_run.cycles
    assert len(list(accelerator.generate_together(PROMPTS[:1] * 2, 15))) == 30
    assert accelerator.last_run.cycles < 1.5 * alone


def test_bench(accelerator):
    alone, together = accelerator.bench(n=12), accelerator.bench_together(n=12)
    assert together.streams == 2 and together.generated_tokens == 11
    assert together.generated_cycles < 1.5 * alone.generated_cycles
    assert 0 < together.stalls < together.cycles
    line = str(together)
    assert line.startswith("2 streams together: 2 prompts of 1 token, ")
    assert line.count("tokens/s") == 2
    assert "of each; it waited for the memory in " in line
    assert "at least 2 generated tokens" in message(accelerator.bench_together, n=1)
