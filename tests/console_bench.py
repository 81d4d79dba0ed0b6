"""A console with a stand-in core, and the protocol of docs/console.md as a Python model."""

import dataclasses
import re
from pathlib import Path

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

import gateware
import model
from gateware.core import settings_signature
from gateware.hw_config import HwConfig
from gateware.identification import Identification
from gateware.program import PROMPT_OVERHEAD
from gateware.receive_queue import ReceiveQueue
from gateware.sequencer import token_stream
from gateware.text_console import TextConsole
from gateware.uart import RECEIVED_LAYOUT
from model.config import ModelConfig
from model.sampling import SamplingSettings
from platforms.cache import digest
from platforms.compiled_simulation import CompiledSimulation

DIGEST = bytes(range(3, 35)).hex()
BUILD_ID = 0xC0FFEE
LOGIT_SCALE = 0.00035
CTX_LEN = 40
NAME = "tïny"
VOCABULARY = tuple("\n !'abcdefghijklmnop/\\x0123456789\t\x1b\x00\x7f\x85éß€ÿ中\uffff😀\U0010ffff")
VOCABULARY = (*VOCABULARY[:20], "", *VOCABULARY[20:])
VOCABULARY += ("",) * (64 - len(VOCABULARY))
CONFIG = ModelConfig(
    vocab_size=len(VOCABULARY), d_model=4, n_heads=2, n_layers=1, d_ff=8, ctx_len=CTX_LEN
)
HW = HwConfig(2, 4, 4)


class StandInCore(wiring.Component):
    """Keeps the core's side of the contract; its tokens depend on all that it was given.

    Every token takes ``CYCLES``. ``state`` is a sum of the settings and the prompt, stirred with
    every token; the token is its upper bits.
    """

    CYCLES = 41
    STATE = 16

    def __init__(self, config: ModelConfig):
        self.config = config
        size = config.vocab_size
        super().__init__(
            {
                "prompt": In(token_stream(size)),
                "output": Out(token_stream(size)),
                "settings": In(settings_signature(size)),
                "start": In(1),
                "abort": In(1),
                "busy": Out(1),
                "context_full": Out(1),
            }
        )

    @classmethod
    def stir(cls, state: int, token: int) -> int:
        return (state * 5 + token * 257 + 4321) % 2**cls.STATE

    @classmethod
    def token(cls, state: int, vocab_size: int) -> int:
        return state >> (cls.STATE - (vocab_size - 1).bit_length())

    @classmethod
    def first_state(cls, settings: SamplingSettings, count: int) -> int:
        return (
            settings.temperature_mult * 7
            + settings.temperature_shift * 33
            + settings.top_k * 129
            + (settings.seed & 0xFFFF)
            + 3 * (settings.seed >> 16)
            + count * 11
        ) % 2**cls.STATE

    @classmethod
    def cycles(cls, prompt: int, text: int) -> int:
        """What ``/bench`` and others count; the first token's program begins early here."""
        return cls.CYCLES * (prompt - 1 + text) + 1 - PROMPT_OVERHEAD

    def elaborate(self, platform):
        m = Module()
        settings, ctx_len = self.settings, self.config.ctx_len
        state, remaining = Signal(self.STATE), Signal(16)
        position, predict, left = Signal(range(ctx_len + 1)), Signal(), Signal(range(self.CYCLES))
        stop = Signal()
        bits = (self.config.vocab_size - 1).bit_length()
        m.d.comb += [
            stop.eq((remaining == 1) | (position == ctx_len)),
            self.output.payload.token.eq(state[-bits:]),
            self.output.payload.last.eq(stop),
        ]
        first = settings.temperature_mult * 7 + settings.temperature_shift * 33
        first += settings.top_k * 129 + settings.seed[:16] + 3 * settings.seed[16:]
        first += settings.count * 11
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [state.eq(first), remaining.eq(settings.count), position.eq(0)]
                m.d.sync += self.context_full.eq(0)
                m.next = "PROMPT"
            with m.State("PROMPT"):
                m.d.comb += self.prompt.ready.eq(1)
                with m.If(self.prompt.valid):
                    token = self.prompt.payload.token
                    m.d.sync += [state.eq(state * 5 + token * 257 + 4321)]
                    m.d.sync += [predict.eq(self.prompt.payload.last), left.eq(self.CYCLES - 2)]
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.d.sync += position.eq(position + 1)
                    m.next = "PROMPT"
                    with m.If(predict):
                        m.next = "EMIT"
            with m.State("EMIT"):
                m.d.comb += self.output.valid.eq(1)
                with m.If(self.output.ready):
                    m.d.sync += [remaining.eq(remaining - 1), left.eq(self.CYCLES - 2)]
                    m.d.sync += state.eq(state * 5 + self.output.payload.token * 257 + 4321)
                    m.next = "RUN"
                    with m.If(stop):
                        m.d.sync += self.context_full.eq(remaining != 1)
                        m.next = "IDLE"
        return ResetInserter(self.abort)(m)


class ConsoleBench(wiring.Component):
    """Queue, console and stand-in core."""

    def __init__(self, vocabulary=VOCABULARY, config: ModelConfig = CONFIG):
        self._vocabulary, self._config = vocabulary, config
        super().__init__(
            {
                "received": In(stream.Signature(RECEIVED_LAYOUT)),
                "sent": Out(stream.Signature(8)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = ReceiveQueue()
        m.submodules.console = console = TextConsole(
            name=NAME,
            identification=Identification(self._config, HW, DIGEST, BUILD_ID, 12_500),
            vocabulary=self._vocabulary,
            logit_scale=LOGIT_SCALE,
        )
        m.submodules.core = core = StandInCore(self._config)
        wiring.connect(m, wiring.flipped(self.received), queue.received)
        wiring.connect(m, queue.queued, console.queued)
        wiring.connect(m, console.sent, wiring.flipped(self.sent))
        wiring.connect(m, console.prompt, core.prompt)
        wiring.connect(m, core.output, console.output)
        wiring.connect(m, console.settings, core.settings)
        m.d.comb += [
            console.interrupt.eq(queue.interrupt),
            core.start.eq(console.start),
            core.abort.eq(console.abort),
            console.busy.eq(core.busy),
            console.context_full.eq(core.context_full),
            self.busy.eq(core.busy),
        ]
        return m


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


@dataclasses.dataclass
class Setting:
    name: str
    value: int
    limit: int
    decimals: int = 0

    def shown(self) -> str:
        if not self.decimals:
            return str(self.value)
        digits = f"{self.value:0{self.decimals + 1}}"
        return f"{digits[: -self.decimals]}.{digits[-self.decimals :]}"

    def parsed(self, text: str) -> int | None:
        """The value that ``text`` stands for; None if it is none."""
        whole, point, fraction = text.partition(".")
        if not (whole.isascii() and whole.isdigit()):
            return None
        if point:
            if not self.decimals or not (fraction.isascii() and fraction.isdigit()):
                return None
            if len(fraction) > self.decimals:
                return None
        value = int(whole + fraction.ljust(self.decimals, "0"))
        return value if value <= self.limit else None


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
                return self.lines([f"! {REFUSALS[kind].format(self.config.ctx_len)}"])
        if kinds and kinds[-1] in ("backslash", "incomplete"):
            kind = {"backslash": "escape", "incomplete": "token"}[kinds[-1]]
            return self.lines([f"! {REFUSALS[kind]}"])
        if not items:
            return self.lines([])
        if kinds[0] == "command":
            return self.obey(bytes(items[1:]).decode())
        return self.prompt(b"".join(part for part, _ in characters).decode())

    def obey(self, command: str) -> bytes:
        name, _, argument = command.partition(" ")
        argument = argument.lstrip(" ")
        if name in self.settings:
            setting = self.settings[name]
            if argument:
                value = setting.parsed(argument)
                if value is None:
                    shown = dataclasses.replace(setting, value=setting.limit).shown()
                    return self.lines([f"! {name} must be 0 to {shown}"])
                setting.value = value
            return self.lines([f"# {name} {setting.shown()}"])
        if name in ("info", "help", "bench") and not argument:
            if name == "bench":
                settings = dataclasses.replace(self.sampling(), temperature_mult=0)
                tokens, cycles = self.generate([0], 0, settings)
                return self.counts(1, tokens, cycles, "context")
            help_lines = HELP.format(vocab_size=self.config.vocab_size).splitlines()
            return self.lines(self.info if name == "info" else help_lines)
        return self.lines(["! unknown command; /help lists them"])

    def sampling(self) -> SamplingSettings:
        return SamplingSettings.from_user(
            temperature=float(self.settings["temperature"].shown()),
            top_k=self.settings["top-k"].value,
            seed=self.settings["seed"].value,
            logit_scale=self.logit_scale,
            vocab_size=self.config.vocab_size,
        )

    def prompt(self, text: str) -> bytes:
        text = re.sub(r"\\(.)", lambda match: match[1].replace("n", "\n"), text)
        prompt = [self.vocabulary.index(character) for character in text]
        count, settings = self.settings["tokens"].value, self.sampling()
        tokens, cycles = self.generate(prompt, count, settings)
        if self.settings["temperature"].value:
            seed = self.settings["seed"]
            seed.value = (seed.value + 1) % 2**32
        shown = "".join(self.shown(self.vocabulary[token]) for token in tokens)
        end = "count" if len(tokens) == count else "context"
        return (
            b"\x02" + shown.encode() + b"\x03\r\n" + self.counts(len(prompt), tokens, cycles, end)
        )

    @staticmethod
    def shown(text: str) -> str:
        if text == "\n":
            return "\r\n"
        control = text and (ord(text) < 32 or 127 <= ord(text) < 160)
        return "?" if control and text != "\t" else text

    def counts(self, prompt, tokens, cycles, end) -> bytes:
        line = f"# prompt {prompt} tokens, text {len(tokens)} tokens, {cycles} cycles, "
        return self.lines([line + f"0 waiting, end: {end}"])


UNCOUNTED = ("backslash", "mark", "stuck", "incomplete")
LEADS = ((1, 0, 0x80), (2, 0xC0, 0xE0), (3, 0xE0, 0xF0), (4, 0xF0, 0xF8))
REFUSALS = {
    "mark": "bytes were lost or damaged; line ignored",
    "token": "the model has no token for a character of the line; line ignored",
    "escape": "after a backslash comes n, \\ or /; line ignored",
    "long": "longer than the context of {} tokens; line ignored",
    "unknown": "unknown command; /help lists them",
}


def stand_in_generate(prompt, count, settings, config: ModelConfig = CONFIG):
    """What :class:`StandInCore` makes of a prompt: (tokens, cycles)."""
    core = StandInCore
    state = core.first_state(settings, count)
    for token in prompt:
        state = core.stir(state, token)
    position, tokens = len(prompt), []
    while True:
        tokens.append(core.token(state, config.vocab_size))
        if len(tokens) == count or position == config.ctx_len:
            return tokens, core.cycles(len(prompt), len(tokens))
        state = core.stir(state, tokens[-1])
        position += 1


INFO = [
    f"# model {NAME}, digest {DIGEST[:16]}, build 00c0ffee",
    f"# n_layers 1, d_model 4, n_heads 2, d_ff 8, ctx_len {CTX_LEN}, vocab_size {len(VOCABULARY)}",
    "# rows 2, cols 4, lanes 4, packing 2bit, clock 12.5 MHz",
]


def console_model() -> ConsoleModel:
    return ConsoleModel(VOCABULARY, CONFIG, LOGIT_SCALE, INFO, stand_in_generate)


def compiled(component, *facts: str) -> CompiledSimulation:
    """The compiled simulation of a component that depends on ``facts`` and the sources alone."""
    directories = (Path(gateware.__file__).parent, Path(model.__file__).parent)
    sources = [path for directory in directories for path in sorted(directory.glob("*.py"))]
    texts = [path.read_text() for path in (*sources, Path(__file__))]
    return CompiledSimulation(component, key=digest(*facts, *texts))


class Device:
    """A ConsoleBench in compiled simulation; what was sent is read as bytes.

    ``stall``: the transmitter is not ready in a cycle with that probability.
    """

    QUIET = 2500
    """Cycles without a byte after which nothing more comes: more than the slowest of all steps."""

    def __init__(self, stall: float = 0.0, seed: int = 1):
        self.simulation = compiled(ConsoleBench(), "bench")
        self.source = self.simulation.source("received")
        self.sink = self.simulation.sink("sent", stall=stall, seed=seed)

    def feed(self, items) -> None:
        """Items arrive from the next cycle on, one per cycle."""
        self.source.feed({"byte": item or 0, "damaged": item is MARK} for item in items)

    def read(self) -> bytes:
        """What was sent since the last time."""
        _, values = self.sink.read()
        self.sink.clear()
        return bytes(values["sent__payload"][:, 0].tolist())

    def settle(self, limit: int = 2_000_000) -> bytes:
        """Run until nothing more comes; what has come."""
        end = self.simulation.cycles + limit
        while self.simulation.run_until(self.sink, len(self.sink) + 1, self.QUIET):
            assert self.simulation.cycles < end, "no end of it"
        assert not self.simulation.get("busy")
        return self.read()

    def ask(self, items) -> bytes:
        self.feed(items)
        return self.settle()
