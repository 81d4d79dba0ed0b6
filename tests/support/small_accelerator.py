"""A small model, and its accelerator behind the registers of a compiled simulation."""

import functools

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.context_window import refed_window
from gateformer.model.contract.reference import Reference
from gateformer.model.text.tokenizer import CharTokenizer
from gateformer.platforms.host.model import HostModel
from gateformer.platforms.simulation.simulated_registers import SimulatedRegisters

from .shared_simulations import shared

MODEL = "random:n_layers=1,d_model=8,n_heads=1,d_ff=8,ctx_len=24,vocab_size=64,seed=3"


@functools.cache
def artifact():
    return open_model(MODEL)


@functools.cache
def program() -> Program:
    return Program(artifact().model, HwConfig(2, 4, 4))


@shared
def simulated_registers() -> SimulatedRegisters:
    return SimulatedRegisters(program())


def reference_tokens(prompt, count, settings, model=None) -> list[int]:
    return list(Reference(model or artifact().model).generate(prompt, count, settings))


def reference_text(
    prompt: str, count: int, temperature=0, top_k=0, seed=1, *, refeed=False, model=None
) -> str:
    """What follows ``prompt``, by the reference alone."""
    model = model or artifact()
    tokenizer, host = CharTokenizer(model.model.vocabulary), HostModel.of(model)
    tokens, settings = tokenizer.encode(prompt), host.settings(temperature, top_k, seed)
    found = []
    while True:
        fresh = reference_tokens(tokens, count - len(found), settings, model.model)
        found += fresh
        if not refeed or len(found) >= count:
            return tokenizer.decode(found)
        tokens, settings = refed_window(tokens + fresh, model.model.config.ctx_len, settings)


def predicted_cycles(prompt: int, tokens: int, *, sampled=False, top_k=False) -> int:
    """Core cycles of a run of ``prompt`` and ``tokens`` tokens, by the program."""
    positions = range(prompt + tokens - 1)
    options = {"sampled": sampled, "top_k": top_k}
    return sum(program().cycles(p, predict=p >= prompt - 1, **options) for p in positions)
