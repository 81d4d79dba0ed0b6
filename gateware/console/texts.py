"""The console's fixed texts (docs/console.md), as the contents of one memory."""

from __future__ import annotations

import dataclasses

from gateformer.model.contract.config import ModelConfig

from ..host.identification import Identification
from ..plan.hw_config import HwConfig
from .load_messages import LoadMessage, LoadTexts
from .messages import (
    ANSWERED,
    ANSWERS,
    COMMANDS,
    COUNT_LIMIT,
    DECIMALS,
    END,
    END_OF_LINE,
    ETX,
    LOAD_COMMAND,
    PAGE,
    REFUSALS,
    SEED_LIMIT,
    SETTINGS,
    STX,
    TEMPERATURE_STEPS,
    Message,
    Number,
    answer,
    label,
)


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
            return self.load.text(message, self.name, self.identification.digest, self.info())
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
