"""What the console can say (docs/console.md): messages, numbers and commands by their codes."""

from __future__ import annotations

import enum
import unicodedata

from amaranth.lib import data

from ..core.token_loop import COUNT_BITS

STX, ETX, EOT = 0x02, 0x03, 0x04
END_OF_LINE = "\r\n"
ANSWERED = chr(EOT) + "> "
DIGEST_DIGITS = 16
"""Hexadecimal digits of the model's digest that are shown."""
MAX_COMMAND = 32
"""Bytes of a command's line."""
TEMPERATURE_STEPS = 256
"""Temperatures that can be set: 0 to 2.55 in hundredths."""
DECIMALS = 2
SEED_LIMIT = 2**32 - 1
COUNT_LIMIT = 2**COUNT_BITS - 1

ROM_LAYOUT = data.StructLayout({"byte": 8, "special": 1})
"""A byte of a text; ``special``: the end of the text (:data:`END`), or a number in its place."""
PAGE = 32
"""Texts begin at multiples of it, so that the table of their addresses is small."""
END = 15
"""Special byte that ends a text or a name; the others are those of :class:`Number`."""


class Number(enum.IntEnum):
    """Numbers that can be printed; the first four, settings, are numbered as their commands."""

    TEMPERATURE = 0
    TOP_K = 1
    SEED = 2
    TOKENS = 3
    PROMPT = 4
    TEXT = 5
    CYCLES = 6
    WAITING = 7


COMMANDS = ("temperature", "top-k", "seed", "tokens", "info", "bench", "help")
"""Without the slash; the index is the command's code."""
SETTINGS = 4
"""Commands that have an argument."""
BENCH = COMMANDS.index("bench")


LOAD_COMMAND = "load"
"""Of a console whose model can be replaced; its code follows those of the others."""


class LineError(enum.IntEnum):
    """What a line is refused for while it is typed."""

    UNKNOWN_COMMAND = 0
    LOST = 1
    NO_TOKEN = 2
    ESCAPE = 3
    TOO_LONG = 4


class Ending(enum.IntEnum):
    """Why a generation is over."""

    COUNT = 0
    CONTEXT = 1
    STOPPED = 2
    STOP = 3
    """a token that ends texts; only of an imported model"""


class Message(enum.Enum):
    """Texts that are sent."""

    TEMPERATURE = enum.auto()
    TOP_K = enum.auto()
    SEED = enum.auto()
    TOKENS = enum.auto()
    INFO = enum.auto()
    BENCH = enum.auto()
    HELP = enum.auto()
    UNKNOWN_COMMAND = enum.auto()
    TEMPERATURE_REFUSED = enum.auto()
    TOP_K_REFUSED = enum.auto()
    SEED_REFUSED = enum.auto()
    TOKENS_REFUSED = enum.auto()
    LOST = enum.auto()
    NO_TOKEN = enum.auto()
    ESCAPE = enum.auto()
    TOO_LONG = enum.auto()
    EMPTY = enum.auto()
    ERASED = enum.auto()
    RUBOUT = enum.auto()
    PROMPT = enum.auto()
    COUNTS_AFTER_TEXT = enum.auto()
    COUNTS = enum.auto()
    WELCOME = enum.auto()
    ENDED_BY_COUNT = enum.auto()
    ENDED_BY_CONTEXT = enum.auto()
    STOPPED = enum.auto()


ANSWERS = (
    *(Message.TEMPERATURE, Message.TOP_K, Message.SEED, Message.TOKENS),
    *(Message.INFO, Message.BENCH, Message.HELP, Message.UNKNOWN_COMMAND),
)
"""By the command's code; the last one's is that of no command."""
REFUSALS = (
    *(Message.TEMPERATURE_REFUSED, Message.TOP_K_REFUSED),
    *(Message.SEED_REFUSED, Message.TOKENS_REFUSED),
)
"""By the setting's command."""
LINE_REFUSALS = tuple(Message[error.name] for error in LineError)
COUNTS = (Message.COUNTS_AFTER_TEXT, Message.COUNTS)
"""By whether it was a /bench."""
ENDINGS = (Message.ENDED_BY_COUNT, Message.ENDED_BY_CONTEXT, Message.STOPPED)


def label(name: str, digest: str) -> str:
    """A model's name and digest, as ``/info`` shows them."""
    name = "".join("?" if unicodedata.category(c) == "Cc" else c for c in name)
    return f"{name}, digest {digest[:DIGEST_DIGITS].lower()}"


def answer(*parts: str | Number) -> list[str | Number]:
    """A whole answer of one line or more, without the last end of line; none if empty."""
    return [END_OF_LINE, *parts, *([END_OF_LINE] if parts else []), ANSWERED]
