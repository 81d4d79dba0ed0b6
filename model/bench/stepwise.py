"""Generation token by token, with the seconds of each."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

Generate = Callable[[list[int], int], tuple[list[int], np.ndarray]]
"""(prompt, count) to ``count`` tokens and the seconds of each, as :mod:`model.bench.rows` says."""
processor_clock = getattr(time, "thread_time", time.perf_counter)


def stepwise(
    start: Callable[[], None], step: Callable[[int], int], clock: Callable[[], float]
) -> Generate:
    """Generate out of a function that takes a token and returns the next, timed by ``clock``."""

    def generate(prompt, count):
        start()
        for token in prompt[:-1]:
            step(token)
        token, tokens, seconds = prompt[-1], [], []
        for _ in range(count):
            begun = clock()
            token = step(token)
            seconds.append(clock() - begun)
            tokens.append(token)
        return tokens, np.array(seconds)

    return generate
