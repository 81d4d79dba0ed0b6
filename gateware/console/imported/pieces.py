"""What a console sends and reads for the tokens of an imported model: bytes in both directions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.support.errors import UserError
from gateformer.model.text.codec import TextCodec
from gateformer.model.text.model_codec import codec_of

from ..dialect import TOP_P_STEPS
from ..messages import DECIMALS
from ..vocabulary import CONCEALED

BYTES = 256
_CONTROLS = {*range(0x20), 0x7F} - {0x09}
_SENT = [bytes([CONCEALED if byte in _CONTROLS else byte]) for byte in range(BYTES)]
_SENT[0x0A] = b"\r\n"


@dataclasses.dataclass(frozen=True)
class Pieces:
    """The vocabulary of an imported model, for a console (docs/console.md).

    Attributes
    ----------
    texts : tuple of bytes, what is sent for each token of the model
    of_bytes : tuple of int or None, the token of each of the 256 bytes, None: there is none
    of_characters : dict of bytes to int
        Of a vocabulary of characters: the token of each that has several bytes in UTF-8.
    opening : tuple of int
        What is fed before every prompt.
    begin : int or None
        The last token of ``opening``, which a prompt that begins with it is not given again.
    stop : tuple of int, tokens that end a generation
    logit_scale : float, the model's
    """

    texts: tuple[bytes, ...]
    of_bytes: tuple[int | None, ...]
    of_characters: dict[bytes, int]
    opening: tuple[int, ...]
    begin: int | None
    stop: tuple[int, ...]
    logit_scale: float

    @classmethod
    def of(cls, model: DecoderModel) -> Pieces:
        """Those of ``model``.

        Raises UserError if its vocabulary is missing or damaged, has tokens that the model has not,
        or what comes before a prompt leaves no room for one.
        """
        codec, size = codec_of(model), model.config.vocab_size
        if len(codec.pieces) > size:
            raise UserError(
                f"the model's tokenizer has {len(codec.pieces)} tokens, but the model {size}; "
                "import it with its own tokenizer"
            )
        begin = codec.bos if codec.add_bos else None
        opening = (*model.prefix, *([] if begin is None else [begin]))
        if len(opening) >= model.config.ctx_len:
            raise UserError(
                f"{len(opening)} tokens come before every prompt of this model, and its context of "
                f"{model.config.ctx_len} has no room for one; import it with a longer --context"
            )
        texts = [sent(piece) for piece in codec.pieces]
        return cls(
            texts=(*texts, *[b""] * (size - len(texts))),
            of_bytes=tuple(byte_tokens(codec.pieces)),
            of_characters=_characters(codec),
            opening=opening,
            begin=begin,
            stop=tuple(sorted(set(codec.stop))),
            logit_scale=model.logit_scale,
        )


def sent(piece: bytes) -> bytes:
    """What is sent for a token: a newline as CR LF, other control characters but TAB as ``?``."""
    return b"".join(_SENT[byte] for byte in piece)


def byte_tokens(pieces: Sequence[bytes]) -> list[int | None]:
    """Token of each byte; of several, the first one that is not of a run of all 256 bytes.

    Such a run is there for what a vocabulary has no other token for.
    """
    found: list[int | None] = [None] * BYTES
    run = _byte_run(pieces)
    others = (token for token, piece in enumerate(pieces) if len(piece) == 1 and token not in run)
    for token in (*others, *run):
        byte = pieces[token][0]
        found[byte] = token if found[byte] is None else found[byte]
    return found


def _byte_run(pieces: Sequence[bytes]) -> range:
    for start, piece in enumerate(pieces):
        run = range(start, start + BYTES)
        if piece == b"\0" and list(pieces[start : run.stop]) == [bytes([b]) for b in range(BYTES)]:
            return run
    return range(0)


def _characters(codec: TextCodec) -> dict[bytes, int]:
    if codec.kind != "characters":
        return {}
    return {piece: token for token, piece in enumerate(codec.pieces) if len(piece) > 1}


def top_p_settings(logit_scale: float, vocab_size: int) -> list[int]:
    """``top_p`` of :class:`DecoderSettings` for each hundredth from 0.01 to 1.00, and 0 for 0."""
    given = (step / 10**DECIMALS for step in range(1, TOP_P_STEPS + 1))
    others = {"temperature": 1.0, "top_k": 0, "seed": 0}
    others |= {"logit_scale": logit_scale, "vocab_size": vocab_size}
    return [0, *(DecoderSettings.from_user(top_p=top_p, **others).top_p for top_p in given)]
