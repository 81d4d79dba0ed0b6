"""One lane of the vector unit: two multipliers and everything between them."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract import arith

from ...parts.delay import delayed
from ...parts.multiplier import Multiplier
from ...parts.saturate import Saturation, saturated
from .rms_norm import SQUARE_BITS, RmsSizes
from .scaling import EMBEDDING_WIDTH, VectorScaling


class Accumulator(enum.Enum, shape=2):
    """First operand of the first multiplier, in the order of its 4:1 selection."""

    ENGINE = 0
    EMBEDDING = 1
    ATTENTION = 2
    NORM_FACTOR = 3


class Scale(enum.Enum, shape=2):
    """Second operand of the first multiplier; the last two are a residual (see RmsFactor)."""

    MEMORY = 0
    SHARED = 1
    RESIDUAL = 2
    SHORT_RESIDUAL = 3


OperandSelect = data.StructLayout({"accumulator": Accumulator, "scale": Scale})

ResultSelect = data.StructLayout({"norm": 1, "attention": 1, "relu": 1})
"""Which product becomes the result: a gain (NORM), or the first pass of ATTENTION, RELU or, with
neither, REQUANTIZE."""


class VectorLane(wiring.Component):
    """Datapath of one element; :class:`gateware.engines.vector.unit.VectorUnit` times it.

    Cycles below count from the one in which the first multiplier takes its operands (0).

    Parameters
    ----------
    scaling : VectorScaling
    result_registers : int
        Registers before the saturation of ``result``, 0 or 1.
    dsp : str
        See :class:`Multiplier`.

    Members
    -------
    operands : In(OperandSelect)
    engine_acc, array_acc : In(signed)
    shared : In(signed)
        The reciprocal, or :attr:`VectorScaling.unit` for RESIDUAL_LOAD.
    scale : In(signed(scale_width))
        Multiplier in cycle 0; gain in cycle 3.
    residual : In(signed(16))
        Operand of NORM in cycle 0; of RESIDUAL_ADD in cycle 3.
    factor : In
        See :class:`RmsFactor`; cycle 0.
    gain_pass : In(1)
        The second multiplier takes a NORM's product and gain (a NORM's cycle 3), not the new
        residual (cycle 4).
    updated : Out(signed(16))
        New residual, cycle 4.
    square : Out(unsigned(30))
        Its square, cycle 7.
    results : In(ResultSelect)
        Cycle 3; a NORM's cycle 6.
    result : Out(signed(8))
        One cycle after ``results``, and one more per register.
    """

    def __init__(self, scaling: VectorScaling, *, result_registers: int, dsp: str):
        self._scaling = scaling
        self._result_registers = result_registers
        self._dsp = dsp
        super().__init__(
            {
                "operands": In(OperandSelect),
                "engine_acc": In(signed(scaling.acc_width)),
                "array_acc": In(signed(scaling.attention_acc_width)),
                "shared": In(signed(scaling.b_width)),
                "scale": In(signed(scaling.scale_width)),
                "residual": In(signed(arith.RESIDUAL_BITS)),
                "factor": In(unsigned(scaling.rms.factor_width)),
                "gain_pass": In(1),
                "updated": Out(signed(arith.RESIDUAL_BITS)),
                "square": Out(unsigned(SQUARE_BITS)),
                "results": In(ResultSelect),
                "result": Out(signed(arith.ACT_BITS)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        scaled = self._first_multiplier(m)
        gained = self._second_multiplier(m, scaled)
        self._select_result(m, scaled, gained)
        return m

    def _first_multiplier(self, m: Module) -> Value:
        """Accumulator × scale or norm factor × residual, rounded, not shifted; cycle 3."""
        sizes, select = self._scaling, self.operands
        m.submodules.scaler = scaler = Multiplier(
            a_width=sizes.a_width, b_width=sizes.b_width, dsp=self._dsp
        )
        embedding = self.array_acc[:EMBEDDING_WIDTH].as_signed() << sizes.load_shift
        attended = self.array_acc << (sizes.attention_shift - sizes.division_shift)
        projected = self.engine_acc << (sizes.matrix_shift - sizes.requantize_shift)
        half = (
            rounding_half(shift)
            for shift in (
                sizes.matrix_shift,
                sizes.matrix_shift,
                sizes.attention_shift,
                sizes.rms.shift,
            )
        )
        short = self.residual << RmsSizes.SHORT_SHIFT
        m.d.comb += [
            scaler.a.eq(_one_of(select.accumulator, projected, embedding, attended, self.factor)),
            scaler.addend.eq(_one_of(select.accumulator, *half)),
            scaler.b.eq(_one_of(select.scale, self.scale, self.shared, self.residual, short)),
        ]
        return scaler.product[: sizes.product_width].as_signed()

    def _second_multiplier(self, m: Module, scaled: Value) -> Value:
        """Square of the new residual (cycle 7) or norm × gain, rounded, not shifted (cycle 6)."""
        sizes = self._scaling
        m.submodules.gainer = gainer = Multiplier(
            a_width=sizes.gain_a_width,
            b_width=sizes.gain_b_width,
            dsp=self._dsp,
        )
        increment = saturated(scaled.shift_right(sizes.matrix_shift), arith.RESIDUAL_BITS)
        total = Signal(signed(arith.RESIDUAL_BITS + 1), reset_less=True)
        # residual + increment, written as a difference (the lowest bit borrows): the minuend, a
        # plain signal, is the carry chain's data input, so that saturation and addition share
        # one look-up table per bit; synthesis may exchange the operands of a sum
        difference = Cat(0, self.residual).as_signed() - Cat(1, ~increment).as_signed()
        m.d.sync += total.eq(difference >> 1)
        # the memory's data and both factors of the square share one selection
        factor = Signal.like(gainer.b)
        m.d.comb += [
            self.updated.eq(factor),
            self.square.eq(gainer.product),
            gainer.b.eq(factor),
        ]
        with m.If(self.gain_pass):
            m.d.comb += [
                factor.eq(self.scale),
                gainer.a.eq(scaled.shift_right(sizes.rms.shift)),
                gainer.addend.eq(rounding_half(sizes.gain_shift)),
            ]
        with m.Else():
            m.d.comb += [
                factor.eq(saturated(total, arith.RESIDUAL_BITS)),
                gainer.a.eq(factor),
            ]
        return gainer.product

    def _select_result(self, m: Module, scaled: Value, gained: Value):
        sizes, select = self._scaling, self.results
        shifts = sizes.matrix_shift, sizes.attention_shift
        gained = gained[: sizes.gain_product_width].as_signed().shift_right(sizes.gain_shift)
        stages = self._result_registers
        direct = Saturation.of_either(
            m, scaled, shifts, select.attention, arith.ACT_BITS, stages, "direct"
        )
        normalized = Saturation.registered(m, gained, arith.ACT_BITS, stages, "normalized")
        norm = delayed(m, select.norm, stages, name="norm")
        relu = delayed(m, select.relu, stages, name="relu")
        result = Signal.like(self.result, reset_less=True)
        m.d.sync += result.eq(direct.rectified(relu).unless(norm, normalized).result)
        m.d.comb += self.result.eq(result)


def _one_of(select: Value, *options) -> Value:
    """4:1 selection, a 6-input LUT per bit."""
    low, high = Value.cast(select)
    return Mux(high, Mux(low, options[3], options[2]), Mux(low, options[1], options[0]))


def rounding_half(shift: int) -> int:
    """Half a unit of a right shift; 0 for shift 0."""
    return (1 << shift) >> 1
