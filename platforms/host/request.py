"""What is asked of an accelerator: a prompt's tokens, settings, and what becomes of the answer."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import deque
from collections.abc import Iterator, Sequence

from gateformer.model.contract.context_window import refed_window
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.contract.reference import check_request
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.support.errors import UserError
from gateformer.model.text.codec import TextCodec

from .info import AcceleratorInfo
from .model import HostModel
from .run import AcceleratorRuns

Piece = str | int
SEEDS = 2**32


@dataclasses.dataclass(frozen=True)
class Request:
    """``tokens`` behind ``prefix``, and what is wanted after them: up to ``count`` tokens, or up to
    one of ``stop``; with ``refeed`` on and on in contexts of ``room`` tokens.

    ``codec``: as its text; ``first``: which begins there. Without it, the tokens' ids.
    """

    tokens: list[int]
    count: int
    settings: SamplingSettings
    room: int
    refeed: bool = False
    prefix: tuple[int, ...] = ()
    stop: tuple[int, ...] = ()
    codec: TextCodec | None = None
    first: bool = False

    def later(self, number: int) -> Request:
        """The same with a seed that is so much higher, modulo 2**32."""
        seed = (self.settings.seed + number) % SEEDS
        return dataclasses.replace(self, settings=dataclasses.replace(self.settings, seed=seed))

    def pieces(self, runs: AcceleratorRuns) -> Iterator[Piece | None]:
        """Yield what follows, token by token, and None whenever there is nothing yet; errors as
        :meth:`AcceleratorRuns.polls`."""
        with contextlib.closing(self._generated(runs)) as generated:
            if self.codec is None:
                yield from generated
                return
            arrived: deque[int | None] = deque()
            text = self.codec.stream(iter(arrived.popleft, None), first=self.first)
            for token in generated:
                if token is None:
                    yield None
                else:
                    arrived.append(token)
                    yield next(text)
            arrived.append(None)
            yield from text

    def waited(self, runs: AcceleratorRuns) -> Iterator[Piece]:
        """As :meth:`pieces`, but waits for each."""
        with contextlib.closing(self.pieces(runs)) as pieces:
            yield from (piece for piece in pieces if piece is not None)

    def _generated(self, runs: AcceleratorRuns) -> Iterator[int | None]:
        tokens, settings, left = self.tokens, self.settings, self.count
        while True:
            fresh = []
            polls = runs.polls([*self.prefix, *tokens], left, settings)
            with contextlib.closing(polls):
                for token in polls:
                    if token in self.stop:
                        return
                    if token is not None:
                        fresh.append(token)
                    yield token
            left -= len(fresh)
            if left <= 0 or not self.refeed:
                return
            tokens, settings = refed_window(tokens + fresh, self.room, settings)


class Requests:
    """Makes requests of an accelerator.

    Parameters
    ----------
    info : AcceleratorInfo
    model : HostModel, optional
        Needed for text and temperatures.
    """

    def __init__(self, info: AcceleratorInfo, model: HostModel | None):
        self._info, self._model = info, model

    def request(
        self,
        prompt: str | Sequence[int],
        n: int,
        sampling: tuple,
        refeed: bool,
        chat: bool,
        system: str | None,
    ) -> Request:
        """``sampling`` is temperature, top_k, seed and top_p; all as of
        :meth:`platforms.host.driver.Accelerator.generate`, with its errors."""
        config = self._info.config
        if not isinstance(prompt, str):
            if chat or system is not None:
                raise UserError("chat is for a text; give one, or leave chat and system out")
            tokens = [int(token) for token in prompt]
            check_request(config, tokens, n)
            return Request(tokens, n, self.settings(*sampling), config.ctx_len, refeed)
        if system is not None and not chat:
            raise UserError("a system message is for chat; give both, or leave system out")
        model = self._known("text")
        tokens = model.chat(prompt, system) if chat else model.encode(prompt)
        prefix = tuple(model.prefix)
        room = dataclasses.replace(config, ctx_len=config.ctx_len - len(prefix))
        check_request(room, tokens, n)
        settings = self.settings(*sampling)
        return Request(
            *(tokens, n, settings, room.ctx_len, refeed),
            prefix=prefix,
            stop=tuple(model.codec.stop),
            codec=model.codec,
            first=chat,
        )

    def settings(self, temperature, top_k, seed, top_p) -> SamplingSettings:
        """UserError for what there is no setting for."""
        if temperature != 0:
            return self._known("a temperature").settings(temperature, top_k, seed, top_p)
        given = {
            "temperature": 0,
            "top_k": top_k,
            "seed": seed,
            "logit_scale": 1,
            "vocab_size": self._info.config.vocab_size,
        }
        if self._info.imported:
            return DecoderSettings.from_user(top_p=top_p, **given)
        if top_p is not None:
            raise UserError("top-p is for imported models; leave it out")
        return SamplingSettings.from_user(**given)

    def _known(self, what: str) -> HostModel:
        if self._model is None:
            raise UserError(
                f"{what} needs the model, which is unknown; give Accelerator the artifact of "
                f"{self._info.digest[:16]}…, or use token ids and temperature 0"
            )
        return self._model
