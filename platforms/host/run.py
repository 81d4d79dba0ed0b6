"""Runs of the core through its registers, every wait with an end."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence

from gateformer.gateware.host.registers import register
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.support.counted import counted
from gateformer.model.support.errors import UserError

from .image_registers import LOAD_IT, is_verified, long_count, read_stalls, refuse_fault
from .info import AcceleratorInfo
from .register_access import RegisterFile

MAX_COUNT = 2 ** register("GENERATE_COUNT").field("value").width - 1
"""Longest run; no context is longer."""


@dataclasses.dataclass(frozen=True)
class RunCounts:
    """Of a finished run: tokens generated, cycles in which the core was busy, how it ended; of a
    model in external memory, the cycles in which it waited for that (the first stream's only)."""

    tokens: int
    cycles: int
    context_full: bool
    stalls: int | None = None


class AcceleratorRuns:
    """Starts runs of a stream, one after another, and reads their tokens.

    Parameters
    ----------
    registers : RegisterFile
        The stream's.
    info : AcceleratorInfo
    timeout : float
        Seconds without any progress after which the core is given up.
    first : AcceleratorRuns, optional
        Those of the first stream, if this is another one: it has the image's registers.

    Attributes
    ----------
    last : RunCounts or None
        Of the run that ended last; None while one is under way or when it was broken off.
    in_use : bool
        Somebody reads a run that has not ended.
    """

    def __init__(
        self,
        registers: RegisterFile,
        info: AcceleratorInfo,
        timeout: float,
        first: AcceleratorRuns | None = None,
    ):
        self.registers, self.info, self.timeout = registers, info, timeout
        self.last: RunCounts | None = None
        self.in_use = False
        self._image = first.registers if first else registers
        self._all = first._all if first else []
        self._all.append(self)
        self._number = 0
        self._patience = _Patience(self, "for a token")
        self._broken: str | None = None

    @property
    def greedy(self) -> SamplingSettings:
        """Settings of the accelerator's kind that choose the likeliest token."""
        return DecoderSettings() if self.info.imported else SamplingSettings()

    def abort(self) -> None:
        """Stop whatever runs; the core is idle and both queues are empty afterwards.

        Raises UserError if they are not within the timeout.
        """
        self._number += 1
        self.last = self._broken = None
        self.registers.write("CONTROL", abort=1, clear_errors=1)
        patience = _Patience(self, "to stop")
        while not self._stopped():
            patience.check()

    def postpone(self, seconds: float) -> None:
        """That time is not the core's: whoever reads its tokens did something else."""
        self._patience.postpone(seconds)

    def _stopped(self) -> bool:
        status = self.registers.read("STATUS")
        return not any(status[name] for name in ("busy", "error", "output_level", "prompt_level"))

    def start(self, prompt: Sequence[int], count: int, settings: SamplingSettings) -> None:
        """Begin a run after whatever was under way; UserError if the core refuses it."""
        self.abort()
        registers = self.registers
        if self.info.image is not None and not is_verified(self._image):
            raise UserError(f"{registers.name}: its model's image is not in the memory; {LOAD_IT}")
        registers.write(
            "TEMPERATURE", mult=settings.temperature_mult, shift=settings.temperature_shift
        )
        registers.write("TOP_K", value=settings.top_k)
        registers.write("SEED", value=settings.seed)
        if self.info.imported:
            registers.write("TOP_P", value=settings.top_p)
        registers.write("GENERATE_COUNT", value=min(count, MAX_COUNT))
        for token in prompt:
            registers.write("PROMPT", token=token)
        registers.write("CONTROL", start=1)
        self._refuse_errors()

    def tokens(
        self, prompt: Sequence[int], count: int, settings: SamplingSettings
    ) -> Iterator[int]:
        """As :meth:`polls`, but waits for each token."""
        with contextlib.closing(self.polls(prompt, count, settings)) as polls:
            yield from (token for token in polls if token is not None)

    def polls(
        self, prompt: Sequence[int], count: int, settings: SamplingSettings
    ) -> Iterator[int | None]:
        """Yield the run's tokens as they come, up to ``count``, and None whenever there is none
        yet; a run that is not read to its end is aborted.

        Raises UserError if the core refuses the run, makes no progress within the timeout, raises
        a flag of ERROR, or does what it never should; also if another run was begun meanwhile.
        """
        number = None
        try:
            self.start(prompt, count, settings)
            number = self._number
            self.in_use = True
            yield from self._until_last(count, number)
            self.finish()
        finally:
            if number in (None, self._number):
                self.in_use = False
                if self.last is None:
                    self._abort_quietly()

    def finish(self) -> RunCounts:
        """The counts, once the core is done; UserError if it makes no progress for the timeout."""
        patience, levels = _Patience(self, "to end"), None
        while not (status := self.registers.read("STATUS"))["done"]:
            self._refuse_errors(status)
            self._refuse_fault()
            levels = patience.heed(levels, _levels(status))
            patience.check()
        self._refuse_fault()
        self.last = RunCounts(
            self.registers.word("TOKENS_GENERATED"),
            long_count(self.registers, "CYCLES"),
            bool(status["context_full"]),
            self.stalls(),
        )
        return self.last

    def stalls(self) -> int | None:
        """Cycles in which the core has waited for the memory since the first stream's last start;
        None for another stream, or without such a memory."""
        if self.info.image is None or self._image is not self.registers:
            return None
        return read_stalls(self.registers)

    def _until_last(self, count: int, number: int) -> Iterator[int | None]:
        patience, levels = self._patience, None
        patience.renew()
        left = count
        while left:
            output = self.registers.read("OUTPUT")
            if not output["valid"]:
                levels = patience.heed(levels, _levels(self._look()))
                patience.check()
                yield None
                self._refuse_another(number)
                continue
            token = output["token"]
            if token >= self.info.config.vocab_size:
                raise UserError(
                    f"{self.registers.name}: OUTPUT reads token {token}, expected 0 to "
                    f"{self.info.config.vocab_size - 1}; load the bitstream again"
                )
            left -= 1
            yield token
            self._refuse_another(number)
            if output["last"]:
                return
            patience.renew()
        raise UserError(
            f"{self.registers.name}: the core sent {counted(count, 'token')}, as asked, but the "
            "last one is not marked; load the bitstream again"
        )

    def _look(self) -> Mapping[str, int]:
        """STATUS, while there is no token; UserError if none will come."""
        status = self.registers.read("STATUS")
        self._refuse_errors(status)
        self._refuse_fault()
        if not status["busy"] and not status["output_level"]:
            raise UserError(
                f"{self.registers.name}: the core stopped before its last token; does another "
                "program use it?"
            )
        return status

    def _refuse_another(self, number: int) -> None:
        """UserError unless the run of that number is still the present one."""
        if number != self._number:
            another = ", or name another stream" if self.info.streams > 1 else ""
            raise UserError(
                f"{self.registers.name}: another run was begun before this one was read; read one "
                f"to its end, or close it, first{another}"
            )

    def _refuse_errors(self, status=None) -> None:
        if not (status or self.registers.read("STATUS"))["error"]:
            return
        flags = self.registers.errors()
        raise UserError(
            f"{self.registers.name}: the core reports {flags or 'an error without a flag'}; does "
            "another program use it?"
        )

    def _refuse_fault(self) -> None:
        """UserError if the memory has answered with an error; that stops the runs of all streams,
        and the core forgets it when none is left."""
        if self._broken is not None:
            raise UserError(self._broken)
        if self.info.image is None:
            return
        try:
            refuse_fault(self._image, "while the core was generating")
        except UserError as error:
            for runs in self._all:
                runs._broken = str(error)
                with contextlib.suppress(UserError):
                    runs.registers.write("CONTROL", abort=1, clear_errors=1)
            raise

    def _abort_quietly(self) -> None:
        """After an error, or when the device was closed, there is nothing more to say."""
        self._number += 1
        with contextlib.suppress(UserError):
            self.registers.write("CONTROL", abort=1, clear_errors=1)


def _levels(status: Mapping[str, int]) -> tuple[int, int]:
    """What changes while a core goes on: tokens of the prompt to be read, and those to be taken."""
    return status["prompt_level"], status["output_level"]


class _Patience:
    """The end of a wait."""

    def __init__(self, runs: AcceleratorRuns, what: str):
        self._name, self._timeout, self._what = runs.registers.name, runs.timeout, what
        self.renew()

    def postpone(self, seconds: float) -> None:
        self._end += seconds

    def renew(self) -> None:
        self._end = time.monotonic() + self._timeout

    def heed(self, before: tuple[int, int] | None, now: tuple[int, int]) -> tuple[int, int]:
        """Renew it if the levels ``now`` are others than ``before``; those now."""
        if now != before:
            self.renew()
        return now

    def check(self) -> None:
        if time.monotonic() >= self._end:
            raise UserError(
                f"{self._name}: the core does not answer: waited {self._timeout:g} s "
                f"{self._what}; load the bitstream again, or give a longer timeout"
            )
