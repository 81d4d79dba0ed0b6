"""``model.train`` with a preset that trains in a second, for tests that start it as a process."""

from model import cli, config, train
from model.config import ModelConfig

TINY = ModelConfig(vocab_size=128, d_model=16, n_heads=2, n_layers=1, d_ff=24, ctx_len=12)
TEXT = "".join(f"{n} sheep and {n * n % 97} goats. " for n in range(150))

if __name__ == "__main__":
    config.PRESETS["tiny"] = TINY
    cli.run(train.main, together=True)
