"""What a console understands and says, by the version of its model's number contract."""

from __future__ import annotations

import dataclasses
import enum
import functools
import operator

from amaranth.hdl import Value

from gateformer.model.contract.config import ModelConfig

from .messages import (
    ANSWERS,
    COMMANDS,
    ENDINGS,
    REFUSALS,
    SETTINGS,
    Message,
    Number,
)

TOP_P = "top-p"
TOP_P_STEPS = 100
"""Values of top-p that can be set: 0.01 to 1.00 in hundredths."""


class ImportedNumber(enum.IntEnum):
    """As :class:`.Number`, of a console for an imported model; the first five are settings."""

    TEMPERATURE = 0
    TOP_K = 1
    TOP_P = 2
    SEED = 3
    TOKENS = 4
    PROMPT = 5
    TEXT = 6
    CYCLES = 7
    WAITING = 8


class ImportedMessage(enum.Enum):
    """Texts that only a console for an imported model sends."""

    TOP_P = enum.auto()
    TOP_P_REFUSED = enum.auto()
    ENDED_BY_STOP = enum.auto()


AnyMessage = Message | ImportedMessage


@dataclasses.dataclass(frozen=True)
class Dialect:
    """Commands and messages by their codes.

    Attributes
    ----------
    numbers : type of enum.IntEnum
        Numbers that can be printed; settings are numbered as their commands.
    fixed_point : tuple of numbers
        Those with two decimals.
    positive : tuple of numbers
        Settings that must not be 0.
    commands : tuple of str
        Without the slash; the first ``settings`` have an argument.
    messages : tuple
        All but those of ``/load``.
    answers : tuple of messages, by the command's code; the last one's is that of no command
    refusals : tuple of messages, by the setting's command
    endings : tuple of messages, by :class:`.Ending`
    """

    numbers: type[enum.IntEnum]
    fixed_point: tuple[enum.IntEnum, ...]
    positive: tuple[enum.IntEnum, ...]
    commands: tuple[str, ...]
    settings: int
    messages: tuple[AnyMessage, ...]
    answers: tuple[AnyMessage, ...]
    refusals: tuple[AnyMessage, ...]
    endings: tuple[AnyMessage, ...]

    @property
    def bench(self) -> int:
        """The code of ``/bench``."""
        return self.commands.index("bench")

    def is_fixed_point(self, number: Value) -> Value:
        """Whether a number, or a setting's command, is one with decimals: 1 bit."""
        return functools.reduce(operator.or_, (number == each for each in self.fixed_point))


def _with(values: tuple, place: int, value) -> tuple:
    return (*values[:place], value, *values[place:])


TRAINED = Dialect(
    numbers=Number,
    fixed_point=(Number.TEMPERATURE,),
    positive=(),
    commands=COMMANDS,
    settings=SETTINGS,
    messages=tuple(Message),
    answers=ANSWERS,
    refusals=REFUSALS,
    endings=ENDINGS,
)
IMPORTED = Dialect(
    numbers=ImportedNumber,
    fixed_point=(ImportedNumber.TEMPERATURE, ImportedNumber.TOP_P),
    positive=(ImportedNumber.TOP_P,),
    commands=_with(COMMANDS, ImportedNumber.TOP_P, TOP_P),
    settings=SETTINGS + 1,
    messages=(*Message, *ImportedMessage),
    answers=_with(ANSWERS, ImportedNumber.TOP_P, ImportedMessage.TOP_P),
    refusals=_with(REFUSALS, ImportedNumber.TOP_P, ImportedMessage.TOP_P_REFUSED),
    endings=(*ENDINGS, ImportedMessage.ENDED_BY_STOP),
)


def dialect_of(config: ModelConfig) -> Dialect:
    """That of the console of a model with this shape."""
    return TRAINED if config.spec_version == 1 else IMPORTED
