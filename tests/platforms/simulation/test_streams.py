"""Several streams from one pass over the weights: each gets what it would get alone."""

import numpy as np
import pytest

from gateformer.gateware.core.ports import stream_port
from gateformer.gateware.core.taps import Mismatch
from gateformer.gateware.decoder.taps import DecoderTapReader
from gateformer.gateware.memory.bus import Response
from gateformer.gateware.plan.hw_config import MOST_STREAMS
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.simulation.several_streams import Request
from gateformer.platforms.simulation.simulated_memory import MemoryTiming
from gateformer.platforms.simulation.streamed_simulation import BASE, MemoryFault
from gateformer.platforms.simulation.streams import StreamsSimulator
from gateformer.platforms.simulation.streams_check import check_streams, compare_passes
from tests.gateware.decoder.compared_core import sampled
from tests.platforms.simulation.test_streamed_simulation import (
    MEMORIES,
    MOODS,
    grouped_model_of,
    marks_of,
    model_of,
)

FAST, SLOW, ALL = 1, 5, 48


def drawn_request(rng, model, seed: int) -> Request:
    cfg = model.config
    length = int(rng.integers(1, cfg.ctx_len + 1))
    prompt = rng.integers(0, cfg.vocab_size, length).tolist()
    settings = sampled(seed, model) if rng.integers(2) else DecoderSettings()
    return Request(prompt, cfg.ctx_len - length + 1, settings)


def expected(model, request: Request) -> list[int]:
    return list(DecoderReference(model).generate(request.prompt, request.count, request.settings))


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=marks_of(n, FAST, SLOW)) for n in range(ALL)]
)
@pytest.mark.slow
def test_taps_and_tokens_of_streams_that_come_and_go(seed):
    rng = np.random.default_rng(seed)
    streams = 2 + seed % 2
    kind = grouped_model_of if seed % 4 == 3 else model_of
    model = kind(seed)
    program = StreamedProgram(model, MEMORIES[seed // 2 % len(MEMORIES)], streams)
    simulator = StreamsSimulator(
        program, taps=True, stall=0.3, timing=MOODS[seed % len(MOODS)], seed=seed + 1
    )
    for _ in range(2):
        requests = [drawn_request(rng, model, seed) for _ in range(streams)]
        for stream in rng.permutation(streams):
            simulator.begin(int(stream), requests[stream])
            simulator.simulation.step(int(rng.integers(0, 3 * program.cycles(0))))
        simulator.run()
        for stream, request in enumerate(requests):
            found = [token for token, _ in simulator.tokens(stream)]
            assert found == expected(model, request), stream
    compare_passes(simulator)


def program_of(seed: int, streams: int = 2) -> StreamedProgram:
    return StreamedProgram(model_of(seed), MEMORIES[0], streams)


@pytest.fixture(scope="module")
def two() -> StreamedProgram:
    return program_of(1)


@pytest.mark.parametrize("prompt_length", [1, 2, 3, 4, 5, 6])
def test_a_prompt_alone_takes_half_the_passes(two, prompt_length):
    simulator = StreamsSimulator(two, taps=True, timing=MOODS[1])
    request = Request([0] * prompt_length, 1, DecoderSettings())
    for stream in (0, 1):
        simulator.begin(stream, request)
        simulator.run()
        assert [t for t, _ in simulator.tokens(stream)] == expected(two.model, request)
    passes = [tokens for tokens, _ in simulator.passes()]
    assert len(passes) == 2 * ((prompt_length + 1) // 2)
    assert sum(map(len, passes)) == 2 * prompt_length
    assert compare_passes(simulator).lent == 2 * (prompt_length // 2)


@pytest.mark.parametrize("stopped", [0, 1])
def test_a_stream_is_stopped_and_started_while_another_one_goes_on(two, stopped):
    """Whichever of them comes first: it may have the other one's slot for its prompt."""
    model, rng = two.model, np.random.default_rng(3)
    simulator = StreamsSimulator(two, taps=True, timing=MemoryTiming((20, 60), stall=0.2))
    settings = sampled(1, model)
    for cycles in (1, 40, 333, 1000, 1777, 2500, *rng.integers(0, 4000, 6)):
        tokens = rng.integers(0, model.config.vocab_size, 9).tolist()
        first = [Request(tokens[:3], 4, settings), Request(tokens[3:6], 3, settings)]
        again = Request(tokens[6:8], 5, DecoderSettings())
        simulator.begin(0, first[0])
        simulator.simulation.step(int(rng.integers(0, 900)))
        simulator.begin(1, first[1])
        simulator.simulation.step(int(cycles))
        while not simulator.is_taken(stopped):
            simulator.simulation.step()
        simulator.stop([stopped])
        assert not simulator.busy(stopped)
        simulator.begin(stopped, again)
        simulator.run()
        for stream in (0, 1):
            request = again if stream == stopped else first[stream]
            found = [token for token, _ in simulator.tokens(stream)]
            assert found == expected(model, request), (stream, cycles)


def test_an_error_of_the_memory_stops_all_and_is_forgotten_with_the_last(two):
    simulator = StreamsSimulator(two, taps=True)
    requests = [Request([0, 1], 3, DecoderSettings()), Request([1], 3, DecoderSettings())]
    stripe = BASE + two.first_fixed * two.memory.stripe_bytes
    simulator.memory.refuse(stripe, stripe, Response.SLVERR)
    for stream, request in enumerate(requests):
        simulator.begin(stream, request)
    with pytest.raises(MemoryFault, match="SLVERR"):
        simulator.run()
    simulator.memory.refuse(0, 0, Response.OKAY)
    simulator.stop([0])
    assert simulator.fault is Response.SLVERR
    simulator.stop([1])
    simulator.simulation.step(500)
    assert simulator.fault is Response.OKAY
    for stream, request in enumerate(requests):
        simulator.begin(stream, request)
    simulator.run()
    for stream, request in enumerate(requests):
        assert [t for t, _ in simulator.tokens(stream)] == expected(two.model, request)


def test_aborts_one_cycle_after_the_other_are_those_of_all(two):
    simulator = StreamsSimulator(two, taps=True)
    stripe = BASE + two.first_fixed * two.memory.stripe_bytes
    request = Request([1], 3, DecoderSettings())
    for order in ((0, 1), (1, 0)):
        simulator.memory.refuse(stripe, stripe, Response.SLVERR)
        simulator.begin_together({0: request, 1: request})
        with pytest.raises(MemoryFault, match="SLVERR"):
            simulator.run()
        simulator.memory.refuse(0, 0, Response.OKAY)
        for stream in order:
            simulator.simulation.set(stream_port("abort", stream), 1)
            simulator.simulation.step()
            simulator.simulation.set(stream_port("abort", stream), 0)
        simulator.simulation.step(500)
        assert not simulator.busy(0) and not simulator.busy(1)
        assert simulator.fault is Response.OKAY
        simulator.begin(0, request)
        simulator.run()
        assert [token for token, _ in simulator.tokens(0)] == expected(two.model, request)


@pytest.mark.parametrize("after", range(-1, 4))
def test_a_start_beside_the_abort_of_the_last_other_stream(two, after):
    """Its random numbers are those of its seed, though the core is reset in one of its cycles."""
    settings = sampled(1, two.model)
    request = Request([1], 5, settings)
    simulator = StreamsSimulator(two, taps=True, timing=MOODS[1])
    simulator.begin(1, Request([0], 5, DecoderSettings()))
    simulator.simulation.step(700)
    if after == -1:
        simulator.begin(0, request)
    simulator.simulation.set("abort1", 1)
    if after == 0:
        simulator.begin(0, request)
    else:
        simulator.simulation.step()
    simulator.simulation.set("abort1", 0)
    if after > 0:
        simulator.simulation.step(after - 1)
        simulator.begin(0, request)
    simulator.run()
    assert [token for token, _ in simulator.tokens(0)] == expected(two.model, request)


@pytest.mark.slow
@pytest.mark.parametrize("streams", [4, pytest.param(MOST_STREAMS, marks=pytest.mark.full_size)])
def test_many_streams(streams):
    """All begin at once; then one alone, to whose prompt all slots are lent."""
    program = program_of(1, streams)
    model, rng = program.model, np.random.default_rng(streams)
    simulator = StreamsSimulator(program, taps=True, timing=MOODS[1])
    requests = {stream: drawn_request(rng, model, stream) for stream in range(streams)}
    simulator.begin_together(requests)
    simulator.run()
    alone = Request([0] * model.config.ctx_len, 1, DecoderSettings())
    found = {s: [token for token, _ in simulator.tokens(s)] for s in requests}
    simulator.begin(streams - 1, alone)
    simulator.run()
    found[streams] = [token for token, _ in simulator.tokens(streams - 1)]
    for stream, request in {**requests, streams: alone}.items():
        assert found[stream] == expected(model, request), stream
    compare_passes(simulator)


def test_cycles_of_a_pass_as_predicted(two):
    """But for the cycles in which a beat waits for the memory."""
    simulator = StreamsSimulator(two, taps=True)
    stalled = simulator.simulation.probe("stalled", ["stalled"])
    for stream in (0, 1):
        simulator.begin(stream, Request([stream], two.model.config.ctx_len, DecoderSettings()))
        simulator.simulation.step(2 * two.cycles([0, None]))
    simulator.run()
    found = [
        [next((t.position for t in tokens if t.slot == slot), None) for slot in (0, 1)]
        for tokens, _ in simulator.passes()
    ]
    begun = simulator.pass_cycles()
    stalls, _ = np.histogram(stalled.read()[0], bins=begun)
    assert (np.diff(begun) - stalls).tolist() == [two.cycles(positions) for positions in found[:-1]]
    assert {positions.count(None) for positions in found} == {0, 1}


def test_a_check_of_all_streams_finds_one_wrong_token(two, monkeypatch):
    simulator = StreamsSimulator(two, taps=True, timing=MOODS[1])
    ctx_len = two.model.config.ctx_len
    requests = {
        0: Request([0, 1], ctx_len - 1, DecoderSettings()),
        1: Request([1], 2, sampled(1, two.model)),
    }
    for _ in range(2):
        tokens, integers = check_streams(simulator, requests)
        assert tokens == ctx_len + 1 and integers > 1000
    real = StreamsSimulator.tokens

    def wrong(self, stream):
        found = real(self, stream)
        return [*found[:-1], (found[-1][0] ^ 1, found[-1][1])] if stream == 1 else found

    monkeypatch.setattr(StreamsSimulator, "tokens", wrong)
    with pytest.raises(Mismatch, match=r"^stream 1: tokens "):
        check_streams(simulator, requests)


def test_a_tap_of_a_lent_slot_that_differs_is_found(two, monkeypatch):
    simulator = StreamsSimulator(two, taps=True, timing=MOODS[1])
    simulator.begin(0, Request([0, 1, 1], 1, DecoderSettings()))
    simulator.run()
    read = DecoderTapReader.read_token

    def wrong(self, position, predict):
        found = read(self, position, predict)
        return {name: values + (position == 0) for name, values in found.items()}

    assert compare_passes(simulator).passes == 2
    monkeypatch.setattr(DecoderTapReader, "read_token", wrong)
    with pytest.raises(Mismatch):
        compare_passes(simulator)


def test_streams_that_start_together_share_every_pass(two):
    simulator = StreamsSimulator(two, taps=True)
    request = Request([0, 1], 2, DecoderSettings())
    simulator.begin_together({0: request, 1: request})
    found = list(simulator.generated())
    assert [stream for stream, _, _ in found] == [0, 1, 0, 1]
    assert [len(tokens) for tokens, _ in simulator.passes()] == [2, 2, 2]
    assert simulator.pass_cycles()[0] == simulator.first_beat_of(0)
    simulator.forget()
    assert list(simulator.passes()) == []


def test_streams_that_a_program_does_not_have():
    for streams in (0, 9):
        with pytest.raises(ValueError, match=f"^streams must be 1 to 8, not {streams}$"):
            program_of(1, streams)
