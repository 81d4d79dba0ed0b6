"""Places of queries, keys, values and vectors: complete, apart, and padding left alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateformer.gateware.decoder.layout import DecoderLayout

from .layouts import config, layout

shapes = st.fixed_dictionaries(
    {
        "n_kv_heads": st.integers(1, 6),
        "share": st.integers(1, 5),
        "head_dim": st.integers(1, 20),
        "d_model": st.integers(1, 70),
        "d_ff": st.integers(1, 70),
        "n_layers": st.integers(1, 3),
        "ctx_len": st.integers(1, 4),
        "most_lanes": st.integers(1, 40),
    }
)


def build(share: int, **shape) -> DecoderLayout:
    return layout(**shape, n_heads=share * shape["n_kv_heads"])


@settings(max_examples=150, deadline=None)
@given(shapes)
def test_every_query_head_is_in_one_pass(shape):
    """With the key head that the contract gives it, whose keys its segment's lanes are shown."""
    plan = build(**shape)
    cfg = plan.config
    heads = [head for part in plan.passes for head in part.heads]
    assert sorted(head.index for head in heads) == list(range(cfg.n_heads))
    for part in plan.passes:
        segments = [head.segment for head in part.heads]
        assert len(set(segments)) == len(segments) and max(segments) < plan.segments
        for head in part.heads:
            assert head.kv_head == head.index * cfg.n_kv_heads // cfg.n_heads
            assert head.lane == head.segment * plan.segment_lanes
            # lane i of the lanes sees lane i mod kv_lanes of a key word
            assert plan.key_place(head.kv_head) == (part.kv_word, head.lane % plan.kv_lanes)


@settings(max_examples=150, deadline=None)
@given(shapes)
def test_lanes_and_passes_are_no_more_than_needed(shape):
    plan = build(**shape)
    cfg = plan.config
    assert 1 <= plan.lanes <= plan.most_lanes
    assert plan.lanes == plan.segments * plan.segment_lanes == plan.replicas * plan.kv_lanes
    assert plan.head_words * plan.segment_lanes >= cfg.head_dim
    assert (plan.head_words - 1) * plan.segment_lanes < cfg.head_dim
    assert all(part.heads for part in plan.passes)
    most = -(-cfg.n_kv_heads // plan.kv_segments) * -(-plan.share // plan.replicas)
    assert len(plan.passes) == most


@settings(max_examples=100, deadline=None)
@given(shapes)
def test_queries_do_not_overlap(shape):
    """Nor do the vectors: of two that live at once no number shares a place."""
    plan = build(**shape)
    cfg = plan.config
    places = []
    for part in plan.passes:
        for head in part.heads:
            for channel in range(cfg.head_dim):
                word, lane = divmod(head.lane + channel, plan.lanes)
                assert word < plan.head_words
                places.append((plan.query_base + part.query_word + word, lane))
    assert len(set(places)) == len(places)
    words = {word for word, _ in places}
    assert min(words) == plan.query_base and max(words) < plan.hidden_base
    longest = max(cfg.d_model, cfg.n_heads * cfg.head_dim)
    assert plan.words(longest) == plan.query_base  # norm and attention outputs lie before
    assert plan.hidden_base + plan.words(cfg.d_ff) == plan.activation_words
    assert plan.words(cfg.d_ff) * plan.lanes >= cfg.d_ff


def key_places(plan: DecoderLayout) -> list[tuple[int, int]]:
    """(word, lane) of every number in the key (or value) memory, as the program writes them."""
    cfg = plan.config
    places = []
    for layer in range(cfg.n_layers):
        for position in range(cfg.ctx_len):
            for head in range(cfg.n_kv_heads):
                word, lane = plan.key_place(head)
                for channel in range(cfg.head_dim):
                    words, at = divmod(lane + channel, plan.kv_lanes)
                    base = plan.cache_base(layer) + position * plan.kv_words
                    places.append((base + word + words, at))
    return places


@settings(max_examples=100, deadline=None)
@given(shapes)
def test_keys_do_not_overlap(shape):
    plan = build(**shape)
    places = key_places(plan)
    assert len(set(places)) == len(places)
    words = {word for word, _ in places}
    assert words == set(range(plan.cache_words))  # no word without a number


@settings(max_examples=100, deadline=None)
@given(shapes)
def test_padding_lanes_are_never_written(shape):
    """A head's last word has lanes beyond its numbers: zero keys and queries add nothing."""
    plan = build(**shape)
    cfg = plan.config
    written, per_position = set(key_places(plan)), plan.cache_words // cfg.n_layers // cfg.ctx_len
    assert per_position == plan.kv_words
    padding = plan.head_words * plan.segment_lanes - cfg.head_dim
    if padding:
        assert plan.head_words > 1 and plan.segments == 1
        for head in range(cfg.n_kv_heads):
            last = plan.key_place(head)[0] + plan.head_words - 1
            for lane in range(plan.segment_lanes - padding, plan.segment_lanes):
                assert (last, lane) not in written


@pytest.mark.parametrize(
    ("most_lanes", "expected"),
    [
        # (lanes, segments, head_words, kv_words, passes) of SmolLM2-135M's attention
        (32, (32, 1, 2, 6, 9)),
        (64, (64, 1, 1, 3, 9)),
        (100, (64, 1, 1, 3, 9)),
        (128, (128, 2, 1, 2, 6)),
        (192, (192, 3, 1, 1, 3)),
        (400, (384, 6, 1, 1, 2)),
        (2000, (576, 9, 1, 1, 1)),
    ],
)
def test_a_known_model(most_lanes, expected):
    plan = layout(most_lanes, d_model=576, d_ff=1536, n_heads=9, n_kv_heads=3, head_dim=64)
    found = (plan.lanes, plan.segments, plan.head_words, plan.kv_words, len(plan.passes))
    assert found == expected


@pytest.mark.parametrize(
    ("lanes", "error", "message"),
    [
        (0, ValueError, "most_lanes must be at least 1, not 0"),
        (2.0, TypeError, "most_lanes must be an integer, not 2.0"),
    ],
)
def test_the_number_of_lanes_is_checked(lanes, error, message):
    with pytest.raises(error) as raised:
        DecoderLayout(config(d_model=4, d_ff=4, n_heads=1), lanes)
    assert str(raised.value) == message
