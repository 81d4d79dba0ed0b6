"""Host interface: the core behind AXI4-Lite registers and token FIFOs."""

from __future__ import annotations

import functools
import operator

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.config import ModelConfig

from ..core.ports import stream_port
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
        super().__init__(
            {
                "axi": In(axi_lite_signature(ADDRESS_WIDTH)),
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
        m.submodules.axi = axi = AxiLiteSlave(ADDRESS_WIDTH)
        wiring.connect(m, wiring.flipped(self.axi), axi.axi)
        for number, stream in enumerate(self._streams):
            m.submodules[stream_port("stream", number)] = stream
            for name in stream.signature.members:
                if name not in NOT_THE_CORES:
                    pass_port(m, getattr(self, stream_port(name, number)), stream, name)
        first, *others = self._streams
        if not others:
            wiring.connect(m, axi.bus, first.bus)
            return m
        if self.identification.image is None:
            self._share(m, axi.bus)
        else:
            self._decode(m, axi.bus)
            m.d.comb += first.others_busy.eq(Cat(stream.busy for stream in others).any())
            for stream in others:
                m.d.comb += stream.image_verified.eq(first.image_verified)
        return m

    def _share(self, m: Module, bus):
        """The bus is every stream's, which knows its registers by their whole addresses."""
        buses = [stream.bus for stream in self._streams]
        for part in buses:
            for name in bus.signature.members:
                if bus.signature.members[name].flow == Out:
                    m.d.comb += getattr(part, name).eq(getattr(bus, name))
        m.d.comb += [
            bus.read_data.eq(functools.reduce(operator.or_, (part.read_data for part in buses))),
            bus.read_error.eq(Cat(part.read_error for part in buses).all()),
            bus.write_error.eq(Cat(part.write_error for part in buses).all()),
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
