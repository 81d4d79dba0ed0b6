"""The console's client against the console's gateware, compiled."""

import time

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from gateware import console_system, receive_queue
from model.artifact import open_model
from model.reference import Reference
from model.sampling import SamplingSettings
from model.tokenizer import CharTokenizer
from platforms import console_client, console_link
from platforms.compiled_simulation import SLICE
from platforms.console_bench import run_bench
from platforms.console_client import ConsoleClient
from platforms.console_simulation import SimulatedLink, simulate

DELAY = 2 * SLICE + 7
MODEL = "random:n_layers=1,d_model=8,n_heads=1,d_ff=8,ctx_len=24,vocab_size=64,seed=3"


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


def test_the_simulation_introduces_itself(client):
    assert MODEL in client.ask("/info").information[0]


def test_ctrl_c_stops_the_gateware(client):
    client.ask("/tokens 0")
    pieces = list(client.answer("To be", lambda: True))
    assert pieces[-1].text.endswith("end: stopped")
    assert client.ask("").information == ()
