"""Several streams from one pass over the weights: each gets what it would get alone."""

import numpy as np
import pytest

from gateformer.gateware.core.taps import compare_tap
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.simulation.streams import Request, StreamsSimulator
from tests.gateware.decoder.compared_core import sampled
from tests.platforms.simulation.test_streamed_simulation import (
    MEMORIES,
    MOODS,
    grouped_model_of,
    marks_of,
    model_of,
)

FAST, SLOW, ALL = 2, 12, 48


def drawn_request(rng, model, seed: int) -> Request:
    cfg = model.config
    length = int(rng.integers(1, cfg.ctx_len + 1))
    prompt = rng.integers(0, cfg.vocab_size, length).tolist()
    settings = sampled(seed, model) if rng.integers(2) else DecoderSettings()
    return Request(prompt, cfg.ctx_len - length + 1, settings)


def expected(model, request: Request) -> list[int]:
    return list(DecoderReference(model).generate(request.prompt, request.count, request.settings))


def compare_passes(simulator: StreamsSimulator) -> int:
    """Every tap of every slot with the reference of its stream; the number of passes with several
    tokens of one stream."""
    model, taps, lent = simulator.program.model, {}, 0
    references: dict[int, DecoderReference] = {}
    readers = simulator.tap_readers()
    for tokens, predict in simulator.passes():
        lent += len({each.stream for each in tokens}) < len(tokens)
        for each in sorted(tokens, key=lambda each: (each.stream, each.position)):
            if each.position == 0:
                references[each.stream] = DecoderReference(model, taps.__setitem__)
            references[each.stream].step(each.token)
            found = readers[each.slot].read_token(each.position, predict)
            assert sum(
                compare_tap(each.position, name, values, taps[name])
                for name, values in found.items()
            )
    assert not any(reader.left_over() for reader in readers)
    return lent


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=marks_of(n, FAST, SLOW)) for n in range(ALL)]
)
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
