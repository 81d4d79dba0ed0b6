"""Squared ReLU beside ReLU, the second table of :mod:`model.studies.quantization_gap`.

The gateware has ReLU only, so this one compares simulated quantization
(:mod:`model.floating.fake_quant`): ternary weights with a learned step per row and INT8
activations; sums, norms and the softmax stay float.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from ..compression import compress, train_float
from ..compression.result import Result

ROWS = {
    "relu": ("ReLU, as the gateware has it", "shakespeare-relu"),
    "squared-relu": ("squared ReLU", "shakespeare-squared-relu"),
}
"""What is different, and the preset of :mod:`model.compression.train_float`."""
FLOAT_STEPS = 3
"""Steps of the float training by one of the quantized training."""
TERNARY_BITS = 2
"""Symmetric: -1 to 1."""
HEAD = """
## Squared ReLU

The gateware has ReLU. What squaring it would be worth is simulated: {float_steps} steps in float,
then {steps} with ternary weights, a learned step per row, and INT8 activations; sums, norms and the
softmax stay float. **gap** is what the quantization loses against the row's own float model.

| row | what is different | float nats | simulated nats | gap |
| --- | --- | --- | --- | --- |
"""


def float_options(name: str, steps: int) -> list[str]:
    """Options of ``gateformer train-float`` for a row, but corpus and output."""
    count = str(FLOAT_STEPS * steps)
    return ["--preset", ROWS[name][1], "--steps", count, "--lr", "3e-3", "--batch", "64"]


def quantized_options(name: str, steps: int) -> list[str]:
    """Arguments of ``gateformer compress`` for what they made, but corpus and results."""
    model = f"{name}.safetensors"
    return ["qat", model, "--bits", str(TERNARY_BITS), "--steps", str(steps), "--lr", "6e-3"]


def measure(name: str, steps: int, directory: Path, corpus: list[str]) -> Result | int:
    """Train and quantize a row unless its result is there; the exit status of an interrupt.

    ``directory`` is where everything goes, ``corpus`` the option that names the text, or empty.
    """
    trained, result = directory / f"{name}.safetensors", directory / f"{name}.json"
    places = [*corpus, "--runs", str(directory)]
    if not trained.exists():
        status = train_float.main([*float_options(name, steps), *places, "--out", str(trained)])
        if status is not None:
            return status
    if not result.exists():
        method, _, *options = quantized_options(name, steps)
        places += ["--results", str(directory), "--name", name]
        status = compress.main([method, str(trained), *options, *places])
        if status is not None:
            return status
    return Result.load(result)


def section(results: dict[str, Result], steps: int) -> str:
    """The table of ``results`` by row, best first, and their commands."""
    text = HEAD.format(steps=steps, float_steps=FLOAT_STEPS * steps)
    order = sorted(results, key=lambda name: results[name].losses[0].loss)
    for name in order:
        losses = results[name].losses[0]
        gap = losses.loss - losses.float_loss
        text += f"| `{name}` | {ROWS[name][0]} | {losses.float_loss:.4f} | {losses.loss:.4f} "
        text += f"| {gap:+.4f} |\n"
    text += "\nEach is two commands, here without corpus and directories:\n\n```sh\n"
    for name in order:
        trained = ["--out", f"{name}.safetensors"]
        text += f"gateformer train-float {shlex.join(float_options(name, steps) + trained)}\n"
        text += f"gateformer compress {shlex.join(quantized_options(name, steps))}\n"
    return text + "```\n"
