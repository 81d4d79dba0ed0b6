"""The vector unit: residual stream, RMSNorm, requantization; ``rows`` elements per cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...parts.delay import delayed
from ...parts.integers import check_least
from ...parts.loadable_memory import write_layout
from ...parts.multiplier import Multiplier, check_dsp
from ...plan.vector_op import VectorKind, int8_write_layout, residual_write_layout, vector_op_layout
from .factors import KeptFactors
from .lane import OperandSelect, ResultSelect, VectorLane
from .memory import ResidualMemory, ScaleMemory
from .pipeline import breaks_rules, stages
from .rms_norm import RmsFactor, RmsSizes
from .scaling import VectorScaling

# stages: cycles after the operation
DATA_DELAY = ScaleMemory.LATENCY
PRODUCT = DATA_DELAY + Multiplier.LATENCY
UPDATE = PRODUCT + 1
SQUARE = UPDATE + Multiplier.LATENCY


class VectorUnit(wiring.Component):
    """Everything between the accumulators and the activations, exactly as in
    ``model.contract.arith``.

    Takes one :class:`VectorKind` operation per cycle; it never stalls. Each is one pass through
    ``rows`` multipliers (accumulator × multiplier, accumulator × reciprocal, residual × norm
    factor); a NORM makes a second pass, ``NORM_PASS`` cycles later, through the other ``rows``
    multipliers (× gain), which otherwise square the new residuals.

    Schedule rules, which the sender guarantees and ``collision`` reports (rules 1 and 2):

    1. ``NORM_PASS`` (3) cycles after a NORM, no operation but a NORM: the second pass needs the
       scale memory and the write port.
    2. Within ``residual_latency`` - 1 cycles after a RESIDUAL_ADD or RESIDUAL_LOAD of any group,
       no NORM: they share the residual memory's read port and the second multipliers.
    3. A residual group is used again (by a RESIDUAL_ADD) ``residual_add_latency`` cycles after its
       last change, at the earliest.
    4. A NORM normalizes a complete vector: it follows the operation marked ``last`` by at least
       ``normalizer_latency`` cycles and comes before the next operation marked ``first``.

    Parameters
    ----------
    rows : int
        Elements per group.
    d_model, d_groups : int
        Elements of the residual vector and the groups that hold them. Lanes beyond ``d_model``
        must be kept at 0 by zero multipliers, gains and accumulators.
    scale_words : list of lists of ``rows`` int
        Contents of the scale memory: multipliers (not negative), widened to the constant
        ``requantize_shift``, and signed gains, widened to ``gain_shift``.
    requantize_shift, gain_shift, division_shift : int
        Right shifts after multiplier, gain and reciprocal.
    acc_width, attention_acc_width : int
        Bits of the signed accumulators of the ternary engine and of the INT8 array.
    reciprocal_width : int
        Bits of the unsigned reciprocal.
    row_bits, column_bits : int
        Widths of the address that is passed on to ``write``.
    norm_registers : int
        Optional registers of the norm factor, see :class:`RmsSizes`.
    result_registers : int
        Registers between multipliers and saturation of INT8 results, 0 or 1.
    vectors : int
        Residual vectors, whose numbers are the upper bits of their groups. With several their
        factors are kept, and rule 4 counts the operations of each; but between the ``first`` and
        the ``last`` of a vector none of another's changes residuals.
    writable_width : int, optional
        The scale memory can be written, with words of that many bits.
    dsp : str
        See :class:`Multiplier`.

    Members
    -------
    op : In(vector_op_layout(...))
    engine_acc : In(ArrayLayout(signed(acc_width), rows))
        For REQUANTIZE, RELU, RESIDUAL_ADD; sampled ``DATA_DELAY`` (2) cycles after the operation.
    array_acc : In(ArrayLayout(signed(attention_acc_width), rows))
        For ATTENTION and RESIDUAL_LOAD, sampled likewise. RESIDUAL_LOAD uses the low 17 bits,
        which hold every sum that ``arith.embed`` can form.
    reciprocal : In(unsigned(reciprocal_width))
        For ATTENTION, sampled likewise.
    write : Out(int8_write_layout(...))
        INT8 results.
    residual_write : Out(residual_write_layout(...))
        Every write to the residual memory, in its cycle (``residual_latency`` after the
        operation).
    scale_write : In(write_layout(...)), scale_word : Out, with ``writable_width``
        Write port of the scale memory; its word, :attr:`ScaleMemory.LATENCY` cycles after
        ``op.scale_address``.
    collision : Out(1)
        Rule 1 or 2 was broken since reset; results are undefined.

    Attributes
    ----------
    requantize_latency : int
        Cycles from a REQUANTIZE, RELU or ATTENTION to its ``write``: 6 + ``result_registers``.
    norm_write_latency : int
        Cycles from a NORM to its ``write``: 9 + ``result_registers``.
    residual_latency : int
        Cycles from a RESIDUAL_ADD or RESIDUAL_LOAD to its ``residual_write``, and to the first
        NORM that may follow: 6.
    residual_add_latency : int
        Cycles from a RESIDUAL_ADD or RESIDUAL_LOAD to a RESIDUAL_ADD to the same group: 3.
    normalizer_latency : int
        Cycles from the operation marked ``last`` to the first NORM of the new vector: 11 +
        ``norm_registers`` with 3 to 8 rows; of several vectors 13 + ``norm_registers``, of which 3
        are as 2.

    Raises
    ------
    TypeError, ValueError
        If a parameter is of the wrong kind or out of range, ``d_groups`` groups do not hold
        ``d_model`` elements, or a scale word has not ``rows`` entries.
    """

    DATA_DELAY = DATA_DELAY
    NORM_PASS = Multiplier.LATENCY
    residual_latency = UPDATE
    # the sum's operand is read the cycle before PRODUCT, the cycle after the update
    residual_add_latency = UPDATE - PRODUCT + 2

    def __init__(
        self,
        *,
        rows: int,
        d_model: int,
        d_groups: int,
        scale_words: list[list[int]],
        requantize_shift: int,
        gain_shift: int,
        division_shift: int,
        acc_width: int,
        attention_acc_width: int,
        reciprocal_width: int,
        row_bits: int,
        column_bits: int,
        norm_registers: int = 0,
        result_registers: int = 0,
        vectors: int = 1,
        writable_width: int | None = None,
        dsp: str = "generic",
    ):
        rms = RmsSizes(rows, d_model, norm_registers)
        for name, value, least in (
            ("result_registers", result_registers, 0),
            ("d_groups", d_groups, -(-d_model // rows)),
            ("row_bits", row_bits, 0),
            ("column_bits", column_bits, 0),
            ("vectors", vectors, 1),
        ):
            check_least(name, value, least)
        self._vectors = vectors
        self._rms = RmsFactor(rms) if vectors == 1 else KeptFactors(rms, vectors)
        check_dsp(dsp)
        self._scaling = VectorScaling(
            rms=rms,
            scale_words=scale_words,
            requantize_shift=requantize_shift,
            gain_shift=gain_shift,
            division_shift=division_shift,
            acc_width=acc_width,
            attention_acc_width=attention_acc_width,
            reciprocal_width=reciprocal_width,
            writable_width=writable_width,
        )
        self._rows = rows
        self._d_groups = d_groups
        self._dsp = dsp
        self._result_registers = result_registers
        self.requantize_latency = PRODUCT + 1 + result_registers
        self.norm_write_latency = PRODUCT + self.NORM_PASS + 1 + result_registers
        # the factor is used DATA_DELAY cycles after its NORM, and read a cycle before if it is kept
        latency = rms.latency if vectors == 1 else self._rms.latency + 1
        self.normalizer_latency = SQUARE + latency - self.DATA_DELAY
        places = {"row_bits": row_bits, "column_bits": column_bits}
        loaded = {}
        if writable_width is not None:
            width = rows * writable_width
            loaded["scale_write"] = In(write_layout(len(scale_words), width))
            loaded["scale_word"] = Out(width)
        super().__init__(
            {
                "op": In(vector_op_layout(**places, d_groups=d_groups, scales=len(scale_words))),
                "engine_acc": In(data.ArrayLayout(signed(acc_width), rows)),
                "array_acc": In(data.ArrayLayout(signed(attention_acc_width), rows)),
                "reciprocal": In(unsigned(reciprocal_width)),
                "write": Out(int8_write_layout(rows=rows, **places)),
                "residual_write": Out(residual_write_layout(rows=rows, d_groups=d_groups)),
                "collision": Out(1),
                **loaded,
            }
        )

    def elaborate(self, platform):
        m = Module()
        ops, active = stages(m, self.op, SQUARE)
        m.submodules.rms = rms = self._rms
        lanes = [
            VectorLane(self._scaling, result_registers=self._result_registers, dsp=self._dsp)
            for _ in range(self._rows)
        ]
        for i, lane in enumerate(lanes):
            m.submodules[f"lane_{i}"] = lane
            m.d.comb += [
                lane.engine_acc.eq(self.engine_acc[i]),
                lane.array_acc.eq(self.array_acc[i]),
                lane.factor.eq(rms.factor),
                rms.squares[i].eq(lane.square),
            ]
        m.d.comb += [
            rms.valid.eq(active[SQUARE].residual),
            rms.first.eq(ops[SQUARE].first),
            rms.last.eq(ops[SQUARE].last),
        ]
        if self._vectors > 1:
            bits = len(self.op.group) - len(rms.vector)
            m.d.comb += [
                rms.vector.eq(ops[SQUARE].group[bits:]),
                rms.read.eq(ops[DATA_DELAY - 1].group[bits:]),
            ]
        self._connect_memories(m, ops, active, lanes)
        self._control_lanes(m, ops, active, lanes, rms)
        self._write(m, ops, active, lanes)
        with m.If(breaks_rules(active, self.NORM_PASS, self.residual_latency)):
            m.d.sync += self.collision.eq(1)
        return m

    def _connect_memories(self, m: Module, ops, active, lanes):
        """Each memory serves the two passes of different operations; see the schedule rules."""
        writable = hasattr(self, "scale_write")
        m.submodules.scales = scales = ScaleMemory(
            self._scaling.scale_words, width=self._scaling.scale_width, writable=writable
        )
        if writable:
            m.d.comb += [
                scales.write.eq(self.scale_write),
                self.scale_word.eq(scales.word.as_value()),
            ]
        m.d.comb += scales.address.eq(self.op.scale_address)
        with m.If(active[self.NORM_PASS].norm):
            m.d.comb += scales.address.eq(ops[self.NORM_PASS].scale_address)
        m.submodules.residuals = residuals = ResidualMemory(rows=self._rows, groups=self._d_groups)
        adding = active[PRODUCT - 1].residual
        load = ops[PRODUCT - 1].kind == VectorKind.RESIDUAL_LOAD
        m.d.comb += [
            residuals.address.eq(Mux(adding, ops[PRODUCT - 1].group, ops[DATA_DELAY - 1].group)),
            residuals.clear.eq(adding & load),
            residuals.write_enable.eq(active[UPDATE].residual),
            residuals.write_address.eq(ops[UPDATE].group),
            self.residual_write.valid.eq(residuals.write_enable),
            self.residual_write.group.eq(residuals.write_address),
            self.residual_write.data.eq(residuals.write_data),
        ]
        for i, lane in enumerate(lanes):
            m.d.comb += [
                lane.scale.eq(scales.word[i]),
                lane.residual.eq(residuals.data[i]),
                residuals.write_data[i].eq(lane.updated),
            ]

    def _control_lanes(self, m: Module, ops, active, lanes, rms: RmsFactor | KeptFactors):
        # selections are registered as such: they fan out to every bit of every lane
        operands = Signal(OperandSelect, reset_less=True)
        kind = ops[self.DATA_DELAY - 1].kind
        norm, load = kind == VectorKind.NORM, kind == VectorKind.RESIDUAL_LOAD
        attention = kind == VectorKind.ATTENTION
        results = Signal(ResultSelect)
        result_kind = ops[PRODUCT - 1].kind
        m.d.sync += [
            operands.accumulator.eq(Cat(load | norm, attention | norm)),
            operands.scale.eq(Cat(Mux(norm, rms.short, load | attention), norm)),
        ]
        shared = Mux(operands.accumulator.as_value()[0], self._scaling.unit, self.reciprocal)
        m.d.comb += [
            results.norm.eq(active[PRODUCT + self.NORM_PASS].norm),
            results.attention.eq(delayed(m, result_kind == VectorKind.ATTENTION, 1)),
            results.relu.eq(delayed(m, result_kind == VectorKind.RELU, 1)),
        ]
        for lane in lanes:
            m.d.comb += [
                lane.operands.eq(operands),
                lane.shared.eq(shared),
                lane.gain_pass.eq(active[PRODUCT].norm),
                lane.results.eq(results),
            ]

    def _write(self, m: Module, ops, active, lanes):
        """Place of the INT8 results, registered like the results themselves."""
        final = PRODUCT + self.NORM_PASS
        late = self._result_registers
        written = active[PRODUCT].int8 | active[final].norm
        valid = delayed(m, written, late, reset_less=False, name="written")
        m.d.sync += self.write.valid.eq(valid)
        for name in ("destination", "row", "column"):
            place = Signal.like(getattr(self.write, name), name=name, reset_less=True)
            m.d.sync += place.eq(getattr(ops[PRODUCT], name))
            with m.If(active[final].norm):
                m.d.sync += place.eq(getattr(ops[final], name))
            m.d.comb += getattr(self.write, name).eq(delayed(m, place, late, name=name))
        m.d.comb += [self.write.data[i].eq(lane.result) for i, lane in enumerate(lanes)]
