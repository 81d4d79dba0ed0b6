"""What the console does next: the state machine over its parts."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module, Signal
from amaranth.lib import data

from ..parts.delay import delayed
from ..parts.one_hot import OneHot
from .command import CommandReader
from .dialect import AnyMessage, Dialect
from .generation import Generation
from .line import Event, LineEditor
from .load_control import LoadControl
from .load_messages import LoadMessage
from .messages import COUNTS, LINE_REFUSALS, Message
from .number import NumberUnit
from .printer import Printer
from .reply import THEN, Reply, Then
from .settings import ConsoleSettings


class ConsoleControl:
    """Lets the parts of a console work, one after the other; part of the console's module.

    What begins a part's work is a state of its own, and what is known of its end a register, so
    that no condition goes from part to part in one cycle.

    Parameters
    ----------
    pages : mapping of messages to int
        Where each text begins (:meth:`.ConsoleTexts.rom`).
    dialect : Dialect
    editor, reader, printer, generation, number, settings
        The parts. Their ports that start work, and say what is to be said or stored, are driven
        here.
    load : LoadControl, optional
        Adds ``/load``.

    Attributes
    ----------
    interrupted : Signal(1)
        A Ctrl-C has not been answered yet; driven by the console.
    bench : Signal(1)
        What is generated is a /bench.
    keeping : Signal(1)
        What the number unit loads is its own value, not that of a setting or a count.
    """

    def __init__(
        self,
        pages: Mapping[AnyMessage | LoadMessage, int],
        *,
        dialect: Dialect,
        editor: LineEditor,
        reader: CommandReader,
        printer: Printer,
        generation: Generation,
        number: NumberUnit,
        settings: ConsoleSettings,
        load: LoadControl | None = None,
    ):
        self._pages, self._dialect, self._load = pages, dialect, load
        self._editor, self._reader, self._printer = editor, reader, printer
        self._generation, self._number, self._settings = generation, number, settings
        self.interrupted, self.bench, self.keeping = Signal(), Signal(), Signal()
        self._reply = Signal(Reply, reset_less=True)
        self._page = Signal.like(printer.page, reset_less=True)
        self._then = Signal(Then, reset_less=True)
        self._advancing = Signal(reset_less=True)  # the seed, after a generation
        self._attention = Signal()  # while typing: something else has to be done

    def add_to(self, m: Module) -> None:
        """Add the registers and the state machine to the console's module."""
        editor, generation, number = self._editor, self._generation, self._number
        self._line_is_done = delayed(m, editor.waiting & ~editor.enable, 1, name="line_is_done")
        loading = Signal()
        printing, reading, generating, storing = (
            delayed(m, unit.busy | start, 1, name="busy")
            for unit, start in (
                (self._printer, self._printer.start),
                (self._reader, self._reader.start),
                (generation, generation.start),
                (number, loading),
            )
        )
        if self._load is not None:
            self._load.add_registers(m)
        event = self._wanted(m)
        sampling = delayed(m, generation.mult.any(), 1, name="sampling")
        # registers that are set for a cycle
        m.d.sync += [
            *(editor.enable.eq(0), editor.resume.eq(0), editor.clear.eq(0)),
            *(self._reply.eq(Reply.WELCOME), self.keeping.eq(0), self._attention.eq(0)),
        ]
        m.d.comb += self._printer.page.eq(self._page)
        with OneHot(m, "RESET") as self._fsm:
            with self._fsm.state("RESET"):
                self._say(m, Reply.WELCOME)
            with self._fsm.state("CHOOSE"):
                self._choose(m)
                self._fsm.next = "SAY"
            with self._fsm.state("SAY"):
                m.d.comb += self._printer.start.eq(1)
                self._fsm.next = "SAYING"
            with self._fsm.state("SAYING"), m.If(~printing):
                self._fsm.next = "SAID"
            with self._fsm.state("SAID"):
                if self._load is None:
                    self._proceed(m)
                else:
                    self._load.proceed(m, self._fsm, self._say, self._proceed)
            with self._fsm.state("RESUME"):
                m.d.sync += [editor.resume.eq(1), editor.clear.eq(self._then == Then.NEW_LINE)]
                self._fsm.next = "RESUMED"
            with self._fsm.state("RESUMED"):  # the editor's event is there until now
                self._fsm.next = "TYPE"
            with self._fsm.state("TYPE"):
                self._type(m)
            with self._fsm.state("EVENT"):
                self._say(m, event.reply)
                with m.If(event.command):
                    self._fsm.next = "READ"
            with self._fsm.state("READ"):
                m.d.comb += self._reader.start.eq(1)
                self._fsm.next = "READING"
            with self._fsm.state("READING"), m.If(~reading):
                self._fsm.next = "OBEY"
            with self._fsm.state("OBEY"):
                self._obey(m)
            with self._fsm.state("GENERATE"):
                m.d.comb += generation.start.eq(1)
                self._fsm.next = "GENERATING"
            with self._fsm.state("GENERATING"), m.If(~generating):
                self._fsm.next = "COUNT"
                m.d.sync += self._advancing.eq(1)
                with m.If(sampling):
                    self._fsm.next = "LOAD"
            self._store(m, loading, storing)
            with self._fsm.state("COUNT"):
                self._say(m, Reply.COUNTS)
            if self._load is not None:
                self._load.add_states(m, self._fsm, self._say)

    def _store(self, m: Module, loading, storing):
        """States that store the number read, or the seed plus 1, in a setting."""
        number, settings = self._number, self._settings
        with self._fsm.state("LOAD"):
            m.d.comb += [number.request.start.eq(1), loading.eq(1)]
            self._fsm.next = "STORE"
        with self._fsm.state("STORE"):
            m.d.comb += settings.store.eq(1)
            with m.If(self._advancing):
                m.d.comb += settings.number.eq(self._dialect.numbers.SEED)
                m.d.comb += number.request.addend.eq(1)
            with m.Else():
                m.d.comb += settings.number.eq(self._reader.command)
                m.d.sync += self.keeping.eq(1)
            with m.If(~storing):
                with m.If(self._advancing):
                    self._fsm.next = "COUNT"
                with m.Else():
                    self._say(m, Reply.ANSWER)

    def _say(self, m: Module, reply: Reply):
        m.d.sync += self._reply.eq(reply)
        self._fsm.next = "CHOOSE"

    def _choices(self) -> dict[Reply, tuple]:
        """Of each reply its texts, and what chooses among them."""
        command, dialect = self._reader.command, self._dialect
        choices = {
            Reply.WELCOME: ((Message.WELCOME,), 0),
            Reply.RUBOUT: ((Message.RUBOUT,), 0),
            Reply.ERASED: ((Message.ERASED,), 0),
            Reply.EMPTY: ((Message.EMPTY,), 0),
            Reply.PROMPT: ((Message.PROMPT,), 0),
            Reply.LINE_REFUSAL: (LINE_REFUSALS, self._editor.error),
            Reply.REFUSAL: (dialect.refusals, command),
            Reply.ANSWER: (dialect.answers, command),
            Reply.COUNTS: (COUNTS, self.bench),
            Reply.ENDING: (dialect.endings, self._generation.ending),
        }
        choices = {reply: (dict(enumerate(texts)), by) for reply, (texts, by) in choices.items()}
        return choices if self._load is None else choices | self._load.choices()

    def _choose(self, m: Module):
        """The text of a reply, and what follows it."""
        command = self._reader.command
        with m.Switch(self._reply):
            for reply, (messages, selector) in self._choices().items():
                with m.Case(reply):
                    m.d.sync += self._then.eq(THEN.get(reply, Then.NEW_LINE))
                    with m.Switch(selector):
                        for value, message in messages.items():
                            with m.Case(value):
                                m.d.sync += self._page.eq(self._pages[message])
                    if self._load is not None:
                        self._load.choose(m, reply)
                    if reply is Reply.PROMPT:
                        m.d.sync += self.bench.eq(0)
                    if reply is Reply.ANSWER:
                        with m.If(command == self._dialect.bench):
                            m.d.sync += [self.bench.eq(1), self._then.eq(Then.GENERATION)]

    def _proceed(self, m: Module):
        """After a text."""
        with m.Switch(self._then):
            with m.Case(Then.TYPING, Then.NEW_LINE):
                self._fsm.next = "RESUME"
            with m.Case(Then.GENERATION):
                self._fsm.next = "GENERATE"
            with m.Case(Then.ENDING):
                self._say(m, Reply.ENDING)

    def _type(self, m: Module):
        """Let the editor work until it wants something said."""
        editor = self._editor
        m.d.sync += editor.enable.eq(~self.interrupted)
        interrupted = self.interrupted & self._line_is_done
        m.d.sync += self._attention.eq((editor.event != Event.NONE) | interrupted)
        with m.If(self._attention):
            self._fsm.next = "EVENT"

    def _wanted(self, m: Module):
        """What the editor's event asks for, or without one Ctrl-C, in a register: settled when
        the event has the state machine's attention."""
        editor = self._editor
        wanted = Signal(data.StructLayout({"reply": Reply, "command": 1}), reset_less=True)
        m.d.sync += [wanted.reply.eq(Reply.EMPTY), wanted.command.eq(0)]
        with m.Switch(editor.event):
            with m.Case(Event.RUBOUT):
                m.d.sync += wanted.reply.eq(Reply.RUBOUT)
            with m.Case(Event.ERASED):
                m.d.sync += wanted.reply.eq(Reply.ERASED)
            with m.Case(Event.ENTERED):
                m.d.sync += wanted.command.eq(editor.command & ~editor.failed)
                with m.If(editor.failed):
                    m.d.sync += wanted.reply.eq(Reply.LINE_REFUSAL)
                with m.Elif(~editor.empty):
                    m.d.sync += wanted.reply.eq(Reply.PROMPT)
                if self._load is not None:
                    self._load.refuse_prompt(m, wanted.reply)
        return wanted

    def _obey(self, m: Module):
        """Carry out the command that was read."""
        reader = self._reader
        with m.If(reader.refused):
            self._say(m, Reply.REFUSAL)
        with m.Else():
            if self._load is None:
                self._answer(m)
            else:
                self._load.obey(m, self._say, self._answer)

    def _answer(self, m: Module):
        """Store a number that there is, and say what a command is answered with."""
        self._say(m, Reply.ANSWER)
        with m.If(self._reader.argument):
            m.d.sync += self._advancing.eq(0)
            self._fsm.next = "LOAD"
