"""Pruning: exact fractions that training keeps, and smaller models that compute the same."""

import itertools

import pytest
import torch

from gateformer.model.compression import magnitude_pruning, structured_pruning
from gateformer.model.compression.magnitude_pruning import (
    bake,
    mask,
    prune_to,
    round_fractions,
)
from gateformer.model.compression.structured_pruning import importance, remove
from gateformer.model.contract.config import ModelConfig
from gateformer.model.floating.shape import FloatShape
from gateformer.model.floating.structure import layout_of
from gateformer.model.support.errors import UserError
from gateformer.model.training.loop import cross_entropy
from tests.support.float_bench import LAYOUTS, model_of, windows


def sparsity(model, matrices: list[str]) -> float:
    """Fraction of zeros in the matrices."""
    weights = torch.cat([model.get_submodule(name).weight.flatten() for name in matrices])
    return float((weights == 0).double().mean())


@pytest.mark.parametrize("name", ["relu", "gpt2"])
@pytest.mark.parametrize("fraction", [0, 0.3, 0.5, 1])
def test_the_smallest_weights_of_all_matrices_become_zero(name, fraction):
    model, layout = model_of(name)
    flat = torch.cat([model.get_submodule(key).weight.flatten() for key in layout.matrices])
    prune_to(model, layout.matrices, fraction, "global")
    kept = torch.cat([mask(model.get_submodule(key)).flatten() for key in layout.matrices]) == 1
    assert (~kept).sum() == round(fraction * len(flat))
    if 0 < fraction < 1:
        assert flat.abs()[~kept].max() <= flat.abs()[kept].min()
    bake(model, layout.matrices)
    assert sparsity(model, layout.matrices) == pytest.approx(fraction, abs=1e-3)


def test_each_matrix_has_the_fraction_by_layer():
    model, layout = model_of("relu")
    prune_to(model, layout.matrices, 0.5, "layer")
    for name in layout.matrices:
        assert (mask(model.get_submodule(name)) == 0).float().mean() == 0.5


def test_training_and_later_rounds_keep_the_zeros():
    model, layout = model_of("relu")
    prune_to(model, layout.matrices, 0.25, "global")
    first = {name: mask(model.get_submodule(name)).clone() for name in layout.matrices}
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        cross_entropy(model)(*windows()).backward()
        optimizer.step()
    prune_to(model, layout.matrices, 0.5, "global")
    bake(model, layout.matrices)
    assert sparsity(model, layout.matrices) == pytest.approx(0.5, abs=1e-3)
    for name, kept in first.items():
        weight = model.get_submodule(name).weight
        assert (weight[kept == 0] == 0).all()
        assert "weight_mask" not in dict(model.named_buffers())


def test_rounds_end_at_the_fraction_and_take_equal_shares():
    fractions = round_fractions(0.5, 3)
    left = [1.0, *(1 - fraction for fraction in fractions)]
    assert fractions[-1] == pytest.approx(0.5)
    assert [b / a for a, b in itertools.pairwise(left)] == pytest.approx([0.5 ** (1 / 3)] * 3)
    assert round_fractions(0.5, 1) == [0.5]


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("heads, units", [(1, 0), (0, 5), (1, 27)])
def test_the_smaller_model_computes_what_the_large_one_does_without_them(name, heads, units):
    model, layout = model_of(name)
    shape = layout.shape
    by_head, by_unit = importance(model, layout, windows())
    small, small_layout = remove(model, layout, windows(), heads, units)
    assert small_layout.shape == FloatShape(
        **{**vars(shape), "n_heads": shape.n_heads - heads, "d_ff": shape.d_ff - units}
    )
    with torch.no_grad():
        for values, removed, width, readers in (
            (by_head, heads, shape.head_dim, layout.head_readers()),
            (by_unit, units, 1, layout.unit_readers()),
        ):
            for importances, reader in zip(values, readers, strict=True):
                gone = importances.argsort()[:removed].repeat_interleave(width) * width
                gone += torch.arange(width).repeat(removed)
                model.get_submodule(reader).weight[:, gone] = 0
        inputs, _ = windows(seed=5)
        torch.testing.assert_close(small(inputs), model(inputs))
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in model.parameters())


def test_what_is_never_read_has_no_importance_and_goes_first():
    model, layout = model_of("gpt2")
    with torch.no_grad():
        model.layers[0].o_proj.weight[:, 8:16] = 0
        model.layers[1].down_proj.weight[:, [3, 30]] = 0
    heads, units = importance(model, layout, windows())
    assert heads[0][1] == 0 and (heads[0][[0, 2]] > 0).all()
    assert (units[1] == 0).nonzero().flatten().tolist() == [3, 30]
    inputs, _ = windows()
    with torch.no_grad():
        model.layers[1].o_proj.weight[:, :8] = 0
        model.layers[0].down_proj.weight[:, [0, 1]] = 0
        expected = model(inputs)
    small, _ = remove(model, layout, windows(), 1, 2)
    torch.testing.assert_close(small(inputs), expected)


def test_which_results_the_gateware_can_run():
    assert LAYOUTS["relu"].smaller(3, 20).gateware_config() == ModelConfig(128, 24, 3, 2, 20, 16)
    with pytest.raises(UserError) as error:
        LAYOUTS["relu"].smaller(2, 32).gateware_config()
    assert str(error.value) == (
        "the gateware needs heads of d_model together, but 2 heads of 8 make 16 and d_model is 24; "
        "remove FFN units instead of heads"
    )
    with pytest.raises(UserError) as error:
        LAYOUTS["gpt2"].gateware_config()
    assert str(error.value) == ("the gateware has RMSNorm and ReLU without biases, this is GPT-2")


@pytest.mark.parametrize(
    "heads, units, message",
    [
        (
            3, 0,
            "cannot remove 3 of 3 heads of each layer: the last head must stay; remove at most 2",
        ),
        (
            0, 32,
            "cannot remove 32 of 32 FFN units of each layer: the last FFN unit must stay; "
            "remove at most 31",
        ),
        (-1, 0, "heads to remove must be at least 0, not -1"),
        (0, -2, "FFN units to remove must be at least 0, not -2"),
        (0, 0, "nothing to remove; give --heads or --units"),
    ],
)  # fmt: skip
def test_bad_removal(heads, units, message):
    with pytest.raises(UserError) as error:
        structured_pruning.check_settings(LAYOUTS["relu"], heads, units)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "settings, message",
    [
        ((1.5, "global", 1), "pruning fraction must be between 0 and 1, not 1.5"),
        ((-0.1, "global", 1), "pruning fraction must be between 0 and 1, not -0.1"),
        ((0.5, "row", 1), "scope must be one of global, layer, not 'row'"),
        ((0.5, "layer", 0), "rounds must be at least 1, not 0"),
    ],
)
def test_bad_fraction(settings, message):
    with pytest.raises(UserError) as error:
        magnitude_pruning.check_settings(*settings)
    assert str(error.value) == message


def test_unknown_module_is_named():
    model, _ = model_of("gpt2")
    model.layers[1].down_proj = torch.nn.Conv1d(3, 3, 1)
    with pytest.raises(UserError) as error:
        layout_of(model)
    assert str(error.value) == (
        "module layers.1.down_proj is a Conv1d, which cannot be compressed; "
        "expected Linear, LayerNorm, RMSNorm"
    )


def test_unknown_model_is_named():
    with pytest.raises(UserError) as error:
        layout_of(torch.nn.Sequential(torch.nn.Linear(2, 2)))
    assert str(error.value) == (
        "a Sequential cannot be compressed; expected one of SquaredReLUModel, FloatModel, GPT2"
    )


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_of_a_model_is_its_own(name):
    model, layout = model_of(name)
    assert layout_of(model).facts() == layout.facts()
