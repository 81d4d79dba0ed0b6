"""A protocol checker for AXI4-Lite, AXI3 and AXI4: what ARM IHI 0022 demands of master and slave.

Written from the standard (A3.2 handshakes, A3.3 dependencies, A3.4.1 bursts, A5 IDs in order), not
from the gateware.
"""

import collections

OKAY, SLVERR = 0, 2

LITE = {
    "aw": ("addr", "prot"),
    "w": ("data", "strb"),
    "b": ("resp",),
    "ar": ("addr", "prot"),
    "r": ("data", "resp"),
}
_REQUEST = ("id", "addr", "len", "size", "burst", "lock", "cache", "prot", "qos")
AXI3 = {
    "aw": _REQUEST,
    "w": ("id", "data", "strb", "last"),
    "b": ("id", "resp"),
    "ar": _REQUEST,
    "r": ("id", "data", "resp", "last"),
}
AXI4 = {**AXI3, "w": ("data", "strb", "last")}


class ProtocolViolation(AssertionError):
    """A rule was broken; the message names it and the cycle."""


class AxiRules:
    """Checks a bus cycle by cycle.

    ``channels``: LITE, AXI3 or AXI4. Each cycle is ``{channel: (valid, ready, *payload)}``, as
    sampled by the clock edge that ends it. ``transfers`` counts by channel.
    """

    def __init__(self, channels=LITE, name="axi"):
        self.channels = channels
        self.name = name
        self.cycles = 0
        self.transfers = collections.Counter()
        self._fields = {
            channel: {field: 2 + i for i, field in enumerate(fields)}
            for channel, fields in channels.items()
        }
        self.reset()

    def reset(self):
        """Nothing is under way."""
        self._waiting = dict.fromkeys(self.channels)
        # requests of earlier cycles without a response: (ID, beats)
        self._writes, self._reads = collections.deque(), collections.deque()
        self._beats, self._words, self._read_beats = 0, collections.deque(), 0

    def cycle(self, now: dict[str, tuple[int, ...]]) -> None:
        """One cycle that is no reset; ProtocolViolation for a rule that it breaks."""
        for channel, offer in now.items():
            self._held(channel, offer)
        # responses first: they answer requests of earlier cycles only
        self._answer_write(now["b"])
        self._answer_read(now["r"])
        self._request(now)
        for channel, (valid, ready, *_) in now.items():
            self.transfers[channel] += valid and ready
        self.cycles += 1

    def watch(self, axi, *, reset=None):
        """A testbench that checks ``axi``, an interface in a simulation, in every cycle."""
        ports = [
            [getattr(axi, channel + end) for end in ("valid", "ready", *fields)]
            for channel, fields in self.channels.items()
        ]
        ports = [[raw(port) for port in channel] for channel in ports]
        flat = [port for channel in ports for port in channel]
        flat += [] if reset is None else [reset]

        async def process(ctx):
            async for _, in_reset, *values in ctx.tick().sample(*flat):
                if in_reset or (reset is not None and values.pop()):
                    self.reset()
                    continue
                numbers = iter(values)
                self.cycle(
                    {
                        name: tuple(next(numbers) for _ in channel)
                        for name, channel in zip(self.channels, ports, strict=True)
                    }
                )

        return process

    def _require(self, rule, text):
        if not rule:
            raise ProtocolViolation(f"{self.name}, cycle {self.cycles}: {text}")

    def _field(self, channel, offer, name, default):
        index = self._fields[channel].get(name)
        return default if index is None else offer[index]

    def _held(self, channel, offer):
        valid, ready, *payload = offer
        kept = self._waiting[channel]
        if kept is not None:
            self._require(valid, f"{channel}valid fell before {channel}ready")
            self._require(payload == kept, f"{channel} payload changed while waiting")
        self._waiting[channel] = payload if valid and not ready else None

    def _response(self, channel, offer):
        legal = (OKAY, SLVERR) if self.channels is LITE else range(4)
        response = self._field(channel, offer, "resp", None)
        self._require(response in legal, f"{channel}resp is {response}")

    def _answer_write(self, offer):
        valid, ready = offer[:2]
        if not valid:
            return
        self._require(self._writes, "bvalid without an address")
        self._require(self._words, "bvalid before the last data")
        identity, beats = self._writes[0]
        self._require(self._words[0] == beats, f"{self._words[0]} beats for {beats}")
        self._require(self._field("b", offer, "id", 0) == identity, "bid is another burst's")
        self._response("b", offer)
        if ready:
            self._writes.popleft()
            self._words.popleft()

    def _answer_read(self, offer):
        valid, ready = offer[:2]
        if not valid:
            return
        self._require(self._reads, "rvalid without an address")
        identity, beats = self._reads[0]
        last = self._read_beats + 1 == beats
        self._require(self._field("r", offer, "last", last) == last, "rlast in a wrong beat")
        self._require(self._field("r", offer, "id", 0) == identity, "rid is another burst's")
        self._response("r", offer)
        if ready:
            self._read_beats = 0 if last else self._read_beats + 1
            if last:
                self._reads.popleft()

    def _request(self, now):
        for channel, waiting in (("aw", self._writes), ("ar", self._reads)):
            valid, ready = now[channel][:2]
            if valid and ready:
                offer = now[channel]
                length = self._field(channel, offer, "len", 0) + 1
                waiting.append((self._field(channel, offer, "id", 0), length))
        valid, ready = now["w"][:2]
        if valid and ready:
            self._beats += 1
            if self._field("w", now["w"], "last", 1):
                self._words.append(self._beats)
                self._beats = 0


def raw(signal):
    """A port without its enumeration."""
    return signal.as_value() if hasattr(signal, "as_value") else signal
