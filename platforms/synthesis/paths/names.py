"""Names of a mapped netlist's nets, as a reader knows them."""

from __future__ import annotations

from .cells import AUTONAME


def signal_name(name: str) -> str:
    """``name`` up to what yosys appended to it, marked by ``~``."""
    match = AUTONAME.search(name)
    return name[: match.start()] + "~" if match else name


class Names:
    """The most telling name of every net bit: public, not made by yosys, short."""

    def __init__(self, netnames: dict):
        self._best = {}
        for name, net in netnames.items():
            base, bits = signal_name(name), net["bits"]
            rank = (net.get("hide_name", 0), base != name, name.startswith("$"), len(name), name)
            for index, bit in enumerate(bits):
                if bit not in self._best or rank < self._best[bit][0]:
                    offset = index + net.get("offset", 0) if len(bits) > 1 else None
                    self._best[bit] = rank, base, offset

    def alias(self, inside, pad):
        """Name what lies inside a pad's buffer like the pad, unless it has a name."""
        if self(inside).startswith("$") and pad in self._best:
            self._best[inside] = self._best[pad]

    def split(self, bit) -> tuple[str, int | None]:
        """Signal and bit index (None: the signal has one bit)."""
        return self._best[bit][1:] if bit in self._best else (f"net {bit}", None)

    def __call__(self, bit) -> str:
        base, index = self.split(bit)
        return base if index is None else f"{base}[{index}]"
