"""The console with a core of several streams: a text of the first one, ``/bench`` of all."""

import functools
import re

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.compiler.several_cores import tokens_together
from gateformer.gateware.compiler.turns import START_LATENCY
from gateformer.gateware.console.system import ConsoleCore
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.text.tokenizer import CharTokenizer
from tests.support.console.bench import compiled

pytestmark = pytest.mark.slow

SPEC = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=12,vocab_size=100"
STREAMS = 3


@functools.cache
def program() -> Program:
    return Program(random_model(SPEC), HwConfig(2, 4, 4, streams=STREAMS))


@functools.cache
def answers() -> dict[str, str]:
    core = ConsoleCore(program(), name="tiny", build_id=1, clock_hz=1_000_000)
    simulation = compiled(core, f"{SPEC}, {STREAMS} streams", "core")
    received, sent = simulation.source("received"), simulation.sink("sent")
    lines = ["/temperature 0", "/bench", "abc", "/info", "/help"]
    received.feed("".join(f"{line}\r" for line in (*lines, lines[1])).encode())
    simulation.run_until(sent, 100_000, 100_000)
    said = bytes(sent.read()[1]["sent__payload"][:, 0].tolist()).decode()
    _, *found = said.split("\x04> ")
    assert found[1] == found[5]  # /bench again
    return dict(zip(lines, found, strict=False))


def test_bench_counts_the_tokens_of_all_and_the_predicted_cycles():
    cycles = max(map(max, tokens_together(program()))) + 1 - START_LATENCY
    assert answers()["/bench"] == (
        f"/bench\r\n# prompt {STREAMS} tokens, text {12 * STREAMS} tokens, {cycles} cycles, "
        "0 waiting, end: context\r\n"
    )


def test_a_text_is_the_references():
    tokenizer = CharTokenizer(program().model.vocabulary)
    prompt = tokenizer.encode("abc")
    expected = tokenizer.decode(
        list(Reference(program().model).generate(prompt, 12, SamplingSettings()))
    )
    said = answers()["abc"]
    assert said.split("\x02")[1].split("\x03")[0] == expected
    assert re.search(r"# prompt 3 tokens, text 10 tokens, \d+ cycles, \d+ waiting", said)


def test_info_and_help_name_the_streams():
    assert f", streams {STREAMS}, clock 1 MHz" in answers()["/info"]
    assert f"a whole context with each of {STREAMS} streams" in answers()["/help"]
