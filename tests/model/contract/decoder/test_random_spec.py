"""Random decoders by text: weight formats of kinds of matrices."""

import pytest

from gateformer.model.contract.decoder.random_spec import decoder_settings, random_spec_model
from tests.support.user_error import message


def model_of(spec: str):
    return random_spec_model(decoder_settings(spec))


def test_a_kind_of_matrices_may_have_a_format_of_its_own():
    matrices = model_of(
        "random:weights=block:4:32:min,weights.down_proj=block:6:16,weights.token_embedding=int8"
    ).matrices
    formats = {name.rpartition(".")[2]: str(matrix.format) for name, matrix in matrices.items()}
    assert formats.pop("down_proj") == "block:6:16"
    assert formats.pop("token_embedding") == "int8"
    assert set(formats.values()) == {"block:4:32:min"}


@pytest.mark.parametrize("name", ["gate_proj", "lm_head"])
def test_a_format_of_a_matrix_that_is_not_there_is_refused(name):
    assert message(model_of, f"random:tied_head=1,weights.{name}=int8") == (
        f"random model setting 'weights.{name}' is of a matrix that the model does not have; leave "
        "it out, or set gated=1 (gate_proj) or tied_head=0 (lm_head)"
    )
