"""A streamed core in compiled simulation, with a modelled memory that holds its image."""

from __future__ import annotations

import os

import numpy as np

from gateformer.gateware.memory.bus import Response
from gateformer.gateware.streamed.core import StreamedCore
from gateformer.gateware.streamed.program import StreamedProgram

from .simulated_memory import MemoryTiming, SimulatedMemory, words_as_bytes
from .simulation import CoreSimulator

BASE = 0x1000_0000
"""Where the image lies in the modelled memory; a multiple of any stripe."""


VERIFY_STEP = 1000
"""Cycles between two looks at a core that verifies."""


class MemoryFault(Exception):
    """The memory answered an access of the core with an error."""


class StreamedSimulator(CoreSimulator):
    """As :class:`.simulation.CoreSimulator`.

    Parameters
    ----------
    program : StreamedProgram
    timing : MemoryTiming, optional
        How the memory answers; by default at once.
    image : uint8 array, optional
        What lies in the memory, by default the program's image.
    taps, stall, seed, waveform
        As CoreSimulator.

    Attributes
    ----------
    memory : SimulatedMemory
    stamps : list of (int, int)
        Of each token of the present sequence: its cycle, and the beats that were read by then.
    beats_before : int
        Beats that were read before the present sequence, by a verification, say.
    """

    def __init__(
        self,
        program: StreamedProgram,
        *,
        timing: MemoryTiming | None = None,
        image: np.ndarray | None = None,
        taps: bool = False,
        stall: float = 0.0,
        seed: int = 1,
        waveform: tuple[str | os.PathLike, int, int] | None = None,
    ):
        super().__init__(program, taps=taps, stall=stall, seed=seed, waveform=waveform)
        shape = program.memory
        if image is None:
            image = words_as_bytes(shape, program.content())
        self.memory = SimulatedMemory(
            self.simulation,
            shape,
            size=program.stripes * shape.stripe_bytes,
            base=BASE,
            reads="read",
            writes="write",
            timing=timing,
        )
        self.memory.content[: len(image)] = image
        self.simulation.set("base", BASE // shape.stripe_bytes)

    def verify(self) -> bool:
        """Whether the core finds its image in the memory: it reads it once against its checksum."""
        simulation = self.simulation
        simulation.set("verify", 1)
        simulation.step(1)
        simulation.set("verify", 0)
        simulation.step(1)
        while simulation.get("verifying"):
            simulation.step(VERIFY_STEP)
        self.memory.check()
        return bool(simulation.get("verified"))

    def _core(self, taps: bool) -> StreamedCore:
        return StreamedCore(self.program, taps=taps)

    def _generate(self, prompt, count, settings):
        self.stamps, self.beats_before = [], self.memory.beats[0]
        for item in super()._generate(prompt, count, settings):
            self.memory.check()
            self.stamps.append((item[1], self.memory.beats[0]))
            if self.fault is not Response.OKAY:
                raise self._silence(len(self.stamps), 0)
            yield item

    def _silence(self, number, cycles):
        """A core that met an error of the memory stops."""
        fault = self.fault
        if fault is Response.OKAY:
            return super()._silence(number, cycles)
        return MemoryFault(fault.name)

    @property
    def fault(self) -> Response:
        """The worst answer of the memory since the last abort."""
        return Response(self.simulation.get("fault"))
