"""The residual stream: its memory, its sums, and what a norm multiplies it by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.arith import signed_width
from gateformer.model.contract.decoder import arith

from ...parts.delay import delayed
from ...parts.elaboration import may_stay_unused
from ...parts.integers import ceil_div
from ...parts.loadable_memory import BLOCK
from ...parts.registered_read import COLLISION_FREE, registered_read
from ...parts.saturate import saturated
from ...parts.wide_multiplier import WideMultiplier, wide_latency
from . import leading
from .spread import Spread

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
    dsp : str
        One of :data:`gateware.parts.multiplier.DSP_FAMILIES`.

    Attributes
    ----------
    READ_LATENCY = 3 : cycles from ``index`` to ``centred``
    WRITTEN = 4 : cycles from ``load`` or ``add`` to ``written``
    TURNAROUND = 5 : cycles from ``load`` or ``add`` of a number to the next ``add`` (or ``index``)
        of the same one, at least
    prepare_gap : int
        Cycles from the last ``value`` to the ``prepare`` that includes it, at least.
    prepare_latency : int
        Cycles from ``prepare`` to ``root``, ``exponent`` and the mean that ``centred`` is less;
        they stay until the next ``prepare``.
    centred_width : int, of x - mean
    root_width : int, of unsigned r
    normalized_width : int, of signed u = round_shift(centred * root, exponent)

    Members
    -------
    load, add : In(1), at most one of them
    place : In(range(d_model)), with ``load`` or ``add``
    first : In(1), with ``load`` or ``add``: begins the sums anew
    value : In(signed(bits)), a cycle after ``load`` or ``add``, within ±limit(bits)
    written : Out(1), new : Out(signed(bits)), WRITTEN cycles after ``load`` or ``add``: what x
        now has there
    index : In(range(d_model)), not with ``load`` or ``add``
    centred : Out(signed(centred_width)), x - mean at ``index``
    prepare : In(1)
    eps : In(range(len(eps))), index of the norm's, from ``prepare`` until the next one
    root : Out(root_width), exponent : Out
    """

    READ_LATENCY = 3
    WRITTEN = 4
    TURNAROUND = 5

    def __init__(
        self,
        *,
        d_model: int,
        bits: int,
        layer_norm: bool,
        eps: Sequence[int],
        dsp: str = "generic",
    ):
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
        self._dsp = dsp
        self.prepare_gap = self.WRITTEN - 1 + wide_latency(bits, bits) + 1
        self.prepare_latency = leading.LATENCY + 3
        if layer_norm:
            spread = self._build_spread()
            may_stay_unused(spread)
            self.prepare_latency += spread.latency
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

    def _build_spread(self) -> Spread:
        return Spread(
            d_model=self._d_model,
            sum_width=self._sum_width,
            square_width=self._square_sum,
            mean_width=self._mean_width,
            dsp=self._dsp,
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
        old = registered_read(m, memory, Mux(is_written, self.place, self.index), "read")
        old = delayed(m, old, 1, name="old").as_signed()
        mean = Signal(signed(self._mean_width), reset_less=True)
        centred = Signal.like(self.centred, reset_less=True)
        m.d.sync += centred.eq(old - mean if self._layer_norm else old)
        m.d.comb += self.centred.eq(centred)
        kept = Mux(delayed(m, self.add, 2, name="add"), old, 0)
        total = Signal(signed(self._bits + 1), reset_less=True)
        m.d.sync += total.eq(kept + delayed(m, self.value, 1, name="value").as_signed())
        new = delayed(m, saturated(total, self._bits), 1, name="new").as_signed()
        late = delayed(m, is_written, self.WRITTEN, reset_less=False, name="written")
        write = memory.write_port()
        m.d.comb += [
            write.en.eq(late),
            write.addr.eq(delayed(m, self.place, self.WRITTEN, name="place")),
            write.data.eq(new),
            self.written.eq(late),
            self.new.eq(new),
        ]
        self._prepare(m, mean, *self._sums(m, late, new))
        return m

    def _sums(self, m: Module, valid, new):
        """(sum, sum of squares) of what was written, ``prepare_gap`` after its ``value``."""
        m.submodules.square = unit = WideMultiplier(
            a_width=self._bits, b_width=self._bits, dsp=self._dsp
        )
        m.d.comb += [unit.a.eq(new), unit.b.eq(new)]
        wait = unit.latency
        valid = delayed(m, valid, wait, reset_less=False, name="square_valid")
        first = delayed(m, self.first, self.WRITTEN + wait, name="first")
        plain = delayed(m, new, wait, name="plain").as_signed()
        square = unit.product[: (arith.limit(self._bits) ** 2).bit_length()]
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
            m.submodules.spread = spread = self._build_spread()
            m.d.comb += [
                spread.total.eq(total),
                spread.squares.eq(squares),
                spread.valid.eq(self.prepare),
                mean.eq(spread.mean),
            ]
            m.d.sync += s.eq(spread.spread + eps)
        else:
            with m.If(self.prepare):
                m.d.sync += s.eq(squares + eps)
        exponent, normalized = leading.leading(m, s, 2, "leading")
        index = normalized[-arith.NORM_INDEX_BITS :]
        # 0 counts as 1
        low = arith.NORM_INDEX_BITS - 2
        index = Cat(index[:low], index[low] | ~index[low + 1], index[low + 1])
        m.submodules.roots = table = Memory(
            shape=unsigned(self.root_width),
            depth=2**arith.NORM_INDEX_BITS,
            init=[int(r) for r in arith.rsqrt_table(self._d_model)],
            attrs={**BLOCK, **COLLISION_FREE},
        )
        root = registered_read(m, table, index, "root")
        m.d.comb += [
            self.root.eq(delayed(m, root, 1, name="late_root")),
            self.exponent.eq(delayed(m, exponent, 2, name="late_exponent")),
        ]
