"""The console between two byte streams and a core: lines in, answers out (docs/console.md)."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..core.ports import core_signature
from ..host.identification import Identification
from ..parts.loadable_memory import block_attributes, late_read
from ..parts.receive_queue import QUEUED_LAYOUT
from ..parts.uart import DATA_BITS
from .command import CommandReader
from .control import ConsoleControl
from .generation import Generation
from .image import LABEL, further_sections
from .line import LineEditor
from .load import ImageReceiver
from .load_control import LoadControl
from .load_messages import LoadMessage, LoadTexts
from .messages import PAGE, ROM_LAYOUT
from .number import NumberUnit
from .printer import Printer
from .settings import ConsoleSettings
from .texts import ConsoleTexts
from .vocabulary import ConsoleVocabulary, token_texts


class TextConsole(wiring.Component):
    """Reads lines, obeys commands, and lets the core continue prompts.

    No state waits for anything but the transmitter, the core while it generates, and bytes.

    Parameters
    ----------
    name : str
        The model's name.
    identification : Identification
    vocabulary : sequence of str
    logit_scale : float
        The model's; the multipliers of the temperatures come from it.
    load : LoadTexts, optional
        With ``/load``; the core has the sections of :func:`gateware.console.image.console_sections`
        behind its own.
    silence : int
        Cycles without a byte after which no more of an image comes.

    Members
    -------
    queued : In(stream of QUEUED_LAYOUT)
    raw : Out(1), raw_bytes : In(stream of 8 bits), always ready
        With ``load``: what arrives while ``raw`` belongs to ``raw_bytes``, not into a queue.
    interrupt : In(1)
        A pulse for each Ctrl-C; ``queued`` is empty then.
    sent : Out(stream of 8 bits)
    Those of :func:`gateware.core.ports.core_signature`, flipped; ``start`` and ``abort`` are
    pulses.

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
        load: LoadTexts | None = None,
        silence: int = 1,
    ):
        self._config = identification.config
        self._texts = ConsoleTexts(name, identification, load)
        token_texts(vocabulary)  # refuses what has no place in it
        self._token_texts, self._logit_scale = tuple(vocabulary), logit_scale
        self._silence = silence
        vocab_size, raw = self._config.vocab_size, {}
        core = core_signature(vocab_size)
        if load is not None:
            core = core_signature(vocab_size, True, further_sections(vocab_size))
            raw = {"raw": Out(1), "raw_bytes": In(stream.Signature(DATA_BITS))}
        super().__init__(
            {
                "queued": In(stream.Signature(QUEUED_LAYOUT)),
                "interrupt": In(1),
                "sent": Out(stream.Signature(8)),
                **raw,
                **core.flip().members,
            }
        )

    def elaborate(self, platform):
        m = Module()
        entries, pages = self._texts.rom()
        m.submodules.editor = self._editor = editor = LineEditor(self._config)
        value_bits = len(editor.value)
        m.submodules.vocabulary = self._vocabulary = ConsoleVocabulary(
            self._token_texts, logit_scale=self._logit_scale, loadable=self._is_loadable
        )
        m.submodules.number = self._number = NumberUnit()
        label = pages[LoadMessage.LABEL] * PAGE if self._is_loadable else None
        m.submodules.printer = self._printer = Printer(rom_depth=len(entries), label=label)
        m.submodules.reader = self._reader = CommandReader(
            value_bits=value_bits, commands=len(self._texts.commands)
        )
        m.submodules.generation = self._generation = Generation(self._config, value_bits=value_bits)
        m.submodules.settings = self._settings = ConsoleSettings(
            self._config, length_bits=len(editor.length)
        )
        self._connect_texts(m, entries, label)
        self._connect_line(m)
        self._connect_core(m)
        answered = self._connect_sent(m)
        control = ConsoleControl(
            pages,
            dialect=self._texts.dialect,
            editor=editor,
            reader=self._reader,
            printer=self._printer,
            generation=self._generation,
            number=self._number,
            settings=self._settings,
            load=self._connect_load(m) if self._is_loadable else None,
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

    @property
    def _is_loadable(self) -> bool:
        return self._texts.load is not None

    def _connect_load(self, m: Module) -> LoadControl:
        """The image to the core, and what it has for the console to the memories."""
        m.submodules.receiver = receiver = ImageReceiver(silence=self._silence)
        wiring.connect(m, wiring.flipped(self.raw_bytes), receiver.bytes)
        wiring.connect(m, receiver.words, wiring.flipped(self.load_words))
        load = LoadControl(
            editor=self._editor,
            reader=self._reader,
            receiver=receiver,
            status=self.load_status,
            checking=self.load_checking,
        )
        load.connect(m, self, vocabulary=self._vocabulary, printer=self._printer)
        return load

    def _connect_texts(self, m: Module, entries: list[dict], label: int | None):
        """The memory of texts to the printer, which moves in it, and the reader of commands."""
        m.submodules.texts = memory = Memory(
            shape=ROM_LAYOUT,
            depth=len(entries),
            init=entries,
            attrs=block_attributes(self._is_loadable),
        )
        reader, printer = self._reader, self._printer
        entry = late_read(m, memory, printer.rom_address, writable=self._is_loadable, name="entry")
        m.d.comb += [
            printer.rewind.eq(reader.rewind_name),
            printer.advance.eq(reader.advance_name),
            reader.name.eq(entry),
            printer.rom_entry.eq(entry),
        ]
        if label is not None:
            self._connect_label(m, memory, entry, label)

    def _connect_label(self, m: Module, memory: Memory, entry, label: int):
        write, written = memory.write_port(), getattr(self, f"write_{LABEL}")
        m.d.comb += [
            write.en.eq(written.valid),
            write.addr.eq(label | written.address),
            write.data.byte.eq(written.data),
            getattr(self, f"word_{LABEL}").eq(entry.byte),
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
