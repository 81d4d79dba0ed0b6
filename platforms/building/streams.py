"""Several streams of a streamed core at once: their text checked, their cycles counted."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator, Sequence

from gateformer.gateware.compiler.several_cores import cycles_together, tokens_together
from gateformer.gateware.core.taps import Mismatch
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.contract.sampling import SamplingSettings

from ..simulation.generation import MEASURED_CYCLES
from ..simulation.interleaved import InterleavedSimulator, check_together
from ..simulation.several_streams import Request
from ..simulation.simulation import CoreSimulator
from ..simulation.streams import StreamsSimulator
from ..support.progress import working

TOKENS = 4
"""That every stream generates with the others: few, for a token of a large model takes a while."""


@dataclasses.dataclass(frozen=True)
class Rate:
    """Cycles of one text: mean per token after the first one, and per token of its prompt."""

    token: float
    prompt_token: float

    @classmethod
    def of(cls, begun: int, stamps: Sequence[int], prompt: Sequence[int]) -> Rate:
        """``begun``: cycle of the first beat; ``stamps``: those of the tokens' transfers. Of a text
        of one token that is all that there is."""
        first = (stamps[0] + 1 - begun) / len(prompt)
        steps = len(stamps) - 1
        return cls((stamps[-1] - stamps[0]) / steps if steps else first, first)


def requests_of(request: Request, streams: int, vocab_size: int) -> dict[int, Request]:
    """The same request for every stream: sampled with seeds one after the other, greedy, where the
    text would be the same, with another last token of the prompt."""
    found = {}
    for stream in range(streams):
        *prompt, last = request.prompt
        settings = request.settings
        if settings.greedy:
            last = (last + stream) % vocab_size
        else:
            settings = dataclasses.replace(settings, seed=(settings.seed + stream) % 2**32)
        found[stream] = Request([*prompt, last], request.count, settings)
    return found


def together(simulator: StreamsSimulator, request: Request) -> Rate:
    """Let every stream generate :func:`requests_of` the request at once; the rate of each.

    Raises Mismatch if a token is not the reference's.
    """
    program = simulator.program
    config, streams = program.model.config, program.streams
    count = min(TOKENS, config.ctx_len + 1 - len(request.prompt))
    requests = requests_of(dataclasses.replace(request, count=count), streams, config.vocab_size)
    expected = [
        DecoderReference(program.model).generate(each.prompt, each.count, each.settings)
        for each in requests.values()
    ]
    stamps: list[list[int]] = [[] for _ in requests]
    title = f"generating with all {streams} streams at once"
    with working(title) as show:
        simulator.begin_together(requests)
        for stream, token, cycle in simulator.generated():
            wanted = next(expected[stream])
            if token != wanted:
                raise Mismatch(
                    f"stream {stream}, token {len(stamps[stream])}: gateware {token}, "
                    f"reference {wanted}"
                )
            stamps[stream].append(cycle)
            show(f"{title}: {sum(map(len, stamps))} of {streams * count} tokens")
    last = [max(cycles) for cycles in zip(*stamps, strict=True)]
    return Rate.of(simulator.first_beat_of(0), last, request.prompt)


def streams_section(alone: Rate, together: Rate, streams: int, clock_mhz: float) -> dict:
    """A report's section, of a stream's text while the others were idle, and of all at once.

    A prompt token of one text alone shares its pass with those after it; of all at once each has a
    slot of its own, so that a text's prompt takes as many passes as it has tokens.
    """
    cycles = together.token / streams
    return {
        "count": streams,
        "tokens_per_second": clock_mhz * 1e6 / cycles,
        "cycles_per_token": cycles,
        "prompt_cycles_per_token": alone.prompt_token,
        "single": {
            "tokens_per_second": clock_mhz * 1e6 / alone.token,
            "cycles_per_token": alone.token,
            "prompt_cycles_per_token": together.prompt_token,
        },
    }


def on_chip_streams(simulator: CoreSimulator, clock_mhz: float) -> dict:
    """The section ``streams`` of a report on a core whose model is on chip: greedy texts of all its
    streams, begun at once and to the end of their contexts. Nothing with one stream.

    All are simulated, and equal to the reference and to the prediction, if that takes little time;
    Mismatch if not.
    """
    if not isinstance(simulator, InterleavedSimulator):
        return {}
    program = simulator.program
    config, streams = program.model.config, program.streams
    stamps = tokens_together(program)
    source = "predicted"
    if max(map(max, stamps)) <= MEASURED_CYCLES:
        requests = {
            stream: Request([stream % config.vocab_size], config.ctx_len, SamplingSettings())
            for stream in range(streams)
        }
        with working(f"generating with all {streams} streams at once"):
            check_together(simulator, requests)
        source = "simulated"
    cycles = cycles_together(program)
    section = {
        "count": streams,
        "tokens_per_second": clock_mhz * 1e6 / cycles,
        "cycles_per_token": cycles,
        "source": source,
    }
    return {"streams": section}


def streams_rows(streams: dict, clock_mhz: float) -> Iterator[tuple[str, str]]:
    """Rows of what several streams gave at once."""
    count = streams["count"]
    if "single" not in streams:
        yield (
            f"{count} streams at once ({streams['source']})",
            f"{streams['cycles_per_token']:,.1f} cycles per greedy token of all together, mean "
            f"over the context: {streams['tokens_per_second']:,.0f} tokens per second at "
            f"{clock_mhz:g} MHz",
        )
        return
    single = streams["single"]
    yield (
        f"{count} streams at once (simulated)",
        f"{streams['cycles_per_token']:,.0f} cycles per token of all together: "
        f"{streams['tokens_per_second']:,.1f} tokens per second at {clock_mhz:g} MHz; one alone "
        f"{single['cycles_per_token']:,.0f}: {single['tokens_per_second']:,.1f}",
    )
    yield (
        f"prompt of one text, up to {count} tokens to a pass",
        f"{streams['prompt_cycles_per_token']:,.0f} cycles per token; one to a pass "
        f"{single['prompt_cycles_per_token']:,.0f}",
    )


def checked_requests(
    rng: random.Random, streams: int, config, longest: int, count: int, settings: DecoderSettings
) -> dict[int, Request]:
    """Of ``--check``: prompts of up to ``longest`` tokens, every stream's own."""
    found = {}
    for stream in range(streams):
        prompt = [rng.randrange(config.vocab_size) for _ in range(rng.randint(1, longest))]
        seeded = dataclasses.replace(settings, seed=(settings.seed + stream) % 2**32)
        found[stream] = Request(prompt, count, seeded)
    return found
