"""The timeline of a decoder core: all of its beats, each where it is issued."""

import collections
import itertools

import pytest

from gateformer.gateware.decoder.instruction import Source
from gateformer.gateware.decoder.timeline import ENGINES
from gateformer.gateware.host.any_core import compile_model
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.decoder.random_decoder import random_decoder

SHAPE = {
    **{"vocab_size": 9, "d_model": 10, "n_heads": 4, "n_kv_heads": 2, "head_dim": 4, "d_ff": 7},
    **{"n_layers": 2, "ctx_len": 6},
}
CHOICES = [
    {"positions": "rotary", "activation": "silu", "gated": True},
    {"norm": "layer", "norm_bias": True, "activation": "gelu", "tied_head": False},
]


@pytest.fixture(scope="module", params=CHOICES, ids=["llama", "gpt2"])
def program(request):
    model = random_decoder(3, **SHAPE, **request.param)
    return compile_model(model, HwConfig(rows=1, cols=1, lanes=4))


@pytest.mark.parametrize("position", [0, 3, 5])
def test_every_beat_is_shown_once(program, position):
    spans, total = program.timeline(position), program.cycles(position)
    by_engine = collections.defaultdict(list)
    for span in spans:
        assert 0 <= span.start < span.end <= total and 0 < span.share <= 1
        by_engine[span.engine].append(span)
    assert list(by_engine) == [name for name in ENGINES if name in by_engine]
    for engine, of in by_engine.items():
        for before, after in itertools.pairwise(of):
            assert before.end <= after.start, engine
    beats = collections.Counter()
    for item in program.instructions:
        beats[item.source] += item.beats(position)
    multiplied = sum(beats[kind] for kind in (Source.MATRIX, Source.SCORE, Source.WEIGH))
    assert sum(span.end - span.start for span in by_engine["lanes"]) == multiplied
    results = sum(
        item.outer_count(position)
        for item in program.instructions
        if item.source not in (Source.SCORE, Source.WEIGH)
    )
    shared = sum((span.end - span.start) * span.share for span in by_engine["requantizer"])
    assert shared == pytest.approx(results)
    assert spans[-1].name == "sample" and spans[-1].end == total


def test_parts_that_a_model_lacks_are_not_shown(program):
    rotary = program.model.config.positions == "rotary"
    assert any(span.engine == "rotation" for span in program.timeline(2)) == rotary


def test_a_longer_context_lengthens_attention_alone(program):
    def lengths(position):
        found = collections.Counter()
        for span in program.timeline(position):
            if span.engine == "lanes":
                found[span.name.rsplit(".", 1)[-1]] += span.end - span.start
        return found

    grown = lengths(4) - lengths(1)
    assert set(grown) == {"scores", "probabilities"}
    assert sum(grown.values()) == program.cycles(4) - program.cycles(1)
