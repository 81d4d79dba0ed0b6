"""The protocol of docs/console.md as a Python model."""

import dataclasses
import re

from gateformer.model.contract.sampling import SamplingSettings

from .setting import Setting
from .stand_in_core import CONFIG, CTX_LEN, DIGEST, LOGIT_SCALE, NAME, VOCABULARY, stand_in_generate

MARK = None
"""An item of the queue in the place of bytes that are missing."""
HELP = """\
# /temperature 0 to 2.55; 0: greedy
# /top-k 0 to {vocab_size}; 0: off
# /seed 0 to 4294967295
# /tokens 0 to 65535 to generate; 0: until the context is full
# /info model, digest, build, shape, sizes, clock
# /bench generates a whole context and shows the counts
# /help the commands
"""


class ConsoleModel:
    """docs/console.md in Python, one item after the other; ``generate`` stands for the core.

    Parameters
    ----------
    info : list of str, the lines of ``/info``
    generate : function of (prompt tokens, count, SamplingSettings) to (tokens, cycles)
    """

    def __init__(self, vocabulary, config, logit_scale, info, generate):
        self.vocabulary, self.config, self.logit_scale = vocabulary, config, logit_scale
        self.info, self.generate = info, generate
        size = config.vocab_size
        self.settings = {
            "temperature": Setting("temperature", 80, 255, 2),
            "top-k": Setting("top-k", min(20, size), size),
            "seed": Setting("seed", 1, 2**32 - 1),
            "tokens": Setting("tokens", 0, 2**16 - 1),
        }
        self.limit = 2 ** (2 * max(config.ctx_len, 32) - 1).bit_length() - 1
        self.after_cr = False
        self.forget()

    def forget(self):
        self.items = []
        """Characters of the line, the first of a command or escape a byte of its own."""

    def welcome(self) -> bytes:
        return b"\r\n" + self.lines(self.info[:1])

    @staticmethod
    def lines(lines) -> bytes:
        return "".join(f"{line}\r\n" for line in lines).encode() + b"\x04> "

    def interrupt(self) -> bytes:
        """Ctrl-C while nothing is under way."""
        self.forget()
        self.after_cr = False
        return b"\r\n\x04> "

    def handle(self, item: int | None) -> bytes:
        after_cr, self.after_cr = self.after_cr, item == 0x0D
        if item is MARK:
            self.items.append(MARK)
            return b""
        if item == 0x0A and after_cr:
            return b""
        if item in (0x0A, 0x0D):
            items = self.items
            self.forget()
            return b"\r\n" + self.enter(items)
        if item == 0x15:
            self.forget()
            return b"\r\n> "
        if item in (0x08, 0x7F):
            return self.rub_out()
        self.items.append(item)
        return bytes([item])

    # -- characters -------------------------------------------------------------------------

    def characters(self, items) -> list:
        """The line's characters: bytes of each, or MARK; what is no UTF-8 is cut as the
        document says."""
        result, command = [], items[:1] == [ord("/")]
        state = {"error": False, "tokens": 0, "escape": False}
        i = 0
        while i < len(items):
            item = items[i]
            if item is MARK:
                result.append((MARK, "mark"))
                state["error"] = True
                i += 1
                continue
            if state["error"]:
                # only counted: a byte that continues belongs to the one before
                i += 1
                if item & 0xC0 != 0x80:
                    result.append((bytes([item]), "counted"))
                elif result[-1][0] is MARK:
                    result.append((bytes([item]), "stuck"))
                else:
                    part, kind = result[-1]
                    result[-1] = (part + bytes([item]), kind)
                continue
            part, kind, size = self.next_character(items, i, command, state)
            result.append((part, kind))
            i += size
        return result

    def next_character(self, items, i, command, state):
        item = items[i]
        if command:
            if 0x20 <= item <= 0x7E and state["tokens"] < 32:
                state["tokens"] += 1
                return bytes([item]), "command", 1
            state["error"] = True
            return bytes([item]), "unknown", 1
        if state["escape"]:
            state["escape"] = False
            text = {"n": "\n", "\\": "\\", "/": "/"}.get(chr(item))
            if text is None:
                state["error"] = True
                return bytes([item]), "escape", 1
            return bytes([item]), self.kind(text.encode(), state), 1
        if item == ord("\\"):
            state["escape"] = True
            return b"\\", "backslash", 1
        size = next((n for n, low, high in LEADS if low <= item < high), 0)
        if not size:
            state["error"] = True
            return bytes([item]), "token", 1
        part = bytes([item])
        for item in items[i + 1 : i + size]:
            if item is MARK:
                return part, "incomplete", len(part)
            part += bytes([item])
            if item & 0xC0 != 0x80:
                state["error"] = True
                return part, "token", len(part)
        if len(part) < size:
            return part, "incomplete", len(part)
        return part, self.kind(part, state), size

    def kind(self, content, state):
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = ""
        if not text or text not in self.vocabulary:
            state["error"] = True
            return "token"
        if state["tokens"] == self.config.ctx_len:
            state["error"] = True
            return "long"
        state["tokens"] += 1
        return "text"

    def rub_out(self) -> bytes:
        characters = self.characters(self.items)
        if not characters or characters[-1][0] is MARK or characters[-1][1] == "stuck":
            return b""
        if sum(kind not in UNCOUNTED for _, kind in characters) >= self.limit:
            return b""
        del self.items[len(self.items) - len(characters[-1][0]) :]
        return b"\b \b"

    # -- answers ----------------------------------------------------------------------------

    def enter(self, items) -> bytes:
        characters = self.characters(items)
        kinds = [kind for _, kind in characters]
        for kind in kinds:
            if kind in REFUSALS:
                return self.lines([f"! {self.refusal(kind)}"])
        if kinds and kinds[-1] in UNFINISHED:
            return self.lines([f"! {self.refusal(UNFINISHED[kinds[-1]])}"])
        if not items:
            return self.lines([])
        if kinds[0] == "command":
            return self.obey(bytes(items[1:]).decode())
        return self.prompt(b"".join(part for part, _ in characters))

    def refusal(self, kind: str) -> str:
        """Of a line with such a character."""
        return REFUSALS[kind].format(self.config.ctx_len)

    def obey(self, command: str) -> bytes:
        name, _, argument = command.partition(" ")
        argument = argument.lstrip(" ")
        if name in self.settings:
            setting = self.settings[name]
            if argument:
                value = setting.parsed(argument)
                if value is None:
                    return self.lines([f"! {name} must be {setting.range()}"])
                setting.value = value
            return self.lines([f"# {name} {setting.shown()}"])
        if name in ("info", "help", "bench") and not argument:
            if name == "bench":
                settings = dataclasses.replace(self.sampling(), temperature_mult=0)
                tokens, cycles = self.generate([0], 0, settings)
                return self.counts(1, tokens, cycles, "context")
            return self.lines(self.info if name == "info" else self.help_lines())
        return self.lines(["! unknown command; /help lists them"])

    def help_lines(self) -> list[str]:
        return HELP.format(vocab_size=self.config.vocab_size).splitlines()

    def sampling(self) -> SamplingSettings:
        return SamplingSettings.from_user(
            temperature=float(self.settings["temperature"].shown()),
            top_k=self.settings["top-k"].value,
            seed=self.settings["seed"].value,
            logit_scale=self.logit_scale,
            vocab_size=self.config.vocab_size,
        )

    def prompt(self, content: bytes) -> bytes:
        text = re.sub(r"\\(.)", lambda match: match[1].replace("n", "\n"), content.decode())
        prompt = [self.vocabulary.index(character) for character in text]
        count, settings = self.settings["tokens"].value, self.sampling()
        tokens, cycles = self.generate(prompt, count, settings)
        if self.settings["temperature"].value:
            seed = self.settings["seed"]
            seed.value = (seed.value + 1) % 2**32
        shown = "".join(self.shown(self.vocabulary[token]) for token in tokens)
        end = "count" if len(tokens) == count else "context"
        return self.generated(shown.encode(), len(prompt), tokens, cycles, end)

    def generated(self, shown: bytes, *counts) -> bytes:
        return b"\x02" + shown + b"\x03\r\n" + self.counts(*counts)

    @staticmethod
    def shown(text: str) -> str:
        if text == "\n":
            return "\r\n"
        control = text and (ord(text) < 32 or 127 <= ord(text) < 160)
        return "?" if control and text != "\t" else text

    def counts(self, prompt, tokens, cycles, end) -> bytes:
        line = f"# prompt {prompt} tokens, text {len(tokens)} tokens, {cycles} cycles, "
        return self.lines([line + f"0 waiting, end: {end}"])


UNFINISHED = {"backslash": "escape", "incomplete": "token", "number": "escape"}
"""A line's last character that is none yet, by the refusal."""
UNCOUNTED = ("number", "backslash", "mark", "stuck", "incomplete")
LEADS = ((1, 0, 0x80), (2, 0xC0, 0xE0), (3, 0xE0, 0xF0), (4, 0xF0, 0xF8))
REFUSALS = {
    "mark": "bytes were lost or damaged; line ignored",
    "token": "the model has no token for a character of the line; line ignored",
    "escape": "after a backslash comes n, \\ or /; line ignored",
    "long": "longer than the context of {} tokens; line ignored",
    "unknown": "unknown command; /help lists them",
}


INFO = [
    f"# model {NAME}, digest {DIGEST[:16]}, build 00c0ffee",
    f"# n_layers 1, d_model 4, n_heads 2, d_ff 8, ctx_len {CTX_LEN}, vocab_size {len(VOCABULARY)}",
    "# rows 2, cols 4, lanes 4, packing 2bit, clock 12.5 MHz",
]


def console_model() -> ConsoleModel:
    return ConsoleModel(VOCABULARY, CONFIG, LOGIT_SCALE, INFO, stand_in_generate)
