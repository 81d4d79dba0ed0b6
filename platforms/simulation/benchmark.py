"""Speed of the compiled simulation: ``gateformer simulation-bench [MODEL]``."""

from __future__ import annotations

import time

from gateformer.gateware.host.any_core import compile_model
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.cli import ArgumentParser, run
from gateformer.model.support.counted import counted

from ..support.defaults import DEFAULT_MODEL
from .generation import refuse_too_large, settings_of
from .simulation import CoreSimulator


def main() -> None:
    """Generate one context greedily; print processor time per token and per cycle."""
    parser = ArgumentParser(prog="gateformer simulation-bench", description=__doc__)
    parser.add_argument(
        "model",
        nargs="?",
        default=DEFAULT_MODEL,
        help="shipped name, artifact file or random:… (default: %(default)s)",
    )
    artifact = open_model(parser.parse_args().model, imported=True)
    refuse_too_large(artifact)
    started = time.perf_counter()
    simulator = CoreSimulator(compile_model(artifact.model, HwConfig()))
    ready = time.perf_counter() - started
    started = time.process_time()
    ctx_len, settings = artifact.model.config.ctx_len, settings_of(artifact.model)()
    tokens = sum(1 for _ in simulator.generate([0], ctx_len, settings))
    seconds = time.process_time() - started
    print(
        f"{artifact.name}: {counted(tokens, 'token')}, {tokens / seconds:,.0f} tokens/s, "
        f"{simulator.simulation.cycles / seconds:,.0f} cycles/s of one core; "
        f"elaborated and compiled (or found compiled) in {ready:.1f} s"
    )


if __name__ == "__main__":
    run(main)
