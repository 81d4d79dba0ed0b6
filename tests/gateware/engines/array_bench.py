"""What the benches of the INT8 arrays share: words of bytes, many of them extreme."""

import numpy as np

DEPTH = 5
"""Words of an array's memory."""


def to_int(values):
    """Bytes to one integer, the first one least significant."""
    return int.from_bytes(np.asarray(values, np.int8).tobytes(), "little")


def random_bytes(rng, shape, low=-128):
    """Signed bytes; a third of them extreme."""
    values = rng.integers(low, 128, shape)
    extreme = rng.choice([low, 127], shape)
    return np.where(rng.random(shape) < 1 / 3, extreme, values)
