"""PyTorch FP32 generation of the float twin: full sequences, a KV cache, and that compiled."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..contract.artifact import Artifact
from ..exports.source import float_twin
from ..support.errors import UserError
from .stepwise import Generate, processor_clock, stepwise


def full_sequence(artifact: Artifact, threads: int) -> Generate:
    """Every token from a forward pass over the whole sequence so far."""
    model = float_twin(artifact).eval()
    tokens: list[int] = []

    def step(token: int) -> int:
        tokens.append(token)
        return int(model(torch.tensor([tokens]))[0, -1].argmax())

    return _on_threads(threads, tokens.clear, step)


def kv_cache(artifact: Artifact, threads: int) -> Generate:
    """One token per step, keys and values in preallocated tensors."""
    stream = KVCache(float_twin(artifact))
    return _on_threads(threads, stream.reset, stream.step)


def compiled(artifact: Artifact, threads: int) -> Generate:
    """The step with a KV cache of fixed shape, through ``torch.compile``.

    Raises UserError where it does not work.
    """
    stream = StaticKVCache(float_twin(artifact))
    generate = _on_threads(threads, stream.reset, stream.step)
    try:
        generate([0], 1)
    except Exception as error:  # Whatever Inductor and the compiler behind it may raise.
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"torch.compile does not work here: {first}") from None
    return generate


def _on_threads(threads: int, start: Callable, step: Callable) -> Generate:
    """Processor time is that of one thread: several are timed by the wall clock."""
    generate = stepwise(start, step, processor_clock if threads == 1 else time.perf_counter)

    def run(prompt, count):
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return generate(prompt, count)

    return run


class KVCache:
    """Greedy generation of one sequence, as few operators per token as eager PyTorch allows.

    Queries, keys and values come from one product, and 1/√head_dim is in the query's weights.
    """

    def __init__(self, model: nn.Module):
        cfg = self.config = model.config
        self.model = model.eval()
        scale = torch.tensor(cfg.head_dim**-0.5)
        self.qkv = [
            torch.cat([layer.q_proj.weight * scale, layer.k_proj.weight, layer.v_proj.weight])
            for layer in model.layers
        ]
        shape = (cfg.n_layers, cfg.n_heads, cfg.ctx_len, cfg.head_dim)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)
        self.position = 0

    def reset(self) -> None:
        self.position = 0

    def step(self, token: int) -> int:
        model, here = self.model, self.position
        residual = (model.token_embedding[token] + model.position_embedding[here])[None]
        for i, layer in enumerate(model.layers):
            residual = self._feed_forward(layer, self._attention(i, layer, residual))
        self.position += 1
        return int(F.linear(model.final_norm(residual), model.token_embedding).argmax())

    def _attention(self, i: int, layer: nn.Module, residual: Tensor) -> Tensor:
        cfg, here = self.config, self.position
        qkv = F.linear(layer.attn_norm(residual), self.qkv[i])
        q, k, v = qkv.view(3, cfg.n_heads, 1, cfg.head_dim)
        keys, values = self.keys[i], self.values[i]
        keys[:, here : here + 1] = k
        values[:, here : here + 1] = v
        p = torch.softmax(torch.bmm(q, keys[:, : here + 1].transpose(1, 2)), -1)
        attn = torch.bmm(p, values[:, : here + 1]).view(1, cfg.d_model)
        return residual + F.linear(attn, layer.o_proj.weight)

    def _feed_forward(self, layer: nn.Module, residual: Tensor) -> Tensor:
        hidden = F.relu(F.linear(layer.ffn_norm(residual), layer.up_proj.weight))
        return residual + F.linear(hidden, layer.down_proj.weight)


class StaticKVCache(KVCache):
    """The same with a position that is a tensor, so that all steps are one compiled function."""

    def __init__(self, model: nn.Module):
        super().__init__(model)
        self.slots = torch.arange(self.config.ctx_len)
        self.places = [torch.tensor([i]) for i in range(self.config.ctx_len)]
        self.tokens = [torch.tensor([i]) for i in range(self.config.vocab_size)]
        self.compiled = torch.compile(self.forward, fullgraph=True, dynamic=False)

    def step(self, token: int) -> int:
        chosen = self.compiled(
            self.tokens[token], self.places[self.position], self.keys, self.values
        )
        self.position += 1
        return int(chosen)

    def forward(self, token: Tensor, here: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        cfg, model = self.config, self.model
        residual = model.token_embedding[token] + model.position_embedding[here]
        later = self.slots > here
        for i, layer in enumerate(model.layers):
            qkv = F.linear(layer.attn_norm(residual), self.qkv[i])
            q, k, v = qkv.view(3, cfg.n_heads, 1, cfg.head_dim)
            keys[i].index_copy_(1, here, k)
            values[i].index_copy_(1, here, v)
            scores = torch.bmm(q, keys[i].transpose(1, 2))
            p = torch.softmax(scores.masked_fill(later, -torch.inf), -1)
            attn = torch.bmm(p, values[i]).view(1, cfg.d_model)
            residual = residual + F.linear(attn, layer.o_proj.weight)
            residual = self._feed_forward(layer, residual)
        return F.linear(model.final_norm(residual), model.token_embedding).argmax()
