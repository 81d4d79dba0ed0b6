"""Sums of weights per key, and the key at which their running sum reaches a goal."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ...parts.delay import delayed
from ...parts.registered_read import COLLISION_FREE, registered_read


def weighted_key_layout(key_bits: int, weight_bits: int) -> data.StructLayout:
    """A key and what it adds to the sum of its kind."""
    return data.StructLayout({"valid": 1, "key": key_bits, "weight": weight_bits})


class KeyHistogram(wiring.Component):
    """``threshold`` is the smallest key with ``weights of keys up to it >= goal``.

    After ``clear`` and its ``done``, takes one weighted key per cycle at most, equal ones in a row
    too. Keys of ``2**key_bits / 2`` and more count nothing. Then ``search``, at least
    ``ADD_LATENCY`` cycles after the last key, goes once through the sums, and ``rest`` becomes
    ``goal - weights of keys below threshold``. If all weights together are less than ``goal``,
    ``threshold`` is ``2**key_bits / 2``.

    ``done`` follows ``clear`` and ``search`` by ``latency(key_bits)`` cycles; ``threshold`` and
    ``rest`` hold from a search's ``done`` to the next search. One block memory of
    ``2**key_bits / 2`` sums.

    Parameters
    ----------
    key_bits, weight_bits : int
    sum_bits : int, bits of the sum of all weights

    Members
    -------
    clear, search : In(1), pulses, neither before the ``done`` of the last one
    added : In({valid: 1, key: key_bits, weight: weight_bits})
    goal : In(sum_bits), at least 1, read in the cycle of ``search``
    done : Out(1), pulse
    threshold : Out(key_bits)
    rest : Out(sum_bits)
    """

    ADD_LATENCY = 4
    READ_LATENCY = 3

    def __init__(self, *, key_bits: int, weight_bits: int, sum_bits: int):
        self.key_bits = key_bits
        self.sum_bits = sum_bits
        super().__init__(
            {
                "clear": In(1),
                "search": In(1),
                "added": In(weighted_key_layout(key_bits, weight_bits)),
                "goal": In(sum_bits),
                "done": Out(1),
                "threshold": Out(key_bits),
                "rest": Out(sum_bits),
            }
        )

    @classmethod
    def latency(cls, key_bits: int) -> int:
        """Cycles from ``clear`` or ``search`` to ``done``."""
        return 2 ** (key_bits - 1) + cls.READ_LATENCY + 1

    def elaborate(self, platform):
        m = Module()
        m.submodules.sums = sums = memory.Memory(
            shape=self.sum_bits,
            depth=2 ** (self.key_bits - 1),
            init=[],
            attrs={"ram_style": "block", **COLLISION_FREE},
        )
        clearing, searching = Signal(), Signal()
        address = Signal(self.key_bits - 1)
        with m.If(self.clear | self.search):
            m.d.sync += [clearing.eq(self.clear), searching.eq(self.search), address.eq(0)]
        with m.Elif(clearing | searching):
            m.d.sync += address.eq(address + 1)
            with m.If(address.all()):
                m.d.sync += [clearing.eq(0), searching.eq(0)]
        end = (clearing | searching) & address.all()
        delay = self.READ_LATENCY + 1
        m.d.comb += self.done.eq(delayed(m, end, delay, reset_less=False, name="end"))
        stored = self._accumulate(m, sums, address, clearing, searching)
        self._find(m, stored, delayed(m, searching, self.READ_LATENCY, reset_less=False))
        return m

    def _accumulate(self, m, sums, address, clearing, searching):
        """Adds the weighted keys; returns the sum at ``address``, ``READ_LATENCY`` cycles later.

        A key's sum is written four cycles after it was asked for, so those of the four keys
        before it are taken from the pipeline if they are of the same kind.
        """
        key, near = self.added.key[:-1], self.added.valid & ~self.added.key[-1]
        keys, valids, sames = [], [], []
        for i in range(self.ADD_LATENCY):
            keys.append(delayed(m, keys[-1] if keys else key, 1, name=f"key{i}"))
            valids.append(
                delayed(m, valids[-1] if valids else near, 1, reset_less=False, name=f"near{i}")
            )
            same = Signal(reset_less=True, name=f"same{i}")
            m.d.sync += same.eq(valids[i] & (keys[i] == key))
            sames.append(same)
        word = registered_read(m, sums, Mux(searching, address, key))
        word = delayed(m, word, 1, name="word")  # the block memory's output register
        stored, total = (Signal(self.sum_bits, reset_less=True) for _ in range(2))
        again = delayed(m, sames[0], 2, name="again")
        nearer = [delayed(m, same, 1, name="nearer") for same in sames[1:]]
        weight = delayed(m, self.added.weight, 3, name="weight")
        found = word
        for place in reversed(range(len(nearer))):
            found = Mux(nearer[place], delayed(m, total, place, name=f"total{place}"), found)
        m.d.sync += [stored.eq(found), total.eq(Mux(again, total, stored) + weight)]
        write = sums.write_port()
        m.d.comb += [
            write.en.eq(clearing | valids[-1]),
            write.addr.eq(Mux(clearing, address, keys[-1])),
            write.data.eq(total & (~clearing).replicate(self.sum_bits)),
        ]
        return stored

    def _find(self, m, stored, comparing):
        missing = Signal()
        threshold = Signal(self.key_bits, reset_less=True)
        rest = Signal(self.sum_bits, reset_less=True)
        with m.If(self.search):
            m.d.sync += [missing.eq(1), threshold.eq(0), rest.eq(self.goal)]
        with m.Elif(comparing & missing):
            with m.If(stored < rest):
                m.d.sync += [threshold.eq(threshold + 1), rest.eq(rest - stored)]
            with m.Else():
                m.d.sync += missing.eq(0)
        m.d.comb += [self.threshold.eq(threshold), self.rest.eq(rest)]
