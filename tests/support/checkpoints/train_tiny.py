"""``gateformer train`` with a preset that trains in a second, for tests that start a process."""

from gateformer.model.contract import trained_shapes
from gateformer.model.contract.config import ModelConfig
from gateformer.model.support import cli
from gateformer.model.training import train

TINY = ModelConfig(vocab_size=128, d_model=16, n_heads=2, n_layers=1, d_ff=24, ctx_len=12)
TEXT = "".join(f"{n} sheep and {n * n % 97} goats. " for n in range(150))

LAST_FLOAT_STEP, STEPS, FIXED_STEPS = 6, 9, 4


def command_line(directory):
    """A function of changed options: the command line of a run that writes out.safetensors."""
    corpus = directory / "corpus.txt"
    corpus.write_text(TEXT)
    options = {
        "--corpus": corpus,
        "--preset": "tiny",
        "--digits": "down_proj=2",
        "--out": directory / "out.safetensors",
        "--runs": directory / "runs",
        "--float-steps": LAST_FLOAT_STEP,
        "--steps": STEPS,
        "--fixed-steps": FIXED_STEPS,
        "--batch": 4,
    }

    def line(**changes):
        chosen = {**options, **{f"--{name}": value for name, value in changes.items()}}
        if "--init" in chosen:  # no float training then
            del chosen["--float-steps"]
        return [str(part) for option in chosen.items() for part in option]

    return line


if __name__ == "__main__":
    trained_shapes.PRESETS["tiny"] = TINY
    cli.run(train.main, together=True)
