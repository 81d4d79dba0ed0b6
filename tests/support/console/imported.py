"""The console of an imported model as docs/console.md says, in Python, and a bench for it."""

import dataclasses
import functools
import re

from gateformer.gateware.console.imported.piece_console import PieceConsole
from gateformer.gateware.console.imported.pieces import Pieces
from gateformer.model.contract.decoder.model import DecoderModel, Vocabulary
from gateformer.model.contract.decoder.random_decoder import random_decoder
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.text.codec import TextCodec
from gateformer.model.text.codec_arrays import to_arrays

from .bench import ConsoleBench, Device
from .model import MARK, UNCOUNTED, ConsoleModel, Setting
from .stand_in_core import CTX_LEN, DIGEST, NAME, StandInCore, stand_in_generate

SIZE = 128
BOS, STOP = 1, (2, 77)
PREFIX = (5, 4)
SINGLE = [bytes([byte]) for byte in b"\n !'abcdefghijklmnop/\\x0123456789;\t\x1b\x7f"]
SINGLE += [bytes([byte]) for byte in "éß€中😀".encode() if byte != 0x98]
"""The last character has a byte without a token."""
LONG = [b" the", b"he", b"the", "é".encode(), b"\n\n", b"ab\x01c\r", b"\x98\xff", b"xxxxxxxx"]


def codec_of_pieces(**facts) -> TextCodec:
    """Sub-words, and bytes that have tokens of their own, of which some are there twice."""
    pieces = [b"", b"", b"", *dict.fromkeys(SINGLE), *LONG]
    pieces += [b" word%d" % number for number in range(SIZE - 2 - len(pieces))]
    facts = {"bos": BOS, "eos": STOP[0], "stop": STOP, "add_bos": True} | facts
    special = ((0, "<unk>"), (1, "<s>"), (2, "</s>"))
    return TextCodec("tokenizers", tuple(pieces), special, tokenizer_json=b"{}", **facts)


def sub_words(size: int) -> TextCodec:
    """As of a small SentencePiece model: begin and end, all bytes, words."""
    pieces = [b"", b"", b"", *(bytes([byte]) for byte in range(256))]
    pieces += [b" word%d" % number for number in range(size - len(pieces))]
    facts = {"bos": 1, "eos": 2, "stop": (1, 2), "add_bos": True}
    return TextCodec("tokenizers", tuple(pieces), tokenizer_json=b"{}", **facts)


def codec_of_characters() -> TextCodec:
    """As of nanoGPT's character-level models: one character a token, nothing before a prompt."""
    characters = "\n !'abcdefghijklmnop/\\x0123456789;\t\x1b\x7féß€中\uffff😀\U0010ffff"
    greek = map(chr, range(0x391, 0x391 + SIZE - 2 - len(characters)))
    return dataclasses.replace(TextCodec.of_characters([*characters, "", *greek]), stop=(44, 99))


def imported_model(codec: TextCodec, prefix=PREFIX, **shape) -> DecoderModel:
    """A random decoder with that vocabulary."""
    shape = {"vocab_size": SIZE, "d_model": 8, "n_heads": 2, "d_ff": 8, "ctx_len": CTX_LEN} | shape
    family = {"positions": "rotary", "activation": "silu", "gated": True, "n_kv_heads": 1}
    model = random_decoder(3, **(family | shape))
    return dataclasses.replace(model, vocabulary=Vocabulary(*to_arrays(codec)), prefix=prefix)


class PieceBench(ConsoleBench):
    """Queue, console and stand-in core."""

    def __init__(self, model: DecoderModel):
        self._pieces = Pieces.of(model)
        super().__init__(config=model.config)

    def build_console(self, identification) -> PieceConsole:
        return PieceConsole(name=NAME, identification=identification, pieces=self._pieces)


class ImportedConsole(ConsoleModel):
    """As :class:`ConsoleModel`; ``generate`` heeds no stop token."""

    def __init__(self, model: DecoderModel, info, generate, cycles):
        super().__init__((), model.config, model.logit_scale, info, generate)
        self.pieces, self.cycles = Pieces.of(model), cycles
        self.room = model.config.ctx_len - len(self.pieces.opening)
        self.most_digits = len(str(model.config.vocab_size - 1))
        top_p = Setting("top-p", 100, 100, 2, least=1)
        names = [*self.settings]
        names.insert(2, "top-p")
        self.settings = {name: self.settings.get(name, top_p) for name in names}

    # -- characters -------------------------------------------------------------------------

    def next_character(self, items, i, command, state):
        item = items[i]
        if state.pop("in number", False):  # what a number can't go on with, or has no room for
            state["error"] = True
            return bytes([item]), "long" if item == ord(";") else "escape", 1
        if command or state["escape"] or item != ord("\\"):
            return super().next_character(items, i, command, state)
        digits = self.digits_at(items, i + 1)
        if not digits:
            return super().next_character(items, i, command, state)
        part = bytes(items[i : i + 1 + digits])
        if items[i + 1 + digits : i + 2 + digits] == [ord(";")] and state["tokens"] < self.room:
            state["tokens"] += 1
            return part + b";", "numbered", digits + 2
        state["in number"] = True
        return part, "number", digits + 1

    def digits_at(self, items, i) -> int:
        """How many digits of a token's number stand there."""
        text = ""
        for item in items[i : i + self.most_digits]:
            digit = "" if item is MARK else chr(item)
            if digit not in DIGITS or int(text + digit) >= self.config.vocab_size:
                break
            text += digit
        return len(text)

    def kind(self, content, state):
        tokens = self.tokens(content)
        if tokens is not None and state["tokens"] + len(tokens) <= self.room:
            state["tokens"] += len(tokens)
            return "text"
        state["error"] = True
        return "token" if tokens is None else "long"

    def tokens(self, content: bytes) -> list[int] | None:
        """Tokens of a character; None if there is none for a part of it."""
        if len(content) > 1 and self.pieces.of_characters:
            token = self.pieces.of_characters.get(content)
            return None if token is None else [token]
        tokens = [self.pieces.of_bytes[byte] for byte in content]
        return None if None in tokens else tokens

    def rub_out(self) -> bytes:
        characters = self.characters(self.items)
        if not characters or characters[-1][0] is MARK or characters[-1][1] == "stuck":
            return b""
        if sum(self.entries(part, kind) for part, kind in characters) >= self.limit:
            return b""
        part, kind = characters[-1]
        del self.items[len(self.items) - len(part) :]
        return b"\b \b" * (len(part) if kind in ("number", "numbered") else 1)

    def entries(self, part, kind) -> int:
        """What a character adds to the line's length."""
        if kind != "text":
            return kind not in UNCOUNTED
        return 1 if self.pieces.of_characters else len(part)

    # -- answers ----------------------------------------------------------------------------

    def refusal(self, kind: str) -> str:
        opening, size = len(self.pieces.opening), self.config.vocab_size
        if kind == "escape":
            number = f"a token's number below {size} and ;"
            return f"after a backslash comes n, \\, / or {number}; line ignored"
        if kind == "long" and opening:
            less = f" less the {opening} before every prompt"
            return super().refusal(kind).replace(" tokens;", f" tokens{less};")
        return super().refusal(kind)

    def help_lines(self) -> list[str]:
        lines = super().help_lines()
        return [*lines[:2], "# /top-p 0.01 to 1.00; 1.00: off", *lines[2:]]

    def sampling(self) -> DecoderSettings:
        return DecoderSettings.from_user(
            temperature=float(self.settings["temperature"].shown()),
            top_k=self.settings["top-k"].value,
            top_p=float(self.settings["top-p"].shown()),
            seed=self.settings["seed"].value,
            logit_scale=self.logit_scale,
            vocab_size=self.config.vocab_size,
        )

    def line_tokens(self, content: bytes) -> list[int]:
        tokens = []
        for number, escaped, character in ITEMS.findall(content):
            if number:
                tokens.append(int(number))
            else:
                tokens += self.tokens(escaped.replace(b"n", b"\n") or character)
        return tokens

    def prompt(self, content: bytes) -> bytes:
        tokens, opening = self.line_tokens(content), self.pieces.opening
        if opening and tokens[:1] == [self.pieces.begin]:
            opening = opening[:-1]
        prompt = [*opening, *tokens]
        count, settings = self.settings["tokens"].value, self.sampling()
        tokens, _ = self.generate(prompt, count, settings)
        end = "count" if len(tokens) == count else "context"
        stops = [place for place, token in enumerate(tokens) if token in self.pieces.stop]
        if stops:
            tokens, end = tokens[: stops[0] + 1], "stop"
        if self.settings["temperature"].value:
            seed = self.settings["seed"]
            seed.value = (seed.value + 1) % 2**32
        shown = [self.pieces.texts[token] for token in tokens if token not in self.pieces.stop]
        cycles = self.cycles(len(prompt), len(tokens))
        return self.generated(b"".join(shown), len(prompt), tokens, cycles, end)


DIGITS = tuple("0123456789")
ITEMS = re.compile(rb"\\(\d+);|\\(.)|([\xf0-\xf7]...|[\xe0-\xef]..|[\xc0-\xdf].|[^\\])", re.DOTALL)
"""The number of a token, what is escaped otherwise, or a character."""


def information(model: DecoderModel) -> list[str]:
    """The lines of ``/info`` of the bench."""
    cfg = model.config
    return [
        f"# model {NAME}, digest {DIGEST[:16]}, build 00c0ffee",
        f"# n_layers 1, d_model 8, n_heads 2, d_ff 8, ctx_len {cfg.ctx_len}, vocab_size {SIZE}",
        "# norm rms, positions rotary, activation gated silu, n_kv_heads 1, head_dim 4",
        f"# lanes 4, opening {len(Pieces.of(model).opening)}, clock 12.5 MHz",
    ]


def imported_console(model: DecoderModel) -> ImportedConsole:
    """The Python model of a :class:`PieceBench`."""
    generate = functools.partial(stand_in_generate, config=model.config)
    return ImportedConsole(model, information(model), generate, StandInCore.cycles)


def imported_device(model: DecoderModel, **options) -> Device:
    """A bench that has sent its welcome."""
    device = Device(
        bench=PieceBench(model), facts=(model.digest, repr(Pieces.of(model))), **options
    )
    assert device.settle() == imported_console(model).welcome()
    return device
