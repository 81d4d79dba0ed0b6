"""Driver of an accelerator with registers: prompt in, text out, from Python on the board.

Imports neither Amaranth nor torch: numpy is enough, and safetensors for reading a model's artifact.
docs/zynq.md says what to do on a board. From a shell: ``gateformer accelerator``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

from gateformer.model.contract.reference import check_request
from gateformer.model.support.errors import UserError

from .bench import STREAMED_BENCH, Bench, run_bench
from .bench_together import BenchTogether, run_bench_together
from .image_load import load_file
from .info import AcceleratorInfo, identify
from .load import image_for, send_image
from .mapped_registers import MappedRegisters
from .memory_ports import MemoryPorts, find_ports
from .model import HostModel, open_artifact
from .register_access import RegisterAccess, RegisterFile
from .request import Requests
from .run import RunCounts
from .streams import AcceleratorStreams

MAX_TIMEOUT = 10**7
TIMEOUT = 5.0
"""Seconds; a token takes microseconds, or milliseconds from external memory."""


class Accelerator:
    """An accelerator behind the registers of docs/registers.md.

    Parameters
    ----------
    device : str or RegisterAccess, optional
        ``/dev/uioN``, ``/dev/mem``, or an object with ``read(offset)`` and ``write(offset, word)``,
        such as PYNQ's ``MMIO``; without it, the UIO device at the registers' address, or else
        ``/dev/mem``.
    model : str, Artifact or HostModel, optional
        The model that the accelerator was built for, or was loaded with; needed for text and
        temperatures only. A string is a shipped name, an artifact file or ``random:…``.
    timeout : float
        Seconds without any progress after which the core is given up.
    check_fabric : bool
        As of :class:`platforms.host.mapped_registers.MappedRegisters`.

    Raises
    ------
    UserError
        If the device can't be opened, there is no accelerator of this version, it is not one of
        ``model``, or it does not answer.
    """

    def __init__(
        self,
        device: str | RegisterAccess | None = None,
        model=None,
        *,
        timeout: float = TIMEOUT,
        check_fabric: bool = True,
    ):
        if not timeout > 0:
            raise UserError(f"timeout must be above 0 seconds, not {timeout!r}")
        if timeout > MAX_TIMEOUT:
            raise UserError(f"timeout must be at most {MAX_TIMEOUT} seconds, not {timeout!r}")
        self.model = _host_model(model)
        if device is None or isinstance(device, str | os.PathLike):
            device = MappedRegisters(device, check_fabric=check_fabric)
        self._access = device
        try:
            self._registers = registers = RegisterFile(device)
            self._timeout = timeout
            self._info = identify(registers, self.model)
            self._streams = AcceleratorStreams(registers, self._info, timeout)
            self._streams.abort()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the device back."""
        if hasattr(self._access, "close"):
            self._access.close()

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def info(self) -> AcceleratorInfo:
        """What the identification registers said when the device was opened, or loaded last."""
        return self._info

    def load(self, model, progress: Callable[[int, int], None] | None = None) -> None:
        """Replace the model by another one of the same shape; what runs is aborted.

        Parameters
        ----------
        model : str or Artifact
            A shipped name, an artifact file or ``random:…``, or one that was opened.
        progress : callable, optional
            Gets the words that were sent and those of the whole image.

        Raises
        ------
        UserError
            If the accelerator was built without ``--reload``, the model does not fit it (names
            what differs; the old one stays), or the core refuses what arrived: then it has no
            model, and runs nothing, until one is loaded completely.
        """
        artifact = open_artifact(model)
        words = image_for(self._registers, self._info, artifact)
        self._streams.abort()
        counted = progress and (lambda done: progress(done, len(words)))
        try:
            send_image(self._registers, words, self._timeout, counted)
            self.model = HostModel.of(artifact)
        finally:
            self._info = identify(self._registers, self.model)
            self._streams.tell(self._info)

    def load_image(
        self,
        path: str | os.PathLike,
        memory=None,
        *,
        ports: MemoryPorts | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Copy the image of the accelerator's model to external memory, and let the core verify it.

        It stays there: further programs find it, until the memory is used for something else or
        the fabric is reset.

        Parameters
        ----------
        path : str
            The file ``weights.bin`` that was built with the bitstream.
        memory : str, (int, int) or ExternalMemory, optional
            As :func:`platforms.host.external_memory.open_memory`; by default the first buffer of
            u-dma-buf.
        ports : MemoryPorts, optional
            Registers of the ports to the memory, which are set to 64 bits; by default those of
            this machine, if it is a Zynq-7000 and ``/dev/mem`` may be opened.
        progress : callable, optional
            Gets the bytes that were copied and those of the image.

        Raises
        ------
        UserError
            If the accelerator has its model in its own memories; the file is none, of another
            format, damaged or too short, another model's or for another accelerator; the memory is
            none, too small, or where the core can't use it; a run is under way. If the image in the
            memory is damaged, or the memory answers with an error: then the core runs nothing until
            an image was loaded completely.
        """
        found = find_ports() if ports is None else ports
        try:
            load_file(self._registers, self._info, path, memory, found, self._timeout, progress)
        finally:
            if found is not ports:
                found.close()
            if self._info.image is not None:
                self._info = identify(self._registers, self.model)
                self._streams.tell(self._info)

    @property
    def last_run(self) -> RunCounts | None:
        """Counts of the first stream's run that ended last; None while one is under way."""
        return self._streams[0].last

    def generate(
        self,
        prompt: str | Sequence[int],
        n: int = 100,
        temperature: float = 0.0,
        top_k: int = 0,
        seed: int = 1,
        *,
        top_p: float | None = None,
        refeed: bool = False,
        chat: bool = False,
        system: str | None = None,
        stream: int = 0,
    ) -> Iterator[str] | Iterator[int]:
        """Yield what follows ``prompt``, token by token: text after a text, ids after ids.

        Before a text come the tokens that the model wants there (its prefix, and what begins a
        text), and a token that ends a text ends the generation. Ids are taken and given as they
        are. A token's text may be empty, when it is a part of a character.

        Parameters
        ----------
        prompt : str or sequence of int
            1 to ctx_len tokens, with those that come before it.
        n : int
            Tokens to generate. Without ``refeed`` fewer come when the context is full: a prompt of
            p tokens leaves room for ctx_len - p, and one more that is not fed back.
        temperature, top_k, seed, top_p
            As :meth:`model.contract.sampling.SamplingSettings.from_user`; 0 is greedy. ``top_p``
            for imported models only, as
            :meth:`model.contract.decoder.sampling.DecoderSettings.from_user`.
        refeed : bool
            Go on when the context is full: the last ctx_len // 2 tokens (at least 1) are kept as
            the prompt of a new sequence, with seed + 1. All before them is forgotten. (With a
            prefix it stays, and half of what it leaves is kept.)
        chat : bool
            ``prompt`` is what a user says: the model's chat template makes the tokens of it.
        system : str, optional
            With ``chat``: what the system message says.
        stream : int
            Of an accelerator with several, the one to use: iterators of different streams may be
            read in turns. What nobody reads waits when it has 16 tokens, and no other waits for it.

        Raises
        ------
        UserError
            At once, for a request that can't be served; while it is read, if the core does not
            answer, or not as it should. An iterator that is closed early stops its stream.
        """
        runs, sampling = self._streams[stream], (temperature, top_k, seed, top_p)
        return self._requests.request(prompt, n, sampling, refeed, chat, system).waited(runs)

    def generate_together(
        self,
        prompts: Sequence[str] | Sequence[Sequence[int]],
        n: int = 100,
        temperature: float = 0.0,
        top_k: int = 0,
        seed: int = 1,
        *,
        top_p: float | None = None,
        refeed: bool = False,
        chat: bool = False,
        system: str | None = None,
        ended: Callable[[int], None] | None = None,
    ) -> Iterator[tuple[int, str]] | Iterator[tuple[int, int]]:
        """Yield (index, piece) of what follows each of the prompts, as the pieces come.

        Any number of prompts: as many are under way as there are streams, and a stream that is done
        takes the next prompt. What follows a prompt is what :meth:`generate` yields for it alone,
        with the seed ``seed`` + index, modulo 2**32.

        Parameters
        ----------
        prompts : sequence of str or of sequences of int
        ended : callable, optional
            Gets the index of each prompt after the last piece of what follows it.

        Further ones as :meth:`generate`, and the same errors; also UserError if a stream is in use.
        An error, or closing the iterator, stops all streams.
        """
        if isinstance(prompts, str):
            raise UserError(f"prompts must be a list of them, not one text; give [{prompts!r}]")
        sampling = (temperature, top_k, seed, top_p)
        requests = [
            self._requests.request(prompt, n, sampling, refeed, chat, system).later(index)
            for index, prompt in enumerate(prompts)
        ]
        return self._streams.together(requests, ended)

    @property
    def _requests(self) -> Requests:
        return Requests(self._info, self.model)

    def bench(self, prompt: Sequence[int] = (0,), n: int | None = None) -> Bench:
        """Generate greedily and measure; see :class:`platforms.host.bench.Bench`.

        ``prompt`` is token ids, ``n`` at least 2 tokens (default: until the context is full, but
        of a model in external memory, whose tokens take milliseconds, at most 64).
        Raises UserError as :meth:`generate`.
        """
        prompt, n = self._bench_request(prompt, n)
        return run_bench(self._streams[0], prompt, n)

    def bench_together(self, prompt: Sequence[int] = (0,), n: int | None = None) -> BenchTogether:
        """As :meth:`bench`, with all streams at once, each with the same prompt; see
        :class:`platforms.host.bench_together.BenchTogether`."""
        prompt, n = self._bench_request(prompt, n)
        return run_bench_together(self._streams, prompt, n)

    def _bench_request(self, prompt: Sequence[int], n: int | None) -> tuple[list[int], int]:
        prompt = list(prompt)
        room = self._info.config.ctx_len - len(prompt) + 1
        if n is None:
            n = room if self._info.image is None else min(room, STREAMED_BENCH)
        check_request(self._info.config, prompt, n)
        return prompt, min(n, room)


def _host_model(model) -> HostModel | None:
    if model is None or isinstance(model, HostModel):
        return model
    return HostModel.open(model) if isinstance(model, str | os.PathLike) else HostModel.of(model)
