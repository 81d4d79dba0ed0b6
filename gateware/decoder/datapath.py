"""What the beats of a program drive: lanes, softmax, requantizer and all that follows it."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.decoder import arith

from ..parts.delay import delayed
from .instruction import Sink, Source
from .issue import BeatSignature
from .program import DecoderProgram
from .serial.gate import Gate
from .serial.rotation import TURN_BITS, Rotation
from .tables import Parameters, angle_table, position_table
from .taps import tap_signature
from .timing import WRITE_REGISTER

MULTIPLIED = (Source.MATRIX, Source.ELEMENT, Source.SCORE, Source.WEIGH)
"""What the lanes do, GROUP_SUMS beside."""


class DecoderDatapath(wiring.Component):
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
            lanes.beat.valid.eq(beat.valid & _is(beat.source, *multiplied)),
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

    def _at(self, m: Module, cycle: int, name: str):
        """A field of the beat, ``cycle`` cycles later."""
        return delayed(m, getattr(self.beat, name), cycle, name=f"{name}_{cycle}")

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

    def _angles(self, m: Module):
        """Cosines and sines of the position by index of a pair."""
        model = self._program.model
        return angle_table(model.rotary_cos, model.rotary_sin)

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

    def _sinks(self, m: Module):
        program, beat, v = self._program, self.beat, self._v
        value = self._requantizer.value
        scalar = _is(beat.source, Source.ELEMENT, Source.POSITION, Source.LANE, Source.NORM)
        emits = beat.valid & (scalar | ((beat.source == Source.MATRIX) & beat.last_inner))
        before = delayed(m, emits, v - 1, reset_less=False, name="emits")
        valid = delayed(m, before, 1, reset_less=False, name="value_valid")
        sink, earlier = self._at(m, v, "sink"), self._at(m, v - 1, "sink")
        self._to_residual(m, before, earlier, value)
        writes: dict[Sink, list] = {Sink.ACTIVATION: [], Sink.KEY: [], Sink.VALUE: []}
        turned = self._at(m, v, "turned") if program.model.rotary_cos is not None else C(0, 1)
        place = (self._at(m, v, "word"), self._at(m, v, "start_lane"))
        for target in writes:
            writes[target].append((valid & (sink == target) & ~turned, *place, value))
        if program.model.rotary_cos is not None:
            self._turned(m, valid & turned, sink, value, writes)
        writes[Sink.ACTIVATION].append(self._gated(m, valid & (sink == Sink.GATE), value))
        for target, port in (
            (Sink.ACTIVATION, self._lanes.activation_write),
            (Sink.KEY, self._lanes.key_write),
            (Sink.VALUE, self._lanes.value_write),
        ):
            coming = Signal.like(port)
            for enable, word, lane, number in writes[target]:
                with m.If(enable):
                    m.d.comb += [
                        coming.valid.eq(1),
                        coming.address.eq(word),
                        coming.group.eq(lane),
                        coming.data.eq(number),
                    ]
            late = Signal.like(port, name="late", reset_less=True)
            m.d.sync += late.eq(coming)
            valid_late = delayed(m, coming.valid, WRITE_REGISTER, name="write", reset_less=False)
            m.d.comb += [port.eq(late), port.valid.eq(valid_late)]
        kept = valid & ~_is(sink, Sink.LOAD, Sink.ADD)
        m.d.sync += self.limited.eq((kept & self._requantizer.limited) + self._hidden_limited)
        logit = valid & (sink == Sink.LOGIT)
        m.d.comb += [
            self.logit.valid.eq(logit),
            self.logit.value.eq(value),
            self.logit.last.eq(self._at(m, v, "last_logit")),
        ]
        taps, unit = self.taps, self._residual
        for name, is_valid, number in (
            ("activation", self._lanes.activation_write.valid, self._lanes.activation_write.data),
            ("key", self._lanes.key_write.valid, self._lanes.key_write.data),
            ("value", self._lanes.value_write.valid, self._lanes.value_write.data),
            ("gate", valid & (sink == Sink.GATE), value),
            ("residual", unit.written, unit.new),
            ("logit", logit, value),
        ):
            m.d.comb += [
                getattr(taps, f"{name}_valid").eq(is_valid),
                getattr(taps, f"{name}_data").eq(number),
            ]

    def _to_residual(self, m: Module, before, sink, value):
        unit, v = self._residual, self._v
        residual = before & _is(sink, Sink.LOAD, Sink.ADD)
        last = residual & self._at(m, v - 1, "last_outer")
        kept, norm = Signal.like(unit.eps, reset_less=True), self._at(m, v - 1, "norm")
        with m.If(last):
            m.d.sync += kept.eq(norm)
        gap = 1 + unit.prepare_gap
        prepare = delayed(m, last, gap, reset_less=False, name="prepare")
        m.d.comb += [
            unit.load.eq(before & (sink == Sink.LOAD)),
            unit.add.eq(before & (sink == Sink.ADD)),
            unit.place.eq(self._at(m, v - 1, "index")),
            unit.first.eq(self._at(m, v - 1, "first_outer")),
            unit.value.eq(value),
            unit.prepare.eq(prepare),
            unit.eps.eq(kept),
        ]

    def _turned(self, m: Module, valid, sink, value, writes):
        """Pairs of queries or keys."""
        cfg, v = self._cfg, self._v
        odd = self._at(m, v, "odd")
        m.submodules.rotation = unit = Rotation(
            bits=cfg.bits.query, key_bits=cfg.bits.key, dsp=self._dsp
        )
        m.submodules.angles = table = self._angles(m)
        turn = table.numbers
        m.d.comb += [
            table.position.eq(self.position),
            table.index.eq(self._at(m, v - table.LATENCY, "index") >> 1),
            unit.value.eq(value),
            unit.first.eq(valid & ~odd),
            unit.second.eq(valid & odd),
            unit.key.eq(sink == Sink.KEY),
            unit.cos.eq(turn[:TURN_BITS].as_signed()),
            unit.sin.eq(turn[TURN_BITS:].as_signed()),
        ]
        for latency, word, lane in (
            (unit.FIRST, "word", "start_lane"),
            (unit.SECOND, "other_word", "other_lane"),
        ):
            enable = delayed(m, valid & odd, latency, reset_less=False, name=f"turned_{word}")
            kind = self._at(m, v + latency, "sink")
            place = (self._at(m, v + latency, word), self._at(m, v + latency, lane))
            for target in (Sink.ACTIVATION, Sink.KEY):
                writes[target].append((enable & (kind == target), *place, unit.turned))

    def _gated(self, m: Module, valid, value):
        program, cfg, v = self._program, self._cfg, self._v
        m.submodules.gate = unit = Gate(
            activation=cfg.activation,
            gated=cfg.gated,
            bits=cfg.bits.gate,
            hidden_bits=cfg.bits.hidden,
            most_shift=max(item.hidden_shift for item in program.instructions),
            dsp=self._dsp,
        )
        odd = self._at(m, v, "odd")
        m.d.comb += [
            unit.value.eq(value),
            unit.odd.eq(odd),
            unit.frac.eq(self._at(m, v - 1, "gate_frac")),
            unit.hidden_shift.eq(self._at(m, v + unit.SHIFT_DELAY, "hidden_shift")),
        ]
        done = valid & odd if cfg.gated else valid
        enable = delayed(m, done, unit.LATENCY, reset_less=False, name="gated")
        self._hidden_limited = enable & unit.limited
        late = v + unit.LATENCY
        return enable, self._at(m, late, "word"), self._at(m, late, "start_lane"), unit.hidden


def _is(value, *members):
    return Cat(value == member for member in members).any()
