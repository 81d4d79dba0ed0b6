"""Cores that models are loaded into, and whether one generates what a model's reference says."""

import functools

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.compiler.reload_image import model_image
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.platforms.simulation.simulation import CoreSimulator

SMALL = "random:n_layers=1,d_model=8,n_heads=1,d_ff=8,ctx_len=24,vocab_size=64"
SHAPES = {
    "small": (SMALL, HwConfig(2, 4, 4, reload=True)),
    "odd": (
        "random:n_layers=2,d_model=12,n_heads=3,d_ff=20,ctx_len=9,vocab_size=11",
        HwConfig(3, 9, 12, reload=True),
    ),
    "3in5, two digits": (
        "random:n_layers=1,d_model=16,n_heads=2,d_ff=24,ctx_len=16,vocab_size=19,digits=2",
        HwConfig(4, 8, 8, "3in5", reload=True),
    ),
    "banks": (
        "random:n_layers=1,d_model=8,n_heads=2,d_ff=512,ctx_len=12,vocab_size=600",
        HwConfig(2, 4, 4, reload=True),
    ),
    "halves": (
        "random:n_layers=2,d_model=16,n_heads=2,d_ff=12,ctx_len=11,vocab_size=13",
        HwConfig(2, 4, 32, reload=True),
    ),
    "no registers": (
        "random:n_layers=1,d_model=6,n_heads=1,d_ff=10,ctx_len=12,vocab_size=16",
        HwConfig(1, 5, 6, array_registers=0, norm_registers=0, result_registers=0, reload=True),
    ),
}
SETTINGS = (SamplingSettings(), SamplingSettings(temperature_mult=40, temperature_shift=6, seed=7))


def model(shape: str, seed: int):
    return open_model(f"{SHAPES[shape][0]},seed={seed}").model


@functools.cache
def program(shape: str = "small") -> Program:
    return Program(model(shape, 1), SHAPES[shape][1])


def image(shape: str, seed: int) -> list[int]:
    return model_image(model(shape, seed), program(shape).layout, program(shape).limits)


@functools.cache
def simulator(shape: str = "small", stall: float = 0.0) -> CoreSimulator:
    """One for all tests of a process; a test loads what it needs."""
    return CoreSimulator(program(shape), stall=stall)


def is_model(simulator: CoreSimulator, model, count: int = 8) -> bool:
    """Whether the core generates what the reference says, with two settings."""
    prompt = [model.config.vocab_size - 1, 1]
    return all(
        [token for token, _ in simulator.generate(prompt, count, settings)]
        == list(Reference(model).generate(prompt, count, settings))
        for settings in SETTINGS
    )
