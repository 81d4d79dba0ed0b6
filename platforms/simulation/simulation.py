"""The core in compiled simulation: prompt in, tokens out, with the cycle of each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np

from gateformer.gateware.core.loader import LOAD_STATUS, WORD_CYCLES, Refusal
from gateformer.gateware.core.signature import READ_CYCLES
from gateformer.gateware.core.token_loop import COUNT_BITS
from gateformer.gateware.host.any_core import AnyProgram, build_core, tap_ports
from gateformer.model.contract.reference import check_request
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.support.cache import digest

from ..support.design_digest import design_digest
from .compiled_simulation import CompiledSimulation
from .simulated_stream import Source

PATIENCE = 4
"""A token that takes this many times its predicted cycles (without stalls) never comes."""


class CoreSimulator:
    """A core of ``program``, compiled; generates any number of sequences, one after another.

    Parameters
    ----------
    program : Program or DecoderProgram
    taps : bool
        Records every intermediate result for :meth:`tap_records`.
    stall : float
        Probability, in each cycle, that the prompt pauses and that the output is not taken.
    seed : int
        Of the pseudo-random stalls.
    waveform : (path, first_cycle, last_cycle), optional
        VCD file of these cycles, counted from the simulator's start.

    Attributes
    ----------
    first_beat : int
        Cycle of the current sequence's first beat, the second after its first prompt token was
        taken: where :meth:`Program.cycles` begins to count.

    Raises
    ------
    UserError
        If there is no C++ compiler, or the waveform cannot be written.
    """

    _load_words: Source | None = None

    def __init__(
        self,
        program: AnyProgram,
        *,
        taps: bool = False,
        stall: float = 0.0,
        seed: int = 1,
        waveform: tuple[str | os.PathLike, int, int] | None = None,
    ):
        self.program = program
        self.simulation = CompiledSimulation(
            self._core(taps),
            key=digest(design_digest(program), f"taps={taps}"),
            waveform=waveform,
        )
        self._prompt = self.simulation.source("prompt", stall=stall, seed=seed)
        self._output = self.simulation.sink("output", stall=stall, seed=seed + 1)
        self._taps = {
            port: self.simulation.probe(f"taps__{port.name}_valid", [f"taps__{port.name}_data"])
            for port in (tap_ports(program) if taps else ())
        }
        longest = program.cycles(program.model.config.ctx_len - 1, sampled=True, top_k=True)
        self._patience = round(PATIENCE * longest / (1 - stall)) + 1000
        self.first_beat = 0

    def _core(self, taps: bool):
        """A core of the program."""
        return build_core(self.program, taps=taps)

    @property
    def context_full(self) -> bool:
        """Whether the last sequence ended because no position was left."""
        return bool(self.simulation.get("context_full"))

    def generate(
        self, prompt: list[int], count: int, settings: SamplingSettings
    ) -> Iterator[tuple[int, int]]:
        """Yield (token, cycle of its transfer), up to ``count``, while the simulation runs.

        Starts a new sequence; one that was not read to its end is aborted. Raises UserError for
        a request that :func:`model.contract.reference.check_request` refuses.
        """
        check_request(self.program.model.config, prompt, count)
        return self._generate(list(prompt), count, settings)

    def _silence(self, number: int, cycles: int) -> Exception:
        """What is wrong if a token does not come."""
        return RuntimeError(f"the core emitted no token {number} in {cycles} cycles")

    def _generate(self, prompt, count, settings) -> Iterator[tuple[int, int]]:
        self._start(count, settings)
        already_taken = len(self._prompt.taken())
        last = len(prompt) - 1
        self._prompt.feed({"token": token, "last": i == last} for i, token in enumerate(prompt))
        shape = self.simulation.port("output__payload").shape
        limit = self._patience * len(prompt)
        for number in range(count):
            if not self.simulation.run_until(self._output, number + 1, limit):
                raise self._silence(number, limit)
            limit = self._patience
            if number == 0:
                self.first_beat = int(self._prompt.taken()[already_taken]) + 2
            cycle, payload = self._output.last()
            item = shape.from_bits(payload["output__payload"])
            if item.last:
                self.simulation.step()  # so that the core is idle and its flags are final
            yield item.token, cycle
            if item.last:
                return

    def _abort(self) -> None:
        simulation = self.simulation
        simulation.set("abort", 1)
        simulation.step()
        simulation.set("abort", 0)
        simulation.step()

    def _start(self, count: int, settings: SamplingSettings) -> None:
        simulation = self.simulation
        if simulation.get("busy"):
            self._abort()
        for recorder in (self._output, *self._taps.values()):
            recorder.clear()
        for name, value in vars(settings).items():
            simulation.set(f"settings__{name}", value)
        simulation.set("settings__count", min(count, 2**COUNT_BITS - 1))
        simulation.set("start", 1)
        simulation.step()
        simulation.set("start", 0)

    @property
    def is_loaded(self) -> bool:
        """Whether the core's memories hold one complete model (``hw.reload``)."""
        return self._load_status().loaded == 1

    def load(self, words: Sequence[int]) -> Refusal:
        """Load an image, :func:`gateware.compiler.reload_image.model_image`, into a core with
        ``hw.reload``.

        One that ends too early is aborted. Returns why it was refused, or ``Refusal.NONE``; what
        is generated next is then the loaded model's.
        """
        simulation = self.simulation
        if self._load_words is None:
            self._load_words = simulation.source("load_words")
        simulation.set("load_begin", 1)
        simulation.step()
        simulation.set("load_begin", 0)
        self._load_words.feed(words)
        # no more writes than words, each of which is read again
        for _ in range(len(words) + 1):
            simulation.step(WORD_CYCLES + READ_CYCLES)
            if not self._load_status().loading:
                break
        else:
            self._abort()
        # what is left of a refused image is dropped
        simulation.step(WORD_CYCLES * len(words))
        return Refusal(self._load_status().refusal)

    def _load_status(self):
        return LOAD_STATUS.from_bits(self.simulation.get("load_status"))

    def tap_records(self) -> dict[str, np.ndarray]:
        """Port name to int64 [records, elements] of the last sequence, for ``check_taps``."""
        return {
            port.name: port.unpack(probe.read()[1][f"taps__{port.name}_data"])
            for port, probe in self._taps.items()
        }
