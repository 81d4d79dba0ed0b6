"""The console between two byte streams and a core: lines in, answers out (docs/console.md)."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import enum, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .console_command import CommandReader
from .console_generation import Generation
from .console_line import Event, LineEditor
from .console_messages import (
    ANSWERS,
    BENCH,
    COUNTS,
    ENDINGS,
    LINE_REFUSALS,
    REFUSALS,
    ROM_LAYOUT,
    ConsoleTexts,
    Message,
    Number,
)
from .console_number import NumberUnit
from .console_printer import Printer
from .console_settings import ConsoleSettings
from .console_vocabulary import ConsoleVocabulary, token_texts
from .core import core_signature
from .delay import delayed
from .identification import Identification
from .receive_queue import QUEUED_LAYOUT


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


class Then(enum.Enum, shape=2):
    """What follows a text."""

    TYPING = 0
    NEW_LINE = 1
    """typing, on an empty line"""
    GENERATION = 2
    ENDING = 3
    """the text that says how the generation ended"""


class TextConsole(wiring.Component):
    """Reads lines, obeys commands, and lets the core continue prompts.

    No state waits for anything but the transmitter, the core while it generates, and bytes. What
    begins another part's work is a state of its own, so that no condition goes from part to part in
    one cycle.

    Parameters
    ----------
    name : str
        The model's name.
    identification : Identification
    vocabulary : sequence of str
    logit_scale : float
        The model's; the multipliers of the temperatures come from it.

    Members
    -------
    queued : In(stream of QUEUED_LAYOUT)
    interrupt : In(1)
        A pulse for each Ctrl-C; ``queued`` is empty then.
    sent : Out(stream of 8 bits)
    Those of :func:`.core.core_signature`, flipped; ``start`` and ``abort`` are pulses.

    Raises
    ------
    UserError
        If a token's text is not one character, or the same as another's.
    """

    def __init__(
        self,
        *,
        name: str,
        identification: Identification,
        vocabulary: Sequence[str],
        logit_scale: float,
    ):
        self._config = identification.config
        self._texts = ConsoleTexts(name, identification)
        token_texts(vocabulary)  # refuses what has no place in it
        self._token_texts, self._logit_scale = tuple(vocabulary), logit_scale
        super().__init__(
            {
                "queued": In(stream.Signature(QUEUED_LAYOUT)),
                "interrupt": In(1),
                "sent": Out(stream.Signature(8)),
                **core_signature(self._config.vocab_size).flip().members,
            }
        )

    def elaborate(self, platform):
        m = Module()
        entries, self._pages = self._texts.rom()
        m.submodules.editor = self._editor = editor = LineEditor(self._config)
        value_bits = len(editor.value)
        m.submodules.vocabulary = self._vocabulary = ConsoleVocabulary(
            self._token_texts, logit_scale=self._logit_scale
        )
        m.submodules.number = self._number = NumberUnit()
        m.submodules.printer = self._printer = Printer(rom_depth=len(entries))
        m.submodules.reader = self._reader = CommandReader(value_bits=value_bits)
        m.submodules.generation = self._generation = Generation(self._config, value_bits=value_bits)
        m.submodules.settings = self._settings = ConsoleSettings(
            self._config, length_bits=len(editor.length)
        )
        self._connect_texts(m, entries)
        self._connect_line(m)
        self._connect_core(m)
        answered = self._connect_sent(m)
        self._interrupted, self._bench = Signal(), Signal()
        # registers
        m.d.sync += [editor.enable.eq(0), editor.resume.eq(0), editor.clear.eq(0)]
        with m.If(answered):
            m.d.sync += self._interrupted.eq(0)
        with m.If(self.interrupt):
            m.d.sync += self._interrupted.eq(1)
        m.d.comb += [
            self._generation.stop.eq(self._interrupted),
            self._generation.bench.eq(self._bench),
            # a level: a CR may be on its way from the queue
            editor.forget_cr.eq(self._interrupted),
        ]
        self._control(m)
        return m

    def _connect_texts(self, m: Module, entries: list[dict]):
        """The memory of texts to the printer, which moves in it, and the reader of commands."""
        m.submodules.texts = memory = Memory(
            shape=ROM_LAYOUT,
            depth=len(entries),
            init=entries,
            attrs={"ram_style": "block", "rom_style": "block"},
        )
        read, reader, printer = memory.read_port(), self._reader, self._printer
        entry = Signal(ROM_LAYOUT, reset_less=True)
        m.d.sync += entry.eq(read.data)
        m.d.comb += [
            read.addr.eq(printer.rom_address),
            printer.rewind.eq(reader.rewind_name),
            printer.advance.eq(reader.advance_name),
            reader.name.eq(entry),
            printer.rom_entry.eq(entry),
        ]

    def _connect_line(self, m: Module):
        editor, reader, generation = self._editor, self._reader, self._generation
        vocabulary = self._vocabulary
        wiring.connect(m, wiring.flipped(self.queued), editor.queued)
        m.d.comb += [
            editor.reading.eq(reader.busy | generation.busy),
            editor.rewind.eq(reader.rewind | generation.rewind),
            editor.advance.eq(reader.advance | generation.advance),
            vocabulary.search.eq(editor.search),
            vocabulary.character.eq(editor.character),
            editor.searching.eq(vocabulary.busy),
            editor.found.eq(vocabulary.found),
            editor.token.eq(vocabulary.address),
        ]
        for user in (reader, generation):
            m.d.comb += [user.value.eq(editor.value), user.at_end.eq(editor.at_end)]

    def _connect_core(self, m: Module):
        generation, settings, vocabulary = self._generation, self._settings, self._vocabulary
        wiring.connect(m, generation.prompt, wiring.flipped(self.prompt))
        wiring.connect(m, wiring.flipped(self.output), generation.output)
        m.d.comb += [
            self.start.eq(generation.core_start),
            self.abort.eq(generation.core_abort),
            generation.core_busy.eq(self.busy),
            generation.context_full.eq(self.context_full),
            self.settings.temperature_mult.eq(generation.mult),
            self.settings.temperature_shift.eq(generation.shift),
            self.settings.top_k.eq(settings.top_k),
            self.settings.seed.eq(settings.seed),
            self.settings.count.eq(generation.count),
            vocabulary.look_up.eq(generation.look_up),
            vocabulary.look_up_temperature.eq(generation.look_up_temperature),
            vocabulary.token.eq(generation.token),
            vocabulary.hundredths.eq(settings.temperature),
            generation.text.eq(vocabulary.text),
            generation.temperature.eq(vocabulary.temperature),
            generation.tokens.eq(settings.tokens),
            generation.phase.eq(self._number.phase),
            settings.length.eq(self._editor.length),
            settings.bench.eq(generation.bench),
            settings.text.eq(generation.text_tokens),
            settings.cycles.eq(generation.cycles),
            settings.waiting.eq(generation.waiting),
        ]

    def _connect_sent(self, m: Module):
        """From the three, of which at most one sends at a time, through a register.

        Returns when the end of an answer is taken from there.
        """
        printer, editor, generation = self._printer, self._editor, self._generation
        sources = [source.sent for source in (printer, editor, generation)]
        payloads = [source.payload for source in sources]
        valid, byte = Signal(), Signal(8, reset_less=True)
        is_end = Signal(reset_less=True)
        m.d.comb += [
            self.sent.valid.eq(valid),
            self.sent.payload.eq(byte),
            *(source.ready.eq(~valid) for source in sources),
        ]
        with m.If(~valid):
            m.d.sync += [
                valid.eq(Cat(source.valid for source in sources).any()),
                is_end.eq(printer.answered),
                byte.eq(
                    Mux(printer.busy, payloads[0], Mux(generation.busy, payloads[2], payloads[1]))
                ),
            ]
        with m.Elif(self.sent.ready):
            m.d.sync += valid.eq(0)
        return valid & self.sent.ready & is_end

    def _connect_number(self, m: Module):
        """The number unit to its users: the reader, the printer, and what stores a setting."""
        number, settings = self._number, self._settings
        reader, printer = self._reader, self._printer
        for field in ("start", "clear", "operation", "addend"):
            wanted = [getattr(user.request, field) for user in (reader, printer)]
            wanted = [Value.cast(value) for value in wanted]
            m.d.comb += getattr(number.request, field).eq(wanted[0] | wanted[1])
        m.d.comb += [
            reader.number_busy.eq(number.busy),
            reader.too_large.eq(number.too_large),
            printer.number_busy.eq(number.busy),
            printer.digit.eq(number.digit),
            printer.more.eq(number.more),
            settings.phase.eq(number.phase),
            settings.loading.eq(number.loading),
            settings.result.eq(number.result),
            settings.number.eq(printer.number),
            settings.setting.eq(reader.command),
            number.source.eq(Mux(self._keeping, number.value, settings.bit)),
            number.limit.eq(settings.limit),
        ]

    def _store(self, m: Module, loading, storing):
        """States that store the number read, or the seed plus 1, in a setting."""
        number, settings = self._number, self._settings
        with m.State("LOAD"):
            m.d.comb += [number.request.start.eq(1), loading.eq(1)]
            m.next = "STORE"
        with m.State("STORE"):
            m.d.comb += settings.store.eq(1)
            with m.If(self._advancing):
                m.d.comb += [settings.number.eq(Number.SEED), number.request.addend.eq(1)]
            with m.Else():
                m.d.comb += settings.number.eq(self._reader.command)
                m.d.sync += self._keeping.eq(1)
            with m.If(~storing):
                with m.If(self._advancing):
                    m.next = "COUNT"
                with m.Else():
                    m.next = "CHOOSE"

    def _say(self, m: Module, reply: Reply):
        m.d.sync += self._reply.eq(reply)
        m.next = "CHOOSE"

    def _choose(self, m: Module):
        """The text of a reply, and what follows it."""
        command = self._reader.command
        with m.Switch(self._reply):
            for reply, messages, selector, then in (
                (Reply.WELCOME, (Message.WELCOME,), 0, Then.NEW_LINE),
                (Reply.RUBOUT, (Message.RUBOUT,), 0, Then.TYPING),
                (Reply.ERASED, (Message.ERASED,), 0, Then.NEW_LINE),
                (Reply.EMPTY, (Message.EMPTY,), 0, Then.NEW_LINE),
                (Reply.PROMPT, (Message.PROMPT,), 0, Then.GENERATION),
                (Reply.LINE_REFUSAL, LINE_REFUSALS, self._editor.error, Then.NEW_LINE),
                (Reply.REFUSAL, REFUSALS, command, Then.NEW_LINE),
                (Reply.ANSWER, ANSWERS, command, Then.NEW_LINE),
                (Reply.COUNTS, COUNTS, self._bench, Then.ENDING),
                (Reply.ENDING, ENDINGS, self._generation.ending, Then.NEW_LINE),
            ):
                with m.Case(reply):
                    m.d.sync += self._then.eq(then)
                    with m.Switch(selector):
                        for value, message in enumerate(messages):
                            with m.Case(value):
                                m.d.sync += self._page.eq(self._pages[message])
                    if reply is Reply.PROMPT:
                        m.d.sync += self._bench.eq(0)
                    if reply is Reply.ANSWER:
                        with m.If(command == BENCH):
                            m.d.sync += [self._bench.eq(1), self._then.eq(Then.GENERATION)]

    def _control(self, m: Module):
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
        sampling = delayed(m, generation.mult.any(), 1, name="sampling")
        self._reply = Signal(Reply, reset_less=True)
        self._page = Signal.like(self._printer.page, reset_less=True)
        self._then = Signal(Then, reset_less=True)
        self._advancing = Signal(reset_less=True)
        self._keeping = Signal()  # a LOAD is of the number unit's own value
        m.d.sync += self._keeping.eq(0)
        self._connect_number(m)
        m.d.comb += self._printer.page.eq(self._page)
        with m.FSM():
            with m.State("RESET"):
                self._say(m, Reply.WELCOME)
            with m.State("CHOOSE"):
                self._choose(m)
                m.next = "SAY"
            with m.State("SAY"):
                m.d.comb += self._printer.start.eq(1)
                m.next = "SAYING"
            with m.State("SAYING"), m.If(~printing):
                self._proceed(m)
            with m.State("RESUME"):
                m.d.sync += [editor.resume.eq(1), editor.clear.eq(self._then == Then.NEW_LINE)]
                m.next = "RESUMED"
            with m.State("RESUMED"):  # the editor's event is there until now
                m.next = "TYPE"
            with m.State("TYPE"):
                self._type(m)
            with m.State("READ"):
                m.d.comb += self._reader.start.eq(1)
                m.next = "READING"
            with m.State("READING"), m.If(~reading):
                self._obey(m)
            with m.State("GENERATE"):
                m.d.comb += generation.start.eq(1)
                m.next = "GENERATING"
            with m.State("GENERATING"), m.If(~generating):
                m.next = "COUNT"
                m.d.sync += self._advancing.eq(1)
                with m.If(sampling):
                    m.next = "LOAD"
            self._store(m, loading, storing)
            with m.State("COUNT"):
                self._say(m, Reply.COUNTS)

    def _proceed(self, m: Module):
        """After a text."""
        with m.Switch(self._then):
            with m.Case(Then.TYPING, Then.NEW_LINE):
                m.next = "RESUME"
            with m.Case(Then.GENERATION):
                m.next = "GENERATE"
            with m.Case(Then.ENDING):
                self._say(m, Reply.ENDING)

    def _type(self, m: Module):
        """Let the editor work until it wants something said."""
        editor = self._editor
        m.d.sync += editor.enable.eq(~self._interrupted)
        with m.Switch(editor.event):
            with m.Case(Event.NONE), m.If(self._interrupted & self._line_is_done):
                self._say(m, Reply.EMPTY)
            with m.Case(Event.RUBOUT):
                self._say(m, Reply.RUBOUT)
            with m.Case(Event.ERASED):
                self._say(m, Reply.ERASED)
            with m.Case(Event.ENTERED):
                with m.If(editor.failed):
                    self._say(m, Reply.LINE_REFUSAL)
                with m.Elif(editor.command):
                    m.next = "READ"
                with m.Elif(editor.empty):
                    self._say(m, Reply.EMPTY)
                with m.Else():
                    self._say(m, Reply.PROMPT)

    def _obey(self, m: Module):
        """Carry out the command that was read."""
        reader = self._reader
        with m.If(reader.refused):
            self._say(m, Reply.REFUSAL)
        with m.Else():
            self._say(m, Reply.ANSWER)
            with m.If(reader.argument):
                m.d.sync += self._advancing.eq(0)
                m.next = "LOAD"
