"""Console, UART and the real core, bit by bit on the serial line."""

import functools
import random
import re

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.console.system import ConsoleCore, ConsoleSystem
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.text.tokenizer import CharTokenizer
from tests.support.console.bench import compiled
from tests.support.serial_peer import SerialPeer

pytestmark = pytest.mark.slow  # minutes of simulation, bit by bit

SPEC = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=12,vocab_size=100"
DIVISOR = 8
BAUD = 115_200
END = b"\x04> "
LOST = b"! bytes were lost or damaged; line ignored\r\n"
COUNTS = re.compile(
    rb"# prompt (\d+) tokens, text (\d+) tokens, (\d+) cycles, (\d+) waiting, end: (\w+)\r\n"
)


@functools.cache
def program() -> Program:
    return Program(random_model(SPEC), HwConfig(2, 4, 4))


class Line:
    """A serial peer and the system in compiled simulation; every wait is bounded."""

    SILENCE = 2000
    """Cycles without a frame after which nothing more comes."""

    def __init__(self, slower=0.0, disturb=None):
        system = ConsoleSystem(
            program(), name="tiny", build_id=0xBEEF, clock_hz=DIVISOR * BAUD, baud=BAUD
        )
        self.simulation = compiled(system, SPEC, "system")
        self.simulation.set("rx", 1)
        self.peer = SerialPeer(DIVISOR, slower, disturb)

    def run(self, cycles: int) -> None:
        simulation, peer = self.simulation, self.peer
        for _ in range(cycles):
            peer.cycle(simulation)

    def settle(self, limit=600_000) -> bytes:
        """What was sent until all is quiet."""
        peer, end = self.peer, self.peer.now + limit
        quiet = 0
        while quiet < self.SILENCE:
            assert peer.now < end, "no end of it"
            before = len(peer.received)
            self.run(400)
            active = len(peer.received) > before or peer.sending or self.simulation.get("busy")
            quiet = 0 if active else quiet + 400
        content = bytes(peer.received)
        peer.received.clear()
        return content

    def ask(self, content: bytes) -> bytes:
        self.peer.send(content)
        return self.settle()


@pytest.fixture
def line():
    line = Line()
    digest = program().model.digest[:16].encode()
    assert line.settle() == (b"\r\n# model tiny, digest " + digest + b", build 0000beef\r\n" + END)
    return line


def reference_answer(text, count, temperature, top_k, seed):
    """What the prompt is answered with: text, and the counts of an unstalled core."""
    model, prog = program().model, program()
    tokenizer = CharTokenizer(model.vocabulary)
    prompt = tokenizer.encode(text)
    settings = SamplingSettings.from_user(
        temperature=temperature,
        top_k=top_k,
        seed=seed,
        logit_scale=model.logit_scale,
        vocab_size=model.config.vocab_size,
    )
    tokens = list(Reference(model).generate(prompt, count or 2**16 - 1, settings))
    chosen = {"sampled": temperature > 0, "top_k": top_k > 0}
    cycles = sum(prog.cycles(p, predict=False, **chosen) for p in range(len(prompt) - 1))
    first = len(prompt) - 1
    cycles += sum(prog.cycles(p, **chosen) for p in range(first, first + len(tokens)))
    end = "count" if len(tokens) == count else "context"
    return tokenizer.decode(tokens), (
        f"# prompt {len(prompt)} tokens, text {len(tokens)} tokens, {cycles} cycles, "
        f"0 waiting, end: {end}\r\n"
    )


def prompt_answer(line: str, *args) -> bytes:
    text, counts = reference_answer(line, *args)
    return f"{line}\r\n\x02{text}\x03\r\n{counts}\x04> ".encode()


@pytest.mark.parametrize("slower", [-0.02, 0.0, 0.02])
def test_text_is_the_reference(slower):
    line = Line(slower)
    line.settle()
    accented = program().model.vocabulary[97]
    assert len(accented.encode()) == 2
    assert line.ask(b"/temperature 0\r").endswith(b"# temperature 0.00\r\n" + END)
    for text, count in (("Hello", 0), ("a" + accented + "b", 4)):
        line.ask(f"/tokens {count}\r".encode())
        assert line.ask(text.encode() + b"\r") == prompt_answer(text, count, 0, 20, 1)
    line.ask(b"/temperature 0.8\r/seed 4294967295\r")
    for seed in (2**32 - 1, 0, 1):
        assert line.ask(b"ab\r") == prompt_answer("ab", 4, 0.8, 20, seed)
    line.ask(b"/top-k 0\r/temperature 2.55\r")
    assert line.ask(b"ab\r") == prompt_answer("ab", 4, 2.55, 0, 2)
    assert line.peer.broken == 0


def test_bench_counts_the_programs_cycles(line):
    ctx_len = program().model.config.ctx_len
    cycles = sum(program().cycles_by_position())
    assert line.ask(b"/bench\r/seed\r") == (
        b"/bench\r\n"
        + f"# prompt 1 tokens, text {ctx_len} tokens, {cycles} cycles, ".encode()
        + b"0 waiting, end: context\r\n"
        + END
        + b"/seed\r\n# seed 1\r\n"
        + END
    )


def test_whole_context_as_prompt(line):
    text = "abcdefghijkl"
    line.ask(b"/temperature 0\r")
    assert line.ask(text.encode() + b"\r") == prompt_answer(text, 0, 0, 20, 1)
    refusal = b"! longer than the context of 12 tokens; line ignored\r\n"
    assert line.ask(text.encode() + b"m\r") == text.encode() + b"m\r\n" + refusal + END


def test_bytes_during_a_generation(line):
    line.ask(b"/temperature 0\r")
    expected = prompt_answer("ab", 0, 0, 20, 1) + prompt_answer("cd", 0, 0, 20, 1)
    assert line.ask(b"ab\rcd\r") == expected


def test_ctrl_c_in_the_middle(line):
    line.ask(b"/temperature 0\r")
    text, _ = reference_answer("ab", 0, 0, 20, 1)
    line.peer.send(b"ab\r")
    line.run(3 * 10 * DIVISOR + 2500)
    answer = line.ask(b"\x03")
    counts = COUNTS.search(answer)
    assert counts[5] == b"stopped"
    shown = answer.split(b"\x02")[1].split(b"\x03")[0].decode()
    assert 0 < len(shown) == int(counts[2]) < len(text)
    assert text.startswith(shown)
    assert answer.endswith(END) and answer.count(END) == 1
    assert line.ask(b"ab\r") == prompt_answer("ab", 0, 0, 20, 1)


def test_break_and_missing_stop_bit(line):
    for spoil in (lambda: line.peer.send_break(31), lambda: line.peer.send(b"x", stop=0)):
        line.peer.send(b"/se")
        spoil()
        line.peer.free += 2 * line.peer.period
        assert line.ask(b"ed 5\r") == b"/seed 5\r\n" + LOST + END
        assert line.ask(b"/seed\r") == b"/seed\r\n# seed 1\r\n" + END


def test_noise_never_hangs():
    """Bursts that turn whole bits over: echoes differ or marks appear, and Ctrl-C ends it all."""
    rng = random.Random(8)
    period = 1700
    bursts = [rng.randrange(2, 60) for _ in range(64)]
    noisy = False

    def disturb(level, _time):
        burst, time = divmod(line.peer.now, period)
        return level ^ (noisy and time < bursts[burst % len(bursts)])

    line = Line(disturb=disturb)
    line.settle()
    noisy = True
    answers = b""
    for _ in range(8):
        answers += line.ask(b"abc\r/seed 3\r/temperature 0.5\rde\\nf\r")
    noisy = False
    assert LOST in answers
    assert line.ask(b"\x03").endswith(b"\r\n" + END)
    assert re.fullmatch(rb"/tokens\r\n# tokens \d+\r\n\x04> ", line.ask(b"/tokens\r"))


def test_ports_of_the_byte_level_variant():
    """As platforms.console.simulation takes them."""
    core = ConsoleCore(program(), name="tiny", build_id=1, clock_hz=1_000_000)
    simulation = compiled(core, SPEC, "core")
    received, sent = simulation.source("received"), simulation.sink("sent")
    received.feed(b"/seed 7\r")
    assert not simulation.run_until(sent, 10_000, 30_000)
    content = bytes(sent.read()[1]["sent__payload"][:, 0].tolist())
    assert content.endswith(b"/seed 7\r\n# seed 7\r\n" + END)
    assert not simulation.get("busy") and not simulation.get("context_full")
