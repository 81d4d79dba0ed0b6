"""Small random models of the field's families, as transformers saves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

LLAMA = {
    "vocab_size": 37,
    "hidden_size": 24,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 52,
    "max_position_embeddings": 64,
    "head_dim": 10,
    "initializer_range": 0.3,
}
"""Sizes of which none is the same, GQA, and heads that are not d_model / n_heads."""


def llama_model(config_class: str = "LlamaConfig", model: str = "LlamaForCausalLM", **changes):
    """A transformers model of the Llama type, its norms and biases random, too."""
    return _random(config_class, model, {**LLAMA, **changes})


def gpt2_model(**changes):
    """A transformers GPT-2."""
    sizes = {"vocab_size": 31, "n_embd": 24, "n_head": 3, "n_layer": 2, "n_positions": 20}
    return _random("GPT2Config", "GPT2LMHeadModel", {**sizes, "initializer_range": 0.3, **changes})


def neox_model(**changes):
    """A transformers GPT-NeoX with sequential residuals and RoPE of whole heads."""
    sizes = {name: value for name, value in LLAMA.items() if name not in LEFT_OUT}
    settings = {**sizes, "use_parallel_residual": False, "rotary_pct": 1.0, **changes}
    return _random("GPTNeoXConfig", "GPTNeoXForCausalLM", settings)


LEFT_OUT = ("num_key_value_heads", "head_dim")


def _random(config_class: str, model: str, settings: dict):
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, config_class)(**settings, bos_token_id=0, eos_token_id=0)
    made = getattr(transformers, model)(config).eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.ndim == 1:
                parameter.copy_(torch.randn(parameter.shape) * 0.3 + ("bias" not in name))
    return made


def save(model, directory: Path, **options) -> Path:
    """The directory with a model."""
    model.save_pretrained(directory, **options)
    return directory


def tokens_and_logits(model, length: int = 17) -> tuple[np.ndarray, np.ndarray]:
    """Random tokens [3, length] and transformers' own logits of them."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, model.config.vocab_size, (3, length), generator=generator)
    with torch.inference_mode():
        return tokens.numpy(), model(tokens).logits.float().numpy()
