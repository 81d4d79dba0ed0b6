"""The torch models: the trained forward is the integer contract, bit for bit."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gateformer.model.contract import arith
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.floating import straight_through
from gateformer.model.floating.torch_model import FloatModel, SquaredReLUModel
from gateformer.model.floating.twin import FloatModel as NumpyFloatModel
from gateformer.model.support.errors import UserError
from gateformer.model.training.qat_model import QATModel, QuantizationChoices
from gateformer.model.training.torch_integer import IntegerForward

torch.set_num_threads(1)

CONFIGS = {
    "one of each": ModelConfig(1, 1, 1, 1, 1, 1),
    "ternary": ModelConfig(17, 24, 3, 2, 40, 16),
    "odd widths": ModelConfig(13, 21, 7, 1, 35, 11),
    "one head": ModelConfig(64, 16, 1, 3, 64, 24),
    "head per channel": ModelConfig(5, 6, 6, 1, 9, 7),
    "two digits": ModelConfig(17, 24, 2, 1, 33, 16, digits=2),
    "three digits": ModelConfig(17, 20, 4, 1, 33, 9, digits=3),
    "four digits": ModelConfig(17, 32, 2, 1, 48, 9, digits=4),
    "five digits": ModelConfig(17, 32, 2, 2, 130, 9, digits=5),
    "mixed digits": ModelConfig(
        17, 24, 2, 2, 40, 8, digits={"down_proj": 2, "layers.1.up_proj": 5, "q_proj": 3}
    ),
}
RANDOM_MODELS = [
    "random:seed=1",
    "random:seed=2,d_model=36,n_heads=3,d_ff=50,n_layers=3,ctx_len=17,vocab_size=11,digits=5",
    "random:seed=3,d_model=20,n_heads=4,digits=3,digits.up_proj=2,ctx_len=40",
]


def qat_model(config: ModelConfig, seed: int = 0, **options) -> tuple[QATModel, torch.Tensor]:
    """A quantized model whose parameters are off their start, and token windows."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, config.vocab_size, (3, config.ctx_len), generator=generator)
    model = QATModel(config, FloatModel(config, generator), tokens, **options)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.mul_(1 + 0.1 * noise)
    return model, tokens


def test_choices_of_the_quantization():
    config, generator = random_model(RANDOM_MODELS[0]).config, torch.Generator().manual_seed(3)
    twin = FloatModel(config, generator)
    tokens = torch.randint(0, config.vocab_size, (3, config.ctx_len), generator=generator)
    usual = QATModel(config, twin, tokens)
    assert all(parameter.requires_grad for parameter in usual.parameters())
    coarse = QATModel(config, twin, tokens, QuantizationChoices(step_per_row=False))
    for name, matrix in coarse.matrices.items():
        assert matrix.log_step.shape == (1,)
        assert usual.matrices[name].log_step.shape == (len(matrix.weight),)
    fixed = QATModel(config, twin, tokens, QuantizationChoices(learned_scales=False))
    trained = {name for name, parameter in fixed.named_parameters() if parameter.requires_grad}
    assert trained == {name for name, _ in fixed.named_parameters() if "log_" not in name}
    clipped = QATModel(config, twin, tokens, QuantizationChoices(activation_quantile=0.5))
    for name, unit in clipped.scales.activations.items():
        if name != "residual":
            assert unit < usual.scales.activations[name]
    with pytest.raises(UserError) as caught:
        QuantizationChoices(activation_quantile=1.5)
    assert str(caught.value) == "activation quantile must be above 0 and at most 1, not 1.5"


@pytest.mark.parametrize("spec", RANDOM_MODELS)
def test_one_step_per_matrix_gives_the_reference_s_integers_too(spec):
    config = random_model(spec).config
    model, tokens = qat_model(config, choices=QuantizationChoices(step_per_row=False))
    integer_model = model.to_integer_model([""] * config.vocab_size)
    assert_equals_reference(integer_model, model.integer_logits, tokens)


def torch_taps(forward, tokens) -> dict[str, np.ndarray]:
    taps = {}
    forward(tokens, lambda name, value: taps.__setitem__(name, value.detach().numpy().copy()))
    return taps


def assert_equals_reference(integer_model, forward, tokens):
    """Every tap of every position of every window equals the numpy reference."""
    taps = torch_taps(forward, tokens)
    for window in range(len(tokens)):
        for position, seen in enumerate(reference_taps(integer_model, tokens[window])):
            assert set(seen) == set(taps)
            for name, expected in seen.items():
                got = taps[name][window]
                if name.endswith(("scores", "probabilities")):
                    got = got[:, position, : position + 1]
                else:
                    got = got[position]
                assert np.array_equal(got, expected), (name, window, position)


def reference_taps(integer_model, tokens):
    taps = {}
    reference = Reference(integer_model, taps.__setitem__)
    for token in tokens.tolist():
        reference.step(token)
        yield taps


@pytest.mark.parametrize("name", CONFIGS)
def test_trained_forward_is_the_reference(name):
    config = CONFIGS[name]
    model, tokens = qat_model(config)
    model.eval()
    integer_model = model.to_integer_model([""] * config.vocab_size)
    assert_equals_reference(integer_model, model.integer_logits, tokens)


@pytest.mark.parametrize("spec", RANDOM_MODELS)
def test_forward_of_random_integers_is_the_reference(spec):
    model = random_model(spec)
    shape = (2, model.config.ctx_len)
    tokens = np.random.default_rng(0).integers(0, model.config.vocab_size, shape)
    assert_equals_reference(model, IntegerForward.of(model).logits, torch.from_numpy(tokens))


def test_training_forward_is_the_evaluation_forward():
    model, tokens = qat_model(CONFIGS["mixed digits"])
    training = model.train()(tokens)
    assert torch.equal(training, model.eval()(tokens))
    scale = model.to_integer_model([""] * 17).logit_scale
    assert torch.equal(training, model.integer_logits(tokens) * scale)


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "one of each"])
def test_gradients_reach_every_parameter(name):
    model, tokens = qat_model(CONFIGS[name])
    F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.abs().max() > 0, parameter_name


@pytest.mark.parametrize("name", ["ternary", "five digits"])
def test_calibration_leaves_shifts_that_hardware_prefers(name):
    config = CONFIGS[name]
    model = QATModel(config, FloatModel(config), torch.zeros(2, config.ctx_len, dtype=torch.long))
    integer_model = model.to_integer_model([""] * config.vocab_size)
    for matrix in integer_model.matrices.values():
        assert 7 <= matrix.shift <= (16 if matrix.digits == 1 else 20)
        assert matrix.mult.max() <= 201


def test_exact_dtype_follows_the_bound():
    assert straight_through.exact_dtype(2**24) == torch.float32
    assert straight_through.exact_dtype(2**24 + 1) == torch.float64
    with pytest.raises(ValueError, match=r"^bound must be at most 2\*\*53, not 9007199254740993$"):
        straight_through.exact_dtype(2**53 + 1)


@pytest.mark.parametrize("d_model", [1, 7, 64, 384])
@pytest.mark.parametrize("magnitude", [0, 1, 3, 300, arith.RESIDUAL_MAX])
@pytest.mark.parametrize("shift", [0, 9])
def test_rms_norm_is_exact_over_the_whole_range(d_model, magnitude, shift):
    rng = np.random.default_rng(d_model)
    x = rng.integers(-magnitude, magnitude + 1, (50, d_model))
    x[0] = magnitude
    gain = rng.integers(-127, 128, d_model)
    norm = arith.RMSNorm(d_model, shift)
    got = straight_through.rms_norm(torch.tensor(x).float(), torch.tensor(gain).float(), norm)
    assert np.array_equal(got.numpy(), norm(x, gain))


@pytest.mark.parametrize("acc_bound", [8128, 200_000, 4_000_000])
@pytest.mark.parametrize("shift", [0, 1, 9, 20])
def test_requantizer_is_exact_up_to_its_bound(acc_bound, shift):
    acc = np.linspace(-acc_bound, acc_bound, 1001).round().astype(np.int64)[:, None]
    mult = np.array([0, 1, 7, 254, 255])
    requantizer = arith.to_residual(shift)
    got = straight_through.requantize(
        torch.tensor(acc).float().expand(-1, 5), torch.tensor(mult).float(), requantizer, acc_bound
    )
    assert np.array_equal(got.numpy(), requantizer(acc, mult))


def relative_error(got: torch.Tensor, expected: torch.Tensor) -> float:
    return ((got - expected).norm() / expected.norm()).item()


def test_attention_gradient_is_that_of_real_attention():
    generator = torch.Generator().manual_seed(0)
    softmax = arith.Softmax(shift=9)
    inputs = [torch.randn(2, 3, 20, 16, generator=generator).mul(30).round() for _ in range(3)]
    weight = torch.randn(2, 3, 20, 16, generator=generator)
    integer = [x.clone().requires_grad_() for x in inputs]
    out = straight_through.attention(*integer, softmax, lambda *_: None)
    (out * weight).sum().backward()
    real = [x.clone().requires_grad_() for x in inputs]
    scale = math.log(2) / 32 / 2**softmax.shift
    expected = F.scaled_dot_product_attention(*real, is_causal=True, scale=scale)
    (expected * weight).sum().backward()
    assert relative_error(out, expected) < 0.03
    for got, reference in zip(integer, real, strict=True):
        assert relative_error(got.grad, reference.grad) < 0.05


def test_rms_norm_gradient_is_that_of_real_rms_norm():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 32, generator=generator).mul(300).round()
    gain = torch.randint(20, 80, (32,), generator=generator).float()
    weight = torch.randn(40, 32, generator=generator)
    integer = [t.clone().requires_grad_() for t in (x, gain)]
    out = straight_through.rms_norm(*integer, arith.RMSNorm(32, 10))
    (out * weight).sum().backward()
    real = [t.clone().requires_grad_() for t in (x, gain)]
    expected = F.rms_norm(real[0], (32,), real[1]) * 2**8 / 2**10
    (expected * weight).sum().backward()
    for got, reference in zip(integer, real, strict=True):
        assert relative_error(got.grad, reference.grad) < 0.02


def test_saturated_outputs_have_no_gradient():
    acc = torch.tensor([[-400.0, -5.0, 5.0, 400.0]], requires_grad=True)
    mult = torch.ones(4, requires_grad=True)
    straight_through.requantize(acc, mult, arith.to_activation(1), 400).sum().backward()
    assert acc.grad.tolist() == [[0, 0.5, 0.5, 0]]
    assert mult.grad.tolist() == [0, -2.5, 2.5, 0]


def test_float_model_is_its_numpy_twin():
    config = CONFIGS["odd widths"]
    model = FloatModel(config, torch.Generator().manual_seed(1)).double()
    tokens = torch.arange(22).view(2, 11) % config.vocab_size
    twin = NumpyFloatModel(config, model.weights(), np.float64)
    assert np.allclose(twin.logits(tokens.numpy()), model(tokens).detach().numpy(), atol=1e-9)


def test_squared_relu_squares():
    config = CONFIGS["odd widths"]
    plain, squared = (
        kind(config, torch.Generator().manual_seed(1)) for kind in (FloatModel, SquaredReLUModel)
    )
    hidden = torch.randn(3, config.d_model, generator=torch.Generator().manual_seed(2))
    layer = squared.layers[0]
    inside = layer.up_proj(layer.ffn_norm(hidden)).clamp(min=0) ** 2
    captured = []
    layer.down_proj.register_forward_pre_hook(lambda _module, inputs: captured.append(inputs[0]))
    for model in (plain, squared):  # attention adds nothing
        torch.nn.init.zeros_(model.layers[0].o_proj.weight)
    out = layer(hidden[None])
    torch.testing.assert_close(captured[0][0], inside)
    assert not torch.allclose(out, plain.layers[0](hidden[None]))


def test_float_weights_round_trip():
    model = FloatModel(CONFIGS["ternary"], torch.Generator().manual_seed(1))
    again = FloatModel.from_weights(CONFIGS["ternary"], model.weights())
    for name, parameter in again.named_parameters():
        assert torch.equal(parameter, model.get_parameter(name))
