"""The console of an imported model with the real core: texts and counts of the reference."""

import functools

import pytest

from gateformer.gateware.console.imported.pieces import Pieces
from gateformer.gateware.console.system import ConsoleCore
from gateformer.gateware.decoder.program import DecoderProgram
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from tests.support.console.bench import END, compiled
from tests.support.console.imported import BOS, PREFIX, codec_of_pieces, imported_model

SHAPE = {"ctx_len": 14}
LINE = b"ab\\60;c"
SETTLED = 30_000
"""Cycles without a byte after which nothing more comes: more than a prompt and a token take."""


@functools.cache
def program() -> DecoderProgram:
    """Its stop token is one that a greedy text comes to, after others."""
    plain = imported_model(codec_of_pieces(stop=()), **SHAPE)
    prompt = prompt_of(plain, LINE)
    tokens = list(DecoderReference(plain).generate(prompt, 2**16, DecoderSettings()))
    later = [token for place, token in enumerate(tokens) if token not in tokens[:place]][1:]
    assert later, "a text of one token only has none to stop at"
    stop = later[-1]
    return DecoderProgram(
        imported_model(codec_of_pieces(stop=(stop,)), **SHAPE), HwConfig(rows=1, cols=1, lanes=4)
    )


def prompt_of(model, line: bytes) -> list[int]:
    """What is fed for ``ab``, token 60, ``c``, or for the begin token and that."""
    of_bytes = Pieces.of(model).of_bytes
    tokens = {LINE: [of_bytes[ord("a")], of_bytes[ord("b")], 60, of_bytes[ord("c")]]}
    tokens[b"\\%d;" % BOS + LINE] = tokens[LINE]
    return [*PREFIX, BOS, *tokens[line]]


class Bench:
    """The console and its core in compiled simulation."""

    def __init__(self):
        core = ConsoleCore(program(), name="tiny", build_id=1, clock_hz=1_000_000)
        self.simulation = compiled(core, "imported core", program().model.digest)
        self.received = self.simulation.source("received")
        self.sent = self.simulation.sink("sent")

    def ask(self, content: bytes) -> bytes:
        self.received.feed(content)
        while self.simulation.run_until(self.sent, len(self.sent) + 1, SETTLED):
            pass
        content = bytes(self.sent.read()[1]["sent__payload"][:, 0].tolist())
        self.sent.clear()
        assert not self.simulation.get("busy")
        return content


@pytest.fixture(scope="module")
def bench():
    bench = Bench()
    digest = program().model.digest[:16].encode()
    assert bench.ask(b"") == b"\r\n# model tiny, digest " + digest + b", build 00000001\r\n" + END
    return bench


def answer_of(line: bytes, count=0, **settings) -> bytes:
    """What the reference, the pieces and the program's cycles say of a prompt."""
    model = program().model
    prompt, pieces = prompt_of(model, line), Pieces.of(model)
    given = {"temperature": 0, "top_k": 20, "seed": 1} | settings
    chosen = DecoderSettings.from_user(
        **given, logit_scale=model.logit_scale, vocab_size=model.config.vocab_size
    )
    tokens = list(DecoderReference(model).generate(prompt, count or 2**16 - 1, chosen))
    end = "count" if len(tokens) == count else "context"
    stops = [place for place, token in enumerate(tokens) if token in pieces.stop]
    if stops:
        tokens, end = tokens[: stops[0] + 1], "stop"
    facts = {
        "sampled": given["temperature"] > 0,
        "top_k": given["top_k"] > 0,
        "top_p": given.get("top_p", 1) < 1,
    }
    cycles = sum(program().cycles(p, predict=False, **facts) for p in range(len(prompt) - 1))
    last = len(prompt) - 1
    cycles += sum(program().cycles(p, **facts) for p in range(last, last + len(tokens)))
    text = b"".join(pieces.texts[token] for token in tokens if token not in pieces.stop)
    counts = (
        f"# prompt {len(prompt)} tokens, text {len(tokens)} tokens, {cycles} cycles, 0 waiting, "
        f"end: {end}\r\n"
    )
    return line + b"\r\n\x02" + text + b"\x03\r\n" + counts.encode() + END


def slow(value):
    return pytest.param(value, marks=pytest.mark.slow)


@pytest.mark.slow
def test_a_stop_token_ends_a_greedy_text(bench):
    bench.ask(b"/temperature 0\r")
    expected = answer_of(LINE)
    assert b"end: stop" in expected and b"text 1 tokens" not in expected
    assert bench.ask(LINE + b"\r") == expected
    # nothing is left of the token that the core had begun after it
    assert bench.ask(LINE + b"\r") == expected


def test_a_line_may_have_the_begin_token_itself(bench):
    line = b"\\%d;" % BOS + LINE
    bench.ask(b"/temperature 0\r")
    assert bench.ask(line + b"\r") == answer_of(line)


@pytest.mark.parametrize("count", [slow(1), 3, slow(0)])
@pytest.mark.parametrize("top_p", [slow("1.00"), "0.70", slow("0.01")])
def test_sampled_text_is_the_references(bench, count, top_p):
    bench.ask(b"/temperature 2.2\r/top-k 30\r/tokens %d\r" % count)
    bench.ask(b"/top-p %s\r" % top_p.encode())
    settings = {"temperature": 2.2, "top_k": 30, "top_p": float(top_p)}
    for seed in (77, 2**32 - 1):
        bench.ask(b"/seed %d\r" % seed)
        assert bench.ask(LINE + b"\r") == answer_of(LINE, count, seed=seed, **settings)


def test_bench_counts_the_programs_cycles(bench):
    cycles = sum(program().cycles_by_position())
    assert (
        bench.ask(b"/bench\r")
        == (
            f"/bench\r\n# prompt 1 tokens, text {SHAPE['ctx_len']} tokens, {cycles} cycles, "
            "0 waiting, end: context\r\n"
        ).encode()
        + END
    )
