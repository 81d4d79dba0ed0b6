"""What AxiBridge promises to both of its sides, and what holds inside for the induction."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal

from tests.support.formal.axi import Channels, LiteRules
from tests.support.formal.prover import assume, counted, elaborated, implies, past, require

from .formal_bursts import DECERR, REQUEST, WIDTH, Burst, latest, payloads, worse


def write_rules(m, bridge, own, request, channels, lite):
    """(assumptions, contract, invariants)"""
    axi, out = bridge.axi, bridge.lite
    transfer, sent = channels.transfer, lite.channels.transfer
    burst = Burst(m, axi, "aw", transfer["aw"], own.beat_done)
    bursts = counted(m, "write_bursts", transfer["aw"], transfer["b"])
    is_open = bursts != 0
    # W transfers that belong to no burst that was answered
    used = Mux(transfer["b"], burst.beats, 0)
    taken = Signal(len(burst.done) + 1)
    m.d.sync += taken.eq(taken + transfer["w"] - used)
    word = latest(m, "word", transfer["w"], Cat(axi.wdata, axi.wstrb))
    response = out.bresp.as_value()
    worst = worse(m, "worst_response", transfer["aw"], sent["b"], response)
    answered = counted(
        m, "answered", sent["b"], Mux(transfer["b"] & burst.inside, burst.beats, 0), len(taken)
    )
    aw, w = lite.requests["aw"], lite.requests["w"]
    waiting = is_open & ~axi.bvalid & (taken > burst.done)
    contract = {
        "one write burst at a time": bursts <= 1,
        "a write burst is taken, or one is under way": axi.awready | is_open,
        "a beat is taken, or one waits": axi.wready == (taken == Mux(is_open, burst.done, 0)),
        "b answers a burst": implies(axi.bvalid, is_open),
        "b answers all beats": implies(axi.bvalid, taken >= burst.beats),
        "b has the burst's id": implies(axi.bvalid, axi.bid == burst.id),
        "bresp is the worst": implies(
            axi.bvalid, axi.bresp.as_value() == Mux(burst.inside, worst, DECERR)
        ),
        "every beat was written": implies(
            axi.bvalid, answered == Mux(burst.inside, burst.beats, 0)
        ),
        "all that is written is inside": implies(
            out.awvalid | out.wvalid, is_open & burst.inside & ~axi.bvalid
        ),
        "a beat is written to its address": implies(
            out.awvalid, out.awaddr == burst.address[:WIDTH]
        ),
        "a beat is written with its data": implies(
            out.wvalid, (Cat(out.wdata, out.wstrb) == word) & (taken == answered + 1)
        ),
        "one write at a time": (aw <= 1) & (w <= 1),
        "a beat never stops": implies(
            waiting & burst.inside, out.awvalid | out.wvalid | ((aw == 1) & (w == 1))
        ),
        "a refused beat takes one cycle": implies(waiting & ~burst.inside, own.beat_done),
        "a written beat takes until its response": implies(
            is_open & burst.inside, own.beat_done == sent["b"]
        ),
        "b comes after the last beat": implies(is_open, axi.bvalid == (burst.done == burst.beats)),
        "no response is kept waiting": out.bready,
    }
    inside = {
        "write active": own.active == is_open,
        "write responding": implies(own.responding, is_open & (burst.done == burst.beats)),
        "beats taken": taken == Mux(is_open, burst.done, 0) + own.has_beat,
        "beats answered": answered == Mux(is_open & burst.inside, burst.done, 0),
        "word": implies(own.has_beat, Cat(out.wdata, out.wstrb) == word),
        "address sent": own.address_sent == aw,
        "data sent": own.data_sent == w,
        "sent for a beat": implies(
            own.address_sent | own.data_sent,
            is_open & own.has_beat & burst.inside & ~own.responding,
        ),
        "worst": implies(
            is_open, own.worst == Mux(burst.inside | (burst.done == 0), worst, DECERR)
        ),
        "worst of none": implies(is_open & ((burst.done == 0) | ~burst.inside), worst == 0),
        **same_burst("write", request, burst, is_open & ~own.responding),
        "write id": implies(is_open, request.identity == burst.id),
    }
    return burst.legal, contract, inside


def same_burst(name, request, burst, working):
    return {
        f"{name} burst is legal": implies(working, burst.is_legal),
        f"{name} beats left": implies(working, request.left == burst.len - burst.done),
        f"{name} not past the end": implies(working, burst.done < burst.beats),
        f"{name} address": implies(working, request.address[:WIDTH] == burst.address[:WIDTH]),
        f"{name} hit": implies(working, request.hit == burst.inside),
        f"{name} length": implies(working, request.length == burst.len),
        f"{name} size": implies(working, request.size == burst.size),
        f"{name} burst": implies(working, request.burst == burst.burst),
    }


def read_rules(m, bridge, own, request, channels, lite):
    """(assumptions, contract, invariants)"""
    axi, out = bridge.axi, bridge.lite
    transfer, sent = channels.transfer, lite.channels.transfer
    burst = Burst(m, axi, "ar", transfer["ar"], transfer["r"])
    bursts = counted(m, "read_bursts", transfer["ar"], transfer["r"] & axi.rlast)
    is_open = bursts != 0
    ar = lite.requests["ar"]
    reads = counted(m, "reads", sent["r"], transfer["r"] & burst.inside)
    answer = latest(m, "read_answer", sent["r"], Cat(out.rdata, out.rresp.as_value()))
    refusal = Const(DECERR << 32, 34)
    contract = {
        "one read burst at a time": bursts <= 1,
        "a read burst is taken, or one is under way": axi.arready == ~is_open,
        "r answers a burst": implies(axi.rvalid, is_open),
        "r has the burst's id": implies(axi.rvalid, axi.rid == burst.id),
        "rlast marks the last beat": implies(axi.rvalid, axi.rlast == (burst.done == burst.len)),
        "r is the answer": implies(
            axi.rvalid,
            Cat(axi.rdata, axi.rresp.as_value()) == Mux(burst.inside, answer, refusal),
        ),
        "each beat is one read": implies(axi.rvalid, reads == burst.inside),
        "all that is read is inside": implies(out.arvalid, is_open & burst.inside & ~axi.rvalid),
        "a beat is read from its address": implies(
            out.arvalid, out.araddr == burst.address[:WIDTH]
        ),
        "one read at a time": ar + reads <= 1,
        "a read never stops": implies(
            is_open & burst.inside & ~axi.rvalid, out.arvalid | ((ar == 1) & out.rready)
        ),
        "a refused read takes one cycle": implies(
            past(m, is_open & ~axi.rvalid, "read_open") & is_open & ~burst.inside, axi.rvalid
        ),
    }
    inside = {
        "read active": own.active == is_open,
        "read responding": implies(own.responding, is_open),
        "read sent": own.address_sent == ar,
        "reads": reads == (own.responding & burst.inside),
        "sent for a read": implies(ar != 0, is_open & burst.inside & ~own.responding),
        "answer": implies(
            own.responding,
            Cat(axi.rdata, axi.rresp.as_value()) == Mux(burst.inside, answer, refusal),
        ),
        **same_burst("read", request, burst, is_open),
        "read id": implies(is_open, request.identity == burst.id),
    }
    return burst.legal, contract, inside


def inputs_of(bridge, port):
    axi, lite = bridge.axi, bridge.lite
    requests = [getattr(axi, channel + name) for channel in ("aw", "ar") for name in REQUEST]
    return [
        *requests,
        *([axi.wid] if port.write_ids else []),
        *(axi.awvalid, axi.arvalid, axi.wdata, axi.wstrb, axi.wlast, axi.wvalid),
        *(axi.bready, axi.rready, lite.awready, lite.wready, lite.bresp, lite.bvalid),
        *(lite.arready, lite.rdata, lite.rresp, lite.rvalid),
    ]


def bridge_rules(bridge, port, *, invariants=True):
    """(module, free signals) of a bridge of a ``MasterPort``.

    Without ``invariants``, only what can be seen from outside.
    """
    m = Module()
    m.submodules.bridge, names = elaborated(bridge)
    (write,), (read,) = names["_write_channels"], names["_read_channels"]
    channels = Channels(bridge.axi, payloads(port))
    lite = LiteRules(m, bridge.lite)
    requests = names["_request"]
    parts = (
        write_rules(m, bridge, write, requests[0], channels, lite),
        read_rules(m, bridge, read, requests[1], channels, lite),
    )
    assume(m, lite.slave)
    require(m, lite.master)
    require(m, {f"axi {name}": rule for name, rule in channels.held(m, ("b", "r")).items()})
    for legal, contract, inside in parts:
        assume(m, legal)
        require(m, {**contract, **(inside if invariants else {})})
    return m, inputs_of(bridge, port)
