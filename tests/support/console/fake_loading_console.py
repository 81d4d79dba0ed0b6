"""A console on a pseudo-terminal that takes images, written from docs/console.md; no gateware."""

import time

from gateformer.model.contract.artifact import Artifact, open_model

from .fake_console import END, FakeConsole

SHAPE = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=16,vocab_size=96"
"""Of the models that fit the device that the fake claims to be."""
SILENCE = 0.25
"""Instead of a second."""
ENQ = b"\x05"


def artifact(seed: int, spec: str = SHAPE) -> Artifact:
    return Artifact(f"m{seed}", open_model(f"{spec},seed={seed}").model, {}, {}, "")


class LoadingConsole(FakeConsole):
    """A device that takes one image, and says so.

    Parameters
    ----------
    image : bytes
    limits : tuple of int

    Attributes
    ----------
    requests : list of str, what is said when an image is asked for; the last one again and again
    received : list of bytes, what came for each request
    ask : bytes, what ends the request; ENQ
    """

    pause = 0.01

    def __init__(self, image: bytes, limits, **options):
        super().__init__(**options)
        self.image, self.taking, self.received, self.ask = image, None, [], ENQ
        shape = int.from_bytes(image[:4], "little")
        numbers = " ".join(map(str, limits))
        self.requests = [f"# image {len(image) // 4} words, shape {shape:08x}, limits {numbers}"]

    def obey(self, line):
        if line != b"/load":
            super().obey(line)
            return
        said = self.requests.pop(0) if len(self.requests) > 1 else self.requests[0]
        self.send(said.encode() + b"\r\n" + self.ask)
        if self.ask == ENQ:
            self.taking, self.latest = bytearray(), time.monotonic()
        else:
            self.answer()

    def arrive(self, byte):
        if self.taking is None:
            super().arrive(byte)
        else:
            self.taking.append(byte)
            self.latest = time.monotonic()
            if self.taking == self.image:
                self.end("# loaded m, digest 0123456789abcdef")

    def end(self, line):
        self.received.append(bytes(self.taking))
        self.taking = None
        self.end_answer(f"{line}\r\n".encode() + END)

    def look(self):
        """Whether the line has been silent for too long."""
        if self.taking is not None and time.monotonic() - self.latest > SILENCE:
            broken_off = len(self.taking) < len(self.image)
            cause = (
                "broken off: no byte came for 1 second" if broken_off else "its checksum is wrong"
            )
            self.end(f"! image refused: {cause}; the old model is still there")
