"""What the beats of a program drive: lanes, softmax, requantizer and all that follows it."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.decoder import arith

from ..parts.delay import delayed
from .instruction import Source
from .issue import BeatSignature
from .program import DecoderProgram
from .tables import Parameters, position_table
from .taps import tap_signature
from .value_sinks import ValueSinks, is_one_of

MULTIPLIED = (Source.MATRIX, Source.ELEMENT, Source.SCORE, Source.WEIGH)
"""What the lanes do, GROUP_SUMS beside."""


class DecoderDatapath(ValueSinks):
    """The engines of a core, and what connects them.

    Parameters
    ----------
    program : DecoderProgram
    dsp : str
        One of :data:`gateware.parts.multiplier.DSP_FAMILIES`.

    Members
    -------
    beat : In(BeatSignature)
    position : In, of the token
    logit : Out(struct), ``valid``, ``value``, ``last``
    taps : Out(:func:`.taps.tap_signature`)
    """

    beat_signature = BeatSignature

    def __init__(self, program: DecoderProgram, dsp: str = "generic"):
        self._program, self._dsp = program, dsp
        cfg = program.model.config
        super().__init__(
            {
                "beat": In(self.beat_signature(program)),
                "position": In(range(cfg.ctx_len + 1)),
                "logit": Out(
                    data.StructLayout({"valid": 1, "value": signed(cfg.bits.logit), "last": 1})
                ),
                "limited": Out(range(3)),
                "taps": Out(tap_signature(program)),
                **self._further_ports(),
            }
        )

    def _further_ports(self) -> dict:
        return {}

    def elaborate(self, platform):
        m = Module()
        program, beat = self._program, self.beat
        self._cfg = program.model.config
        self._r = program.timing.source_latency
        self._v = program.timing.value_latency
        m.submodules.lanes = self._lanes = lanes = program.build_lanes(self._dsp)
        m.submodules.softmax = self._softmax = softmax = program.build_softmax()
        m.submodules.residual = self._residual = program.build_residual(self._dsp)
        m.submodules.requantizer = self._requantizer = program.build_requantizer(self._dsp)
        score, weigh = beat.source == Source.SCORE, beat.source == Source.WEIGH
        multiplied = (*MULTIPLIED, *([Source.GROUP_SUMS] if lanes.minimums else []))
        for name in ("store", "min_shift"):
            if hasattr(beat, name):
                m.d.comb += getattr(lanes.beat, name).eq(getattr(beat, name))
        m.d.comb += [
            lanes.beat.valid.eq(beat.valid & is_one_of(beat.source, *multiplied)),
            lanes.beat.source.eq(beat.source),
            lanes.beat.address.eq(beat.address),
            lanes.beat.activation.eq(beat.activation),
            lanes.beat.lane.eq(beat.lane),
            lanes.beat.first.eq(Mux(weigh, beat.first_outer, beat.first_inner)),
            lanes.coefficients.eq(softmax.coefficients),
            softmax.beat.valid.eq(beat.valid & ((score & beat.last_inner) | weigh)),
            softmax.beat.weighted.eq(weigh),
            softmax.beat.position.eq(beat.index),
            softmax.beat.first.eq(beat.first_outer),
            softmax.score_shift.eq(beat.score_shift),
            softmax.sums.eq(lanes.sums),
        ]
        self._requantize(m)
        self._sinks(m)
        self._tap_softmax(m, score & beat.last_inner, weigh)
        return m

    def _tap_softmax(self, m: Module, score, weigh):
        lanes, softmax, valid = self._lanes, self._softmax, self.beat.valid
        for name, is_valid, cycles, numbers in (
            ("score", score, lanes.sums_latency, lanes.sums),
            ("probability", weigh, softmax.COEFFICIENT_DELAY, softmax.coefficients),
        ):
            late = delayed(m, valid & is_valid, cycles, reset_less=False, name=f"{name}_tap")
            m.d.comb += [
                getattr(self.taps, f"{name}_valid").eq(late),
                getattr(self.taps, f"{name}_data").eq(Cat(numbers)),
            ]

    def _requantize(self, m: Module):
        r, unit = self._r, self._requantizer
        lanes, softmax, residual = self._lanes, self._softmax, self._residual
        m.submodules.parameters = parameters = self._parameters(m)
        position = self._position_embedding(m)
        total = delayed(m, lanes.total, r - lanes.total_latency, name="total")
        source = self._at(m, r, "source")
        # numbers of the other sources, in step with the sums of the lanes
        m.d.comb += [
            lanes.read_lane.eq(self._at(m, r - lanes.READ_LATENCY, "lane")),
            softmax.segment.eq(self._at(m, r - softmax.RECIPROCAL_LATENCY, "segment")),
            residual.index.eq(self._at(m, r - residual.READ_LATENCY, "index")),
        ]
        with m.Switch(source):
            with m.Case(Source.LANE):
                m.d.comb += [
                    unit.a.eq(lanes.read_data),
                    unit.b.eq(softmax.reciprocal),
                    unit.first_shift.eq(
                        softmax.exponent + arith.RECIPROCAL_BITS - arith.MEAN_V_BITS
                    ),
                ]
            with m.Case(Source.NORM):
                m.d.comb += [
                    unit.a.eq(residual.centred),
                    unit.b.eq(residual.root),
                    unit.first_shift.eq(residual.exponent),
                ]
            with m.Case(Source.POSITION):
                m.d.comb += [unit.a.eq(position), unit.b.eq(1)]
            with m.Default():
                m.d.comb += [unit.a.eq(total), unit.b.eq(1)]
        late = r + unit.factor_delay
        m.d.comb += [
            parameters.address.eq(self._at(m, late - parameters.LATENCY, "parameter")),
            unit.factor.eq(parameters.factor),
            unit.bias.eq(parameters.bias),
            unit.shift.eq(self._at(m, late, "shift")),
            unit.width.eq(self._at(m, late, "bits")),
        ]

    def _parameters(self, m: Module):
        """Multipliers and biases by address."""
        return Parameters(self._program.images.parameters)

    def _positions(self, m: Module):
        """The position's embedding by index."""
        return position_table(self._program.model.position_embedding)

    def _position_embedding(self, m: Module):
        """The number of a POSITION beat, when the sums of the lanes would be there."""
        if self._program.model.position_embedding is None:
            return C(0, 1)
        m.submodules.positions = table = self._positions(m)
        m.d.comb += [
            table.position.eq(self.position),
            table.index.eq(self._at(m, self._r - table.LATENCY, "index")),
        ]
        return table.numbers.as_signed()
