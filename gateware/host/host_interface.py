"""Host interface: the core behind AXI4-Lite registers and token FIFOs."""

from __future__ import annotations

import functools
import operator

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.config import ModelConfig

from ..core.ports import stream_port
from ..parts.delay import delayed
from ..parts.integers import check_integer
from ..parts.passed_port import pass_port
from ..plan.hw_config import HwConfig
from ..plan.reload_limits import ReloadLimits
from ..streamed.ports import ImageFacts
from .axi_lite import WORD_ADDRESS_LOW, AxiLiteSlave, axi_lite_signature
from .base_registers import OUTPUT_LEVEL_BITS, PROMPT_LEVEL_BITS, TOKEN_BITS
from .identification import Identification
from .register import ADDRESS_WIDTH
from .stream_interface import StreamInterface
from .streamed_registers import STREAM_BYTES

MIN_OUTPUT_DEPTH = 16
NOT_THE_CORES = ("bus", "others_busy", "image_verified")
"""Members of a StreamInterface that are not a core's."""

STREAMS_OF_A_RESET = 4
"""Whose registers one drives: with two of them, all streams have theirs before an access comes."""


class HostInterface(wiring.Component):
    """AXI4-Lite slave with the registers of each stream of a core.

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
    reset : In(1), synchronous, with several streams of a model on chip; for two or more cycles
        A stream's registers follow up to two cycles later, before an access can come.
    Those of a :class:`.stream_interface.StreamInterface` that a core has, for each stream: with its
    number behind the name but for the first one.

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
        identification = Identification(config, hw, digest, build_id, clock_khz, limits, image)
        check_integer("vocab_size", config.vocab_size, 1, 2**TOKEN_BITS)
        check_integer("ctx_len", config.ctx_len, 1, 2**PROMPT_LEVEL_BITS - 2)
        check_integer("output_depth", output_depth, MIN_OUTPUT_DEPTH, 2**OUTPUT_LEVEL_BITS - 1)
        self.identification, self.output_depth = identification, output_depth
        self._streams = [
            StreamInterface(identification, output_depth=output_depth, stream=number)
            for number in range(identification.streams)
        ]
        self.is_shared = identification.streams > 1 and image is None
        super().__init__(
            {
                "axi": In(axi_lite_signature(ADDRESS_WIDTH)),
                **({"reset": In(1)} if self.is_shared else {}),
                **{
                    stream_port(name, number): member
                    for number, stream in enumerate(self._streams)
                    for name, member in stream.signature.members.items()
                    if name not in NOT_THE_CORES
                },
            }
        )

    def elaborate(self, platform):
        m = Module()
        axi, streams = AxiLiteSlave(ADDRESS_WIDTH, late_answers=self.is_shared), self._streams
        parts = self._with_resets(m, axi) if self.is_shared else [axi, *streams]
        m.submodules.axi = parts[0]
        wiring.connect(m, wiring.flipped(self.axi), axi.axi)
        for number, stream in enumerate(streams):
            m.submodules[stream_port("stream", number)] = parts[1 + number]
            for name in stream.signature.members:
                if name not in NOT_THE_CORES:
                    pass_port(m, getattr(self, stream_port(name, number)), stream, name)
        first, *others = streams
        if not others:
            wiring.connect(m, axi.bus, first.bus)
            return m
        if self.is_shared:
            self._share(m, axi.bus)
        else:
            self._decode(m, axi.bus)
            m.d.comb += first.others_busy.eq(Cat(stream.busy for stream in others).any())
            for stream in others:
                m.d.comb += stream.image_verified.eq(first.image_verified)
        return m

    def _with_resets(self, m: Module, axi) -> list:
        """The bus and the streams, with resets from several registers: all registers of all streams
        are more than one of them drives well. Each is a cycle later than the one before, for equal
        ones would be made one."""
        reset, parts = self.reset, [ResetInserter(self.reset)(axi)]
        for number, stream in enumerate(self._streams):
            if number % STREAMS_OF_A_RESET == 0:
                reset = delayed(m, reset, 1, name="reset")
            parts.append(ResetInserter(reset)(stream))
        return parts

    def _share(self, m: Module, bus):
        """The bus is every stream's, which knows its registers by their whole addresses.

        What each answers goes through a register before one is made of all.
        """
        answers = {name: [] for name in ("read_data", "read_error", "write_error")}
        for number, stream in enumerate(self._streams):
            for name, member in bus.signature.members.items():
                if member.flow == Out:
                    m.d.comb += getattr(stream.bus, name).eq(getattr(bus, name))
                else:
                    answer = getattr(stream.bus, name)
                    answers[name].append(delayed(m, answer, 1, name=f"{name}{number}"))
        m.d.comb += [
            bus.read_data.eq(functools.reduce(operator.or_, answers["read_data"])),
            bus.read_error.eq(Cat(answers["read_error"]).all()),
            bus.write_error.eq(Cat(answers["write_error"]).all()),
        ]

    def _decode(self, m: Module, bus):
        """Each stream's registers at its place; what is behind them is none."""
        low = STREAM_BYTES.bit_length() - 1 - WORD_ADDRESS_LOW
        words, allowed = [], {"read": [], "write": []}
        for number, stream in enumerate(self._streams):
            for name in ("read_address", "write_address", "write_data", "write_strobe"):
                m.d.comb += getattr(stream.bus, name).eq(getattr(bus, name))
            for kind in ("read", "write"):
                # the address is there a cycle before
                selected = Signal(name=f"{kind}s{number}", reset_less=True)
                m.d.sync += selected.eq(getattr(bus, f"{kind}_address")[low:] == number)
                m.d.comb += getattr(stream.bus, kind).eq(getattr(bus, kind) & selected)
                allowed[kind].append(selected & ~getattr(stream.bus, f"{kind}_error"))
                if kind == "read":
                    words.append(Mux(selected, stream.bus.read_data, 0))
        m.d.comb += [
            bus.read_data.eq(functools.reduce(operator.or_, words)),
            bus.read_error.eq(~Cat(allowed["read"]).any()),
            bus.write_error.eq(~Cat(allowed["write"]).any()),
        ]
