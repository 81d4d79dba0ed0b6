"""Options of ``gateformer train`` that leave version 1's architecture, and the shape they make."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Mapping

from ..contract.config import MAX_SIZE, default_head_dim
from ..contract.trained_shapes import PRESETS as TRAINED_PRESETS
from ..floating.checkpoints.rotary import inverse_frequencies, rounded
from ..floating.decoder_shape import ACTIVATIONS, KINDS, NORMS, POSITIONS, DecoderShape
from ..importing.choice import weight_format
from ..support import cli
from ..support.errors import UserError
from .decoder_recipe import NORM_EPS, PRESETS, ROTARY_BASE

CHOICES = ("norm", "positions", "activation", "gated", "bias", "n_kv_heads", "head_dim")
CHOICES += ("untied_head", "bits")
"""Names of the options, as argparse has them."""
ALL, NONE, NORM = "all", "none", "norm"
"""Of --bias, beside kinds of matrices."""
ONLY_VERSION_1 = (
    *("digits", "steps", "lr", "fixed_lr", "fixed_steps", "init", "temperature", "teacher_weight"),
    *("teacher", "written", "writer", "weights_return", "weight_bits", "step_per_matrix"),
    *("fixed_scales", "activation_quantile"),
)
"""Options of the training in integers; what needs another one is before it."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser of ``gateformer train``."""
    group = parser.add_argument_group(
        "other architectures",
        "Any of these that is not as in the models of the boards (RMSNorm, learned positions, "
        "ReLU, no biases, a tied head) trains a float model and rounds it to an artifact of number "
        "contract version 2, as gateformer import does: for generate, evaluate and export.",
    )
    add = group.add_argument
    add("--norm", metavar="NORM", help=f"{' or '.join(NORMS)} (LayerNorm)")
    add("--positions", metavar="KIND", help=" or ".join(POSITIONS))
    add("--activation", metavar="NAME", help=", ".join(ACTIVATIONS))
    add("--gated", action="store_true", help="the feed-forward layer is activation(gate) * up")
    add(
        "--bias",
        metavar="KINDS",
        help=f"what has biases: {ALL}, {NONE}, or matrices and {NORM}, as 'q_proj,k_proj,{NORM}'",
    )
    size = cli.within(int, 1, MAX_SIZE)
    add(
        "--n-kv-heads", type=size, metavar="N", help="heads of keys and values; they divide n_heads"
    )
    add(
        "--head-dim", type=size, metavar="N", help="channels of a head (default: d_model / n_heads)"
    )
    add("--untied-head", action="store_true", help="the output head is a matrix of its own")
    add("--bits", metavar="B", help="of the weights: 8 to 4, or trits:N (default: 8)")


def decoder_shape(
    preset: str, sizes: Mapping[str, int | None], choices: Mapping[str, object]
) -> tuple[DecoderShape, str] | None:
    """(shape, the option that leaves version 1) of a preset with ``sizes`` and ``choices`` (by
    CHOICES; None or False: not given) instead of its own; None if all are version 1's.

    Another ``d_model`` makes ``d_ff`` four times as wide, unless that is given, too. Raises
    UserError naming what is out of range or does not go together.
    """
    base = _preset_fields(preset)
    sizes = {name: value for name, value in sizes.items() if value is not None}
    if "d_model" in sizes:
        sizes = {"d_ff": 4 * sizes["d_model"], **sizes}
    fields = {**base, **sizes}
    fields["head_dim"] = choices.get("head_dim") or _head_dim(fields, sizes)
    fields["n_kv_heads"] = choices.get("n_kv_heads") or (
        fields["n_heads"] if "n_heads" in sizes else base["n_kv_heads"]
    )
    for name in ("norm", "positions", "activation"):
        fields[name] = choices.get(name) or fields[name]
    fields["gated"] = bool(choices.get("gated")) or fields["gated"]
    fields["tied_head"] = not choices.get("untied_head") and fields["tied_head"]
    if fields["norm"] == "rms":
        fields["norm_bias"] = False
    if choices.get("bias") is not None:
        fields |= _biases(choices["bias"], fields["norm"], fields["gated"])
    reason = _reason(preset, fields, choices)
    if reason is None:
        return None
    if fields["positions"] == "rotary":
        frequencies = inverse_frequencies(ROTARY_BASE, fields["head_dim"])
        fields["inverse_frequencies"] = rounded(frequencies)
    return DecoderShape(**fields), reason


def weights_of(bits: str | None) -> str | None:
    """The weight format of ``--bits``; UserError if it is none that floats can be rounded to."""
    if bits in ("auto", "native"):
        raise UserError(
            f"--bits {bits} is for gateformer import; train with another, then import the artifact "
            "with it: it keeps its float weights"
        )
    return None if bits is None else weight_format(bits, others=())


def refuse_version_1(
    args: argparse.Namespace, default: Callable[[str], object], reason: str
) -> None:
    """UserError naming the first option that is not as its ``default`` and has no effect on a model
    of version 2."""
    for name in ONLY_VERSION_1:
        if getattr(args, name) != default(name):
            flag = f"--{name.replace('_', '-')}"
            raise UserError(
                f"{flag} is for training in integers, which {reason} has none of; leave {flag} "
                "out: its training has --float-steps and --float-lr, its weights --bits"
            )


def _preset_fields(name: str) -> dict:
    if name not in (*PRESETS, *TRAINED_PRESETS):
        known = ", ".join(sorted({*PRESETS, *TRAINED_PRESETS}))
        raise UserError(f"no preset {name!r}; the presets are: {known}")
    shape = PRESETS.get(name) or DecoderShape.of(TRAINED_PRESETS[name], NORM_EPS)
    return {field.name: getattr(shape, field.name) for field in dataclasses.fields(shape)}


def _head_dim(fields: dict, sizes: Mapping[str, int]) -> int:
    d_model, n_heads = fields["d_model"], fields["n_heads"]
    given = {"d_model", "n_heads"} & {*sizes}
    if not given or not 1 <= d_model <= MAX_SIZE or n_heads < 1:  # the shape refuses these
        return fields["head_dim"]
    return default_head_dim(d_model, n_heads)


def _biases(text: str, norm: str, gated: bool) -> dict:
    kinds = {kind for kind in KINDS if gated or kind != "gate_proj"}
    if text in (ALL, NONE):
        return {
            "bias": frozenset(kinds if text == ALL else ()),
            "norm_bias": text == ALL and norm == "layer",
        }
    named = {part.strip() for part in text.split(",")}
    for part in sorted(named - kinds - {NORM}):
        raise UserError(
            f"--bias names {part!r}; expected {ALL}, {NONE}, or some of "
            f"{', '.join(kind for kind in KINDS if kind in kinds)} and {NORM}"
        )
    if NORM in named and norm == "rms":
        raise UserError("--bias norm is for --norm layer: an RMSNorm has none; leave norm out")
    return {"bias": frozenset(named - {NORM}), "norm_bias": NORM in named}


def _reason(preset: str, fields: dict, choices: Mapping) -> str | None:
    """The first option that leaves version 1, as the command line has it."""
    if preset in PRESETS:
        return f"--preset {preset}"
    for name, value in (("norm", "rms"), ("positions", "learned"), ("activation", "relu")):
        if fields[name] != value:
            return f"--{name} {fields[name]}"
    if fields["gated"]:
        return "--gated"
    if fields["bias"]:
        return f"--bias {choices['bias']}"
    if fields["n_kv_heads"] != fields["n_heads"]:
        return f"--n-kv-heads {fields['n_kv_heads']}"
    if fields["head_dim"] * fields["n_heads"] != fields["d_model"]:
        return f"--head-dim {fields['head_dim']}"
    if not fields["tied_head"]:
        return "--untied-head"
    return None if choices.get("bits") is None else f"--bits {choices['bits']}"
