"""A small imported model with a byte-level vocabulary, and its accelerator in simulation."""

import dataclasses
import functools

from gateformer.gateware.decoder.program import DecoderProgram
from gateformer.gateware.host.any_core import compile_model
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.context_window import refed_window
from gateformer.model.contract.decoder.model import Vocabulary
from gateformer.model.contract.decoder.random_decoder import random_decoder
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.text.codec import TextCodec
from gateformer.model.text.codec_arrays import to_arrays
from gateformer.model.text.readers.pieces import codec_of_json
from gateformer.platforms.host.model import HostModel
from gateformer.platforms.simulation.simulated_registers import SimulatedRegisters
from tests.support.imported.byte_bpe import byte_bpe
from tests.support.shared_simulations import shared

SPECIAL = ["<|end|>", "<|begin|>", "<|user|>"]
END, BEGIN, USER = range(3)
TEXT = "the cat and the hat sat on the mat, the rat ran: 1234 dogs don't"
VOCABULARY = 320
"""Tokens of the model, of which the last ones have no text."""
PREFIX = (7, USER)
LOGIT_SCALE = 1e-8
"""Such that a temperature of about 1 draws many tokens."""
TEMPLATE = "{% for m in messages %}<|user|>{{ m.content }}{% endfor %}"
SHAPE = {
    **{"vocab_size": VOCABULARY, "d_model": 8, "n_heads": 2, "n_kv_heads": 1, "head_dim": 4},
    **{"d_ff": 12, "n_layers": 1, "ctx_len": 24, "positions": "rotary", "activation": "silu"},
    "gated": True,
}


@functools.cache
def codec(**facts) -> TextCodec:
    """Byte-level BPE of all bytes and some merges; sequences begin with :data:`BEGIN`."""
    given = {"eos": END, "stop": (END,), "bos": BEGIN, "add_bos": True, "chat_template": TEMPLATE}
    return codec_of_json("test", byte_bpe(TEXT, SPECIAL), VOCABULARY, **given | facts)


@functools.cache
def artifact() -> Artifact:
    model = dataclasses.replace(
        random_decoder(6, **SHAPE),
        logit_scale=LOGIT_SCALE,
        prefix=PREFIX,
        vocabulary=Vocabulary(*to_arrays(codec())),
    )
    return Artifact("small", model, {}, {}, "")


@functools.cache
def program() -> DecoderProgram:
    return compile_model(artifact().model, HwConfig(rows=1, cols=1, lanes=8))


@shared
def simulated_registers() -> SimulatedRegisters:
    return SimulatedRegisters(program())


def reference_tokens(
    prompt: list[int], count: int, settings, *, refeed=False, stop=()
) -> list[int]:
    """What follows the prefix and ``prompt``, up to a token of ``stop``, by the reference alone."""
    model = artifact().model
    room, found = model.config.ctx_len - len(model.prefix), []
    while True:
        fresh = []
        for token in DecoderReference(model).generate(
            [*model.prefix, *prompt], count - len(found), settings
        ):
            if token in stop:
                return found + fresh
            fresh.append(token)
        found += fresh
        if not refeed or len(found) >= count:
            return found
        prompt, settings = refed_window(prompt + fresh, room, settings)


def reference_text(
    prompt: str, count: int, temperature=0, top_k=0, seed=1, top_p=None, **options
) -> str:
    """What follows ``prompt``, bytes that are no UTF-8 as U+FFFD."""
    host = HostModel.of(artifact())
    settings = host.settings(temperature, top_k, seed, top_p)
    tokens = reference_tokens(host.encode(prompt), count, settings, **{"stop": (END,)} | options)
    return host.codec.decode(tokens).decode("utf-8", "replace")
