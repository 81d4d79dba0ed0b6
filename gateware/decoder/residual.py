"""The residual stream: its memory, its sums, and what a norm multiplies it by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Array, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.arith import signed_width
from gateformer.model.contract.decoder import arith

from ..parts.delay import delayed
from ..parts.integers import ceil_div
from ..parts.registered_read import COLLISION_FREE, registered_read
from .shifts import rounded_shift

DISTRIBUTED_DEPTH = 128


class Residual(wiring.Component):
    """The residual vector x, a number per cycle in, or out to a norm.

    ``load`` writes ``value``, ``add`` writes ``clamp(x + value)``, in any order of places and with
    gaps. While the numbers of a vector are written, their sum and the sum of their squares are
    kept, from the one that has ``first`` on. From ``prepare`` on, the mean (LayerNorm, else 0) and
    the contract's r and e of S follow: S is ``max(sum(x²) + eps, 1)``, with LayerNorm by
    ``sum((x - mean)²) = sum(x²) - 2 mean sum(x) + d mean²``, exact.

    Parameters
    ----------
    d_model : int, numbers of x
    bits : int, of a number, signed: 16..28 with ``2**(2 * bits) * d_model`` below 2**62
    layer_norm : bool
    eps : sequence of int, those that the model's norms have, each once: 0..2**61

    Attributes
    ----------
    READ_LATENCY = 2 : cycles from ``index`` to ``centred``
    TURNAROUND = 3 : cycles from ``load`` or ``add`` of a number to the next ``add`` (or ``index``)
        of the same one, at least
    PREPARE_GAP = 4 : cycles from the last ``value`` to the ``prepare`` that includes it, at least
    PREPARE_LATENCY = 8 : cycles from ``prepare`` to ``root``, ``exponent`` and the mean that
        ``centred`` is less, at most (exactly 8 with LayerNorm, 3 without); they stay until the next
        ``prepare``
    centred_width : int, of x - mean
    root_width : int, of unsigned r
    normalized_width : int, of signed u = round_shift(centred * root, exponent)

    Members
    -------
    load, add : In(1), at most one of them
    place : In(range(d_model)), with ``load`` or ``add``
    first : In(1), with ``load`` or ``add``: begins the sums anew
    value : In(signed(bits)), a cycle after ``load`` or ``add``, within ±limit(bits)
    written : Out(1), new : Out(signed(bits)), 2 cycles after ``load`` or ``add``: what x now has
        there
    index : In(range(d_model)), not with ``load`` or ``add``
    centred : Out(signed(centred_width)), x - mean at ``index``
    prepare : In(1)
    eps : In(range(len(eps))), index of the norm's, from ``prepare`` until the next one
    root : Out(root_width), exponent : Out
    """

    READ_LATENCY = 2
    TURNAROUND = 3
    PREPARE_GAP = 4
    PREPARE_LATENCY = 8

    def __init__(self, *, d_model: int, bits: int, layer_norm: bool, eps: Sequence[int]):
        self._d_model, self._bits, self._layer_norm = d_model, bits, layer_norm
        self._eps = tuple(eps)
        largest = arith.limit(bits)
        self._sum_width = signed_width(largest * d_model)
        # sum((x - mean)²) is at most sum(x²), also of the rounded mean: d_model is below 2**24
        self._square_sum = (largest * largest * d_model + max(self._eps)).bit_length()
        self._exponents = ceil_div(self._square_sum, 2)
        # |mean| may exceed limit(bits) by 2**-24 of it, as its reciprocal of d_model is rounded
        self._mean_width = bits + 1
        # x - mean is at most (2 - 2 / d_model) limit(bits): room for that error
        self.centred_width = bits + layer_norm
        roots = arith.rsqrt_table(d_model)
        self.root_width = int(roots.max()).bit_length()
        # x² is at most S, which is below (index + 1) / 512 * 4**e
        low = 2 ** (arith.NORM_INDEX_BITS - 2)
        squares = roots**2 * (np.arange(len(roots)) + 1)
        self.normalized_width = signed_width(math.isqrt(int(squares.max()) // low) + 1)
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
                "exponent": Out(range(self._exponents)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.x = memory = Memory(
            shape=signed(self._bits),
            depth=self._d_model,
            init=[],
            attrs={
                "ram_style": "distributed" if self._d_model <= DISTRIBUTED_DEPTH else "block",
                **COLLISION_FREE,
            },
        )
        is_written = self.load | self.add
        old = registered_read(m, memory, Mux(is_written, self.place, self.index), "x")
        mean = Signal(signed(self._mean_width), reset_less=True)
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
        """(sum, sum of squares), 3 cycles after ``new``, with it."""
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
        """From the sums that ``prepare`` finds; what follows them needs no enable."""
        eps = Array(self._eps)[self.eps]
        s = Signal(self._square_sum, reset_less=True)
        if self._layer_norm:
            part = self._centred_squares(m, mean, total, squares)  # cycle 5
            m.d.sync += s.eq(Mux(part + eps > 1, part + eps, 1))
        else:
            with m.If(self.prepare):
                m.d.sync += s.eq(Mux(squares + eps > 1, squares + eps, 1))
        exponent = Signal.like(self.exponent, reset_less=True)
        index = Signal(arith.NORM_INDEX_BITS, reset_less=True)
        padded = s << arith.NORM_INDEX_BITS - 2
        for e in range(self._exponents):
            # the highest pair of bits with a set bit is the last one whose statement counts
            with m.If(s[2 * e : 2 * e + 2].any()):
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

    def _centred_squares(self, m: Module, mean, total, squares):
        """sum((x - mean)²) 5 cycles after ``prepare``, and ``mean`` after 3."""
        mult, shift = arith.mean_reciprocal(self._d_model)
        kept = Signal.like(total, reset_less=True, name="kept")
        kept_squares = Signal.like(squares, reset_less=True, name="kept_squares")
        with m.If(self.prepare):
            m.d.sync += [kept.eq(total), kept_squares.eq(squares)]
        product = Signal(signed(len(kept) + mult.bit_length()), reset_less=True)
        m.d.sync += product.eq(kept * mult)  # cycle 2
        m.d.sync += mean.eq(rounded_shift(product, shift))  # cycle 3
        cross = Signal(signed(len(mean) + len(kept)), reset_less=True)
        own = Signal(signed(2 * len(mean)), reset_less=True)
        m.d.sync += [cross.eq(mean * kept), own.eq(mean * mean)]  # cycle 4
        part = Signal(signed(self._square_sum + 1), reset_less=True)
        m.d.sync += part.eq(kept_squares - (cross << 1) + own * self._d_model)  # cycle 5
        return part
