"""Registers without an accelerator behind them: plain memory, and memory that misbehaves."""

import random

from gateformer.gateware.host.base_registers import REGISTERS
from gateformer.gateware.host.identification import Identification
from gateformer.gateware.host.registers import register
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.config import ModelConfig
from gateformer.platforms.host.register_access import RegisterAccess

CONFIG = ModelConfig(vocab_size=11, d_model=12, n_heads=3, n_layers=2, d_ff=20, ctx_len=6)
DIGEST = bytes(range(7, 39)).hex()
IDENTIFICATION = Identification(CONFIG, HwConfig(2, 4, 6), DIGEST, 0xB1D, 150_000)
CONSTANTS = {register(name).offset: word for name, word in IDENTIFICATION.constants.items()}
MASKS = {entry.offset: entry.mask for entry in REGISTERS}


class FakeRegisters(RegisterAccess):
    """Reads ``words`` by register name, or else the constants, or else ``other(offset)``."""

    name = "the fake"

    def __init__(self, other=lambda offset: 0, **words):
        self.words = CONSTANTS | {register(name).offset: word for name, word in words.items()}
        self.other = other
        self.closed = False
        self.written = []

    def read(self, offset):
        return self.words[offset] if offset in self.words else self.other(offset)

    def write(self, offset, value):
        self.written.append((offset, value))

    def close(self):
        self.closed = True


def random_words(seed: int, *, legal: bool = True):
    """A function for ``other``: random words, with ``legal`` only bits that the register has."""
    rng = random.Random(seed)

    def word(offset):
        return rng.getrandbits(32) & (MASKS[offset] if legal else 0xFFFFFFFF)

    return word
