"""What docs/registers.md says of the registers, as a model of one transaction after the other.

The table of registers is data (:mod:`gateware.host.registers`); what they do is written here by
hand.
"""

import copy

from gateformer.gateware.host.base_registers import REGISTERS
from tests.support.axi_rules import OKAY, SLVERR

OUTPUT_DEPTH = 16
TABLE = {entry.offset: entry for entry in REGISTERS}
NAMES = {entry.name: entry.offset for entry in REGISTERS}
READABLE = {entry.offset for entry in REGISTERS if entry.access.value != "write"}
WRITABLE = {entry.offset for entry in REGISTERS if "write" in entry.access.value}
SETTINGS = {
    "GENERATE_COUNT": 0xFFFF,
    "TEMPERATURE": 0x1FFF,
    "TOP_K": 0xFFFFFFFF,
    "SEED": 0xFFFFFFFF,
}
"""Bits that a setting keeps."""
ERRORS = {
    name: 1 << bit
    for bit, name in enumerate(
        (
            *("prompt_overflow", "token_outside_vocabulary", "start_while_busy"),
            *("settings_locked", "prompt_empty", "prompt_too_long", "count_zero"),
            "top_k_too_large",
        )
    )
}


class HostModel:
    """Registers, prompt and output between runs; a run is one step (:meth:`begin`, :meth:`end`)."""

    def __init__(self, constants: dict[str, int], vocab_size: int, ctx_len: int):
        self.constants = constants
        self.vocab_size, self.ctx_len = vocab_size, ctx_len
        self.settings = dict.fromkeys(SETTINGS, 0) | {"GENERATE_COUNT": 1}
        self.errors = 0
        self.prompt: list[int] = []
        self.output: list[tuple[int, bool]] = []
        self.busy = self.done = False
        self.cycles = self.high = self.tokens = 0

    def copy(self) -> "HostModel":
        return copy.deepcopy(self)

    def _fail(self, *names):
        for name in names:
            self.errors |= ERRORS[name]

    def begin(self):
        """``start`` of CONTROL."""
        if self.busy:
            return self._fail("start_while_busy")
        wrong = {
            "prompt_empty": not self.prompt,
            "prompt_too_long": len(self.prompt) > self.ctx_len,
            "count_zero": self.settings["GENERATE_COUNT"] == 0,
            "top_k_too_large": self.settings["TOP_K"] > self.vocab_size,
        }
        if any(wrong.values()):
            return self._fail(*(name for name, found in wrong.items() if found))
        self.busy, self.done = True, False
        self.cycles = self.tokens = 0
        self.running, self.prompt = self.prompt, []
        return None

    def end(self, tokens: list[int], cycles: int):
        """The core has handed over the last of ``tokens``."""
        self.busy, self.done = False, True
        self.output += [(token, i == len(tokens) - 1) for i, token in enumerate(tokens)]
        self.cycles, self.tokens = cycles, len(tokens)

    def write(self, address: int, data: int, strobe: int) -> int:
        """Response of a write."""
        offset = address & ~3
        if offset not in WRITABLE:
            return SLVERR
        mask = sum(0xFF << 8 * i for i in range(4) if strobe >> i & 1)
        name, word = TABLE[offset].name, data & mask
        if name == "PROMPT":
            if strobe not in (0, 15):
                return SLVERR
            if strobe:
                self._append(word)
        elif name == "CONTROL":
            if word & 4:
                self.errors = 0
            if word & 2:
                self.prompt, self.output, self.busy, self.done = [], [], False, False
            elif word & 1:
                self.begin()
        elif name == "ERROR":
            self.errors &= ~word
        elif strobe and self.busy:
            self._fail("settings_locked")
        else:
            kept = self.settings[name] & ~mask
            self.settings[name] = (kept | word) & SETTINGS[name]
        return OKAY

    def _append(self, token):
        if token >= self.vocab_size:
            self._fail("token_outside_vocabulary")
        elif len(self.prompt) == self.ctx_len + 1:
            self._fail("prompt_overflow")
        else:
            self.prompt.append(token)

    def read(self, address: int) -> tuple[int, int]:
        """Word and response; what the read does is :meth:`was_read`."""
        offset = address & ~3
        if offset not in READABLE:
            return 0, SLVERR
        return self._word(TABLE[offset].name), OKAY

    def _word(self, name):
        if name in self.constants:
            return self.constants[name]
        if name in SETTINGS:
            return self.settings[name]
        if name == "OUTPUT":
            if not self.output:
                return 0
            token, last = self.output[0]
            return 1 << 31 | last << 30 | token
        if name == "STATUS":
            flags = self.busy | self.done << 1 | bool(self.errors) << 3
            return flags | len(self.output) << 4 | len(self.prompt) << 16
        return {
            "ERROR": self.errors,
            "CYCLES_LOW": self.cycles & 0xFFFFFFFF,
            "CYCLES_HIGH": self.high,
            "TOKENS_GENERATED": self.tokens,
        }[name]

    def was_read(self, address: int):
        """The side effects of a read."""
        offset = address & ~3
        if offset == NAMES["OUTPUT"] and self.output:
            del self.output[0]
        elif offset == NAMES["CYCLES_LOW"]:
            self.high = self.cycles >> 32
