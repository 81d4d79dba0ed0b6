"""Float models as ``torch.export`` programs (.pt2)."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from ..support.whole_file import complete_file
from .float_check import Difference, random_windows, torch_logits

METADATA_FILE = "metadata.json"
"""Entry of the file that holds the metadata, a JSON object of strings."""


def export_torch(
    model: nn.Module,
    path: str | os.PathLike,
    *,
    metadata: Mapping[str, str] | None = None,
    check: bool = True,
) -> str:
    """Write the program ``tokens`` int64 [batch, length] to logits [batch, length, vocab_size].

    Batch and length are dynamic, length up to the model's context. The file is read back and
    compared with ``model`` unless told not to; the result's line. Raises UserError if it cannot
    be written, ToolError if it differs; no file is left then.
    """
    longest = model.config.ctx_len
    tokens = torch.zeros(2, longest, dtype=torch.int64)
    length = torch.export.Dim("length", min=1, max=longest) if longest > 1 else None
    shapes = {"tokens": {0: torch.export.Dim("batch", min=1), 1: length}}
    with torch.no_grad():
        program = torch.export.export(model.eval(), (tokens,), dynamic_shapes=shapes)
    facts = json.dumps(dict(metadata or {}))
    with complete_file(path) as temporary:
        content = io.BytesIO()  # torch's own writer tells of a full disk by an error without cause
        torch.export.save(program, content, extra_files={METADATA_FILE: facts})
        temporary.write_bytes(content.getbuffer())
        return check_torch(temporary, model) if check else ""


def check_torch(path: Path, model: nn.Module) -> str:
    """Compare a program with ``model``; one line, ToolError if they differ."""
    with path.open("rb") as file:
        program, difference = torch.export.load(file).module(), Difference()
    for tokens in random_windows(model.config):
        got = torch_logits(program, tokens)
        difference.add(got, torch_logits(model, tokens), f"tokens of shape {tokens.shape}")
    return f"torch.export of torch {torch.__version__} equals its source: {difference}"
