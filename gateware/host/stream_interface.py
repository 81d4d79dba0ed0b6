"""What a host drives and reads of one stream of tokens: its registers, and two token FIFOs."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.decoder.sampling import TOP_P_ONE, DecoderSettings

from ..core.ports import core_signature
from ..engines.sampler.scheme import scheme_of
from ..parts.cycle_counter import CycleCounter
from ..parts.fifo import Fifo
from ..streamed.ports import STREAM_PORTS, image_ports
from .axi_lite import WORD_ADDRESS_LOW, register_bus_signature
from .base_registers import HASH_WORDS
from .identification import Identification
from .image_control import connect_image
from .interleaved_registers import FURTHER_INTERLEAVED_REGISTERS
from .register import ADDRESS_WIDTH
from .register_bank import RegisterBank
from .registers import register
from .shared_bus import at_its_place, read_constants
from .streamed_registers import FURTHER_STREAM_REGISTERS, STREAM_BYTES


class StreamInterface(wiring.Component):
    """Registers of :mod:`gateware.host.registers` on a register bus, in front of a core's stream.

    The prompt FIFO holds ``ctx_len + 1`` tokens (so that a prompt that is too long is seen at
    start), the output FIFO ``output_depth``; when it is full, ``output.ready`` is low and the core
    waits. The tokens in the prompt FIFO at start are the prompt: the final one gets ``last``, and
    later ones stay for the next run.

    ``start`` follows the write of CONTROL on the register bus by one cycle, ``abort`` comes with
    it. The core must raise ``busy`` in the cycle after ``start`` and keep it until it has handed
    over its final token. In the second cycle after ``abort`` it must be idle and its output not
    valid; what it does in the first is ignored. ``settings`` are
    constant from ``start`` until the run has ended.

    Parameters
    ----------
    identification : Identification
    output_depth : int
    stream : int
        Its number; further ones of several are without the image's registers, or those that say
        what the accelerator is.

    Members
    -------
    bus : In(register_bus_signature), of whose addresses the upper bits are of no account; of
        several streams of a model on chip they say whose register it is
    Those of :func:`gateware.core.ports.core_signature`, flipped; ``start`` and ``abort`` are
    pulses. With an image also those of :data:`gateware.streamed.ports.STREAM_PORTS` and, in the
    first stream's, of :func:`gateware.streamed.ports.image_ports`, flipped, with ``others_busy``,
    which refuses to verify, and ``image_verified`` of the others, which don't start without.
    """

    def __init__(self, identification: Identification, *, output_depth: int, stream: int = 0):
        further = stream > 0
        self.identification = identification
        config, hw, image = identification.config, identification.hw, identification.image
        self.config, self.output_depth = config, output_depth
        self._reload = hw.reload
        self._has_image = image is not None and not further
        self._needs_image = image is not None and further
        self._is_interleaved = identification.streams > 1 and image is None
        self._further, self._stream = further, stream
        self._registers = identification.registers
        if further:
            self._registers = FURTHER_STREAM_REGISTERS if image else FURTHER_INTERLEAVED_REGISTERS
        self._has_top_p = scheme_of(config).has_top_p
        core = core_signature(config.vocab_size, hw.reload, scheme=scheme_of(config)).members
        if image is not None:
            core = {**core, **STREAM_PORTS, **({} if further else image_ports(image.memory))}
        between = {"others_busy": In(1), "image_verified": Out(1)} if self._has_image else {}
        if self._needs_image:
            between = {"image_verified": In(1)}
        bus = register_bus_signature(ADDRESS_WIDTH)
        super().__init__({"bus": In(bus), **wiring.Signature(core).flip().members, **between})

    def elaborate(self, platform):
        m = Module()
        declared = self._registers
        constants = self.identification.constants
        if self._is_interleaved:
            declared = at_its_place(declared, self._stream, constants)
        m.submodules.registers = registers = RegisterBank(
            declared, strobes_decoded=self._is_interleaved
        )
        wiring.connect(m, wiring.flipped(self.bus), registers.bus)
        if self._is_interleaved and not self._further:
            read_constants(m, self.bus, registers.bus, self._registers, constants)
        if self._further and not self._is_interleaved:
            for side in ("read_address", "write_address"):
                address = getattr(self.bus, side)[
                    : STREAM_BYTES.bit_length() - 1 - WORD_ADDRESS_LOW
                ]
                m.d.comb += getattr(registers.bus, side).eq(address)
        for name, value in constants.items():
            if hasattr(registers, name.lower()):
                m.d.comb += getattr(registers, name.lower()).as_value().eq(value)

        control, status = registers.control, registers.status
        # Registers, because abort resets the whole core and both FIFOs.
        start, abort = Signal(), Signal()
        running = Signal()
        busy = running | start
        commanded = registers.control_write & control.start & ~control.abort
        prompt_level, errors = self._connect_prompt(m, registers, start, abort)
        refusals = self._refusals(m, registers, busy, prompt_level)
        m.d.sync += [
            start.eq(commanded & ~Cat(refusals.values()).any()),
            abort.eq(self.abort),
        ]
        errors |= {name: commanded & refusal for name, refusal in refusals.items()}
        errors["settings_locked"] = registers.locked_write
        if self._reload:
            errors["load_while_busy"] = self._connect_load(m, registers, busy)
        locked = busy
        if self._has_image:
            locked = busy | self.verifying
            any_busy = busy | self.others_busy
            errors["verify_while_busy"] = connect_image(m, self, registers, any_busy, start)
        if hasattr(self, "saturations"):
            m.d.comb += registers.saturations.value.eq(self.saturations)
        self._keep_errors(m, registers, errors)
        self._connect_output(m, registers, abort)
        self._connect_settings(m, registers)
        self._count(m, registers, start)
        with m.If(abort):
            m.d.sync += [running.eq(0), status.done.eq(0)]
        with m.Elif(start):
            m.d.sync += [running.eq(1), status.done.eq(0)]
        with m.Elif(running & ~self.busy):
            m.d.sync += [running.eq(0), status.done.eq(1)]
        m.d.comb += [
            self.start.eq(start),
            self.abort.eq(registers.control_write & control.abort),
            registers.locked.eq(locked),
            status.busy.eq(busy),
            status.context_full.eq(self.context_full),
            status.error.eq(registers.error.as_value().any()),
            status.prompt_level.eq(prompt_level),
        ]
        return m

    def _refusals(self, m, registers, busy, prompt_level):
        """Flags of ERROR that a start raises, each instead of a run."""
        idle = ~busy
        found = {
            "prompt_empty": prompt_level == 0,
            "prompt_too_long": prompt_level > self.config.ctx_len,
            "count_zero": registers.generate_count.value == 0,
            "top_k_too_large": registers.top_k.value > self.config.vocab_size,
        }
        if self._has_top_p:
            part = registers.top_p.value
            shift = registers.temperature.shift
            found["setting_out_of_range"] = (
                (part == 0) | (part > TOP_P_ONE) | (shift > DecoderSettings.MAX_SHIFT)
            )
        if self._reload:
            found["not_loaded"] = ~self.load_status.loaded | self.load_status.loading
        if self._has_image:
            found["image_not_verified"] = ~registers.image_status.verified
        elif self._needs_image:
            found["image_not_verified"] = ~self.image_verified
        refusals = {"start_while_busy": busy}
        for name, condition in found.items():
            # A write is three cycles and more before that of CONTROL.
            before = Signal(name=name, reset_less=True)
            m.d.sync += before.eq(condition)
            refusals[name] = idle & before
        if self._has_image:
            # with `verify` in the same word: from now on the image is not verified
            refusals["image_not_verified"] |= idle & registers.control.verify
        return refusals

    def _connect_prompt(self, m, registers, start, abort):
        """PROMPT to the core; (tokens in the FIFO, events for flags of ERROR by name)."""
        payload = self.prompt.payload
        fifo = Fifo(payload.token.shape(), self.config.ctx_len + 1)
        m.submodules.prompt_fifo = ResetInserter(abort)(fifo)
        # Registers: what is written reaches the FIFO a cycle later.
        written, known = Signal(), Signal(reset_less=True)
        token = Signal.like(registers.prompt.token, reset_less=True)
        m.d.sync += [
            written.eq(registers.prompt_write),
            token.eq(registers.prompt.token),
            known.eq(registers.prompt.token < self.config.vocab_size),
        ]
        # Tokens of the present run that the core has not taken yet; whether there is one, the last.
        left = Signal(range(fifo.depth + 1), reset_less=True)
        offering, last = Signal(), Signal(reset_less=True)
        m.d.comb += [
            fifo.written.payload.eq(token),
            fifo.written.valid.eq(written & known),
            payload.token.eq(fifo.oldest.payload),
            payload.last.eq(last),
            self.prompt.valid.eq(fifo.oldest.valid & offering),
            fifo.oldest.ready.eq(self.prompt.ready & offering),
        ]
        with m.If(abort):
            m.d.sync += offering.eq(0)
        with m.Elif(start):
            m.d.sync += [left.eq(fifo.level), last.eq(fifo.level == 1), offering.eq(1)]
        with m.Elif(self.prompt.valid & self.prompt.ready):
            m.d.sync += [left.eq(left - 1), last.eq(left == 2), offering.eq(~last)]
        return fifo.level, {
            "prompt_overflow": written & known & ~fifo.written.ready,
            "token_outside_vocabulary": written & ~known,
        }

    def _connect_load(self, m, registers, busy):
        """The loader's registers; high when a load is refused because a run is under way."""
        begin = registers.load_control_write & registers.load_control.begin
        # a word is taken before the next one can come
        waiting, word = Signal(), Signal.like(self.load_words.payload, reset_less=True)
        with m.If(registers.load_data_write):
            m.d.sync += [waiting.eq(1), word.eq(registers.load_data.word)]
        with m.Elif(self.load_words.ready):
            m.d.sync += waiting.eq(0)
        for i in range(HASH_WORDS):
            m.d.comb += getattr(registers, f"artifact_hash_{i}").value.eq(self.digest_word)
        m.d.comb += [
            self.load_begin.eq(begin & ~busy),
            self.load_words.valid.eq(waiting),
            self.load_words.payload.eq(word),
            self.digest_address.eq(registers.bus.read_address),
            registers.load_status.loaded.eq(self.load_status.loaded),
            registers.load_status.loading.eq(self.load_status.loading),
            registers.load_status.refusal.eq(self.load_status.refusal),
        ]
        return begin & busy

    def _connect_output(self, m, registers, abort):
        payload, output = self.output.payload, registers.output
        fifo = Fifo(payload.shape(), self.output_depth)
        m.submodules.output_fifo = ResetInserter(abort)(fifo)
        m.d.comb += [
            fifo.written.payload.eq(payload),
            fifo.written.valid.eq(self.output.valid),
            self.output.ready.eq(fifo.written.ready),
            fifo.oldest.ready.eq(registers.output_read),
            registers.status.output_level.eq(fifo.level),
        ]
        with m.If(fifo.oldest.valid):
            m.d.comb += [
                output.token.eq(fifo.oldest.payload.token),
                output.last.eq(fifo.oldest.payload.last),
                output.valid.eq(1),
            ]

    def _connect_settings(self, m, registers):
        m.d.comb += [
            self.settings.temperature_mult.eq(registers.temperature.mult),
            self.settings.temperature_shift.eq(registers.temperature.shift),
            self.settings.top_k.eq(registers.top_k.value),
            self.settings.seed.eq(registers.seed.value),
            self.settings.count.eq(registers.generate_count.value),
        ]
        if self._has_top_p:
            m.d.comb += self.settings.top_p.eq(registers.top_p.value)

    def _keep_errors(self, m, registers, events):
        """Flags of ERROR; an error in the cycle in which its flag is cleared stays."""
        clear_all = registers.control_write & registers.control.clear_errors
        for field in register("ERROR", self._registers).fields:
            flag = registers.error[field.name]
            cleared = clear_all | registers.error_clear[field.low]
            m.d.sync += flag.eq(events[field.name] | (flag & ~cleared))

    def _count(self, m, registers, start):
        """Cycles and tokens since start."""
        tokens = registers.tokens_generated.value
        if self._is_interleaved:
            cycles = registers.cycles_low.value
            with m.If(start):
                m.d.sync += cycles.eq(0)
            with m.Elif(self.busy):
                m.d.sync += cycles.eq(cycles + 1)
        else:
            self._count_long(m, registers, start)
        with m.If(start):
            m.d.sync += tokens.eq(0)
        with m.Elif(self.output.valid & self.output.ready):
            m.d.sync += tokens.eq(tokens + 1)

    def _count_long(self, m, registers, start):
        """Cycles of a core that has one stream's counter to hold."""
        m.submodules.cycles = cycles = CycleCounter()
        m.d.comb += [
            cycles.clear.eq(start),
            cycles.enable.eq(self.busy),
            cycles.low_read.eq(registers.cycles_low_read),
            registers.cycles_low.value.eq(cycles.low),
            registers.cycles_high.value.eq(cycles.high),
        ]
