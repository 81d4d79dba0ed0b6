"""Rules of AXI4-Lite for proofs; written from ARM IHI 0022, A3 and B1, not from the gateware."""

from amaranth.hdl import Value

from .prover import counted, held, implies

PAYLOADS = {
    "aw": ("addr", "prot"),
    "w": ("data", "strb"),
    "b": ("resp",),
    "ar": ("addr", "prot"),
    "r": ("data", "resp"),
}
OKAY, SLVERR = 0, 2


class Channels:
    """Handshakes of a bus: ``valid``, ``ready``, ``transfer`` and ``payload`` by channel."""

    def __init__(self, axi, payloads=PAYLOADS):
        self.valid = {name: getattr(axi, f"{name}valid") for name in payloads}
        self.ready = {name: getattr(axi, f"{name}ready") for name in payloads}
        self.transfer = {name: self.valid[name] & self.ready[name] for name in payloads}
        self.payload = {
            name: [Value.cast(getattr(axi, name + field)) for field in fields]
            for name, fields in payloads.items()
        }

    def held(self, m, names):
        """A3.2.1: once VALID is high, it and the payload stay until the transfer."""
        return {
            f"{name} is held until taken": held(
                m, name, self.valid[name], self.ready[name], self.payload[name]
            )
            for name in names
        }


class LiteRules:
    """AXI4-Lite between a master and a slave; ``master`` and ``slave`` are what each owes.

    Under way, by channel: ``requests["aw"]``, ``["w"]`` and ``["ar"]`` are transfers in earlier
    cycles that have no response yet.
    """

    def __init__(self, m, axi):
        channels = Channels(axi)
        valid, transfer = channels.valid, channels.transfer
        self.channels = channels
        self.requests = {
            request: counted(m, f"{request}_requests", transfer[request], transfer[response])
            for request, response in (("aw", "b"), ("w", "b"), ("ar", "r"))
        }
        aw, w, ar = self.requests.values()
        self.master = channels.held(m, ("aw", "w", "ar"))
        self.slave = {
            **channels.held(m, ("b", "r")),
            "b answers an address": implies(valid["b"], aw != 0),
            "b answers data": implies(valid["b"], w != 0),
            "r answers an address": implies(valid["r"], ar != 0),
            "bresp is a response": self._is_response(valid["b"], channels.payload["b"][-1]),
            "rresp is a response": self._is_response(valid["r"], channels.payload["r"][-1]),
        }

    @staticmethod
    def _is_response(valid, response):
        return implies(valid, (response == OKAY) | (response == SLVERR))
