"""The console's fixed texts (docs/console.md), as the contents of one memory."""

from __future__ import annotations

import dataclasses
import enum
import unicodedata
from typing import TYPE_CHECKING

from amaranth.lib import data

from model.config import ModelConfig

from .hw_config import HwConfig
from .identification import Identification
from .sequencer import COUNT_BITS

if TYPE_CHECKING:
    from .console_load_messages import LoadMessage, LoadTexts

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


@dataclasses.dataclass(frozen=True)
class ConsoleTexts:
    """Every text of the console of one accelerator.

    A text is a list of strings and :class:`Number` members, which stand for their decimal digits.
    Those that answer a line begin with the echo of its Enter.

    Parameters
    ----------
    name : str
        The model's name; control characters in it are shown as ``?``.
    identification : Identification
    load : LoadTexts, optional
        What a console with ``/load`` says in addition, and instead of INFO and WELCOME.
    """

    name: str
    identification: Identification
    load: LoadTexts | None = None

    @property
    def config(self) -> ModelConfig:
        return self.identification.config

    def info(self) -> list[str]:
        """The lines of ``/info``."""
        cfg, hw, facts = self.config, self.identification.hw, self.identification
        return [
            f"# model {label(self.name, facts.digest)}, build {facts.build_id:08x}",
            f"# n_layers {cfg.n_layers}, d_model {cfg.d_model}, n_heads {cfg.n_heads}, "
            f"d_ff {cfg.d_ff}, ctx_len {cfg.ctx_len}, vocab_size {cfg.vocab_size}",
            f"# {_sizes(hw)}, clock {facts.clock_khz / 1000:g} MHz",
        ]

    @property
    def commands(self) -> tuple[str, ...]:
        """Without the slash, by code."""
        return (*COMMANDS, LOAD_COMMAND) if self.load else COMMANDS

    def ranges(self) -> list[str]:
        """What each setting may be."""
        return [
            f"0 to {(TEMPERATURE_STEPS - 1) / 10**DECIMALS}",
            f"0 to {self.config.vocab_size}",
            f"0 to {SEED_LIMIT}",
            f"0 to {COUNT_LIMIT}",
        ]

    def help(self) -> list[str]:
        """The lines of ``/help``."""
        meanings = (
            "; 0: greedy",
            "; 0: off",
            "",
            " to generate; 0: until the context is full",
            "model, digest, build, shape, sizes, clock",
            "generates a whole context and shows the counts",
            "the commands",
            *(("takes the image of another model",) if self.load else ()),
        )
        ranges = [*self.ranges(), *("" for _ in self.commands[SETTINGS:])]
        commands = zip(self.commands, ranges, meanings, strict=True)
        return [f"# /{name} {limits}{meaning}" for name, limits, meaning in commands]

    def text(self, message: Message | LoadMessage) -> list[str | Number]:
        """What is sent for ``message``."""
        if self.load and message in self.load.messages:
            return self.load.text(message, self)
        return _FRAGMENTS[message] if message in _FRAGMENTS else self._answer(message)

    def _answer(self, message: Message) -> list[str | Number]:
        if message in ANSWERS[:SETTINGS]:
            setting = ANSWERS.index(message)
            return answer(f"# {COMMANDS[setting]} ", Number(setting))
        if message in REFUSALS:
            setting = REFUSALS.index(message)
            return answer(f"! {COMMANDS[setting]} must be {self.ranges()[setting]}")
        lines = {
            Message.INFO: self.info(),
            Message.HELP: self.help(),
            Message.WELCOME: self.info()[:1],
            Message.EMPTY: [],
            Message.UNKNOWN_COMMAND: ["! unknown command; /help lists them"],
            Message.LOST: ["! bytes were lost or damaged; line ignored"],
            Message.NO_TOKEN: [
                "! the model has no token for a character of the line; line ignored"
            ],
            Message.ESCAPE: ["! after a backslash comes n, \\ or /; line ignored"],
            Message.TOO_LONG: [
                f"! longer than the context of {self.config.ctx_len} tokens; line ignored"
            ],
        }[message]
        return answer(*(END_OF_LINE.join(lines),) if lines else ())

    def rom(self) -> tuple[list[dict], dict[Message | LoadMessage, int]]:
        """(entries of ROM_LAYOUT, page at which each message begins).

        The names of the commands come first, each with its end.
        """
        entries = []
        for name in self.commands:
            entries += _encoded([name])
        pages, messages = {}, [*Message]
        if self.load:
            messages = [each for each in Message if each not in self.load.replaced]
            messages = [*self.load.messages, *messages]
        for message in messages:
            unit = self.load.alignment(message) if self.load else PAGE
            entries += [{"byte": 0, "special": 0}] * (-len(entries) % unit)
            pages[message] = len(entries) // PAGE
            entries += _encoded(self.text(message))
        return entries, pages


def label(name: str, digest: str) -> str:
    """A model's name and digest, as ``/info`` shows them."""
    name = "".join("?" if unicodedata.category(c) == "Cc" else c for c in name)
    return f"{name}, digest {digest[:DIGEST_DIGITS].lower()}"


def answer(*parts: str | Number) -> list[str | Number]:
    """A whole answer of one line or more, without the last end of line; none if empty."""
    return [END_OF_LINE, *parts, *([END_OF_LINE] if parts else []), ANSWERED]


_COUNTS = [
    *("# prompt ", Number.PROMPT, " tokens, text ", Number.TEXT, " tokens, "),
    *(Number.CYCLES, " cycles, ", Number.WAITING, " waiting, end: "),
]
_FRAGMENTS = {
    Message.BENCH: [END_OF_LINE],
    Message.ERASED: [END_OF_LINE, "> "],
    Message.RUBOUT: ["\b \b"],
    Message.PROMPT: [END_OF_LINE, chr(STX)],
    Message.COUNTS_AFTER_TEXT: [chr(ETX), END_OF_LINE, *_COUNTS],
    Message.COUNTS: _COUNTS,
    Message.ENDED_BY_COUNT: ["count", END_OF_LINE, ANSWERED],
    Message.ENDED_BY_CONTEXT: ["context", END_OF_LINE, ANSWERED],
    Message.STOPPED: ["stopped", END_OF_LINE, ANSWERED],
}


def _sizes(hw: HwConfig) -> str:
    return f"rows {hw.rows}, cols {hw.cols}, lanes {hw.lanes}, packing {hw.packing}"


def _encoded(parts: list[str | Number]) -> list[dict]:
    """Entries of ROM_LAYOUT, with the end."""
    entries = []
    for part in parts:
        if isinstance(part, Number):
            entries.append({"byte": int(part), "special": 1})
        else:
            content = part.encode("utf-8", "replace")
            entries += [{"byte": byte, "special": 0} for byte in content]
    return [*entries, {"byte": END, "special": 1}]
