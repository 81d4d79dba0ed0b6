"""The firmware of a model in external memory behind ``gateformer console firmware``."""

import dataclasses

import pytest

from gateformer.gateware.console.imported.pieces import Pieces
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.boards.zybo import MEMORY as DDR
from gateformer.platforms.console import emulated_console
from gateformer.platforms.console.answer import TextDecoder
from gateformer.platforms.console.client import ConsoleClient
from gateformer.platforms.console.emulated_console import emulate, emulate_streamed
from gateformer.platforms.console.prompts import PromptEncoder
from gateformer.platforms.host.image_file import HEADER_BYTES
from gateformer.platforms.host.model import HostModel
from gateformer.platforms.simulation import generation
from tests.support.imported.small_accelerator import PREFIX, artifact, reference_tokens
from tests.support.imported.small_streamed import MEMORY, program
from tests.support.user_error import message

SMALL = dataclasses.replace(DDR, shape=MEMORY)
"""A Zybo's memory behind the ports of the tests' core, which is compiled once."""
TEXT = "the cat sat"


@pytest.fixture(scope="module")
def client():
    client = ConsoleClient(emulate_streamed(artifact(), SMALL))
    client.synchronize()
    return client


def test_it_verifies_its_image_and_generates(client):
    client.ask("/temperature 0")
    client.ask("/tokens 3")
    prompt = HostModel.of(artifact()).encode(TEXT)
    tokens = reference_tokens(prompt, 3, DecoderSettings())
    sent = b"".join(Pieces.of(artifact().model).texts[token] for token in tokens)
    for line in (TEXT, PromptEncoder(artifact()).encode(TEXT)):
        answer = client.ask(line)
        assert answer.text == TextDecoder().decode(sent, final=True)
        length = len(PREFIX) + len(prompt)
        assert f"prompt {length} tokens, text 3 tokens, " in answer.information[-1]


def test_its_memory_is_a_boards(client):
    """Latencies, refresh and bandwidth: the core waits, and says so."""
    lines = client.ask("/bench").information
    waited = next(line for line in lines if line.startswith("waited for the memory in "))
    assert 0 < float(waited.split()[5]) < 100


def test_no_wait_is_shorter_than_that_for_an_answer(client):
    """A measurement has a prompt and a text, too."""
    assert client.link.bench_patience >= client.link.answer_patience


def test_a_damaged_image_is_refused():
    link = emulate_streamed(artifact(), SMALL)
    memory = link.emulator.registers.memory
    memory.write(HEADER_BYTES + 100, bytes([memory.read(HEADER_BYTES + 100, 1)[0] ^ 1]))
    client = ConsoleClient(link)
    client.synchronize()
    assert "weights.bin is damaged" in str(client.ask("/info"))


def test_a_large_model_is_streamed(monkeypatch):
    asked = []
    monkeypatch.setattr(generation, "MOST_SIMULATED_WEIGHTS", 100)
    monkeypatch.setattr(
        emulated_console, "emulate_streamed", lambda artifact, memory: asked.append(memory)
    )
    spec = "random:n_kv_heads=1,n_layers=1,d_model=8,d_ff=8,ctx_len=8,vocab_size=20"
    emulate(spec)
    assert asked == [DDR]


def test_what_the_memory_does_not_hold_is_refused():
    tight = dataclasses.replace(SMALL, size=SMALL.size - SMALL.room + 1000)
    size = program().facts.memory_bytes
    assert message(emulate_streamed, artifact(), tight) == (
        f"small takes {size:,} bytes of external memory, and the board has room for 1,000; import "
        "it with fewer bits or a smaller --context"
    )
