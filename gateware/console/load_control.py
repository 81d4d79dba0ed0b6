"""What a console does about /load, and when there is no model: states of its state machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import enum, wiring

from ..core.loader import Refusal
from ..parts.delay import delayed
from ..parts.one_hot import OneHot
from .command import CommandReader
from .image import LABEL, VOCABULARY
from .line import LineEditor
from .load import ImageReceiver
from .load_messages import VERDICTS, LoadMessage
from .messages import ANSWERS, BENCH, COMMANDS, Message
from .printer import Printer
from .reply import Reply
from .vocabulary import ConsoleVocabulary

INFO, LOAD = COMMANDS.index("info"), len(COMMANDS)
REFUSAL_BITS = Value.cast(Refusal.NONE).shape().width


class Following(enum.Enum, shape=2):
    """What follows a text that is not all that there is to say, or precedes an image."""

    NONE = 0
    LABEL = 1
    TAIL = 2
    IMAGE = 3


class Tail(enum.Enum, shape=2):
    """The part behind a label."""

    INFO = 0
    WELCOME = 1
    LOADED = 2


TAILS = {
    Tail.INFO: LoadMessage.AFTER_MODEL,
    Tail.WELCOME: LoadMessage.AFTER_WELCOME,
    Tail.LOADED: Message.EMPTY,
}


class LoadControl:
    """Part of :class:`gateware.console.control.ConsoleControl`, in a console with ``/load``.

    Parameters
    ----------
    editor : LineEditor
    reader : CommandReader
    receiver : ImageReceiver
        ``clear`` is driven here.
    status : LOAD_STATUS
        The core's.
    checking : Signal(1)
        The loader's.

    Attributes
    ----------
    begin : Signal(1)
        The core's ``load_begin``.
    abort : Signal(1)
        No more of the image comes: the core has to refuse it.
    raw : Signal(1)
        Bytes that arrive are those of an image, or to be swallowed.
    """

    def __init__(
        self,
        *,
        editor: LineEditor,
        reader: CommandReader,
        receiver: ImageReceiver,
        status,
        checking: Signal,
    ):
        self._editor, self._reader, self._receiver = editor, reader, receiver
        self._status, self._checking = status, checking
        self.begin, self.abort, self.raw = Signal(), Signal(), Signal()
        self._following = Signal(Following, reset_less=True)
        self._tail = Signal(Tail, reset_less=True)
        self._verdict = Signal(REFUSAL_BITS + 1, reset_less=True)

    def connect(
        self,
        m: Module,
        console: wiring.Component,
        *,
        vocabulary: ConsoleVocabulary,
        printer: Printer,
    ) -> None:
        """Connect what is here, and the memories, to the console's ports."""
        written = getattr(console, f"write_{VOCABULARY}")
        m.d.comb += [
            console.raw.eq(self.raw),
            console.load_begin.eq(self.begin),
            vocabulary.write.valid.eq(written.valid),
            vocabulary.write.address.eq(written.address),
            vocabulary.write.data.eq(written.data),
            vocabulary.sweeping.eq(self._checking),
            vocabulary.sweep_address.eq(getattr(console, f"read_{VOCABULARY}").address),
            getattr(console, f"word_{VOCABULARY}").eq(vocabulary.word),
            printer.sweeping.eq(self._checking),
            printer.sweep_address.eq(getattr(console, f"read_{LABEL}").address),
        ]
        with m.If(self.abort):
            m.d.comb += console.abort.eq(1)

    def add_registers(self, m: Module) -> None:
        """What is known of the model and the command: settled long before it is looked at."""
        status, command = self._status, self._reader.command
        has_model = status.loaded & ~status.loading
        self._has_model = delayed(m, has_model, 1, name="has_model")
        self._busy = delayed(m, status.loading | self.begin, 1, name="load_busy")
        self._is_info = delayed(m, command == INFO, 1, name="is_info")
        self._is_load = delayed(m, command == LOAD, 1, name="is_load")
        self._is_bench = delayed(m, command == BENCH, 1, name="is_bench")

    def choices(self) -> dict[Reply, tuple[Mapping[int, Message | LoadMessage], Value | int]]:
        """Replies that the console has not without ``/load``, or has otherwise.

        Of each its texts, and what chooses among them.
        """
        by_code = dict(enumerate(ANSWERS))
        by_code[LOAD + 1] = by_code.pop(LOAD)  # of what is no command
        del by_code[INFO]
        verdicts = {
            refusal.value | kept << REFUSAL_BITS: message
            for (refusal, kept), message in VERDICTS.items()
        }
        with_model = {1: LoadMessage.MODEL}
        return {
            Reply.WELCOME: ({0: LoadMessage.NO_MODEL_WELCOME, **with_model}, self._has_model),
            Reply.INFO: ({0: LoadMessage.NO_MODEL_INFO, **with_model}, self._has_model),
            Reply.ANSWER: (by_code, self._reader.command),
            Reply.LABEL: ({0: LoadMessage.LABEL}, 0),
            Reply.TAIL: ({tail.value: text for tail, text in TAILS.items()}, self._tail),
            Reply.NO_MODEL: ({0: LoadMessage.NO_MODEL}, 0),
            Reply.IMAGE: ({0: LoadMessage.IMAGE}, 0),
            Reply.VERDICT: (verdicts, self._verdict),
        }

    def choose(self, m: Module, reply: Reply) -> None:
        """What follows the text of a reply."""
        following, tail = self._following, self._tail
        m.d.sync += following.eq(Following.NONE)
        if reply in (Reply.WELCOME, Reply.INFO):
            with m.If(self._has_model):
                m.d.sync += [following.eq(Following.LABEL), tail.eq(Tail[reply.name])]
        elif reply is Reply.VERDICT:
            with m.If(self._verdict[:REFUSAL_BITS] == Refusal.NONE):
                m.d.sync += [following.eq(Following.LABEL), tail.eq(Tail.LOADED)]
        elif reply is Reply.LABEL:
            m.d.sync += following.eq(Following.TAIL)
        elif reply is Reply.IMAGE:
            m.d.sync += following.eq(Following.IMAGE)

    def proceed(self, m: Module, fsm: OneHot, say: Callable, proceed: Callable) -> None:
        """After a text; ``proceed``: as in a console without ``/load``."""
        with m.Switch(self._following):
            with m.Case(Following.NONE):
                proceed(m)
            with m.Case(Following.LABEL):
                say(m, Reply.LABEL)
            with m.Case(Following.TAIL):
                say(m, Reply.TAIL)
            with m.Case(Following.IMAGE):
                fsm.next = "BEGIN IMAGE"

    def refuse_prompt(self, m: Module, reply) -> None:
        """No line but a command is of any use without a model."""
        editor = self._editor
        with m.If(~self._has_model & ~editor.command & (editor.failed | ~editor.empty)):
            m.d.sync += reply.eq(Reply.NO_MODEL)

    def obey(self, m: Module, say: Callable, obey: Callable) -> None:
        """Carry out a command; ``obey``: as in a console without ``/load``."""
        with m.If(self._is_info):
            say(m, Reply.INFO)
        with m.Elif(self._is_load):
            m.d.sync += self.raw.eq(1)
            say(m, Reply.IMAGE)
        with m.Elif(self._is_bench & ~self._has_model):
            say(m, Reply.NO_MODEL)
        with m.Else():
            obey(m)

    def add_states(self, m: Module, fsm: OneHot, say: Callable) -> None:
        """From the request for an image to the verdict."""
        receiver, status = self._receiver, self._status

        def judged():
            m.d.sync += self.raw.eq(0)
            say(m, Reply.VERDICT)

        with fsm.state("BEGIN IMAGE"):
            m.d.comb += [self.begin.eq(1), receiver.clear.eq(1)]
            fsm.next = "TAKE IMAGE"
        with fsm.state("TAKE IMAGE"):
            with m.If(~self._busy):
                fsm.next = "JUDGE IMAGE"
            with m.Elif(receiver.silent & ~self._checking):
                fsm.next = "ABORT IMAGE"
        with fsm.state("ABORT IMAGE"):  # of which there may just be a verdict
            m.d.comb += self.abort.eq(1)
            fsm.next = "JUDGE IMAGE"
        with fsm.state("JUDGE IMAGE"):
            m.d.sync += self._verdict.eq(Cat(status.refusal, status.loaded))
            fsm.next = "SWALLOW"
            with m.If(status.refusal == Refusal.NONE):
                judged()
        with fsm.state("SWALLOW"), m.If(receiver.silent):
            judged()
