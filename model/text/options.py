"""Options of a command that generates text, what they are without being given, and who heeds them.

Imports no package: the driver has them, too.
"""

from __future__ import annotations

import argparse
import dataclasses

from ..support import cli

TEXT_OPTIONS = ("prompt", "tokens", "temperature", "top_k", "seed", "refeed")
DEFAULT_TOKENS = 100
DEFAULT_TEMPERATURE = "0.8"
CONSOLE_MAX_TEMPERATURE = "2.55"
"""The console looks its multipliers up in a table, one per hundredth; here they are computed."""
DEFAULT_TOP_K = 20
DEFAULT_SEED = 1
MAX_WORD = 2**32 - 1
"""Of a seed or a top-k: a register holds no more."""


@dataclasses.dataclass(frozen=True)
class TextOptions:
    """What text is asked for; ``temperature`` as it was typed, ``prompt`` None if it was not, or
    a list if there may be several."""

    prompt: str | list[str] | None
    tokens: int
    temperature: str
    top_k: int
    seed: int
    refeed: bool


def add_text_options(parser, prompt: str = "text to continue", *, several: bool = False) -> None:
    """Add :data:`TEXT_OPTIONS` to a parser or a group of one; None is what was not given.

    ``prompt`` is the help of ``--prompt``, which may be given several times, if ``several``: then
    it is a list.
    """
    parser.add_argument("--prompt", help=prompt, action="append" if several else "store")
    tokens = f"tokens to generate (default: {DEFAULT_TOKENS})"
    parser.add_argument("--tokens", type=cli.within(int, 1), help=tokens)
    parser.add_argument(
        "--temperature",
        help=f"any number, 0: greedy (default: {DEFAULT_TEMPERATURE}); the text console of a "
        f"board has hundredths to {CONSOLE_MAX_TEMPERATURE} only",
    )
    top_k = f"0: off (default: {DEFAULT_TOP_K}, or the vocabulary)"
    parser.add_argument("--top-k", type=cli.within(int, 0, MAX_WORD), help=top_k)
    seed = f"of the sampler (default: {DEFAULT_SEED})"
    parser.add_argument("--seed", type=cli.within(int, 0, MAX_WORD), help=seed)
    parser.add_argument(
        "--continue",
        dest="refeed",
        action="store_true",
        default=None,
        help="at the end of the context go on with its last half as the new prompt",
    )


def text_options(arguments: argparse.Namespace, vocab_size: int) -> TextOptions:
    """What was given, and defaults for a vocabulary of ``vocab_size`` tokens."""
    defaults = TextOptions(
        prompt=None,
        tokens=DEFAULT_TOKENS,
        temperature=DEFAULT_TEMPERATURE,
        top_k=min(DEFAULT_TOP_K, vocab_size),
        seed=DEFAULT_SEED,
        refeed=False,
    )
    given = {name: getattr(arguments, name) for name in TEXT_OPTIONS}
    return dataclasses.replace(
        defaults, **{name: value for name, value in given.items() if value is not None}
    )


def given_options(arguments: argparse.Namespace) -> list[str]:
    """Names of what was given, in the parser's order; what was not is None or False."""
    return [
        name for name, value in vars(arguments).items() if value is not None and value is not False
    ]


def flag(name: str) -> str:
    """How an option is typed: ``--top-k`` of ``top_k``."""
    return "--continue" if name == "refeed" else f"--{name.replace('_', '-')}"
