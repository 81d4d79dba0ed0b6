"""What is known of an artifact before anything is computed."""

import dataclasses

import pytest

from gateformer.model.contract.choices import Bits
from gateformer.model.contract.decoder.model import MAX_CTX_LEN
from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.importing.calibration import calibrate
from gateformer.model.importing.choice import Choice
from gateformer.model.importing.config import config_of, matrix_names, positions_of, require_room
from gateformer.model.importing.quantizing import quantize
from tests.support.user_error import message

from .random_source import random_source, random_windows


def test_the_config_is_the_artifact_s():
    """But for the formats, which the weights have a part in."""
    source = random_source(1)
    ranges = calibrate(FloatDecoder(source), random_windows(1, source, 1))
    made = quantize(source, ranges, context=10).config
    before = config_of(source.shape, positions_of(source.shape, 10), Choice().bits)
    assert dataclasses.replace(before, formats=made.formats) == made
    assert sorted(matrix_names(source.shape)) == sorted(made.all_matrix_names())


def test_positions_are_the_model_s_or_fewer():
    shape = random_source(1).shape
    assert positions_of(shape) == shape.ctx_len and positions_of(shape, 3) == 3
    told = f"the context must be 1 to {shape.ctx_len} tokens, the model's, not "
    for asked in (0, shape.ctx_len + 1):
        assert message(positions_of, shape, asked) == f"{told}{asked}"


def test_a_model_may_have_more_positions_than_an_artifact():
    shape = dataclasses.replace(random_source(1).shape, ctx_len=2 * MAX_CTX_LEN)
    assert message(positions_of, shape) == (
        "the context must be at most 65536 tokens, not 131072; give a smaller --context"
    )
    assert positions_of(shape, MAX_CTX_LEN) == MAX_CTX_LEN


def test_what_the_contract_has_no_model_of():
    shape = dataclasses.replace(random_source(1).shape, d_model=128)
    assert message(config_of, shape, 8, Bits(residual=28)) == (
        "a residual of 28 bits is too wide for d_model 128"
    )


@pytest.mark.parametrize(
    ("context", "prefix", "begins", "measured", "told"),
    [
        (3, (1, 2), False, True, None),
        (3, (1, 2), True, False, None),
        (2, (1, 2), False, False, "--prefix has 2 tokens, which leave no room for a text in a "
         "context of 2; give fewer, or a longer --context"),
        (3, (1, 2), True, True, "a context of 3 is too short to measure; give a longer --context, "
         "or add --no-measure"),
    ],
)  # fmt: skip
def test_the_room_for_a_text(context, prefix, begins, measured, told):
    if told is None:
        require_room(context, prefix, begins, measured)
    else:
        assert message(require_room, context, prefix, begins, measured) == told
