"""What a console says that can take the image of another model."""

from __future__ import annotations

import dataclasses
import enum

from ..core.loader import Refusal
from ..plan.reload_limits import ReloadLimits
from .messages import ANSWERED, END_OF_LINE, PAGE, Message, Number, answer, label

ENQ = 0x05
"""From now on, bytes are the image."""
LABEL_BYTES = 128
"""Room for the label, the model's name and digest; NUL characters, which are not sent, fill it."""
ELLIPSIS = "…"


class LoadMessage(enum.Enum):
    """Texts, and parts of texts: what has the model's label in it is sent in three parts."""

    LABEL = enum.auto()
    MODEL = enum.auto()
    AFTER_MODEL = enum.auto()
    """of /info"""
    AFTER_WELCOME = enum.auto()
    NO_MODEL_INFO = enum.auto()
    NO_MODEL_WELCOME = enum.auto()
    NO_MODEL = enum.auto()
    IMAGE = enum.auto()
    LOADED = enum.auto()
    ABORTED_KEPT = enum.auto()
    ABORTED = enum.auto()
    SHAPE_KEPT = enum.auto()
    SHAPE = enum.auto()
    CHECKSUM = enum.auto()
    READBACK = enum.auto()


VERDICTS = {
    (Refusal.NONE, True): LoadMessage.LOADED,
    (Refusal.ABORTED, True): LoadMessage.ABORTED_KEPT,
    (Refusal.ABORTED, False): LoadMessage.ABORTED,
    (Refusal.SHAPE, True): LoadMessage.SHAPE_KEPT,
    (Refusal.SHAPE, False): LoadMessage.SHAPE,
    (Refusal.CHECKSUM, False): LoadMessage.CHECKSUM,
    (Refusal.READBACK, False): LoadMessage.READBACK,
}
"""By the loader's refusal, and whether there is a model."""

_CAUSES = {
    Refusal.ABORTED: "broken off: no byte came for 1 second",
    Refusal.SHAPE: "it is for a core of another shape",
    Refusal.CHECKSUM: "its checksum is wrong",
    Refusal.READBACK: "the memories do not hold what was written",
}


def label_text(name: str, digest: str) -> str:
    """The label, filled up with NUL characters to :data:`LABEL_BYTES` bytes of UTF-8.

    A name that is too long ends with an ellipsis; what UTF-8 can't hold is a question mark.
    """
    name = name.encode("utf-8", "replace").decode()
    shortened, text = name, label(name, digest)
    while len(text.encode()) > LABEL_BYTES:
        shortened = shortened[:-1]
        text = label(shortened + ELLIPSIS, digest)
    return text + "\0" * (LABEL_BYTES - len(text.encode()))


@dataclasses.dataclass(frozen=True)
class LoadTexts:
    """The texts of one accelerator.

    Parameters
    ----------
    words : int
        Of an image.
    shape : int, 32 bits
        Its first word.
    limits : ReloadLimits
    """

    words: int
    shape: int
    limits: ReloadLimits

    messages = tuple(LoadMessage)
    replaced = (Message.INFO, Message.WELCOME)
    """What is not said."""

    @staticmethod
    def alignment(message: Message | LoadMessage) -> int:
        """Entries of which the text's place is a multiple: the label is written by its index."""
        return LABEL_BYTES if message is LoadMessage.LABEL else PAGE

    def text(
        self, message: LoadMessage, name: str, digest: str, info: list[str]
    ) -> list[str | Number]:
        """What is sent for ``message``; ``name``, ``digest``: the model's; ``info``: of /info."""
        model, *sizes = info
        shown = label(name, digest)
        before, _, build = model.rpartition(shown)
        none = "# no model"
        match message:
            case LoadMessage.LABEL:
                return [label_text(name, digest)]
            case LoadMessage.MODEL:
                return [END_OF_LINE, before]
            case LoadMessage.AFTER_MODEL:
                return [build, *answer(END_OF_LINE.join(sizes))]
            case LoadMessage.AFTER_WELCOME:
                return [build, END_OF_LINE, ANSWERED]
            case LoadMessage.NO_MODEL_INFO:
                return answer(END_OF_LINE.join((none, *sizes)))
            case LoadMessage.NO_MODEL_WELCOME:
                return answer(none)
            case LoadMessage.NO_MODEL:
                return answer("! no model; /load one")
            case LoadMessage.IMAGE:
                numbers = " ".join(str(value) for value in dataclasses.astuple(self.limits))
                line = f"# image {self.words} words, shape {self.shape:08x}, limits {numbers}"
                return [END_OF_LINE, line, END_OF_LINE, chr(ENQ)]
            case LoadMessage.LOADED:
                return ["# loaded "]
        ((refusal, kept),) = [case for case, verdict in VERDICTS.items() if verdict is message]
        state = "the old model is still there" if kept else "there is no model; /load one"
        return [f"! image refused: {_CAUSES[refusal]}; {state}", END_OF_LINE, ANSWERED]
