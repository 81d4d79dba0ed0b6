"""What the console says next, and what it does then."""

from amaranth.lib import enum


class Reply(enum.Enum, shape=4):
    """What is to be said; what stands for several texts has its choice among them made later."""

    WELCOME = 0
    RUBOUT = 1
    ERASED = 2
    EMPTY = 3
    PROMPT = 4
    LINE_REFUSAL = 5
    """by the editor's error"""
    REFUSAL = 6
    """by the command, as ANSWER"""
    ANSWER = 7
    COUNTS = 8
    """after a text, or of /bench"""
    ENDING = 9
    """by the generation's"""
    INFO = 10
    """This and what follows: of a console that models can be loaded into."""
    LABEL = 11
    TAIL = 12
    """by what was said before the label"""
    NO_MODEL = 13
    IMAGE = 14
    VERDICT = 15
    """by the loader's"""


class Then(enum.Enum, shape=2):
    """What follows a text."""

    TYPING = 0
    NEW_LINE = 1
    """typing, on an empty line"""
    GENERATION = 2
    ENDING = 3
    """the text that says how the generation ended"""


THEN = {
    Reply.RUBOUT: Then.TYPING,
    Reply.PROMPT: Then.GENERATION,
    Reply.COUNTS: Then.ENDING,
}
"""What follows the text of a reply, if it is not a new line."""
