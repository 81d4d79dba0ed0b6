"""LineReader: order, room and the bus's rules, proved for runs of any length."""

import pytest
from amaranth.hdl import C, Cat, Module, Signal

from gateformer.gateware.memory import line_reader as line_reader_module
from gateformer.gateware.memory.bus import BOUNDARY, MemoryShape
from gateformer.gateware.memory.line_reader import OUTSTANDING, LineReader
from tests.support.formal.prover import (
    Refuted,
    assume,
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

SHAPE, PORT, DEPTH = MemoryShape(2, 4, 2), 1, 4


def memory_answers(m, bus):
    """What a memory owes: beats of bursts that were asked for, the last one of each marked.

    Returns (bursts asked for and not answered to the end, beats of the oldest that came).
    """
    asked = counted(m, "asked", bus.arvalid & bus.arready, bus.rvalid & bus.rlast, 5)
    came = Signal(range(SHAPE.burst_beats))
    with m.If(bus.rvalid):
        m.d.sync += came.eq(came + 1)
    assume(
        m,
        {
            "r answers": implies(bus.rvalid, asked != 0),
            "last": bus.rlast == (came == SHAPE.burst_beats - 1),
        },
    )
    return asked, came


def rules(reader, depth=DEPTH, *, invariants=True):
    """(module, free signals); without ``invariants``, only what can be seen from outside."""
    m = Module()
    inner, names = elaborated(reader)
    m.submodules.reader = inner
    own, fifo = names["_request"][0], names["elaborate"][0].fifo
    bus, runs, beats, flush = reader.bus, reader.runs, reader.beats, reader.flush
    asked, came = memory_answers(m, bus)
    # proved of Fifo by itself
    assume(
        m,
        {
            "fifo's ready": fifo.written.ready == (fifo.level < depth),
            "fifo's valid": implies(fifo.oldest.valid, fifo.level != 0),
            "fifo's level": fifo.level <= depth,
        },
    )
    flushed, idle = past(m, flush, "flushed"), past(m, reader.idle, "was_idle")
    assume(m, {"flush is held until idle": implies(flushed & ~idle, flush)})

    # of the present run: the stripe that comes next, and how many come
    following, left = Signal(SHAPE.stripe_bits), Signal(SHAPE.stripe_bits + 1)
    shown = bus.arvalid & ~past(m, bus.arvalid & ~bus.arready, "was_shown")
    with m.If(flush):
        m.d.sync += left.eq(0)
    with m.Elif(runs.valid & runs.ready):
        m.d.sync += [following.eq(runs.p.stripe), left.eq(runs.p.more + 1)]
    with m.Elif(shown):
        m.d.sync += [following.eq(following + 1), left.eq(left - 1)]
    offset = C(0, (SHAPE.line_bytes - 1).bit_length())
    promised = (own.under_way << (SHAPE.burst_beats - 1).bit_length()) - came
    contract = {
        "nothing is lost": implies(bus.rvalid & ~flush, fifo.written.ready),
        "ar is held until taken": held(
            m, "ar", bus.arvalid, bus.arready, [bus.araddr, bus.arlen, bus.arsize, bus.arburst]
        ),
        "bursts are the stripes of the run in order": implies(
            shown & ~flushed, (left != 0) & (bus.araddr == Cat(offset, C(PORT, 1), following))
        ),
        "a run ends before the next one": implies(runs.valid & runs.ready, left == shown),
        "no burst crosses a boundary": implies(
            bus.arvalid,
            bus.araddr[:12] + (bus.arlen + 1) * SHAPE.data_bytes <= BOUNDARY,
        ),
        "beats are always taken": bus.rready,
        "never more bursts than a port takes": asked + bus.arvalid <= OUTSTANDING,
        "idle says so": implies(reader.idle, (asked == 0) & ~bus.arvalid),
    }
    before_flush = past(m, own.working, "was_working")
    inside = {
        "bursts": own.under_way == asked + bus.arvalid,
        "room": implies(~flush, own.room + fifo.level + promised == depth),
        "idle": implies(reader.idle, ~own.working & (own.under_way == 0)),
        "nothing came before": implies(asked == 0, came == 0),
        "run": implies(
            ~flushed & own.working,
            (left == own.more + 1 + shown)
            & ((following + shown)[: SHAPE.stripe_bits] == own.stripe),
        ),
        "no run": implies(~flushed & ~own.working, left == (shown & before_flush)),
        "flushed": implies(flushed, ~own.working),
        "aligned": implies(bus.arvalid, bus.araddr[: len(offset) + 1] == Cat(offset, C(PORT, 1))),
    }
    require(m, {**contract, **(inside if invariants else {})})
    free = [runs.valid, runs.p.as_value(), beats.ready, flush]
    return m, [*free, bus.arready, bus.rdata, bus.rresp.as_value(), bus.rlast, bus.rvalid]


@pytest.mark.parametrize("depth", [DEPTH, 32])
def test_order_room_and_boundaries(depth, tmp_path):
    prove(*rules(LineReader(SHAPE, PORT, depth=depth), depth), tmp_path, depth=4)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("working & has_room & may_ask", "working & may_ask", "nothing is lost"),
        ("stripe.eq(stripe + 1)", "stripe.eq(stripe + 2)", "the stripes of the run in order"),
        ("working.eq(more.any())", "working.eq(more[1:].any())", "a run ends"),
        (
            "with m.If(~bus.arvalid | bus.arready):",
            "with m.If(1):",
            "ar is held until taken",
        ),
    ],
)
def test_a_broken_reader_is_refuted(old, new, rule, tmp_path):
    broken = mutated(line_reader_module, old, new)
    with pytest.raises(Refuted, match=rule):
        design = rules(broken.LineReader(SHAPE, PORT, depth=DEPTH), invariants=False)
        check_bounded(*design, tmp_path, depth=11)
