"""The firmware of an imported model behind ``gateformer console firmware``."""

import pytest

from gateformer.gateware.console.imported.pieces import Pieces
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.text.model_codec import codec_of
from gateformer.platforms.console.answer import TextDecoder
from gateformer.platforms.console.client import ConsoleClient
from gateformer.platforms.console.emulated_console import EmulatedLink, emulate, firmware_emulator
from gateformer.platforms.console.prompts import PromptEncoder
from tests.support.imported.small_accelerator import artifact, program, simulated_registers
from tests.support.user_error import message

TEXT = "the cat sat"


@pytest.fixture
def client():
    emulator = firmware_emulator(artifact(), program(), simulated_registers(), line_speedup=200.0)
    client = ConsoleClient(EmulatedLink(emulator))
    client.synchronize()
    client.ask("/temperature 0")
    client.ask("/tokens 4")
    return client


def test_text_and_numbers_give_the_same(client):
    """What the client cuts, and what the firmware cuts itself."""
    model = artifact().model
    codec = codec_of(model)
    prompt = [*model.prefix, *codec.begun(codec.encode(TEXT))]
    tokens = list(DecoderReference(model).generate(prompt, 4, DecoderSettings()))
    sent = b"".join(Pieces.of(model).texts[token] for token in tokens)
    expected = TextDecoder().decode(sent, final=True)
    for line in (TEXT, PromptEncoder(artifact()).encode(TEXT)):
        answer = client.ask(line)
        assert answer.text == expected
        assert f"prompt {len(prompt)} tokens, text 4 tokens, " in answer.information[-1]


def test_it_takes_no_other_model():
    spec = "random:n_kv_heads=1,n_layers=1,d_model=8,d_ff=8,ctx_len=8,vocab_size=20"
    assert message(emulate, spec, reload=True) == (
        f"--reload is for models that were trained here, and {spec} is imported; leave it out"
    )
