"""Training: a text becomes an artifact, in two or three phases.

``gateformer train --corpus PATH --out FILE`` trains a float model, then goes on with its
quantized form (:mod:`model.training.qat_model`), whose forward is the integer contract, at the end
perhaps with the weights' integers fixed. The defaults are the recipe of the shipped model. A run
that was interrupted continues where it stopped when it is started again with the same settings.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from ..contract.artifact import SUFFIX
from ..contract.config import MAX_LAYERS, MAX_SIZE, ModelConfig
from ..contract.trained_shapes import PRESETS
from ..floating.choices import MAX_WEIGHT_BITS
from ..support import cli
from ..support.cores import MOST_THREADS
from ..support.directories import made_directory, require_writable
from ..support.errors import UserError
from ..support.inputs import protecting, reading
from ..support.optional import require
from ..text.corpus import CORPUS_HELP, load_corpus
from . import decoder_recipe, shape_options
from .checks import MAX_COUNT, MAX_SEED
from .losses import CURVE

SIZES = {
    "n_layers": "layers",
    "d_model": "width of the residual stream; of another one, d_ff is four times as wide",
    "n_heads": "attention heads; they divide d_model",
    "d_ff": "width of the feed-forward layer",
    "ctx_len": "positions of the context",
    "vocab_size": "token ids, at least as many as the text has characters",
}
"""Options that replace a preset's sizes, and what they are."""
REQUIRED_PACKAGES = {"torch": "training", "matplotlib": "drawing the loss curve"}


def parse_digits(text: str) -> dict[str, int] | int:
    """Digits of ``"2"`` (all matrices) or ``"down_proj=2,layers.0.up_proj=3"``."""
    try:
        if "=" not in text:
            return int(text)
        pairs = [item.split("=") for item in text.split(",")]
        return {name.strip(): int(count) for name, count in pairs}
    except ValueError:
        raise UserError(
            f"digits must be a number or 'matrix=number,…', not {text!r}; "
            "for example --digits down_proj=2"
        ) from None


def preset_config(
    name: str, digits: str | None, sizes: Mapping[str, int | None] = MappingProxyType({})
) -> ModelConfig:
    """The shape of one of PRESETS, with what is given of digits and ``sizes`` instead of its own.

    Another ``d_model`` makes ``d_ff`` four times as wide, unless that is given, too. Raises
    UserError as :class:`.config.ModelConfig`.
    """
    preset = PRESETS[name]
    given = {size: value for size, value in sizes.items() if value is not None}
    if "d_model" in given:
        given = {"d_ff": 4 * given["d_model"], **given}
    own = {size: getattr(preset, size) for size in SIZES}
    of_preset = max(count for _, count in preset.digits)  # one for all, in every preset
    return ModelConfig(
        **{**own, **given}, digits=of_preset if digits is None else parse_digits(digits)
    )


def _parser() -> argparse.ArgumentParser:
    from .recipe import Recipe

    default = Recipe(config=next(iter(PRESETS.values())))
    parser = cli.ArgumentParser(
        prog="gateformer train",
        description="Train a float model, quantize it with further training, write the artifact.",
        epilog="Ctrl-C saves a checkpoint; the same command continues from it.",
    )
    add = parser.add_argument
    count = cli.within(int, 1, MAX_COUNT)
    add("--corpus", metavar="PATH", help=CORPUS_HELP)
    presets = ", ".join((*PRESETS, *shape_options.PRESETS))
    add("--preset", default="shakespeare-115k", metavar="NAME", help=f"one of {presets}")
    for size, what in SIZES.items():
        flag = f"--{size.replace('_', '-')}"
        most = MAX_LAYERS if size == "n_layers" else MAX_SIZE
        number = cli.within(int, 1, most)
        add(flag, type=number, metavar="N", help=f"{what} (default: the preset's)")
    add("--digits", help="ternary digits per weight: N, or 'down_proj=2,…' (default: the preset's)")
    out = f"artifact to write; its loss curve goes beside it ({CURVE})"
    add("--out", metavar="FILE", type=Path, help=out, **cli.REQUIRED)
    steps = f"(default: the preset's, mostly {default.steps})"
    rate = f"(default: the preset's, mostly {default.lr})"
    add("--steps", type=count, help=f"steps of quantized training {steps}")
    add("--lr", type=float, help=f"peak learning rate of quantized training {rate}")
    add(
        "--fixed-steps",
        type=cli.within(int, 0, MAX_COUNT),
        help="steps of training the rest with the weights' integers fixed (default: "
        "the preset's, 1000 of 8000 or 0; of other --steps the same share)",
    )
    add("--fixed-lr", type=float, help=f"peak rate of these (default: {default.fixed_lr})")
    add("--float-steps", type=count, help="steps of float training (default: the preset's)")
    rate = f"peak rate of float training (default: the preset's, mostly {default.float_lr})"
    add("--float-lr", type=float, help=rate)
    add(
        "--batch",
        type=count,
        help=f"windows per step (default: the preset's, mostly {default.batch})",
    )
    seed = cli.within(int, 0, MAX_SEED)
    add("--seed", type=seed, default=default.seed, help="of the first weights and the batches")
    add("--threads", type=cli.within(int, 1, MOST_THREADS), default=1, help="processor threads")
    add("--init", metavar="FILE", help="take the float model of this artifact: no float training")
    add("--teacher", metavar="FILE", help="learn from this float model, too (distillation)")
    temperature, share = default.temperature, default.teacher_weight
    add("--temperature", type=float, help=f"of the distillation (default: {temperature})")
    add("--teacher-weight", type=float, help=f"share of the loss (default: {share})")
    add("--writer", metavar="FILE", help="its own text is half of the quantized training's, too")
    written = f"windows that the writer writes (default: {default.written})"
    add("--written", type=count, help=written)
    add(
        "--average",
        type=float,
        metavar="DECAY",
        help="the result is the mean of all steps' parameters, each weighted DECAY times the one "
        "after it; 0: the last step's (default: the preset's, mostly 0)",
    )
    add(
        "--weights-return",
        action=argparse.BooleanOptionalAction,
        help="weights beyond the limits have a gradient, or none (default: the preset's, "
        "mostly none)",
    )
    add(
        "--weight-bits",
        type=cli.within(int, 2, MAX_WEIGHT_BITS),
        metavar="N",
        help="bits of a weight's levels, fewer than --digits would give (2: -2 to 1)",
    )
    add("--step-per-matrix", action="store_true", help="one weight step per matrix, not per row")
    add("--fixed-scales", action="store_true", help="steps and units stay as calibrated")
    quantile = default.choices.activation_quantile
    add(
        "--activation-quantile",
        type=float,
        default=quantile,
        metavar="SHARE",
        help="of an activation's magnitudes that is not clipped at the start",
    )
    add("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where checkpoints go")
    shape_options.add_options(parser)
    return parser


def require_packages():
    """Raise UserError naming the first package of the train extra that is not installed."""
    require(REQUIRED_PACKAGES, "train")


def resumable(run: Callable[[], object]) -> int | None:
    """Call ``run`` in all processes that torchrun has started; the exit status of an interrupt if
    Ctrl-C has stopped a phase in it."""
    from ..support.processes import joined, processes
    from .loop import Interrupted

    with joined():
        try:
            run()
        except Interrupted as stop:
            if processes().first:
                print(f"{stop}; the same command continues from there", file=sys.stderr)
            return cli.INTERRUPTED_STATUS
    return None


def _refuse_unheeded(args: argparse.Namespace, recipe) -> None:
    """UserError naming the first option that has no effect with these others."""
    for option, needed in (
        ("temperature", "teacher"),
        ("teacher_weight", "teacher"),
        ("written", "writer"),
    ):
        if getattr(args, option) is not None and getattr(args, needed) is None:
            flag = option.replace("_", "-")
            raise UserError(f"--{flag} is for --{needed}; give both, or leave --{flag} out")
    for option in ("float_steps", "float_lr"):
        if getattr(args, option) is not None and args.init is not None:
            flag = option.replace("_", "-")
            raise UserError(
                f"--{flag} is for float training, of which there is none with --init; leave one of "
                "them out"
            )
    if args.fixed_lr is not None and not recipe.fixed_steps:
        raise UserError("--fixed-lr is for --fixed-steps, which are 0; leave one of them out")


@protecting
def main(argv: list[str] | None = None) -> int | None:
    """Entry point; raises UserError. The exit status is that of an interrupt after Ctrl-C."""
    parser = _parser()
    args = parser.parse_args(argv)
    sizes = {size: getattr(args, size) for size in SIZES}
    choices = {name: getattr(args, name) for name in shape_options.CHOICES}
    weights = shape_options.weights_of(args.bits)
    found = shape_options.decoder_shape(args.preset, sizes, choices)
    if found is None:
        recipe = _version_1_recipe(args, sizes)
    else:
        shape, reason = found
        shape_options.refuse_version_1(args, parser.get_default, reason)
        own = ("float_steps", "float_lr", "batch", "seed", "average")
        given = {name: getattr(args, name) for name in own}
        recipe = decoder_recipe.preset_recipe(args.preset, shape, weights=weights, **given)
    reading(**{name: getattr(args, name) for name in ("corpus", "init", "teacher", "writer")})
    if args.out.suffix == CURVE:
        raise UserError(f"--out {args.out} is where the loss curve goes; name it {SUFFIX}")
    require_writable(args.out, SUFFIX)
    require_writable(args.out.with_suffix(CURVE), CURVE)
    require_packages()
    corpus = load_corpus(args.corpus)
    # not above: they import torch, which a refusal need not wait for
    if found is None:
        from .run import train
    else:
        from .decoder_run import train_decoder as train

    with made_directory(args.runs):
        return resumable(lambda: train(recipe, corpus, args.out, args.runs, threads=args.threads))


def _version_1_recipe(args: argparse.Namespace, sizes: Mapping[str, int | None]):
    from .recipe import Recipe, preset_choices, preset_recipe

    made = {"config", "choices"}
    names = [field.name for field in dataclasses.fields(Recipe) if field.name not in made]
    config = preset_config(args.preset, args.digits, sizes)
    choices = dataclasses.replace(
        preset_choices(args.preset),
        step_per_row=not args.step_per_matrix,
        learned_scales=not args.fixed_scales,
        activation_quantile=args.activation_quantile,
        weight_bits=args.weight_bits,
    )
    if args.weights_return is not None:
        choices = dataclasses.replace(choices, weights_return=args.weights_return)
    given = {name: getattr(args, name) for name in names}
    recipe = preset_recipe(args.preset, config, choices=choices, **given)
    _refuse_unheeded(args, recipe)
    return recipe


if __name__ == "__main__":
    cli.run(main, together=True)
