"""The console's client against the console's gateware, compiled."""

import random
import time

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from gateformer.gateware.console import byte as console_byte
from gateformer.gateware.console import messages as console_messages
from gateformer.gateware.console import system as console_system
from gateformer.gateware.console.messages import Message, Number
from gateformer.gateware.console.texts import ConsoleTexts
from gateformer.gateware.host.identification import Identification
from gateformer.gateware.parts import receive_queue
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.support.errors import UserError
from gateformer.model.text.tokenizer import CharTokenizer
from gateformer.platforms.console import answer as console_answer
from gateformer.platforms.console import bench as console_bench
from gateformer.platforms.console import client as console_client
from gateformer.platforms.console import emulated_console
from gateformer.platforms.console import link as console_link
from gateformer.platforms.console import session as console_session
from gateformer.platforms.console.bench import BenchError, Counts, run_bench
from gateformer.platforms.console.client import Answer, ConsoleClient
from gateformer.platforms.console.emulated_console import emulate
from gateformer.platforms.console.load import load
from gateformer.platforms.console.simulation import SimulatedLink, simulate
from gateformer.platforms.simulation.compiled_simulation import SLICE
from tests.support.console import fake_console
from tests.support.small_accelerator import MODEL, program

DELAY = 2 * SLICE + 7


class Successor(wiring.Component):
    """Answers each byte with the next one, ``DELAY`` cycles later."""

    received: In(stream.Signature(8))
    sent: Out(stream.Signature(8))

    def elaborate(self, platform):
        m = Module()
        left = Signal(range(DELAY + 1))
        m.d.comb += [self.received.ready.eq(left == 0), self.sent.valid.eq(left == 1)]
        with m.If(self.received.ready & self.received.valid):
            m.d.sync += [self.sent.payload.eq(self.received.payload + 1), left.eq(DELAY)]
        with m.Elif((left > 1) | self.sent.ready & self.sent.valid):
            m.d.sync += left.eq(left - 1)
        return m


def read_all(link, count):
    content = b""
    while len(content) < count:
        content += link.read(60.0)
    return content


@pytest.mark.slow
def test_a_simulated_console_takes_other_models():
    client = ConsoleClient(simulate(MODEL, reload=True))
    client.synchronize()
    other = open_model(MODEL.replace("seed=3", "seed=4"))
    (piece,) = load(client, other, lambda: False)
    assert piece.text == f"loaded {other.name}, digest {other.model.digest[:16]}"
    client.ask("/temperature 0")
    client.ask("/tokens 12")
    tokenizer = CharTokenizer(other.model.vocabulary)
    prompt = tokenizer.encode("AB")
    tokens = list(Reference(other.model).generate(prompt, 12, SamplingSettings()))
    assert client.ask("AB").text == tokenizer.decode(tokens)


@pytest.mark.parametrize("simulated, name", [(simulate, "sim"), (emulate, "firmware")])
@pytest.mark.slow_but("emulate*")
def test_one_that_takes_none_says_how_to_start_another(monkeypatch, simulated, name):
    monkeypatch.setattr(emulated_console, "choose_sizes", lambda *sizes: program().hw)
    client = ConsoleClient(simulated(MODEL))
    client.synchronize()
    with pytest.raises(UserError) as error:
        list(load(client, open_model(MODEL), lambda: False))
    assert str(error.value) == (
        f"{name}: the accelerator's model is fixed; start it with: "
        f"gateformer console {name} --reload"
    )


def test_bytes_go_through_a_simulation():
    link = SimulatedLink(Successor())
    link.write(b"HAL\xff")
    assert link.read(0) == b""  # nothing has run yet
    assert read_all(link, 4) == b"IBM\x00"
    link.write(b"2")
    assert link.read(60.0) == b"3"


def test_waiting_for_bytes_of_a_simulation_ends():
    link, started = SimulatedLink(Successor()), time.monotonic()
    assert link.read(0.05) == b""
    assert 0.05 <= time.monotonic() - started < 10
    link.close()


@pytest.fixture(scope="module")
def client():
    client = ConsoleClient(simulate(MODEL))
    client.synchronize()
    return client


def expected(prompt, count, temperature, seed):
    """(text as it is shown, number of tokens) of the reference."""
    model = open_model(MODEL).model
    tokenizer = CharTokenizer(model.vocabulary)
    settings = SamplingSettings.from_user(
        temperature=temperature,
        top_k=20,
        seed=seed,
        logit_scale=model.logit_scale,
        vocab_size=model.config.vocab_size,
    )
    tokens = list(Reference(model).generate(tokenizer.encode(prompt), count, settings))
    return tokenizer.decode(tokens), len(tokens)


@pytest.mark.parametrize("temperature", ["0", "0.8"])
@pytest.mark.parametrize("count", [5, 0])
def test_text_of_the_gateware_is_the_references(client, temperature, count):
    client.ask("/seed 7")
    assert client.ask(f"/temperature {temperature}").refusal is None
    assert client.ask(f"/tokens {count}").information == (f"tokens {count}",)
    answer = client.ask("To be")
    text, tokens = expected("To be", count or 100, temperature, 7)
    assert answer.text == text
    end = "count" if count else "context"
    (counts,) = answer.information
    assert counts.startswith(f"prompt 5 tokens, text {tokens} tokens, ")
    assert counts.endswith(f", end: {end}")


def test_bench_of_the_gateware(client):
    table, prompt = run_bench(client, lambda: False)
    names, silent, text = (list(column.cells) for column in table.columns)
    assert prompt == "A"  # the random model has no newline
    assert silent[names.index("generated, tokens")] == "24"
    cycles = int(silent[names.index("core, cycles")].replace(",", ""))
    rate = silent[names.index("core, tokens per second at 125 MHz")]
    assert rate == f"{24 * 125e6 / cycles:,.0f}"
    assert text[names.index("prompt, tokens")] == "1"


def test_both_ends_have_the_same_constants():
    assert console_client.QUEUE == receive_queue.QUEUE_DEPTH
    assert console_link.DEFAULT_BAUD == console_system.DEFAULT_BAUD
    for name in ("STX", "ETX", "EOT"):
        assert getattr(console_answer, name) == getattr(console_messages, name)
    assert bytes([console_byte.CR]) == console_client.ENTER
    assert bytes([receive_queue.CTRL_C]) == console_client.CTRL_C
    assert bytes([console_byte.CTRL_U]) == console_client.CTRL_U
    names = tuple(command.removeprefix("/") for command in console_session.COMMANDS)
    with_load = (*console_messages.COMMANDS, console_messages.LOAD_COMMAND)
    assert names == (*with_load, console_session.QUIT.removeprefix("/"))


CONFIG = ModelConfig(vocab_size=96, d_model=8, n_heads=2, n_layers=1, d_ff=16, ctx_len=16)
TEXTS = ConsoleTexts(
    "tiny",
    Identification(CONFIG, HwConfig(2, 4, 4), "0123456789abcdef" * 4, 0xBEEF, 25_000),
)
WIDEST = {
    **dict.fromkeys(Number, 2**32 - 1),
    **{Number.PROMPT: 2**15, Number.TEXT: 2**16, Number.TEMPERATURE: 2.55},
}


def shown(*messages, numbers=WIDEST) -> str:
    """What the gateware sends for the messages."""
    parts = [part for message in messages for part in TEXTS.text(message)]
    return "".join(str(numbers[part]) if isinstance(part, Number) else part for part in parts)


def test_the_client_reads_what_the_gateware_writes():
    end = console_answer.ANSWER_END.decode()
    assert shown(Message.EMPTY) == f"\r\n{end}"
    assert shown(Message.ERASED) == f"\r\n{console_answer.PROMPT.decode()}"

    def counts(ending):
        line = shown(Message.COUNTS, ending).removesuffix(f"\r\n{end}").removeprefix("# ")
        return console_bench.parse_counts(Answer("", (line,), None), 1.5)

    wide = (WIDEST[Number.PROMPT], WIDEST[Number.TEXT], 2**32 - 1, 2**32 - 1)
    assert counts(Message.ENDED_BY_COUNT) == Counts(*wide, "count", 1.5)
    assert counts(Message.ENDED_BY_CONTEXT) == Counts(*wide, "context", 1.5)
    with pytest.raises(BenchError, match=r"^/bench was stopped$"):
        counts(Message.STOPPED)
    answer = Answer("", tuple(TEXTS.info()), None)
    assert console_bench.parse_clock(answer) == 25e6


def test_no_answer_is_longer_than_the_patience_has_room_for():
    """But for the text and the name; the answer's line and its echo come before it."""
    fixed = len(shown(Message.INFO)) - len(TEXTS.name)
    counts = len(shown(Message.COUNTS_AFTER_TEXT, Message.STOPPED))
    others = [len(shown(message)) for message in Message if message is not Message.INFO]
    assert max(fixed, counts, *others) <= console_link.LONGEST_ANSWER


def test_the_fake_console_has_the_gatewares_words():
    assert list(fake_console.INFO) == TEXTS.info()
    assert list(fake_console.HELP) == TEXTS.help()
    assert fake_console.QUEUE == receive_queue.QUEUE_DEPTH
    assert fake_console.WELCOME.decode() == shown(Message.WELCOME)
    assert fake_console.EMPTY_ANSWER.decode() == shown(Message.EMPTY)
    end = console_answer.ANSWER_END.decode()
    for line, message in (
        (fake_console.LOST, Message.LOST),
        (fake_console.NO_TOKEN, Message.NO_TOKEN),
        (fake_console.UNKNOWN, Message.UNKNOWN_COMMAND),
    ):
        assert shown(message) == f"\r\n{line}\r\n{end}"
    for name, limits in zip(console_messages.COMMANDS, TEXTS.ranges(), strict=False):
        assert limits == f"0 to {fake_console.LIMITS[name]}"


def test_the_simulation_introduces_itself(client):
    assert MODEL in client.ask("/info").information[0]


def test_ctrl_c_stops_the_gateware(client):
    client.ask("/tokens 0")
    pieces = list(client.answer("To be", lambda: True))
    assert pieces[-1].text.endswith("end: stopped")
    assert client.ask("").information == ()


ABORTS = 150
SETTLED = 1500
"""Cycles in which everything that waits to be sent has been sent, and the core is idle."""


@pytest.mark.parametrize("temperature", [pytest.param("0", marks=pytest.mark.slow), "0.8"])
def test_a_generation_after_a_stopped_one_is_the_references(client, temperature):
    """Ctrl-C in all phases of the core's work; nothing of it is left in what follows."""
    rng = random.Random(int(float(temperature) * 10))
    link, simulation = client.link, client.link.simulation
    client.ask("/tokens 6")
    client.ask(f"/temperature {temperature}")
    answers, durations = {}, {}
    for prompt in ("a", "To be", "Wherefore art thou"):
        client.ask("/seed 7")
        begun = simulation.cycles
        answers[prompt] = client.ask(prompt)
        durations[prompt] = simulation.cycles - begun
        assert answers[prompt].text == expected(prompt, 6, float(temperature), 7)[0]
    stopped = 0
    for _ in range(ABORTS):
        client.ask("/seed 5")
        prompt, following = rng.choices(list(answers), k=2)
        link.write(prompt.encode() + console_client.ENTER)
        simulation.step(rng.randrange(durations[prompt]))
        link.write(console_client.CTRL_C)
        simulation.step(SETTLED)
        assert not simulation.get("busy")
        content = link.read(0)
        assert content.endswith(console_answer.ANSWER_END)
        stopped += content.count(b"end: stopped")
        client.ask("/seed 7")
        assert client.ask(following) == answers[following]
    assert ABORTS // 3 < stopped < ABORTS
