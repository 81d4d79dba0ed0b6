"""The console between two byte streams and a core, whatever its tokens' texts are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..parts.loadable_memory import block_attributes, late_read
from ..parts.receive_queue import QUEUED_LAYOUT
from .command import CommandReader
from .control import ConsoleControl
from .generation import Generation
from .line import LineEditor
from .load_control import LoadControl
from .load_messages import LoadMessage
from .messages import PAGE, ROM_LAYOUT
from .number import NumberUnit
from .printer import Printer
from .settings import ConsoleSettings
from .texts import ConsoleTexts


class ConsoleFrame(wiring.Component):
    """Reads lines, obeys commands, and lets the core continue prompts.

    What depends on the texts of tokens is in the three parts that are given; a subclass connects
    what only its own have. No state waits for anything but the transmitter, the core while it
    generates, and bytes.

    Parameters
    ----------
    texts : ConsoleTexts
    core : wiring.Signature
        The core's (:func:`gateware.core.ports.core_signature`).
    editor : LineEditor
    vocabulary : wiring.Component
        The texts of tokens, the tokens of texts, the multipliers of temperatures.
    generation : Generation
        Its entries of the line are as wide as the editor's.
    raw : mapping of str to wiring.Member
        Further ports.

    Members
    -------
    queued : In(stream of QUEUED_LAYOUT)
    interrupt : In(1)
        A pulse for each Ctrl-C; ``queued`` is empty then.
    sent : Out(stream of 8 bits)
    Those of ``core``, flipped; ``start`` and ``abort`` are pulses. And ``raw``.
    bench : Out(1), counted : In(1), with several streams: see :mod:`gateware.core.all_streams`
    """

    def __init__(
        self,
        texts: ConsoleTexts,
        core: wiring.Signature,
        *,
        editor: LineEditor,
        vocabulary: wiring.Component,
        generation: Generation,
        raw: Mapping[str, wiring.Member] = MappingProxyType({}),
    ):
        self._texts = texts
        self._several = texts.identification.streams > 1
        self._editor, self._vocabulary, self._generation = editor, vocabulary, generation
        super().__init__(
            {
                "queued": In(stream.Signature(QUEUED_LAYOUT)),
                "interrupt": In(1),
                "sent": Out(stream.Signature(8)),
                **raw,
                **({"bench": Out(1), "counted": In(1)} if self._several else {}),
                **core.flip().members,
            }
        )

    def further_connections(self) -> list:
        """Statements that connect what only a subclass's parts have."""
        return []

    def add_load(self, m: Module, memory: Memory, entry, label: int | None) -> LoadControl | None:
        """With ``/load``: the image to the core and the memories; None without it.

        The model's label is in ``memory``, that of the texts, from address ``label`` on.
        """
        return None

    def elaborate(self, platform):
        m = Module()
        entries, pages = self._texts.rom()
        dialect, is_loadable = self._texts.dialect, self._texts.load is not None
        m.submodules.editor = editor = self._editor
        m.submodules.vocabulary = self._vocabulary
        m.submodules.number = self._number = NumberUnit()
        label = pages[LoadMessage.LABEL] * PAGE if is_loadable else None
        m.submodules.printer = self._printer = Printer(
            rom_depth=len(entries), label=label, dialect=dialect
        )
        m.submodules.reader = self._reader = CommandReader(
            value_bits=len(editor.value), commands=len(self._texts.commands), dialect=dialect
        )
        m.submodules.generation = self._generation
        m.submodules.settings = self._settings = ConsoleSettings(
            self._texts.config,
            length_bits=len(editor.length),
            streams=self._texts.identification.streams,
        )
        memory, entry = self._connect_rom(m, entries, is_loadable)
        self._connect_line(m)
        self._connect_core(m)
        answered = self._connect_sent(m)
        # behind the core's connections, to which it adds
        load = self.add_load(m, memory, entry, label)
        control = ConsoleControl(
            pages,
            dialect=dialect,
            editor=editor,
            reader=self._reader,
            printer=self._printer,
            generation=self._generation,
            number=self._number,
            settings=self._settings,
            load=load,
        )
        with m.If(answered):
            m.d.sync += control.interrupted.eq(0)
        with m.If(self.interrupt):
            m.d.sync += control.interrupted.eq(1)
        m.d.comb += [
            self._generation.stop.eq(control.interrupted),
            self._generation.bench.eq(control.bench),
            # a level: a CR may be on its way from the queue
            editor.forget_cr.eq(control.interrupted),
        ]
        self._connect_number(m, control.keeping)
        control.add_to(m)
        return m

    def _connect_rom(self, m: Module, entries: list[dict], writable: bool):
        """The memory of texts to the printer, which moves in it, and the reader of commands."""
        m.submodules.texts = memory = Memory(
            shape=ROM_LAYOUT,
            depth=len(entries),
            init=entries,
            attrs=block_attributes(writable),
        )
        reader, printer = self._reader, self._printer
        entry = late_read(m, memory, printer.rom_address, writable=writable, name="entry")
        m.d.comb += [
            printer.rewind.eq(reader.rewind_name),
            printer.advance.eq(reader.advance_name),
            reader.name.eq(entry),
            printer.rom_entry.eq(entry),
        ]
        return memory, entry

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
            *self.further_connections(),
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
            generation.temperature.eq(vocabulary.temperature),
            generation.tokens.eq(settings.tokens),
            generation.phase.eq(self._number.phase),
            settings.length.eq(self._editor.prompt_length),
            settings.bench.eq(generation.bench),
            settings.text.eq(generation.text_tokens),
            settings.cycles.eq(generation.cycles),
            settings.waiting.eq(generation.waiting),
        ]
        if self._several:
            m.d.comb += [self.bench.eq(generation.bench), generation.counted.eq(self.counted)]
        for name, member in generation.TEXT.members.items():
            here, there = getattr(generation, name), getattr(vocabulary, name)
            m.d.comb += there.eq(here) if member.flow is Out else here.eq(there)

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

    def _connect_number(self, m: Module, keeping):
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
            number.source.eq(Mux(keeping, number.value, settings.bit)),
            number.limit.eq(settings.limit),
        ]
