"""The console's gateware in compiled simulation, as a link without a UART."""

from __future__ import annotations

import dataclasses
import time

from amaranth.lib import wiring

from gateformer.gateware.console.system import ConsoleCore
from gateformer.gateware.host.any_core import compile_model
from gateformer.model.contract.artifact import Artifact, open_model
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.cache import digest
from gateformer.model.support.errors import UserError

from ..boards.board import SIMULATED_CLOCK_MHZ, board
from ..simulation.compiled_simulation import SLICE, CompiledSimulation
from ..simulation.generation import refuse_too_large
from ..sizes.sizing import choose_sizes
from ..support.defaults import DEFAULT_MODEL
from ..support.design_digest import design_digest
from .link import SIMULATION, Link

CLOCK_HZ = round(SIMULATED_CLOCK_MHZ * 1e6)
LINE_CYCLES = 100
"""Cycles before what is written arrives: as on any line, not in the very cycle that asks for it."""
SILENCE_CYCLES = 100_000
"""What a second of silence is here, where a second of the clock takes many minutes."""


class SimulatedLink(Link):
    """A compiled simulation behind a fast line; it runs only while somebody reads.

    Parameters
    ----------
    console : wiring.Component
        With a stream ``received`` of bytes in, and a stream ``sent`` of bytes out.
    key : str, optional
        As of :class:`CompiledSimulation`.

    Attributes
    ----------
    simulation : CompiledSimulation

    Raises
    ------
    UserError
        If there is no C++ compiler.
    """

    name = SIMULATION
    reload_remedy = ("start it with: gateformer console sim --reload",)
    hint = "the gateware hangs; please report it"
    # a simulation loses nothing, but a large model may need minutes for a context
    patience = 60.0
    answer_patience = 600.0
    bench_patience = 3600.0
    real_time = False

    def __init__(self, console: wiring.Component, *, key: str | None = None):
        self.simulation = CompiledSimulation(console, key=key)
        self._received = self.simulation.source("received")
        self._sent = self.simulation.sink("sent")

    def write(self, content: bytes) -> None:
        self.simulation.step(LINE_CYCLES)
        self._received.feed(content)

    def read(self, timeout: float) -> bytes:
        end = time.monotonic() + timeout
        while not len(self._sent) and time.monotonic() < end:
            self.simulation.run_until(self._sent, 1, SLICE)
        _, values = self._sent.read()
        self._sent.clear()
        return bytes(values["sent__payload"][:, 0].tolist())

    def close(self) -> None:
        """Nothing to give back."""


def simulated_artifact(
    model: str | None, reload: bool, *, external_memory: bool = False
) -> Artifact:
    """The model of a name, or the default one; UserError as :func:`simulate`, but not for a large
    model if there is ``external_memory``."""
    artifact = open_model(DEFAULT_MODEL if model is None else model, imported=True)
    if isinstance(artifact.model, DecoderModel):
        if not external_memory:
            refuse_too_large(artifact)
        if reload:
            raise UserError(
                f"--reload is for models that were trained here, and {artifact.name} is imported; "
                "leave it out"
            )
    return artifact


def simulate(model: str | None, *, reload: bool = False) -> SimulatedLink:
    """The compiled console of a model, with the sizes that ``build.py sim`` takes.

    ``model`` is a name as :func:`open_model` takes it; None: the default. ``reload``: it can be
    replaced. Raises UserError if there is no such model, if it is imported and to be replaced, or
    if there is no C++ compiler.
    """
    artifact = simulated_artifact(model, reload)
    sizes = choose_sizes(artifact.model, board(SIMULATION))
    program = compile_model(artifact.model, dataclasses.replace(sizes, reload=reload))
    key = digest(
        design_digest(program), "console", artifact.name, str(CLOCK_HZ), str(SILENCE_CYCLES)
    )
    console = ConsoleCore(
        program,
        name=artifact.name,
        build_id=int(key[:8], 16),
        clock_hz=CLOCK_HZ,
        silence=SILENCE_CYCLES,
        dsp="generic",
    )
    return SimulatedLink(console, key=key)
