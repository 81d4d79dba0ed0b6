"""What compression needs to know of a model: its matrices, activations, heads and FFN units."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from ..contract.config import ModelConfig
from ..support.errors import UserError
from ..support.file_facts import Facts
from .gpt2 import GPT2, GPT2Config
from .shape import FloatShape
from .torch_model import FUNCTIONS, FloatModel, RMSNorm, SquaredReLUModel

LEAVES: tuple[type[nn.Module], ...] = (nn.Linear, nn.LayerNorm, RMSNorm)
"""Modules without children that a compressible model may have."""


class Compressible:
    """Places in a :class:`model.floating.torch_model.FloatModel`; names are those of its modules
    and parameters.

    Parameters
    ----------
    shape : ModelConfig or FloatShape
    """

    architecture = "relu"
    model_class: type[FloatModel] = FloatModel

    def __init__(self, shape: ModelConfig | FloatShape):
        self.shape = FloatShape.of(shape) if isinstance(shape, ModelConfig) else shape

    @classmethod
    def of(cls, model: nn.Module) -> Compressible:
        """The layout of a model of this architecture."""
        return cls(model.config)

    @classmethod
    def from_facts(cls, facts: Facts) -> Compressible:
        """Inverse of :meth:`facts`; UserError for one that is missing, unknown or of no use."""
        return cls(FloatShape.from_dict(facts.table("shape").content))

    def facts(self) -> dict:
        """JSON-ready: what :meth:`build` needs."""
        return {"architecture": self.architecture, "shape": dataclasses.asdict(self.shape)}

    @property
    def matrices(self) -> list[str]:
        """Names of all weight matrices that are not embeddings."""
        return self.shape.matrix_names()

    @property
    def embeddings(self) -> list[str]:
        """Parameters that are looked up by token (the tied output head, too) and by position."""
        return ["token_embedding", "position_embedding"]

    def weights(self, matrix_bits: int, embedding_bits: int) -> dict[str, int]:
        """Bits of every parameter that is quantized."""
        bits = {f"{name}.weight": matrix_bits for name in self.matrices}
        return bits | dict.fromkeys(self.embeddings, embedding_bits)

    def activations(self) -> dict[str, tuple[str, str]]:
        """What is quantized between matrices: name to (module, "input" or "output")."""
        places = {name: (name, "output") for name in self.shape.norm_names()}
        for i in range(self.shape.n_layers):
            layer = f"layers.{i}."
            for kind in "qkv":
                places[f"{layer}{kind}"] = (f"{layer}{kind}_proj", "output")
            places[f"{layer}attn"] = (f"{layer}o_proj", "input")
            places[f"{layer}ffn_hidden"] = (f"{layer}down_proj", "input")
        return places

    def head_readers(self) -> list[str]:
        """Of each layer the matrix whose input is the outputs of all heads, one after the other."""
        return [f"layers.{i}.o_proj" for i in range(self.shape.n_layers)]

    def unit_readers(self) -> list[str]:
        """Of each layer the matrix whose input is the hidden units of the FFN."""
        return [f"layers.{i}.down_proj" for i in range(self.shape.n_layers)]

    def build(self) -> nn.Module:
        """A model of the shape, its parameters to be loaded."""
        return self.model_class(self.shape)

    def shrink(
        self, weights: dict[str, Tensor], heads: Sequence[Tensor], units: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """The state dict ``weights`` with only the heads and units (indices by layer) kept."""
        kept = dict(weights)
        for i, (head, unit) in enumerate(zip(heads, units, strict=True)):
            layer = f"layers.{i}."
            channels = head_channels(head, self.shape.head_dim)
            for kind in "qkv":
                kept[f"{layer}{kind}_proj.weight"] = weights[f"{layer}{kind}_proj.weight"][channels]
            kept[f"{layer}o_proj.weight"] = weights[f"{layer}o_proj.weight"][:, channels]
            kept[f"{layer}up_proj.weight"] = weights[f"{layer}up_proj.weight"][unit]
            kept[f"{layer}down_proj.weight"] = weights[f"{layer}down_proj.weight"][:, unit]
        return kept

    def smaller(self, n_heads: int, d_ff: int) -> Compressible:
        """The layout with that many heads and units in every layer."""
        return type(self)(dataclasses.replace(self.shape, n_heads=n_heads, d_ff=d_ff))

    def gateware_config(self) -> ModelConfig:
        """The shape for the gateware, ternary; UserError if it cannot run it."""
        return self.shape.to_model_config()


class SquaredReLULayout(Compressible):
    """Places in a :class:`model.floating.torch_model.SquaredReLUModel`: the same."""

    architecture = "squared-relu"
    model_class = SquaredReLUModel

    def gateware_config(self) -> ModelConfig:
        raise UserError("the gateware has ReLU, this model squares it")


class GPT2Layout(Compressible):
    """Places in a :class:`model.floating.gpt2.GPT2`.

    Parameters
    ----------
    shape : ModelConfig or FloatShape
    activation, norm_eps : as in GPT2Config
    """

    architecture = "gpt2"

    def __init__(
        self,
        shape: ModelConfig | FloatShape,
        activation: str = GPT2Config.activation,
        norm_eps: float = GPT2Config.norm_eps,
    ):
        super().__init__(shape)
        self.activation, self.norm_eps = activation, norm_eps

    @classmethod
    def of(cls, model: GPT2) -> GPT2Layout:
        config = model.gpt2_config
        return cls(config.sizes, config.activation, config.norm_eps)

    @classmethod
    def from_facts(cls, facts: Facts) -> GPT2Layout:
        shape = FloatShape.from_dict(facts.table("shape").content)
        activation = facts.text("activation")
        if activation not in FUNCTIONS:
            raise facts.refused("activation", f"one of {', '.join(FUNCTIONS)}", activation)
        return cls(shape, activation, facts.number("norm_eps", positive=True))

    def facts(self) -> dict:
        return super().facts() | {"activation": self.activation, "norm_eps": self.norm_eps}

    def build(self) -> GPT2:
        return GPT2(GPT2Config(self.shape, self.activation, self.norm_eps))

    def shrink(self, weights, heads, units):
        kept = super().shrink(weights, heads, units)
        for i, (head, unit) in enumerate(zip(heads, units, strict=True)):
            channels = head_channels(head, self.shape.head_dim)
            for kind in "qkv":
                name = f"layers.{i}.{kind}_proj.bias"
                kept[name] = weights[name][channels]
            kept[f"layers.{i}.up_proj.bias"] = weights[f"layers.{i}.up_proj.bias"][unit]
        return kept

    def smaller(self, n_heads: int, d_ff: int) -> GPT2Layout:
        shape = dataclasses.replace(self.shape, n_heads=n_heads, d_ff=d_ff)
        return GPT2Layout(shape, self.activation, self.norm_eps)

    def gateware_config(self) -> ModelConfig:
        raise UserError("the gateware has RMSNorm and ReLU without biases, this is GPT-2")


LAYOUTS: dict[type[nn.Module], type[Compressible]] = {
    SquaredReLUModel: SquaredReLULayout,
    FloatModel: Compressible,
    GPT2: GPT2Layout,
}
"""Layouts by the class of the model, derived classes first."""


def layout_from_facts(facts: Facts) -> Compressible:
    """The layout that :meth:`Compressible.facts` describe; UserError if one is not as it should."""
    by_name = {layout.architecture: layout for layout in LAYOUTS.values()}
    architecture = facts.text("architecture")
    if architecture not in by_name:
        raise facts.refused("architecture", f"one of {', '.join(by_name)}", architecture)
    return by_name[architecture].from_facts(facts)


def head_channels(heads: Tensor, head_dim: int) -> Tensor:
    """Channels of the given heads, in order."""
    return (heads[:, None] * head_dim + torch.arange(head_dim)).flatten()


def check_modules(model: nn.Module, leaves: Iterable[type[nn.Module]] = LEAVES):
    """Raise UserError naming the first module that compression does not know."""
    leaves = tuple(leaves)
    for name, module in model.named_modules():
        if not any(module.children()) and not isinstance(module, leaves):
            raise UserError(
                f"module {name or 'at the top'} is a {type(module).__name__}, which cannot be "
                f"compressed; expected {', '.join(leaf.__name__ for leaf in leaves)}"
            )


def layout_of(model: nn.Module) -> Compressible:
    """The layout of a model; UserError naming the first module that compression does not know."""
    check_modules(model)
    for kind, layout in LAYOUTS.items():
        if isinstance(model, kind):
            return layout.of(model)
    known = ", ".join(kind.__name__ for kind in LAYOUTS)
    raise UserError(f"a {type(model).__name__} cannot be compressed; expected one of {known}")
