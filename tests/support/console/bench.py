"""A console with a stand-in core, compiled."""

import re
from pathlib import Path

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from gateformer import gateware, model
from gateformer.gateware.console.console_frame import ConsoleFrame
from gateformer.gateware.console.text_console import TextConsole
from gateformer.gateware.host.identification import Identification
from gateformer.gateware.parts.receive_queue import ReceiveQueue
from gateformer.gateware.parts.uart import RECEIVED_LAYOUT
from gateformer.model.contract.config import ModelConfig
from gateformer.model.support.cache import digest
from gateformer.model.support.sources import sources
from gateformer.platforms.simulation.compiled_simulation import CompiledSimulation

from . import stand_in_core
from .model import INFO, MARK
from .stand_in_core import BUILD_ID, CONFIG, DIGEST, HW, LOGIT_SCALE, NAME, VOCABULARY, StandInCore

END = b"\x04> "
COUNTS = re.compile(
    rb"# prompt (\d+) tokens, text (\d+) tokens, (\d+) cycles, (\d+) waiting, end: (\w+)\r\n\x04> $"
)
CTRL_C = 0x03


class ConsoleBench(wiring.Component):
    """Queue, console and stand-in core."""

    def __init__(self, vocabulary=VOCABULARY, config: ModelConfig = CONFIG):
        self._vocabulary, self._config = vocabulary, config
        super().__init__(
            {
                "received": In(stream.Signature(RECEIVED_LAYOUT)),
                "sent": Out(stream.Signature(8)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = ReceiveQueue()
        m.submodules.console = console = self.build_console(
            Identification(self._config, HW, DIGEST, BUILD_ID, 12_500)
        )
        m.submodules.core = core = StandInCore(self._config)
        wiring.connect(m, wiring.flipped(self.received), queue.received)
        wiring.connect(m, queue.queued, console.queued)
        wiring.connect(m, console.sent, wiring.flipped(self.sent))
        wiring.connect(m, console.prompt, core.prompt)
        wiring.connect(m, core.output, console.output)
        wiring.connect(m, console.settings, core.settings)
        m.d.comb += [
            console.interrupt.eq(queue.interrupt),
            core.start.eq(console.start),
            core.abort.eq(console.abort),
            console.busy.eq(core.busy),
            console.context_full.eq(core.context_full),
            self.busy.eq(core.busy),
        ]
        return m

    def build_console(self, identification: Identification) -> ConsoleFrame:
        return TextConsole(
            name=NAME,
            identification=identification,
            vocabulary=self._vocabulary,
            logit_scale=LOGIT_SCALE,
        )


def compiled(component, *facts: str) -> CompiledSimulation:
    """The compiled simulation of a component that depends on ``facts`` and the sources alone."""
    files = [*sources(gateware), *sources(model), Path(__file__), Path(stand_in_core.__file__)]
    texts = [path.read_text() for path in files]
    return CompiledSimulation(component, key=digest(*facts, *texts))


class Device:
    """A ConsoleBench in compiled simulation; what was sent is read as bytes.

    ``stall``: the transmitter is not ready in a cycle with that probability.
    """

    QUIET = 2500
    """Cycles without a byte after which nothing more comes: more than the slowest of all steps."""

    def __init__(
        self, stall: float = 0.0, seed: int = 1, *, bench: ConsoleBench | None = None, facts=()
    ):
        self.simulation = compiled(bench or ConsoleBench(), "bench", *facts)
        self.source = self.simulation.source("received")
        self.sink = self.simulation.sink("sent", stall=stall, seed=seed)

    def feed(self, items) -> None:
        """Items arrive from the next cycle on, one per cycle."""
        self.source.feed({"byte": item or 0, "damaged": item is MARK} for item in items)

    def read(self) -> bytes:
        """What was sent since the last time."""
        _, values = self.sink.read()
        self.sink.clear()
        return bytes(values["sent__payload"][:, 0].tolist())

    def settle(self, limit: int = 2_000_000) -> bytes:
        """Run until nothing more comes; what has come."""
        end = self.simulation.cycles + limit
        while self.simulation.run_until(self.sink, len(self.sink) + 1, self.QUIET):
            assert self.simulation.cycles < end, "no end of it"
        assert not self.simulation.get("busy")
        return self.read()

    def ask(self, items) -> bytes:
        self.feed(items)
        return self.settle()


def settled_device() -> Device:
    """A device that has sent its welcome."""
    device = Device()
    assert device.settle() == f"\r\n{INFO[0]}\r\n".encode() + END
    return device
