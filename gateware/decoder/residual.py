"""The residual stream: its memory, its sums, and what a norm multiplies it by."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.arith import signed_width
from gateformer.model.contract.decoder import arith

from ..parts.delay import delayed
from ..parts.registered_read import COLLISION_FREE, registered_read
from .shifts import rounded_shift

SQUARED = 3
"""Cycles from a number to the sums that include it."""


class Residual(wiring.Component):
    """The residual vector x, a number per cycle in, or out to a norm.

    While the numbers of a new x are written, their sum and the sum of their squares are kept; from
    ``prepare`` on, the mean (LayerNorm), ``r`` and ``e`` of the contract follow, by
    ``sum((x - mean)²) = sum(x²) - 2 mean sum(x) + d mean²``.

    Parameters
    ----------
    d_model, bits : int
    layer_norm : bool
    eps : sequence of int, those that the model's norms have, each once

    Attributes
    ----------
    READ_LATENCY = 2 : cycles from ``index`` to ``centred``
    PREPARE_GAP = 4 : cycles from a ``value`` to the ``prepare`` that includes it, at least
    PREPARE_LATENCY = 8 : cycles from ``prepare`` to ``root`` and ``exponent``, at most; they stay

    Members
    -------
    load, add : In(1), with the ``place`` of ``value`` a cycle before it; ``first``: of a vector
    value : In(signed(bits))
    written, new : Out, a cycle after ``value``: the number that x now has there
    index : In, centred : Out(signed), x - mean
    prepare : In(1), eps : In, index of the norm's, which stays until then
    root : Out, exponent : Out
    """

    READ_LATENCY = 2
    PREPARE_GAP = 4
    PREPARE_LATENCY = 8

    def __init__(self, *, d_model: int, bits: int, layer_norm: bool, eps: Sequence[int]):
        self._d_model, self._bits, self._layer_norm = d_model, bits, layer_norm
        self._eps = tuple(eps)
        largest = arith.limit(bits)
        self._sum_width = signed_width(largest * d_model)
        self._square_sum = (max(largest * largest * d_model + max(self._eps), 1)).bit_length()
        self.centred_width = bits + 2 * layer_norm
        self.root_width = int(arith.rsqrt_table(d_model).max()).bit_length()
        place = range(d_model)
        super().__init__(
            {
                "load": In(1),
                "add": In(1),
                "place": In(place),
                "first": In(1),
                "value": In(signed(bits)),
                "written": Out(1),
                "new": Out(signed(bits)),
                "index": In(place),
                "centred": Out(signed(self.centred_width)),
                "prepare": In(1),
                "eps": In(range(len(self._eps))),
                "root": Out(self.root_width),
                "exponent": Out(range(self._square_sum // 2 + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.x = memory = Memory(
            shape=signed(self._bits),
            depth=self._d_model,
            init=[],
            attrs={"ram_style": "distributed" if self._d_model <= 128 else "block", **COLLISION_FREE},
        )
        is_written = self.load | self.add
        old = registered_read(m, memory, Mux(is_written, self.place, self.index), "x")
        mean = Signal(signed(self._bits + 1), reset_less=True)
        centred = Signal.like(self.centred, reset_less=True)
        m.d.sync += centred.eq(old - mean if self._layer_norm else old)
        m.d.comb += self.centred.eq(centred)
        add = delayed(m, self.add, 1, reset_less=False, name="add")
        valid = delayed(m, is_written, 1, reset_less=False, name="valid")
        total = Signal(signed(self._bits + 1))
        limit = arith.limit(self._bits)
        m.d.comb += total.eq(Mux(add, old, 0) + self.value)
        clamped = Mux(total > limit, limit, Mux(total < -limit, -limit, total))
        new = Signal(signed(self._bits), reset_less=True)
        m.d.sync += new.eq(clamped)
        late = delayed(m, valid, 1, reset_less=False, name="written")
        place = delayed(m, self.place, 2, name="place")
        write = memory.write_port()
        m.d.comb += [
            write.en.eq(late),
            write.addr.eq(place),
            write.data.eq(new),
            self.written.eq(late),
            self.new.eq(new),
        ]
        self._prepare(m, mean, *self._sums(m, late, new))
        return m

    def _sums(self, m: Module, valid, new):
        """(sum, sum of squares), SQUARED cycles after ``new``."""
        first = delayed(m, self.first, 2, name="first")
        factor = delayed(m, new, 1, name="factor")
        square = Signal(range(arith.limit(self._bits) ** 2 + 1), reset_less=True)
        m.d.sync += square.eq(factor * factor)
        valid = delayed(m, valid, 2, reset_less=False, name="square_valid")
        first = delayed(m, first, 2, name="square_first")
        plain = delayed(m, factor, 1, name="plain")
        total = Signal(signed(self._sum_width), reset_less=True)
        squares = Signal(self._square_sum, reset_less=True)
        with m.If(valid):
            m.d.sync += [
                total.eq(Mux(first, 0, total) + plain),
                squares.eq(Mux(first, 0, squares) + square),
            ]
        return total, squares

    def _prepare(self, m: Module, mean, total, squares):
        """Registers that follow ``total`` and ``squares`` all the time; ``prepare`` keeps what
        they have become when it has gone through."""
        eps = Array(self._eps)[self.eps]
        sum_ = Signal(self._square_sum, reset_less=True)
        if self._layer_norm:
            mult, shift = arith.mean_reciprocal(self._d_model)
            kept, squared = (Signal.like(v, reset_less=True, name=n) for v, n in ((total, "kept"), (squares, "squared")))
            with m.If(self.prepare):
                m.d.sync += [kept.eq(total), squared.eq(squares)]
            product = Signal(signed(len(total) + mult.bit_length() + 1), reset_less=True)
            m.d.sync += product.eq(kept * mult)  # 2
            m.d.sync += mean.eq(rounded_shift(product, shift))  # 3
            cross = Signal(signed(len(mean) + len(kept)), reset_less=True)
            own = Signal(signed(2 * len(mean)), reset_less=True)
            m.d.sync += [cross.eq(mean * kept), own.eq(mean * mean)]  # 4
            part = Signal(signed(self._square_sum + 2), reset_less=True)
            m.d.sync += part.eq(squared - (cross << 1) + own * self._d_model)  # 5
            m.d.sync += sum_.eq(Mux(part + eps > 1, part + eps, 1))  # 6
        else:
            with m.If(self.prepare):
                m.d.sync += sum_.eq(Mux(squares + eps > 1, squares + eps, 1))
        exponent = Signal.like(self.exponent, reset_less=True)
        index = Signal(arith.NORM_INDEX_BITS, reset_less=True)
        low = arith.NORM_INDEX_BITS - 2
        padded = sum_ << low
        for e in range(self._square_sum // 2 + 1):
            # the highest pair of bits with a set bit is the last one whose statement counts
            with m.If(sum_[2 * e : 2 * e + 2].any() if 2 * e < len(sum_) else 0):
                m.d.sync += [exponent.eq(e), index.eq(padded[2 * e : 2 * e + len(index)])]
        m.submodules.roots = table = Memory(
            shape=unsigned(self.root_width),
            depth=2**arith.NORM_INDEX_BITS,
            init=[int(r) for r in arith.rsqrt_table(self._d_model)],
            attrs={"ram_style": "block"},
        )
        m.d.comb += [
            self.root.eq(registered_read(m, table, index, "root")),
            self.exponent.eq(delayed(m, exponent, 1, name="late_exponent")),
        ]
