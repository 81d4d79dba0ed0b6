"""What the firmware must know of an imported model, beside what every console does."""

from __future__ import annotations

import itertools

from gateformer.gateware.console.dialect import TOP_P, Dialect
from gateformer.gateware.console.imported.pieces import Pieces, top_p_settings
from gateformer.gateware.console.vocabulary import temperature_entries
from gateformer.gateware.host.identification import WORD_DIGITS
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.text.model_codec import codec_of

from .c_text import array, braces, defines
from .encoder import Encoder, encoder_of
from .encoder_tables import encoder_lines

NO_TOKEN = 2**16
"""What no token is."""
TYPED = 4
"""Bytes of text that may be typed for every token of the context, if the firmware cuts texts."""


def encoder(model: DecoderModel) -> Encoder | None:
    """What cuts texts into tokens; None if the firmware does not know how."""
    return encoder_of(codec_of(model), model.config.vocab_size)


def room(model: DecoderModel, pieces: Pieces, cuts: bool) -> int:
    """Tokens, or with ``cuts`` bytes, that a line holds."""
    return model.config.ctx_len * TYPED if cuts else model.config.ctx_len - len(pieces.opening)


def imported_lines(model: DecoderModel, dialect: Dialect, digest: list[int]) -> list[str]:
    """Macros and tables of the header. Raises UserError as :meth:`Pieces.of`."""
    pieces, cuts = Pieces.of(model), encoder(model)
    size, stops = model.config.vocab_size, [*pieces.stop]
    texts = [b"" if token in pieces.stop else text for token, text in enumerate(pieces.texts)]
    begins = itertools.accumulate(map(len, texts), initial=0)
    multipliers = temperature_entries(model.logit_scale, size, DecoderSettings)
    wide = sorted((int.from_bytes(c, "big"), token) for c, token in pieces.of_characters.items())
    none = f"{NO_TOKEN}u"
    begin = NO_TOKEN if pieces.begin is None else pieces.begin
    return [
        *defines(
            OPENING=f"{len(pieces.opening)}u",
            BEGIN_TOKEN=f"{begin}u",
            NO_TOKEN=none,
            STOPS=f"{len(stops)}u",
            CHARACTERS=f"{len(wide)}u",
            SETTING_LEAST=braces(int(name == TOP_P) for name in dialect.commands),
        ),
        "",
        "struct multiplier {",
        "\tuint16_t mult;",
        "\tuint8_t shift;",
        "};",
        "",
        "// The model's digest.",
        array("uint32_t", "digest", (f"0x{word:0{WORD_DIGITS}X}u" for word in digest)),
        "// What comes before every prompt; what ends a text. Each has one entry at least.",
        array("uint16_t", "opening", map(str, pieces.opening or [0])),
        array("uint16_t", "stop_tokens", map(str, stops or [0])),
        "// The token of each byte that is typed.",
        array("uint32_t", "byte_tokens", (none if t is None else f"{t}u" for t in pieces.of_bytes)),
        "// Characters of several bytes that are tokens: the bytes, the last one lowest; token.",
        array("uint32_t", "characters[][2]", (braces(pair) for pair in wide or [(0, 0)])),
        "// What is sent for each token: where it begins and, with the next one's, ends.",
        array("uint32_t", "token_begins", map(str, begins)),
        array("uint8_t", "token_bytes", map(str, [*b"".join(texts), 0])),
        "// Of a temperature in hundredths.",
        array("struct multiplier", "multipliers", (braces(each.values()) for each in multipliers)),
        "// Of a top-p in hundredths.",
        array("uint32_t", "top_p_settings", map(str, top_p_settings(model.logit_scale, size))),
        *encoder_lines(cuts),
    ]
