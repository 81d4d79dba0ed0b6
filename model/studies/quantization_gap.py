"""What each choice of the quantized training is worth: ``gateformer quantization-gap``.

Trains one model per row, each with one ``gateformer train`` command, and writes the table
``docs/quantization_gap.md``; its second table is :mod:`model.studies.activation_gap`'s. A row whose
artifact of the same source, teacher, text and steps exists already is not trained again.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from ..contract import artifact
from ..support import cli
from ..support.cache import digest
from ..support.directories import made_directory, require_writable
from ..support.errors import UserError
from ..support.inputs import protecting, reading
from ..support.whole_file import write_whole
from ..text.corpus import CORPUS_HELP, load_corpus
from ..training import train
from ..training.checks import MAX_COUNT
from . import activation_gap

SOURCE = "shakespeare-115k"
"""Its float twin is where all rows but one start."""
LARGER = "shakespeare-zybo"
"""Its float twin teaches and writes."""
BASE = {"--steps": "{steps}", "--lr": "6e-3", "--average": "0", "--fixed-steps": "0"}
"""Options of all rows that do not have others; the preset's may be better ones."""
RETURN = "--weights-return"
"""An option that rows without it negate."""
FIXED_SHARE = 5
"""One of so many steps leaves the weights' integers as they are, in rows that have such steps."""
ROWS: dict[str, tuple[str, list[str]]] = {
    "base": ("ternary, one step per row, all steps and units trained", []),
    "step-per-matrix": ("one weight step per matrix", ["--step-per-matrix"]),
    "fixed-scales": ("steps and units not trained", ["--fixed-scales"]),
    "no-clipping": ("no activation clipped at the start", ["--activation-quantile", "1"]),
    "more-clipping": ("1 % of the magnitudes clipped", ["--activation-quantile", "0.99"]),
    "cold-start": ("from random weights", ["--float-steps", "1"]),
    "slower": ("a third of the learning rate", ["--lr", "2e-3"]),
    "faster": ("twice the learning rate", ["--lr", "1.2e-2"]),
    "longer": ("three times the steps", ["--steps", "{longer}"]),
    "distilled": (
        f"half of the loss from the float twin of `{LARGER}`",
        ["--teacher", LARGER, "--temperature", "1"],
    ),
    "self-distilled": (
        "half of the loss from its own float twin",
        ["--teacher", SOURCE, "--temperature", "1"],
    ),
    "hotter": (
        f"0.9 of the loss from the float twin of `{LARGER}`, at temperature 2",
        ["--teacher", LARGER, "--temperature", "2", "--teacher-weight", "0.9"],
    ),
    "written": (
        f"half of each batch is text that `{LARGER}` writes",
        ["--writer", LARGER],
    ),
    "returning": ("weights beyond the limits have a gradient", [RETURN]),
    "averaged": ("the mean of the last steps' parameters", ["--average", "0.97"]),
    "integers-fixed": (
        "the last fifth of the steps leaves the weights' integers as they are",
        ["--steps", "{most}", "--fixed-steps", "{rest}"],
    ),
    "together": (
        "twice the learning rate, averaged, and the last fifth of the steps like that",
        ["--lr", "1.2e-2", "--average", "0.97", "--steps", "{most}", "--fixed-steps", "{rest}"],
    ),
    "two-bits": (
        "weights of 2 bits, -2 to 1, in two ternary digits",
        ["--digits", "2", "--weight-bits", "2"],
    ),
    "two-digits": ("two ternary digits per weight, 9 levels", ["--digits", "2"]),
    "three-digits": ("three digits, 27 levels", ["--digits", "3"]),
}
"""What is different, and the options that make it so."""
HEAD = """# The gap between float and integers

```sh
{command}
```

trains a model per row and writes this file. All have the shape of `{source}` and are trained for
{steps} steps (but one) of 64 windows in integers, far fewer than the shipped model's. All (but one)
start from its float twin, whose loss is {float_loss:.4f} nats on the same text; **gap** is what the
integers lose against that, in nats per character of the whole validation text, the last tenth of
{corpus}.

| row | what is different | nats | gap |
| --- | --- | --- | --- |
"""


def command_of(name: str, steps: int) -> list[str]:
    """Options of ``gateformer train`` for a row, but corpus and output."""
    rest = steps // FIXED_SHARE
    numbers = {"steps": steps, "longer": 3 * steps, "most": steps - rest, "rest": rest}
    own = ROWS[name][1]
    start = [] if "--float-steps" in own else ["--init", SOURCE]
    base = [part for flag, value in BASE.items() if flag not in own for part in (flag, value)]
    if RETURN not in own:
        base.append(f"--no-{RETURN.removeprefix('--')}")
    return ["--preset", SOURCE, *start, *(part.format(**numbers) for part in (*base, *own))]


def document(facts: dict[str, dict], steps: int, float_loss: float, command: str) -> str:
    """The table of ``facts`` (what artifacts say of their training, by row), best first."""
    corpora = {row["corpus"]["name"] for row in facts.values() if "corpus" in row}
    corpus = ", ".join(f"`{name}`" for name in sorted(corpora)) or "the corpus"
    text = HEAD.format(
        command=command, source=SOURCE, steps=steps, float_loss=float_loss, corpus=corpus
    )
    order = sorted(facts, key=lambda name: facts[name]["val_loss_int"])
    for name in order:
        loss = facts[name]["val_loss_int"]
        cells = (f"`{name}`", ROWS[name][0], f"{loss:.4f}", f"{loss - float_loss:+.4f}")
        text += f"| {' | '.join(cells)} |\n"
    text += "\nEach is one command, here without corpus and output:\n\n```sh\n"
    for name in order:
        text += f"gateformer train {shlex.join(command_of(name, steps))}  # {name}\n"
    return text + "```\n"


def _trained(name: str, steps: int, directory: Path, corpus: list[str]) -> dict | int:
    """What a row's artifact says, trained unless it is there; the exit status of an interrupt."""
    out = directory / f"{name}.safetensors"
    if not out.exists():
        places = [*corpus, "--runs", str(directory), "--out", str(out)]
        status = train.main([*command_of(name, steps), *places])
        if status is not None:
            return status
    return artifact.load(out).info


@protecting
def main(argv: list[str] | None = None) -> int | None:
    """Entry point; raises UserError. The exit status is that of an interrupt after Ctrl-C."""
    every = [*ROWS, *activation_gap.ROWS]
    parser = cli.ArgumentParser(
        prog="gateformer quantization-gap",
        description="Train with each choice of the quantization changed; write the table.",
        epilog="Ctrl-C saves a checkpoint; the same command continues from it.",
    )
    add = parser.add_argument
    add("--corpus", metavar="PATH", help=CORPUS_HELP)
    add("--steps", type=cli.within(int, 1, MAX_COUNT), default=600, help="of integer training")
    add("--only", nargs="+", metavar="ROW", help=f"only some of {', '.join(every)}")
    add(
        "--runs",
        type=Path,
        default=Path("runs/gap"),
        metavar="DIR",
        help="where checkpoints and artifacts go",
    )
    out = Path("docs/quantization_gap.md")
    help_of_out = "Markdown file of the table"
    add("--out", type=Path, default=out, metavar="FILE", help=help_of_out)
    args = parser.parse_args(argv)
    train.require_packages()
    for name in args.only or []:
        if name not in every:
            raise UserError(f"unknown row {name!r}; expected some of {', '.join(every)}")
    reading(corpus=args.corpus)
    require_writable(args.out, ".md")
    source = artifact.open_model(SOURCE)
    given = (source, artifact.open_model(LARGER), load_corpus(args.corpus))
    directory = args.runs / f"{args.steps}-{digest(*(one.sha256 for one in given))[:8]}"
    names = [name for name in every if name in (args.only or every)]
    corpus = ["--corpus", args.corpus] if args.corpus else []
    facts, simulated = {}, {}
    with made_directory(directory):
        for name in names:
            print(f"{name}: {(ROWS | activation_gap.ROWS)[name][0]}", file=sys.stderr)
            if name in ROWS:
                facts[name] = found = _trained(name, args.steps, directory, corpus)
            else:
                found = activation_gap.measure(name, args.steps, directory, corpus)
                simulated[name] = found
            if isinstance(found, int):
                return found
    command = f"gateformer quantization-gap --steps {args.steps}"
    if args.only:
        command += f" --only {' '.join(args.only)}"
    text = document(facts, args.steps, source.info["val_loss_float"], command)
    if simulated:
        text += activation_gap.section(simulated, args.steps)
    write_whole(args.out, text.encode())
    print(f"{args.out}: {len(names)} rows")
    return None


if __name__ == "__main__":
    cli.run(main)
