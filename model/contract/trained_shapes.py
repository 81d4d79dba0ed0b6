"""Named shapes of models that are trained here."""

from __future__ import annotations

from .config import ModelConfig

PRESETS = {
    "shakespeare-115k": ModelConfig(
        vocab_size=128, d_model=64, n_heads=2, n_layers=2, d_ff=256, ctx_len=128
    ),
    "shakespeare-115k-2t": ModelConfig(
        vocab_size=128, d_model=64, n_heads=2, n_layers=2, d_ff=256, ctx_len=128, digits=2
    ),
    "shakespeare-zybo": ModelConfig(
        vocab_size=65, d_model=96, n_heads=3, n_layers=3, d_ff=384, ctx_len=128, digits=2
    ),
    "stories-zybo": ModelConfig(
        vocab_size=80, d_model=96, n_heads=3, n_layers=3, d_ff=384, ctx_len=128, digits=2
    ),
}
"""Named shapes. ``shakespeare-115k`` is ZyboGPT's, ternary; ``-2t`` is the same with two digits per
weight; ``shakespeare-zybo`` fills the block memories of an xc7z010; ``stories-zybo`` is its shape
for the 79 characters of the TinyStories sample."""
