"""The float twin in numpy against torch and against its own causality."""

import numpy as np
import pytest

from gateformer.model.contract.config import ModelConfig
from gateformer.model.floating.twin import FloatModel, weight_shapes
from gateformer.model.support.errors import UserError

CONFIG = ModelConfig(vocab_size=13, d_model=12, n_heads=3, n_layers=2, d_ff=20, ctx_len=9)


@pytest.fixture
def weights():
    rng = np.random.default_rng(1)
    return {name: rng.normal(0, 0.5, shape) for name, shape in weight_shapes(CONFIG).items()}


@pytest.fixture
def tokens():
    return np.random.default_rng(2).integers(CONFIG.vocab_size, size=(4, CONFIG.ctx_len))


def test_equal_to_torch(weights, tokens):
    torch = pytest.importorskip("torch", reason="the test extra installs torch")
    from gateformer.model.floating.torch_model import FloatModel as TorchModel

    twin = TorchModel.from_weights(
        CONFIG, {name: array.astype(np.float32) for name, array in weights.items()}
    )
    with torch.no_grad():
        expected = twin(torch.tensor(tokens)).numpy()
    np.testing.assert_allclose(FloatModel(CONFIG, weights).logits(tokens), expected, atol=2e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(weights, tokens, dtype):
    assert FloatModel(CONFIG, weights, dtype).logits(tokens).dtype == dtype


def test_logit_scale(weights, tokens):
    plain = FloatModel(CONFIG, weights, np.float64).logits(tokens)
    scaled = FloatModel(CONFIG, {**weights, "logit_scale": np.array(3.0)}, np.float64)
    np.testing.assert_allclose(scaled.logits(tokens), 3 * plain)


def test_later_tokens_do_not_matter(weights, tokens):
    model = FloatModel(CONFIG, weights, np.float64)
    changed = tokens.copy()
    changed[:, 5:] = 0
    before, after = model.logits(tokens), model.logits(changed)
    np.testing.assert_allclose(before[:, :5], after[:, :5])
    assert not np.allclose(before[:, 5:], after[:, 5:])


def test_invalid_weights(weights):
    with pytest.raises(UserError) as error:
        FloatModel(CONFIG, {**weights, "final_norm.gain": np.ones(3)})
    assert str(error.value) == "float weight final_norm.gain must have shape (12,), not (3,)"
    del weights["layers.1.up_proj.weight"]
    with pytest.raises(UserError) as error:
        FloatModel(CONFIG, weights)
    assert str(error.value) == "float weight layers.1.up_proj.weight is missing from the model"
