"""nanoGPT checkpoints, against its own forward in torch."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gateformer.model.floating.checkpoints.opening import open_source
from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.support.errors import UserError

torch.set_num_threads(1)
ARGS = {"n_layer": 2, "n_head": 3, "n_embd": 24, "block_size": 20, "vocab_size": 31}
TOKENS = torch.randint(0, 31, (2, 13), generator=torch.Generator().manual_seed(2))


def state(bias):
    generator, d = torch.Generator().manual_seed(0), ARGS["n_embd"]
    shapes = {"wte": (31, d), "wpe": (20, d), "ln_f": (d,)}
    for i in range(ARGS["n_layer"]):
        shapes |= {f"h.{i}.{name}": (d,) for name in ("ln_1", "ln_2")}
        shapes |= {f"h.{i}.attn.c_attn": (3 * d, d), f"h.{i}.attn.c_proj": (d, d)}
        shapes |= {f"h.{i}.mlp.c_fc": (4 * d, d), f"h.{i}.mlp.c_proj": (d, 4 * d)}
    tensors = {}
    for name, shape in shapes.items():
        tensors[f"transformer.{name}.weight"] = torch.randn(shape, generator=generator) * 0.3
        if bias and name not in ("wte", "wpe"):
            tensors[f"transformer.{name}.bias"] = torch.randn(shape[:1], generator=generator) * 0.3
    return tensors | {"lm_head.weight": tensors["transformer.wte.weight"]}


def write(path, tensors, bias=False, **changes):
    content = {"model": tensors, "model_args": {**ARGS, "bias": bias, "dropout": 0.0}}
    content |= {"iter_num": 5, "best_val_loss": torch.tensor(1.5), "config": {"device": "cpu"}}
    torch.save(content | changes, path)
    return path


def forward(tensors):
    """nanoGPT's GPT.forward."""

    def of(name, kind="weight"):
        return tensors.get(f"transformer.{name}.{kind}")

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], of(name), of(name, "bias"), 1e-5)

    def linear(x, name):
        return F.linear(x, of(name), of(name, "bias"))

    x = of("wte")[TOKENS] + of("wpe")[: TOKENS.shape[1]]
    for i in range(ARGS["n_layer"]):
        parts = linear(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn").split(ARGS["n_embd"], dim=2)
        q, k, v = (part.unflatten(2, (ARGS["n_head"], -1)).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x = x + linear(y, f"h.{i}.attn.c_proj")
        hidden = F.gelu(linear(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc"))
        x = x + linear(hidden, f"h.{i}.mlp.c_proj")
    return norm(x, "ln_f") @ tensors["lm_head.weight"].T


@pytest.mark.parametrize("prefix", ["", "_orig_mod.", "module.", "module._orig_mod."])
@pytest.mark.parametrize("bias", [True, False])
def test_logits_are_those_of_nanogpt(tmp_path, bias, prefix):
    tensors = state(bias)
    path = write(tmp_path / "ckpt.pt", {prefix + n: t for n, t in tensors.items()}, bias)
    source = open_source(path)
    assert (source.name, source.kind, source.family) == ("ckpt", "nanoGPT checkpoint", "GPT-2 type")
    assert source.shape.tied_head and source.shape.norm_bias is bias
    got = FloatDecoder(source).logits(TOKENS.numpy())
    np.testing.assert_allclose(got, forward(tensors).numpy(), rtol=0, atol=1e-4)


def test_own_head(tmp_path):
    tensors = state(True) | {"lm_head.weight": torch.full((31, 24), 0.1)}
    source = open_source(write(tmp_path / "ckpt.pt", tensors, True))
    assert not source.shape.tied_head and math.isclose(
        source.tensors["lm_head"][3, 4], 0.1, rel_tol=1e-6
    )


def test_masks_of_old_versions_are_no_weights(tmp_path):
    tensors = state(False) | {"transformer.h.0.attn.bias": torch.ones(1, 1, 20, 20)}
    open_source(write(tmp_path / "ckpt.pt", tensors))


def message(path):
    with pytest.raises(UserError) as error:
        dict(open_source(path).tensors)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(path), "FILE")


BAD_TENSORS = {
    "missing": (
        {"transformer.h.1.ln_2.weight": None},
        "FILE: tensor h.1.ln_2.weight is missing; expected all tensors of a GPT-2 type model: "
        "get it from its source again",
    ),
    "shape": (
        {"transformer.h.1.mlp.c_fc.weight": torch.zeros(24, 96)},
        "FILE: tensor transformer.h.1.mlp.c_fc.weight must have shape (96, 24), as the model's "
        "settings tell, not (24, 96); get the model from its source again",
    ),
    "bias": (
        {"transformer.h.0.mlp.c_fc.bias": torch.zeros(96)},
        "FILE: tensor transformer.h.0.mlp.c_fc.bias is a bias that the model's settings do not "
        "tell; expected only the tensors of a GPT-2 type model",
    ),
    "unknown": (
        {"transformer.h.0.mlp.c_gate.weight": torch.zeros(96)},
        "FILE: tensor transformer.h.0.mlp.c_gate.weight is not known; expected only the tensors "
        "of a GPT-2 type model",
    ),
    "prefix": (
        {"student.wpe.weight": torch.zeros(96)},
        "FILE: tensor student.wpe.weight has the unknown prefix 'student.'; expected wpe.weight",
    ),
    "integers": (
        {"transformer.wpe.weight": torch.zeros(20, 24, dtype=torch.int32)},
        "FILE: tensor transformer.wpe.weight must hold float32, float16, bfloat16, not int32; "
        "save the model in one of them",
    ),
    "not finite": (
        {"transformer.ln_f.weight": torch.full((24,), math.nan)},
        "FILE: tensor transformer.ln_f.weight holds numbers that are not finite; "
        "get the model from its source again",
    ),
    "no tensor": ({"transformer.x": 5}, "FILE: transformer.x must be a tensor, not int"),
}


@pytest.mark.parametrize("name", BAD_TENSORS)
def test_bad_tensors(tmp_path, name):
    changes, expected = BAD_TENSORS[name]
    tensors = {n: t for n, t in {**state(False), **changes}.items() if t is not None}
    assert message(write(tmp_path / "ckpt.pt", tensors)) == expected


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"n_embd": 25}, "n_head must be a divisor of n_embd 25, not 3"),
        ({"n_layer": 2.5}, "n_layer must be an integer of at least 1, not 2.5"),
        ({"bias": 3}, "bias must be true or false, not 3"),
    ],
)
def test_bad_settings(tmp_path, args, expected):
    path = write(tmp_path / "ckpt.pt", state(False), model_args={**ARGS, "bias": False, **args})
    assert message(path) == f"FILE: model_args.{expected}"


def test_what_is_no_checkpoint(tmp_path):
    path = tmp_path / "ckpt.pt"
    torch.save({"weights": torch.zeros(3)}, path)
    assert message(path) == (
        "FILE has no model and model_args; expected a checkpoint that nanoGPT's train.py wrote"
    )
    write(path, state(False))
    path.write_bytes(path.read_bytes()[:3000])
    assert message(path) == (
        "FILE is no checkpoint of torch, or it is truncated; get it from its source again"
    )
    torch.save({"model": {}, "model_args": ARGS, "extra": message}, path)
    assert message(path) == (
        "FILE holds more than tensors and settings, and is not read for safety; "
        "expected a checkpoint that nanoGPT's train.py wrote"
    )
