"""Sizes of the hardware and places of elements."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.gateware.plan.layout import Layout
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.trained_shapes import PRESETS
from gateformer.model.support.errors import UserError

REFERENCE = Layout(PRESETS["shakespeare-115k"], HwConfig())


def test_the_reference_model_fills_the_reference_hardware():
    assert (REFERENCE.segments, REFERENCE.word_groups, REFERENCE.lanes) == (2, 8, 64)
    assert (REFERENCE.kv_words, REFERENCE.embed_words, REFERENCE.array_depth) == (1, 1, 768)


def test_twice_the_lanes_put_two_rows_in_a_word():
    """Half as many words of K and V, and of the embedding, which is there twice."""
    layout = Layout(PRESETS["shakespeare-115k"], HwConfig(lanes=128))
    assert (layout.halves, layout.lanes, layout.products, layout.memory_groups) == (2, 64, 128, 16)
    assert (layout.lookup_base, layout.position_base, layout.key_base(0)) == (64, 128, 192)
    assert layout.array_depth == 448


@pytest.mark.parametrize("lanes", [64, 127 // 8 * 8])
def test_fewer_do_not(lanes):
    assert Layout(PRESETS["shakespeare-115k"], HwConfig(lanes=lanes)).halves == 1


def test_streams_have_places_of_their_own():
    one = Layout(PRESETS["shakespeare-115k"], HwConfig(lanes=128))
    three = Layout(PRESETS["shakespeare-115k"], HwConfig(lanes=128, streams=3))
    assert one.array_depth == one.key_base(0) + one.stream_words
    assert three.array_depth == one.array_depth + 2 * one.stream_words
    assert 2**three.chunk_bits >= one.activation_chunks == three.stream_chunks
    assert three.activation_chunks == 3 * 2**three.chunk_bits
    assert three.residual_groups == 3 * 2**three.group_bits >= 3 * one.d_groups


@st.composite
def layouts(draw):
    rows = draw(st.integers(1, 9))
    n_heads, head_dim = draw(st.integers(1, 6)), draw(st.integers(1, 20))
    config = ModelConfig(
        vocab_size=draw(st.integers(1, 50)),
        d_model=n_heads * head_dim,
        n_heads=n_heads,
        n_layers=draw(st.integers(1, 3)),
        d_ff=draw(st.integers(1, 60)),
        ctx_len=draw(st.integers(1, 20)),
    )
    sizes = st.integers(1, 8).map(lambda n: n * rows)
    return Layout(config, HwConfig(rows, draw(sizes), draw(sizes)))


@given(layouts())
def test_every_element_has_a_place_of_its_own(layout):
    places = layout.head_map
    assert len(np.unique(places)) == layout.config.d_model
    assert places.max() < layout.kv_groups * layout.rows


@given(layouts())
def test_a_head_stays_in_its_segment(layout):
    segment_lanes = layout.segment_groups * layout.rows
    heads = layout.head_map.reshape(layout.config.n_heads, -1)
    word, lane = np.divmod(heads, layout.lanes)
    assert (lane // segment_lanes == lane[:, :1] // segment_lanes).all()
    assert (word // layout.head_words == word[:, :1] // layout.head_words).all()


@given(layouts())
def test_groups_of_two_rows_fill_a_word(layout):
    if layout.halves == 2:
        places = {
            layout.value_group(group, second)
            for group in range(layout.word_groups)
            for second in range(2)
        }
        assert places == set(range(layout.memory_groups))


@given(layouts())
def test_no_more_lanes_than_asked_for_and_regions_do_not_overlap(layout):
    assert layout.products <= layout.hw.lanes
    assert (
        layout.lookup_base
        <= layout.position_base
        <= layout.key_base(0)
        <= layout.value_base(0)
        < layout.array_depth
    )


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"rows": 0}, "rows must be an integer from 1 to 512, not 0"),
        ({"rows": 100000}, "rows must be an integer from 1 to 512, not 100000"),
        ({"lanes": 2.5}, "lanes must be an integer from 1 to 8,192, not 2.5"),
        (
            {"rows": 8, "cols": 60},
            "cols must be a multiple of rows (8), not 60; choose 56 or 64",
        ),
        (
            {"rows": 8, "lanes": 3},
            "lanes must be a multiple of rows (8), not 3; choose 8 or 16",
        ),
        ({"packing": "1bit"}, "packing must be one of 2bit, 3in5, not '1bit'"),
        ({"streams": 0}, "streams must be 1 to 8, not 0"),
        ({"streams": 9}, "streams must be 1 to 8, not 9"),
        (
            {"streams": 2, "reload": True},
            "a core that can be loaded with other models takes 1 stream, not 2: leave out --reload "
            "or --streams",
        ),
        ({"cores": 0}, "cores must be 1 to 8, not 0"),
        (
            {"cores": 5, "streams": 2},
            "5 cores with 2 streams each are 10 streams, and 8 are possible; choose fewer cores or "
            "streams",
        ),
    ],
)
def test_bad_sizes_are_named(fields, message):
    with pytest.raises(UserError) as caught:
        HwConfig(**fields)
    assert str(caught.value) == message
