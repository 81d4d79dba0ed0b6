"""The console's fixed texts (docs/console.md), as the contents of one memory."""

from __future__ import annotations

import dataclasses
import enum

from gateformer.model.contract.config import ModelConfig

from ..host.identification import Identification
from ..plan.hw_config import HwConfig
from .dialect import TOP_P, TOP_P_STEPS, AnyMessage, Dialect, ImportedMessage, dialect_of
from .load_messages import LoadMessage, LoadTexts
from .messages import (
    ANSWERED,
    COUNT_LIMIT,
    DECIMALS,
    END,
    END_OF_LINE,
    ETX,
    LOAD_COMMAND,
    PAGE,
    SEED_LIMIT,
    STX,
    TEMPERATURE_STEPS,
    Message,
    answer,
    label,
)

Part = str | enum.IntEnum
"""Of a text: characters, or a number of the dialect's."""


@dataclasses.dataclass(frozen=True)
class ConsoleTexts:
    """Every text of the console of one accelerator.

    A text is a list of strings and the dialect's numbers, which stand for their decimal digits.
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

    @property
    def dialect(self) -> Dialect:
        return dialect_of(self.config)

    def info(self) -> list[str]:
        """The lines of ``/info``."""
        facts = self.identification
        streams = f", streams {facts.streams}" if facts.streams > 1 else ""
        return [*self._model_lines(), f"# {_sizes(facts.hw)}{streams}, {self._clock}"]

    def _model_lines(self) -> list[str]:
        cfg, facts = self.config, self.identification
        return [
            f"# model {label(self.name, facts.digest)}, build {facts.build_id:08x}",
            f"# n_layers {cfg.n_layers}, d_model {cfg.d_model}, n_heads {cfg.n_heads}, "
            f"d_ff {cfg.d_ff}, ctx_len {cfg.ctx_len}, vocab_size {cfg.vocab_size}",
        ]

    @property
    def _clock(self) -> str:
        return f"clock {self.identification.clock_khz / 1000:g} MHz"

    @property
    def commands(self) -> tuple[str, ...]:
        """Without the slash, by code."""
        commands = self.dialect.commands
        return (*commands, LOAD_COMMAND) if self.load else commands

    def ranges(self) -> list[str]:
        """What each setting may be."""
        hundred = 10**DECIMALS
        ranges = {
            "temperature": f"0 to {(TEMPERATURE_STEPS - 1) / hundred}",
            "top-k": f"0 to {self.config.vocab_size}",
            TOP_P: f"{1 / hundred} to {TOP_P_STEPS / hundred:.{DECIMALS}f}",
            "seed": f"0 to {SEED_LIMIT}",
            "tokens": f"0 to {COUNT_LIMIT}",
        }
        dialect = self.dialect
        return [ranges[name] for name in dialect.commands[: dialect.settings]]

    def help(self) -> list[str]:
        """The lines of ``/help``."""
        streams = self.identification.streams
        of_each = f" with each of {streams} streams" if streams > 1 else ""
        meanings = {
            "temperature": "; 0: greedy",
            "top-k": "; 0: off",
            TOP_P: f"; {TOP_P_STEPS / 10**DECIMALS:.{DECIMALS}f}: off",
            "seed": "",
            "tokens": " to generate; 0: until the context is full",
            "info": "model, digest, build, shape, sizes, clock",
            "bench": f"generates a whole context{of_each} and shows the counts",
            "help": "the commands",
            LOAD_COMMAND: "takes the image of another model",
        }
        ranges = [*self.ranges(), *("" for _ in self.commands[self.dialect.settings :])]
        commands = zip(self.commands, ranges, strict=True)
        return [f"# /{name} {limits}{meanings[name]}" for name, limits in commands]

    def text(self, message: AnyMessage | LoadMessage) -> list[Part]:
        """What is sent for ``message``."""
        if self.load and message in self.load.messages:
            return self.load.text(message, self.name, self.identification.digest, self.info())
        if message in _FRAGMENTS:
            return _FRAGMENTS[message]
        before = {Message.COUNTS_AFTER_TEXT: [chr(ETX), END_OF_LINE], Message.COUNTS: []}
        if message in before:
            return [*before[message], *_counts(self.dialect.numbers)]
        return self._answer(message)

    def _answer(self, message: AnyMessage) -> list[Part]:
        dialect = self.dialect
        if message in dialect.answers[: dialect.settings]:
            setting = dialect.answers.index(message)
            return answer(f"# {dialect.commands[setting]} ", dialect.numbers(setting))
        if message in dialect.refusals:
            setting = dialect.refusals.index(message)
            return answer(f"! {dialect.commands[setting]} must be {self.ranges()[setting]}")
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
            Message.ESCAPE: [f"! after a backslash comes {self._escapes()}; line ignored"],
            Message.TOO_LONG: [f"! longer than the context of {self._room()}; line ignored"],
        }[message]
        return answer(*(END_OF_LINE.join(lines),) if lines else ())

    def _escapes(self) -> str:
        """What may come after a backslash."""
        return "n, \\ or /"

    def _room(self) -> str:
        """How long a prompt may be."""
        return f"{self.config.ctx_len} tokens"

    def rom(self) -> tuple[list[dict], dict[AnyMessage | LoadMessage, int]]:
        """(entries of ROM_LAYOUT, page at which each message begins).

        The names of the commands come first, each with its end.
        """
        entries = []
        for name in self.commands:
            entries += _encoded([name])
        pages, messages = {}, [*self.dialect.messages]
        if self.load:
            messages = [each for each in messages if each not in self.load.replaced]
            messages = [*self.load.messages, *messages]
        for message in messages:
            unit = self.load.alignment(message) if self.load else PAGE
            entries += [{"byte": 0, "special": 0}] * (-len(entries) % unit)
            pages[message] = len(entries) // PAGE
            entries += _encoded(self.text(message))
        return entries, pages


_FRAGMENTS = {
    Message.BENCH: [END_OF_LINE],
    Message.ERASED: [END_OF_LINE, "> "],
    Message.RUBOUT: ["\b \b"],
    Message.PROMPT: [END_OF_LINE, chr(STX)],
    Message.ENDED_BY_COUNT: ["count", END_OF_LINE, ANSWERED],
    Message.ENDED_BY_CONTEXT: ["context", END_OF_LINE, ANSWERED],
    Message.STOPPED: ["stopped", END_OF_LINE, ANSWERED],
    ImportedMessage.ENDED_BY_STOP: ["stop", END_OF_LINE, ANSWERED],
}


def _counts(numbers: type[enum.IntEnum]) -> list[Part]:
    return [
        *("# prompt ", numbers.PROMPT, " tokens, text ", numbers.TEXT, " tokens, "),
        *(numbers.CYCLES, " cycles, ", numbers.WAITING, " waiting, end: "),
    ]


def _sizes(hw: HwConfig) -> str:
    return f"rows {hw.rows}, cols {hw.cols}, lanes {hw.lanes}, packing {hw.packing}"


def _encoded(parts: list[Part]) -> list[dict]:
    """Entries of ROM_LAYOUT, with the end."""
    entries = []
    for part in parts:
        if isinstance(part, enum.IntEnum):
            entries.append({"byte": int(part), "special": 1})
        else:
            content = part.encode("utf-8", "replace")
            entries += [{"byte": byte, "special": 0} for byte in content]
    return [*entries, {"byte": END, "special": 1}]
