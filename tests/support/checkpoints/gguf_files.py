"""GGUF files of transformers' models, as llama.cpp's converter names and lays out tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "transformer.wte": "token_embd",
    "transformer.wpe": "position_embd",
    "transformer.ln_f": "output_norm",
    "ln_1": "attn_norm",
    "ln_2": "ffn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}


def name_of(name: str) -> str:
    """GGUF's name of a tensor of transformers."""
    stem, _, kind = name.rpartition(".")
    parts = stem.split(".")
    if len(parts) > 3:
        return f"blk.{parts[2]}.{NAMES['.'.join(parts[3:])]}.{kind}"
    return f"{NAMES[stem]}.{kind}"


def permuted(weights: np.ndarray, n_heads: int) -> np.ndarray:
    """LlamaModel.permute of llama.cpp's convert_hf_to_gguf.py: pairs become neighbours."""
    halves = weights.reshape(n_heads, 2, len(weights) // n_heads // 2, *weights.shape[1:])
    return halves.swapaxes(1, 2).reshape(weights.shape)


def tensors_of(model) -> dict[str, np.ndarray]:
    """The converter's tensors: llama's q and k permuted, GPT-2's Conv1D as [out, in]."""
    config, found = model.config, {}
    for name, parameter in model.named_parameters():
        array, (stem, _, kind) = parameter.detach().float().numpy(), name.rpartition(".")
        new = name_of(name)
        if config.model_type == "llama" and "attn_q." in new:
            array = permuted(array, config.num_attention_heads)
        if config.model_type == "llama" and "attn_k." in new:
            array = permuted(array, config.num_key_value_heads)
        if stem.endswith(("c_attn", "c_proj", "c_fc")) and kind == "weight":
            array = array.T
        found[new] = np.ascontiguousarray(array)
    return found


def settings_of(model) -> dict[str, object]:
    """The converter's settings, without the architecture before their names."""
    c = model.config
    if c.model_type == "gpt2":
        return {
            **{"context_length": c.n_positions, "embedding_length": c.n_embd},
            **{"block_count": c.n_layer, "feed_forward_length": 4 * c.n_embd},
            **{"attention.head_count": c.n_head},
            **{"attention.layer_norm_epsilon": c.layer_norm_epsilon},
        }
    head_dim = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
    return {
        **{"context_length": c.max_position_embeddings, "embedding_length": c.hidden_size},
        **{"block_count": c.num_hidden_layers, "feed_forward_length": c.intermediate_size},
        **{"attention.head_count": c.num_attention_heads},
        **{"attention.head_count_kv": c.num_key_value_heads},
        **{"attention.key_length": head_dim, "attention.value_length": head_dim},
        **{"attention.layer_norm_rms_epsilon": c.rms_norm_eps},
        **{"rope.dimension_count": head_dim, "rope.freq_base": c.rope_parameters["rope_theta"]},
    }


def write(path: Path, architecture: str, settings, tensors, formats=None) -> Path:
    """A file; ``formats``: of a tensor other than its array's own, by name."""
    import gguf

    writer = gguf.GGUFWriter(path, architecture)
    for name, value in settings.items():
        if value is None:
            continue
        add = {bool: writer.add_bool, int: writer.add_uint32, str: writer.add_string}
        key = name if name.startswith(("general.", "tokenizer.")) else f"{architecture}.{name}"
        if isinstance(value, list):
            writer.add_array(key, value)
        else:
            add.get(type(value), writer.add_float32)(key, value)
    for name, array in tensors.items():
        kind = (formats or {}).get(name)
        if kind is None:
            writer.add_tensor(name, array)
        else:
            kind = gguf.GGMLQuantizationType[kind]
            packed = gguf.quants.quantize(array, kind) if array.dtype != np.uint8 else array
            writer.add_tensor(name, packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
