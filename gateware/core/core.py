"""The accelerator core: a token stream in, a token stream out."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import C, Cat, Module, Mux, ResetInserter, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ..compiler.program import Program
from ..compiler.reload_image import Section
from ..compiler.units import Units
from ..engines.vector.unit import VectorUnit
from ..parts.delay import delayed
from ..plan.instruction import Opcode
from ..plan.vector_op import Destination
from .issue import IssueUnit
from .loading import CoreLoader
from .ports import core_signature
from .sequencer import Sequencer
from .taps import tap_signature


class Core(wiring.Component):
    """Accelerator made for one model.

    Latency: :meth:`Program.cycles` per token, exactly, as long as the next prompt token is there
    and the output is taken at once.

    Parameters
    ----------
    program : Program
    dsp : str
        Multiplier family: ``"generic"``, ``"dsp48e1"``.
    further : sequence of Section
        With ``reload``: what is in its images behind its own sections.
    taps : bool
        Adds the ``taps`` port, on which every intermediate result of the reference appears.

    Members
    -------
    Those of :func:`core_signature`.
    """

    def __init__(
        self,
        program: Program,
        *,
        dsp: str = "generic",
        further: Sequence[Section] = (),
        taps: bool = False,
    ):
        self.program = program
        self._dsp, self._further = dsp, tuple(further)
        signature = core_signature(program.model.config.vocab_size, program.hw.reload, further)
        members = dict(signature.members)
        if taps:
            members["taps"] = Out(tap_signature(program))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        self._loading = None
        if self.program.hw.reload:
            self._loading = CoreLoader(self.program, self._further)
        units = self.program.build_units(self._dsp)
        m.submodules.engine = units.engine
        m.submodules.array = units.array
        m.submodules.softmax = units.softmax
        m.submodules.vector = units.vector
        m.submodules.sampler = units.sampler
        m.submodules.sequencer = sequencer = Sequencer(self.program, IssueUnit(self.program))
        wiring.connect(m, wiring.flipped(self.prompt), sequencer.prompt)
        wiring.connect(m, wiring.flipped(self.output), sequencer.output)
        m.d.comb += [
            sequencer.start.eq(self._allowed(self.start)),
            sequencer.count.eq(self.settings.count),
            self.busy.eq(sequencer.busy),
            self.context_full.eq(sequencer.context_full),
        ]
        beat = sequencer.beat
        self._drive_engine(m, beat, units)
        self._drive_array(m, beat, units, sequencer)
        self._drive_vector_unit(m, beat, units)
        self._connect_writes(m, units, sequencer)
        self._connect_sampler(m, beat, units, sequencer)
        if hasattr(self, "taps"):
            self._connect_taps(m, beat, units)
        if self._loading is not None:
            self._loading.connect(m, units)
        # a register, and the only reset where the domain has none: it goes to all parts of the core
        reset = Signal(reset_less=True)
        m.d.sync += reset.eq(self.abort)
        core = ResetInserter(reset)(m)
        if self._loading is None:
            return core
        outside = Module()
        outside.submodules.core = core
        self._loading.add_to(outside, self)
        return outside

    def _allowed(self, start):
        """``start``, unless there is no complete model."""
        if self._loading is None:
            return start
        return start & self.load_status.loaded & ~self.load_status.loading

    def _drive_engine(self, m: Module, beat, units: Units):
        first = beat.first_inner
        m.d.comb += [
            units.engine.beat.valid.eq(beat.valid & (beat.opcode == Opcode.MATVEC)),
            units.engine.beat.weight_address.eq(beat.address),
            units.engine.beat.chunk.eq(beat.inner_index),
            units.engine.beat.first.eq(first & beat.first_plane),
            units.engine.beat.triple.eq(first & ~beat.first_plane),
            units.engine.beat.last.eq(beat.last_inner & beat.last_plane),
        ]

    def _drive_array(self, m: Module, beat, units: Units, sequencer: Sequencer):
        array, softmax = units.array, units.softmax
        embed = beat.opcode == Opcode.EMBED
        score = beat.opcode == Opcode.SCORE
        weigh = beat.opcode == Opcode.WEIGH
        logits = beat.opcode == Opcode.LOGITS
        with m.If(weigh):
            m.d.comb += array.beat.first.eq(beat.first_outer)
        with m.Elif(embed):
            m.d.comb += array.beat.first.eq(beat.first)
        with m.Else():
            m.d.comb += array.beat.first.eq(beat.first_inner)
        m.d.comb += [
            array.beat.valid.eq(beat.valid & (embed | score | weigh | logits)),
            array.beat.address.eq(beat.address),
            array.beat.weighted.eq(embed | weigh),
            softmax.beat.valid.eq(beat.valid & ((score & beat.last_inner) | weigh)),
            softmax.beat.weighted.eq(weigh),
            softmax.beat.position.eq(beat.outer_index),
            softmax.beat.first.eq(beat.first_outer),
            softmax.beat.last.eq(beat.last_outer),
            softmax.sums.eq(array.dot.sums),
            softmax.shift_select.eq(
                beat.shift_select
                if self._loading is None
                else self._loading.constants.shift_selects[beat.shift_select]
            ),
        ]
        if self.program.layout.halves == 1:
            m.d.comb += [
                array.beat.query_word.eq(beat.inner_index),
                array.beat.last.eq(beat.last_inner),
                array.query_write.word.eq(units.vector.write.row),
            ]
        else:
            m.d.comb += [
                array.beat.last.eq(Mux(embed, beat.last, beat.last_outer)),
                softmax.beat.single.eq(beat.last_outer & ~sequencer.position[0]),
            ]
        # an embedding word is weighted by its table's multiplier instead of a probability
        if self._loading is None:
            model = self.program.model
            multipliers, checking = (model.token_mult, model.position_mult), C(0, 1)
        else:
            # the multipliers are held; words that the loader reads come through the lanes
            numbers, checking = self._loading.constants, self._loading.loader.checking
            multipliers = (numbers.token_mult, numbers.position_mult)
            embed = embed | checking
        delay = array.coefficient_delay
        embedding = delayed(m, embed, delay, name="embedding")
        first = delayed(m, beat.first, delay, name="embed_first")
        rows = (sequencer.token[:1], sequencer.position[:1])
        segments, halves = self.program.layout.segments, self.program.layout.halves
        for half in range(halves):
            weights, check = multipliers, checking
            if halves == 2:  # of the word's two rows, the one that is asked for
                weights = [Mux(row == half, w, 0) for row, w in zip(rows, weights, strict=True)]
                if self._loading is not None:
                    check = checking & self._loading.is_row(half)
            constant = Mux(first, *weights)
            if self._loading is not None:
                constant = Mux(checking, check, constant)
            for segment in range(segments):
                place = half * segments + segment
                m.d.comb += array.coefficients[place].eq(
                    Mux(embedding, constant, softmax.coefficients[place])
                )

    def _drive_vector_unit(self, m: Module, beat, units: Units):
        vector, array = units.vector, units.array
        matvec = beat.opcode == Opcode.MATVEC
        direct = beat.valid & ((beat.opcode == Opcode.READ) | (beat.opcode == Opcode.NORM))
        emitted = beat.valid & matvec & beat.last_inner & beat.last_plane
        fields = {
            "kind": beat.kind,
            "destination": beat.destination,
            "row": beat.row,
            "column": self._column(beat),
            "group": beat.group,
            "scale_address": beat.scale,
            "first": beat.first & beat.first_outer,
            "last": beat.last & beat.last_outer,
        }
        # a matrix's op follows its beat so that it meets the accumulators at the unit's input
        delay = units.engine.latency - VectorUnit.DATA_DELAY
        valid = delayed(m, emitted, delay, reset_less=False, name="matvec_op")
        late = {name: delayed(m, field, delay, name=name) for name, field in fields.items()}
        m.d.comb += vector.op.valid.eq(valid | direct)
        for name, field in fields.items():
            m.d.comb += getattr(vector.op, name).eq(Mux(valid, late[name], field))
        m.d.comb += [
            vector.engine_acc.eq(units.engine.result.acc),
            array.read_group.eq(beat.outer_index),
            vector.array_acc.eq(array.read_data),
        ]
        segment = delayed(m, beat.segment, VectorUnit.DATA_DELAY, name="segment")
        m.d.comb += vector.reciprocal.eq(units.softmax.reciprocal[segment])

    def _column(self, beat):
        """The group of a result within its row, as it goes through the vector unit."""
        return beat.column

    def _array_group(self, m: Module, column, sequencer: Sequencer):
        """Group of the array's word in which a group of K or V is put."""
        if self.program.layout.halves == 1:
            return column
        # as of the last matrix: a prompt token's V may be written when the next token has its
        # position already, but no matrix yet
        second, beat = Signal(reset_less=True), sequencer.beat
        with m.If(beat.valid & (beat.opcode == Opcode.MATVEC)):
            m.d.sync += second.eq(sequencer.position[0])
        return self._half_group(column, second)

    def _half_group(self, column, second):
        """Likewise in words of two halves; ``second``: lowest bit of the position."""
        groups = self.program.layout.word_groups
        group = column - groups
        value = Mux(group[0], groups, 0) + Cat(second, group[1 : len(column)])
        return Mux(column < groups, column + Mux(second, groups, 0), value)

    def _connect_writes(self, m: Module, units: Units, sequencer: Sequencer):
        write = units.vector.write
        engine, array = units.engine.write, units.array
        m.d.comb += [
            engine.valid.eq(write.valid & (write.destination == Destination.ACTIVATION)),
            engine.chunk.eq(write.row),
            engine.group.eq(write.column),
            engine.data.eq(write.data),
            array.write.valid.eq(write.valid & (write.destination == Destination.KV)),
            array.write.address.eq(write.row),
            array.write.group.eq(self._array_group(m, write.column, sequencer)),
            array.write.data.eq(write.data),
            array.query_write.valid.eq(write.valid & (write.destination == Destination.QUERY)),
            array.query_write.group.eq(write.column),
            array.query_write.data.eq(write.data),
        ]

    def _connect_sampler(self, m: Module, beat, units: Units, sequencer: Sequencer):
        sampler, settings = units.sampler, self.settings
        m.d.sync += sampler.reseed.eq(self.start & ~self.busy)
        self._connect_logits(m, beat, units, sampler.logit)
        m.d.comb += [
            sequencer.chosen.valid.eq(sampler.token.valid),
            sequencer.chosen.token.eq(sampler.token.token),
        ]
        for name in ("temperature_mult", "temperature_shift", "top_k", "seed"):
            m.d.comb += getattr(sampler.settings, name).eq(getattr(settings, name))

    def _connect_logits(self, m: Module, beat, units: Units, port):
        logit = beat.valid & (beat.opcode == Opcode.LOGITS) & beat.last_inner
        latency = units.array.total_latency
        dot, width = units.array.dot, units.sampler.logit_width
        totals = [dot.total] if self.program.layout.halves == 1 else dot.totals
        # sign-extended or cut to a logit's bits
        logits = [Signal(signed(width), name=f"logit{i}") for i in range(len(totals))]
        m.d.comb += [logit.eq(total) for logit, total in zip(logits, totals, strict=True)]
        m.d.comb += [
            port.valid.eq(delayed(m, logit, latency, reset_less=False, name="logit")),
            Cat(port.value).eq(Cat(logits)),
            port.last.eq(delayed(m, logit & beat.last_outer, latency, name="last_logit")),
        ]

    def _connect_taps(self, m: Module, beat, units: Units):
        taps, vector, array = self.taps, units.vector, units.array
        score = beat.valid & (beat.opcode == Opcode.SCORE) & beat.last_inner
        weigh = beat.valid & (beat.opcode == Opcode.WEIGH)
        m.d.comb += [
            taps.write_valid.eq(vector.write.valid),
            taps.write_data.eq(Cat(vector.write.data)),
            taps.residual_valid.eq(vector.residual_write.valid),
            taps.residual_data.eq(Cat(vector.residual_write.data)),
            taps.dot_valid.eq(
                delayed(m, score, array.dot_latency, reset_less=False, name="score_tap")
            ),
            taps.dot_data.eq(Cat(array.dot.sums)),
            taps.probability_valid.eq(
                delayed(m, weigh, array.coefficient_delay, reset_less=False, name="weigh_tap")
            ),
            taps.probability_data.eq(Cat(array.coefficients)),
            taps.logit_valid.eq(self._logit(units).valid),
            taps.logit_data.eq(Cat(self._logit(units).value)),
        ]

    def _logit(self, units: Units):
        """Where the logits go."""
        return units.sampler.logit
