"""What an accelerator says about itself: the constants in its registers."""

from __future__ import annotations

import dataclasses
import re

from gateformer.model.contract.choices import CHOICES
from gateformer.model.contract.config import ModelConfig

from ..parts.integers import check_integer
from ..plan.hw_config import PACKINGS, HwConfig
from ..plan.reload_limits import ReloadLimits
from ..streamed.ports import ImageFacts
from ..streamed.program import StreamedProgram
from .any_core import AnyProgram
from .base_registers import ACCELERATOR_MAGIC, HASH_WORDS
from .interleaved_registers import INTERLEAVED_MAGIC
from .register import Register
from .registers import register, registers
from .reload_registers import RELOAD_MAGIC
from .streamed_registers import STREAMED_MAGIC

WORD_DIGITS = 8
"""Hexadecimal digits of a register."""


@dataclasses.dataclass(frozen=True)
class Identification:
    """Which model an accelerator was made for, and how it was built.

    Parameters
    ----------
    config : ModelConfig
    hw : HwConfig
    digest : str
        The model's digest, 64 hexadecimal digits.
    build_id : int, 32 bits
    clock_khz : int, 32 bits
    limits : ReloadLimits, with ``hw.reload`` only
    image : ImageFacts, with a model in external memory only

    Raises
    ------
    TypeError
        If ``config`` or ``hw`` is of another class, or a number no integer.
    ValueError
        If a number or the digest is not as above.
    """

    config: ModelConfig
    hw: HwConfig
    digest: str
    build_id: int
    clock_khz: int
    limits: ReloadLimits | None = None
    image: ImageFacts | None = None

    @classmethod
    def of(cls, program: AnyProgram, build_id: int, clock_khz: int) -> Identification:
        """That of an accelerator made from a program."""
        model, hw = program.model, program.hw
        image = program.facts if isinstance(program, StreamedProgram) else None
        return cls(model.config, hw, model.digest, build_id, clock_khz, program.limits, image)

    def __post_init__(self):
        if not isinstance(self.config, ModelConfig):
            raise TypeError(f"config must be a ModelConfig, not {self.config!r}")
        if not isinstance(self.hw, HwConfig):
            raise TypeError(f"hw must be a HwConfig, not {self.hw!r}")
        check_integer("build_id", self.build_id, 0, 2**32 - 1)
        check_integer("clock_khz", self.clock_khz, 0, 2**32 - 1)
        if self.hw.reload and not isinstance(self.limits, ReloadLimits):
            raise TypeError(f"limits must be ReloadLimits, not {self.limits!r}")
        digits = HASH_WORDS * WORD_DIGITS
        if not isinstance(self.digest, str) or not re.fullmatch(
            f"[0-9a-fA-F]{{{digits}}}", self.digest
        ):
            raise ValueError(f"digest must be {digits} hexadecimal digits, not {self.digest!r}")

    @property
    def constants(self) -> dict[str, int]:
        """Value of each identification register, by register name."""
        words = {
            f"ARTIFACT_HASH_{i}": int(self.digest[i * WORD_DIGITS : (i + 1) * WORD_DIGITS], 16)
            for i in range(HASH_WORDS)
        }
        values = {
            "MAGIC": self._magic,
            "SPEC_VERSION": self.config.spec_version,
            "BUILD_ID": self.build_id,
            "CLOCK_KHZ": self.clock_khz,
            "VOCAB_SIZE": self.config.vocab_size,
            "D_MODEL": self.config.d_model,
            "N_HEADS": self.config.n_heads,
            "N_LAYERS": self.config.n_layers,
            "D_FF": self.config.d_ff,
            "CTX_LEN": self.config.ctx_len,
            "ENGINE_ROWS": self.hw.rows,
            "ENGINE_COLS": self.hw.cols,
            "ARRAY_LANES": self.hw.lanes,
            **(self._reload if self.hw.reload else {}),
            **(self._family if self.config.spec_version != 1 else {}),
            **(self._memory if self.image is not None else {}),
            "STREAMS": self.streams,
            **words,
        }
        built = {entry.name for entry in self.registers}
        return {name: value for name, value in values.items() if name in built}

    @property
    def registers(self) -> tuple[Register, ...]:
        """All registers of the accelerator."""
        return registers(self.config, self.hw.reload, self.image is not None, self.streams)

    @property
    def streams(self) -> int:
        """Texts that it generates side by side."""
        return self.hw.all_streams if self.image is None else self.image.streams

    @property
    def _magic(self) -> int:
        if self.image is not None:
            return STREAMED_MAGIC
        if self.streams > 1:
            return INTERLEAVED_MAGIC
        return RELOAD_MAGIC if self.hw.reload else ACCELERATOR_MAGIC

    @property
    def _memory(self) -> dict[str, int]:
        shape = register("MEMORY_SHAPE", self.registers).pack(
            **dataclasses.asdict(self.image.memory)
        )
        return {
            "MEMORY_SHAPE": shape,
            "IMAGE_BYTES": self.image.image_bytes,
            "MEMORY_BYTES": self.image.memory_bytes,
        }

    @property
    def _family(self) -> dict[str, int]:
        cfg = self.config
        heads = register("HEADS", self.registers).pack(
            n_kv_heads=cfg.n_kv_heads, head_dim=cfg.head_dim
        )
        family = register("FAMILY", self.registers).pack(
            **{name: names.index(getattr(cfg, name)) for name, names in CHOICES.items()},
            gated=cfg.gated,
            tied_head=cfg.tied_head,
            norm_bias=cfg.norm_bias,
            bias=bool(cfg.bias),
        )
        return {"HEADS": heads, "FAMILY": family}

    @property
    def _reload(self) -> dict[str, int]:
        limits = register("RELOAD_LIMITS").pack(
            **dataclasses.asdict(self.limits), packing=PACKINGS.index(self.hw.packing)
        )
        return {"RELOAD_LIMITS": limits}
