"""Fifo: nothing lost, nothing twice, in order, proved for runs of any length."""

import pytest
from amaranth.hdl import Module, Signal

from gateformer.gateware.parts import fifo as fifo_module
from gateformer.gateware.parts.fifo import Fifo
from tests.support.formal.prover import (
    Refuted,
    check_bounded,
    counted,
    elaborated,
    held,
    implies,
    mutated,
    past,
    prove,
    require,
)

WIDTH = 8


def tracked_item(m, fifo, level):
    """An item, any one: (it is inside, items before it, its value).

    ``chosen`` is free, so that what is proved of this item is proved of each.
    """
    written, oldest = fifo.written, fifo.oldest
    chosen, inside = Signal(), Signal()
    ahead, value = Signal.like(level, name="ahead"), Signal(WIDTH)
    take = oldest.valid & oldest.ready
    with m.If(inside & take):
        m.d.sync += [ahead.eq(ahead - 1), inside.eq(ahead != 0)]
    with m.Elif(~inside & chosen & written.valid & written.ready):
        m.d.sync += [inside.eq(1), ahead.eq(level - take), value.eq(written.payload)]
    return chosen, inside, ahead, value


def fifo_rules(depth, fifo, *, invariants=True):
    """(module, free signals); without ``invariants``, only what can be seen from outside."""
    m = Module()
    inner, names = elaborated(fifo)
    memory = inner.submodules.memory
    where = memory.read_port(domain="comb")  # the proof's own
    m.submodules.fifo = inner
    (own,) = names["elaborate"]
    waiting, is_waiting = own.waiting, own.is_waiting
    written, oldest, level = fifo.written, fifo.oldest, fifo.level
    write_addr, read_addr = memory.write_ports[0].addr, memory.read_ports[0].addr
    put, take = written.valid & written.ready, oldest.valid & oldest.ready
    items = counted(m, "items", put, take, len(level) + 1)
    hidden = past(m, (level != 0) & ~oldest.valid, "hidden")
    chosen, inside, ahead, value = tracked_item(m, fifo, level)
    shown = inside & (ahead == 0) & oldest.valid
    m.d.comb += where.addr.eq(read_addr + ahead - oldest.valid)
    contract = {
        "level is items written less items taken": items == level,
        "never more than depth": items <= depth,
        "ready unless full": written.ready == (items < depth),
        "nothing is shown that was not written": implies(oldest.valid, items != 0),
        "an item of two cycles ago is shown": implies(hidden & (level != 0), oldest.valid),
        "an item is shown after those before it": implies(inside, ahead < items),
        "the oldest item is shown as it was written": implies(shown, oldest.payload == value),
        "what is shown is held": held(m, "oldest", oldest.valid, oldest.ready, [oldest.payload]),
    }
    inside_rules = {
        "waiting": waiting == level - oldest.valid,
        "is_waiting": is_waiting == (waiting != 0),
        "addresses": (write_addr - read_addr)[: len(write_addr)]
        == (waiting & (2 ** len(write_addr) - 1)),
        "stored": implies(inside & ~shown, where.data == value),
    }
    require(m, {**contract, **(inside_rules if invariants else {})})
    return m, [written.valid, written.payload, oldest.ready, chosen]


@pytest.mark.parametrize(
    ("depth", "large"), [(2, 99), (3, 99), (4, 99), (5, 99), (16, 99), (17, 99), (257, 99), (9, 8)]
)
def test_nothing_is_lost_doubled_or_reordered(depth, large, tmp_path, monkeypatch):
    """``large``: from where on the memory has a row less."""
    monkeypatch.setattr(fifo_module, "LARGE", large)
    prove(*fifo_rules(depth, Fifo(WIDTH, depth)), tmp_path, depth=3)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (
            "write.en.eq(written.valid & ~full)",
            "write.en.eq(written.valid)",
            "level is items written",
        ),
        (
            "fetch.eq(is_waiting & (~oldest.valid | oldest.ready))",
            "fetch.eq(is_waiting)",
            "the oldest item is shown as it was written",
        ),
        ("fetch | (oldest.valid & ~oldest.ready)", "fetch", "what is shown is held"),
        (
            "write.addr.eq(write.addr + write.en)",
            "write.addr.eq(write.addr + fetch)",
            "the oldest item is shown as it was written",
        ),
        (
            "is_waiting.eq(waiting != 1)",
            "is_waiting.eq(waiting != 2)",
            "the oldest item is shown as it was written",
        ),
        (
            "full.eq(self.level == self.depth - 1)",
            "full.eq(self.level == self.depth)",
            "ready unless full",
        ),
        ("full.eq(0)", "full.eq(full)", "ready unless full"),
    ],
)
def test_a_broken_fifo_is_refuted(old, new, rule, tmp_path):
    broken = mutated(fifo_module, old, new)
    with pytest.raises(Refuted, match=rule):
        design = fifo_rules(4, broken.Fifo(WIDTH, 4), invariants=False)
        check_bounded(*design, tmp_path, depth=10)
