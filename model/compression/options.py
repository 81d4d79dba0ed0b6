"""Options of ``gateformer compress``, and what of them is refused before the work."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..contract.artifact import SUFFIX
from ..floating.choices import MAX_BITS, MIN_BITS, TEACHER_WEIGHT, TEMPERATURE, check_settings
from ..support import cli
from ..support.cores import MOST_THREADS
from ..support.directories import require_writable
from ..support.errors import UserError
from ..support.inputs import reading
from ..text.corpus import CORPUS_HELP
from ..training.checks import MAX_COUNT, MAX_SEED, check_tuning
from ..training.train import parse_digits

METHODS = {
    "ptq": "2 to 8 bits after training: weights per tensor or per row, static activations",
    "qat": "2 to 8 bits with training, steps learned",
    "integer": "the gateware's integers, 1 (ternary) to 5 digits; trained unless --steps 0",
    "prune": "zero the smallest weights, in one round or several with training",
    "remove": "remove whole heads and FFN units, with training after it",
    "measure": "only measure an artifact's integers against its float twin",
    "finetune": "train the float model, for example with a larger --teacher",
}
UNTRAINED = ("ptq", "measure")
STEPS = 500
DEFAULTS = {
    "percentile": 99.95,
    "temperature": TEMPERATURE,
    "teacher_weight": TEACHER_WEIGHT,
}
"""Of options that have no effect without another one."""


def checked(argv: list[str]) -> argparse.Namespace:
    """The command line, as far as it can be judged without torch; UserError if it is wrong."""
    _check_method(argv)
    args = _parser().parse_args(argv)
    names = ("model", "corpus", "teacher")
    texts = {"calibration_text": args.calibration, "text_of_--also": args.also}
    reading(**texts, **{name: getattr(args, name, None) for name in names})
    _refuse_unheeded(args)
    check_tuning(vars(args))
    if hasattr(args, "temperature"):
        check_settings(args.temperature, args.teacher_weight)
    if args.method == "integer" and args.out is None:
        raise UserError("integer writes an artifact; give its name with --out FILE")
    if args.out is not None:
        require_writable(args.out, SUFFIX)
    if args.name is not None and Path(args.name).name != args.name:
        raise UserError(f"--name must be the name of a file without its suffix, not {args.name!r}")
    return args


def _parser() -> argparse.ArgumentParser:
    parser = cli.ArgumentParser(
        prog="gateformer compress",
        description="Compress a float model and measure the result against it.",
        epilog="Ctrl-C saves a checkpoint; the same command continues from it.",
    )
    methods = parser.add_subparsers(dest="method", required=True, metavar="METHOD")
    parsers = {
        name: methods.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        for name, text in METHODS.items()
    }
    for name, method in parsers.items():
        _add_common(method, name)
        if name not in UNTRAINED:
            _add_tuning(method)
    for name, bits in (("ptq", 8), ("qat", 4)):
        add = parsers[name].add_argument
        of_bits = f"of the matrices, {MIN_BITS} to {MAX_BITS}; embeddings have 8"
        add("--bits", type=cli.within(int, MIN_BITS, MAX_BITS), default=bits, help=of_bits)
        add("--granularity", default="channel", help="one step per tensor, or per channel (row)")
        add("--observer", default="percentile", help="of activations: percentile or max")
        percentile = (
            f"percent of magnitudes that are not clipped (default: {DEFAULTS['percentile']})"
        )
        add("--percentile", type=float, help=percentile)
    parsers["integer"].add_argument(
        "--digits", default="1", help="ternary digits per weight: N, or 'down_proj=2,…'"
    )
    add = parsers["prune"].add_argument
    add("--fraction", type=float, default=0.5, help="of the matrices' weights that become zero")
    add(
        "--scope",
        default="global",
        help="smallest of all matrices together (global) or of each (layer)",
    )
    rounds = cli.within(int, 1, MAX_COUNT)
    add("--rounds", type=rounds, default=1, help="rounds of pruning and training")
    add = parsers["remove"].add_argument
    removed = cli.within(int, 0, MAX_COUNT)
    add("--heads", type=removed, default=0, help="heads to remove from every layer")
    add("--units", type=removed, default=0, help="FFN units to remove from every layer")
    return parser


def _add_common(parser: argparse.ArgumentParser, method: str):
    add = parser.add_argument
    add(
        "model",
        help="shipped model, artifact with a float twin (of number contract version 2: GPT-2's "
        "architecture, or the boards'), or float checkpoint",
    )
    add("--corpus", metavar="PATH", help=CORPUS_HELP)
    add("--calibration", metavar="PATH", help="text to calibrate on (default: the training text)")
    add("--also", metavar="PATH", action="append", default=[], help="measure on this text, too")
    add(
        "--windows",
        type=cli.within(int, 0, MAX_COUNT),
        default=0,
        help="most windows of a text, and prompts, to measure; 0: all",
    )
    add("--name", help="of the result (default: that of model and method)")
    add("--out", type=Path, metavar="FILE", help="write the compressed model")
    help_of_results = "write the figures as NAME.json here, for gateformer compression-report"
    add("--results", type=Path, metavar="DIR", help=help_of_results)
    add("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where checkpoints go")
    seed = cli.within(int, 0, MAX_SEED)
    add("--seed", type=seed, default=1337, help="of calibration and training batches")
    add("--threads", type=cli.within(int, 1, MOST_THREADS), default=1, help="processor threads")


def _add_tuning(parser: argparse.ArgumentParser):
    add = parser.add_argument
    steps = "of training (each round); 0 for none"
    add("--steps", type=cli.within(int, 0, MAX_COUNT), default=STEPS, help=steps)
    add("--lr", type=float, default=1e-3, help="peak learning rate")
    add("--batch", type=cli.within(int, 1, MAX_COUNT), default=64, help="windows per step")
    add("--teacher", metavar="FILE", help="float model to learn from, too (distillation)")
    temperature, share = DEFAULTS["temperature"], DEFAULTS["teacher_weight"]
    add("--temperature", type=float, help=f"of the distillation (default: {temperature})")
    add("--teacher-weight", type=float, help=f"its share of the loss (default: {share})")


def _refuse_unheeded(args: argparse.Namespace):
    """UserError naming the first option without effect; what was not given gets its default."""
    for option, default in DEFAULTS.items():
        if getattr(args, option, default) is None:
            setattr(args, option, default)
            continue
        if not hasattr(args, option):
            continue
        flag = f"--{option.replace('_', '-')}"
        if option == "percentile" and args.observer == "max":
            raise UserError(f"{flag} is for --observer percentile, not max; leave one of them out")
        if option in ("temperature", "teacher_weight") and args.teacher is None:
            raise UserError(f"{flag} is for --teacher; give both, or leave {flag} out")


def check_values(args: argparse.Namespace):
    """UserError naming a value that the method would refuse once it has begun."""
    from ..floating.fake_quant import Scheme

    if args.method in ("ptq", "qat"):
        Scheme(args.bits, args.granularity, args.observer, args.percentile)
    if args.method == "integer":
        parse_digits(args.digits)
    if args.method == "prune":
        from .magnitude_pruning import check_settings as check_pruning

        check_pruning(args.fraction, args.scope, args.rounds)


def _check_method(argv: list[str]):
    if argv and not argv[0].startswith("-") and argv[0] not in METHODS:
        raise UserError(f"unknown method {argv[0]!r}; expected one of {', '.join(METHODS)}")
