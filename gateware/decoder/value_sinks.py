"""Where the requantizer's values go: residual stream, rotation, gate, memories and logits."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Signal
from amaranth.lib import wiring

from ..parts.delay import delayed
from .instruction import Sink, Source
from .serial.gate import Gate
from .serial.rotation import TURN_BITS, Rotation
from .tables import angle_table
from .timing import WRITE_REGISTER


class ValueSinks(wiring.Component):
    """The part of :class:`.datapath.DecoderDatapath` behind its requantizer.

    That has the beat, and before :meth:`_sinks` the units: ``_lanes``, ``_residual``,
    ``_requantizer``; ``_v`` is the cycles from a beat to its value.
    """

    def _at(self, m: Module, cycle: int, name: str):
        """A field of the beat, ``cycle`` cycles later."""
        return delayed(m, getattr(self.beat, name), cycle, name=f"{name}_{cycle}")

    def _sinks(self, m: Module):
        program, beat, v = self._program, self.beat, self._v
        value = self._requantizer.value
        scalar = is_one_of(beat.source, Source.ELEMENT, Source.POSITION, Source.LANE, Source.NORM)
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
        kept = valid & ~is_one_of(sink, Sink.LOAD, Sink.ADD)
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
        residual = before & is_one_of(sink, Sink.LOAD, Sink.ADD)
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

    def _angles(self, m: Module):
        """Cosines and sines of the position by index of a pair."""
        model = self._program.model
        return angle_table(model.rotary_cos, model.rotary_sin)


def is_one_of(value, *members):
    """Whether ``value`` is one of an enumeration's members, a bit."""
    return Cat(value == member for member in members).any()
