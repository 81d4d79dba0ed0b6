"""Speed of the compiled simulation: ``python -m platforms.benchmark [MODEL]``."""

from __future__ import annotations

import time

from gateware.hw_config import HwConfig
from gateware.program import Program
from model.artifact import open_model
from model.cli import ArgumentParser, run
from model.sampling import SamplingSettings

from .simulation import CoreSimulator


def main() -> None:
    """Generate one context greedily; print processor time per token and per cycle."""
    parser = ArgumentParser(prog="python -m platforms.benchmark", description=__doc__)
    parser.add_argument("model", nargs="?", default="shakespeare-115k")
    artifact = open_model(parser.parse_args().model)
    started = time.perf_counter()
    simulator = CoreSimulator(Program(artifact.model, HwConfig()))
    ready = time.perf_counter() - started
    started = time.process_time()
    ctx_len = artifact.model.config.ctx_len
    tokens = sum(1 for _ in simulator.generate([0], ctx_len, SamplingSettings()))
    seconds = time.process_time() - started
    print(
        f"{artifact.name}: {tokens} tokens, {tokens / seconds:.0f} tokens/s, "
        f"{simulator.simulation.cycles / seconds:,.0f} cycles/s of one core; "
        f"elaborated and compiled (or found compiled) in {ready:.1f} s"
    )


if __name__ == "__main__":
    run(main)
