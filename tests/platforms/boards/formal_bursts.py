"""What a master of AXI3 or AXI4 may request, and what a proof keeps in mind of it."""

from amaranth.hdl import Cat, Const, Mux, Signal, Value

from tests.support.formal.prover import implies

BASE, WIDTH = 0x43C0_0000, 12
FIXED, WRAP = 0, 2
DECERR = 3
REQUEST = ("id", "addr", "len", "size", "burst", "lock", "cache", "prot", "qos")


def payloads(port):
    """Members of the channels of a ``MasterPort``."""
    return {
        "aw": REQUEST,
        "w": (*(("id",) if port.write_ids else ()), "data", "strb", "last"),
        "b": ("id", "resp"),
        "ar": REQUEST,
        "r": ("id", "data", "resp", "last"),
    }


class Burst:
    """The latest burst requested on ``channel``, and its next beat; A3.4.1."""

    def __init__(self, m, axi, channel, transfer, done):
        fields = {name: Value.cast(getattr(axi, channel + name)) for name in REQUEST[:5]}
        kept = {
            name: Signal.like(field, name=f"{channel}_{name}") for name, field in fields.items()
        }
        self.id, self.address, self.len = kept["id"], kept["addr"], kept["len"]
        self.size, self.burst = kept["size"], kept["burst"]
        self.done = Signal(len(self.len) + 1, name=f"{channel}_done")  # beats
        self.inside = self.address[WIDTH:] == BASE >> WIDTH
        self.beats = self.len + 1
        following = self._following()
        with m.If(transfer):
            m.d.sync += [kept[name].eq(field) for name, field in fields.items()]
            m.d.sync += self.done.eq(0)
        with m.Elif(done):
            m.d.sync += [self.done.eq(self.done + 1), self.address[:WIDTH].eq(following)]
        self.legal = {f"{channel} is a legal burst": implies(transfer, is_legal(fields))}
        self.is_legal = is_legal(kept)

    def _following(self):
        """The next address; of a wrapping burst, in its container."""
        address = Const(0, WIDTH)
        for size in range(3):
            start = self.address[:WIDTH]
            following = (Cat(Const(0, size), start[size:]) + 2**size)[:WIDTH]
            wrapped = Const(0, WIDTH)
            for length in (2, 4, 8, 16):
                low = size + length.bit_length() - 1  # bits within the container
                inside = Cat(following[:low], start[low:])
                wrapped = Mux(self.beats == length, inside, wrapped)
            stepped = Mux(self.burst == WRAP, wrapped, following)
            stepped = Mux(self.burst == FIXED, start, stepped)
            address = Mux(self.size == size, stepped, address)
        return address


def is_legal(fields):
    """Table A3-2, table A3-3, and the lengths of A3.4.1 for a wrapping burst."""
    size, burst, length = fields["size"], fields["burst"], fields["len"]
    wraps = (length == 1) | (length == 3) | (length == 7) | (length == 15)
    return (size <= 2) & (burst <= WRAP) & ((burst != WRAP) | wraps)


def worse(m, name, clear, transfer, response):
    """The largest response since ``clear``."""
    worst = Signal(2, name=name)
    with m.If(clear):
        m.d.sync += worst.eq(0)
    with m.Elif(transfer & (response > worst)):
        m.d.sync += worst.eq(response)
    return worst


def latest(m, name, transfer, payload):
    """The payload of the latest transfer before this cycle."""
    kept = Signal(len(payload), name=name)
    with m.If(transfer):
        m.d.sync += kept.eq(payload)
    return kept
