"""SmolLM2's float model against llama.cpp's greedy text of the same file, token by token."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gateformer.model.floating.checkpoints.opening import open_source
from gateformer.model.floating.decoder import FloatDecoder
from tests.support.llama_reference import open_llama, smollm2

PROMPTS = [
    "The capital of France is",
    "Once upon a time, there was a little girl who",
    "def fibonacci(n):\n    ",
    "Water boils at a temperature of",
    "The three most important things to remember when learning to swim are",
    "In 1969, Neil Armstrong",
    "1, 2, 3, 4,",
    "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n",
]
TOKENS = 48
LEAST = 0.95
"""llama.cpp rounds activations to 8 bits in each product with Q4_1; the float model does not."""


@pytest.mark.slow
def test_the_likeliest_token_is_llama_cpps():
    path = smollm2()
    llama = open_llama(path, n_ctx=256, n_threads=1)
    decoder = FloatDecoder(open_source(path))
    same = []
    for prompt in PROMPTS:
        begin = llama.tokenize(prompt.encode(), add_bos=False, special=True)
        llama.reset()
        told = llama.generate(begin, temp=0.0, top_k=1, repeat_penalty=1.0)
        told = list(itertools.islice(told, TOKENS))
        # every position after llama.cpp's own text: one difference is not counted again
        logits = decoder.logits(np.array([[*begin, *told[:-1]]]))[0, len(begin) - 1 :]
        same.append(int((logits.argmax(axis=-1) == told).sum()))
    share = sum(same) / (len(PROMPTS) * TOKENS)
    print(f"the same likeliest token: {sum(same)} of {len(PROMPTS) * TOKENS} ({share:.1%}), {same}")
    assert share >= LEAST
