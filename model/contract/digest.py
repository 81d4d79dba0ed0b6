"""A model's identity: a digest over everything that its integer function depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np


def model_digest(
    spec: int, config: dict, scalars: Mapping, tensors: Mapping[str, np.ndarray]
) -> str:
    """SHA-256 (hex) over spec version, config and scalars, both JSON-ready, and tensors."""
    header = {"spec": spec, "config": config, "scalars": scalars}
    hasher = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, array in sorted(tensors.items()):
        hasher.update(name.encode())
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()
