"""Host interface: the core behind AXI4-Lite registers and two token FIFOs."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.decoder.sampling import TOP_P_ONE, DecoderSettings

from ..core.ports import core_signature
from ..engines.sampler.scheme import scheme_of
from ..parts.cycle_counter import CycleCounter
from ..parts.fifo import Fifo
from ..parts.integers import check_integer
from ..plan.hw_config import HwConfig
from ..plan.reload_limits import ReloadLimits
from ..streamed.ports import ImageFacts, image_ports
from .axi_lite import AxiLiteSlave, axi_lite_signature
from .base_registers import HASH_WORDS, OUTPUT_LEVEL_BITS, PROMPT_LEVEL_BITS, TOKEN_BITS
from .identification import Identification
from .image_control import connect_image
from .register import ADDRESS_WIDTH
from .register_bank import RegisterBank
from .registers import register

MIN_OUTPUT_DEPTH = 16


class HostInterface(wiring.Component):
    """AXI4-Lite slave with the registers of :mod:`gateware.host.registers`, in front of a core.

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
    config : ModelConfig
    hw : HwConfig
    digest : str
        The model's digest, 64 hexadecimal digits.
    build_id : int, 32 bits
    clock_khz : int, 32 bits
    output_depth : int
        16 to 4,095.
    limits : ReloadLimits, optional
        With ``hw.reload``.
    image : ImageFacts, optional
        Of a model in external memory.

    Members
    -------
    axi : In(axi_lite_signature(12))
    Those of :func:`gateware.core.ports.core_signature`, flipped; ``start`` and ``abort`` are
    pulses. With ``image`` also those of :func:`gateware.streamed.ports.image_ports`, flipped.

    Raises
    ------
    TypeError, ValueError
        As :class:`gateware.host.identification.Identification`; ValueError also if ``output_depth``
        is out of range or the vocabulary or the context too large for the registers (65,536 and
        65,534).
    """

    def __init__(
        self,
        config: ModelConfig,
        hw: HwConfig,
        *,
        digest: str,
        build_id: int,
        clock_khz: int,
        output_depth: int = MIN_OUTPUT_DEPTH,
        limits: ReloadLimits | None = None,
        image: ImageFacts | None = None,
    ):
        self.identification = Identification(config, hw, digest, build_id, clock_khz, limits, image)
        self._image = image
        self._reload = hw.reload
        self._has_top_p = scheme_of(config).has_top_p
        check_integer("vocab_size", config.vocab_size, 1, 2**TOKEN_BITS)
        check_integer("ctx_len", config.ctx_len, 1, 2**PROMPT_LEVEL_BITS - 2)
        check_integer("output_depth", output_depth, MIN_OUTPUT_DEPTH, 2**OUTPUT_LEVEL_BITS - 1)
        self.config = config
        self.output_depth = output_depth
        super().__init__(
            {
                "axi": In(axi_lite_signature(ADDRESS_WIDTH)),
                **core_signature(config.vocab_size, hw.reload, scheme=scheme_of(config))
                .flip()
                .members,
                **(wiring.Signature(image_ports(image.memory)).flip().members if image else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.axi = axi = AxiLiteSlave(ADDRESS_WIDTH)
        m.submodules.registers = registers = RegisterBank(self.identification.registers)
        wiring.connect(m, wiring.flipped(self.axi), axi.axi)
        wiring.connect(m, axi.bus, registers.bus)
        for name, value in self.identification.constants.items():
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
        if self._image is not None:
            errors["verify_while_busy"] = connect_image(m, self, registers, busy, start)
        self._keep_errors(m, registers, errors)
        self._connect_output(m, registers, abort)
        self._connect_settings(m, registers)
        self._count(m, registers, start)
        locked = busy if self._image is None else busy | self.verifying
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
        if self._image is not None:
            found["image_not_verified"] = ~registers.image_status.verified
        refusals = {"start_while_busy": busy}
        for name, condition in found.items():
            # A write is three cycles and more before that of CONTROL.
            before = Signal(name=name, reset_less=True)
            m.d.sync += before.eq(condition)
            refusals[name] = idle & before
        if self._image is not None:
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
        for field in register("ERROR", self.identification.registers).fields:
            flag = registers.error[field.name]
            cleared = clear_all | registers.error_clear[field.low]
            m.d.sync += flag.eq(events[field.name] | (flag & ~cleared))

    def _count(self, m, registers, start):
        """Cycles and tokens since start."""
        m.submodules.cycles = cycles = CycleCounter()
        tokens = registers.tokens_generated.value
        m.d.comb += [
            cycles.clear.eq(start),
            cycles.enable.eq(self.busy),
            cycles.low_read.eq(registers.cycles_low_read),
            registers.cycles_low.value.eq(cycles.low),
            registers.cycles_high.value.eq(cycles.high),
        ]
        with m.If(start):
            m.d.sync += tokens.eq(0)
        with m.Elif(self.output.valid & self.output.ready):
            m.d.sync += tokens.eq(tokens + 1)
