"""What an accelerator says about itself, checked against what the host expects."""

from __future__ import annotations

import dataclasses

from gateformer.gateware.host.base_registers import (
    ACCELERATOR_MAGIC,
    HASH_WORDS,
    PROMPT_LEVEL_BITS,
    TOKEN_BITS,
)
from gateformer.gateware.host.imported_registers import IMPORTED_REGISTERS
from gateformer.gateware.host.interleaved_registers import (
    INTERLEAVED_MAGIC,
    INTERLEAVED_REGISTERS,
)
from gateformer.gateware.host.reload_registers import RELOAD_MAGIC
from gateformer.gateware.host.streamed_registers import STREAMED_MAGIC, STREAMED_REGISTERS
from gateformer.gateware.plan.hw_config import MOST_STREAMS
from gateformer.model.contract.arith import SPEC_VERSION
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.decoder.model import SPEC_VERSION as IMPORTED_VERSION
from gateformer.model.support.errors import UserError

from .image_registers import ImageInfo, read_image
from .model import HostModel
from .register_access import RegisterFile
from .shape import ImportedShape, choices

SHOWN_DIGITS = 16
"""Of a digest, in messages."""
_MAGICS = (ACCELERATOR_MAGIC, RELOAD_MAGIC, STREAMED_MAGIC, INTERLEAVED_MAGIC)
_MOST = {"VOCAB_SIZE": 2**TOKEN_BITS, "CTX_LEN": 2**PROMPT_LEVEL_BITS - 2, "STREAMS": MOST_STREAMS}
"""Largest values that the gateware accepts; of all others, those of a register."""


@dataclasses.dataclass(frozen=True)
class AcceleratorInfo:
    """The identification registers; sizes as :class:`gateware.plan.hw_config.HwConfig` names them.

    ``name`` is the model's, if the host knows it. ``config`` has its shape; the registers do not
    say how many digits its weights have. An imported model's core has lanes only.

    ``reload``: models can be loaded. ``loaded``: there is one; if not, ``digest`` is of no account.
    ``image``: of a model in external memory. ``streams``: texts that it generates side by side.
    """

    name: str | None
    digest: str
    build_id: int
    clock_khz: int
    config: ModelConfig | ImportedShape
    rows: int | None
    cols: int | None
    lanes: int
    reload: bool = False
    loaded: bool = True
    image: ImageInfo | None = None
    streams: int = 1

    def __str__(self) -> str:
        shape = self.config
        sizes = f"lanes {self.lanes}, clock {self.clock_khz / 1000:g} MHz"
        if self.streams > 1:
            sizes += f", streams {self.streams}"
        return "\n".join(
            (
                f"{self._model}, build {self.build_id:08x}",
                f"n_layers {shape.n_layers}, d_model {shape.d_model}, n_heads {shape.n_heads}, "
                f"d_ff {shape.d_ff}, ctx_len {shape.ctx_len}, vocab_size {shape.vocab_size}",
                *([str(shape)] if self.imported else []),
                sizes if self.imported else f"rows {self.rows}, cols {self.cols}, {sizes}",
                *([str(self.image)] if self.image else []),
            )
        )

    @property
    def imported(self) -> bool:
        """Whether it is for an imported model."""
        return isinstance(self.config, ImportedShape)

    @property
    def _model(self) -> str:
        if not self.loaded:
            return "no model (load one)"
        return f"model {self.name or 'unknown'}, digest {self.digest[:SHOWN_DIGITS]}"


def identify(registers: RegisterFile, model: HostModel | None) -> AcceleratorInfo:
    """Read the identification registers; ``registers`` has those of its version from then on.

    Raises
    ------
    UserError
        Naming register, value, what was expected and what to do, if this is no accelerator, one of
        another version of the integer contract, one with impossible sizes, or not one of ``model``.
    """
    magic = registers.word("MAGIC")
    if magic not in _MAGICS:
        *others, last = (f"0x{known:08X}" for known in _MAGICS)
        raise UserError(
            f"{registers.name}: MAGIC reads 0x{magic:08X}, expected {', '.join(others)} or {last}; "
            "there is no accelerator: load its bitstream, and check the address"
        )
    version = registers.word("SPEC_VERSION")
    if version not in (SPEC_VERSION, IMPORTED_VERSION):
        raise UserError(
            f"{registers.name}: SPEC_VERSION reads {version}, expected {SPEC_VERSION} or "
            f"{IMPORTED_VERSION}; build the bitstream with this version of the program"
        )
    imported = version == IMPORTED_VERSION
    reload, streamed = magic == RELOAD_MAGIC, magic == STREAMED_MAGIC
    interleaved = magic == INTERLEAVED_MAGIC and not imported
    if interleaved:
        registers.declared = INTERLEAVED_REGISTERS
    if imported:
        registers.declared = STREAMED_REGISTERS if streamed else IMPORTED_REGISTERS
    elif streamed:
        raise UserError(
            f"{registers.name}: SPEC_VERSION reads {version}, expected {IMPORTED_VERSION} of a "
            "model in external memory; build the bitstream with this version of the program"
        )
    words = [registers.word(f"ARTIFACT_HASH_{i}") for i in range(HASH_WORDS)]
    info = AcceleratorInfo(
        name=model.name if model else None,
        digest="".join(f"{word:08x}" for word in words),
        build_id=registers.word("BUILD_ID"),
        clock_khz=_size(registers, "CLOCK_KHZ"),
        config=_imported_shape(registers) if imported else _shape(registers),
        rows=None if imported else _size(registers, "ENGINE_ROWS"),
        cols=None if imported else _size(registers, "ENGINE_COLS"),
        lanes=_size(registers, "ARRAY_LANES"),
        reload=reload,
        loaded=not reload or bool(registers.read("LOAD_STATUS")["loaded"]),
        image=read_image(registers) if streamed else None,
        streams=_size(registers, "STREAMS") if streamed or interleaved else 1,
    )
    if model is not None and info.loaded:
        _check_model(registers.name, info, model)
    return info


def _sizes(registers: RegisterFile) -> dict[str, int]:
    names = ("vocab_size", "d_model", "n_heads", "n_layers", "d_ff", "ctx_len")
    return {name: _size(registers, name.upper()) for name in names}


def _imported_shape(registers: RegisterFile) -> ImportedShape:
    family, heads = registers.read("FAMILY"), registers.read("HEADS")
    sizes = _sizes(registers)
    for name, value in heads.items():
        if not value or (name == "n_kv_heads" and sizes["n_heads"] % value):
            wanted = f"a divisor of {sizes['n_heads']}" if name == "n_kv_heads" else "at least 1"
            raise UserError(
                f"{registers.name}: HEADS reads {name} {value}, expected {wanted}; load the "
                "bitstream again"
            )
    try:
        return ImportedShape(**sizes, **heads, **choices(family))
    except IndexError:
        raise UserError(
            f"{registers.name}: FAMILY reads 0x{registers.word('FAMILY'):08X}, which is no "
            "architecture of this program; build the bitstream with this version of the program"
        ) from None


def _shape(registers: RegisterFile) -> ModelConfig:
    sizes = _sizes(registers)
    try:
        return ModelConfig(**sizes)
    except UserError as error:
        raise UserError(
            f"{registers.name}: the registers of the model's shape are of none: {error}; load the "
            "bitstream again"
        ) from None


def _size(registers: RegisterFile, name: str) -> int:
    value, most = registers.word(name), _MOST.get(name, 2**32 - 1)
    if not 1 <= value <= most:
        raise UserError(
            f"{registers.name}: {name} reads {value}, expected 1 to {most}; load the bitstream "
            "again"
        )
    return value


def _check_model(where: str, info: AcceleratorInfo, model: HostModel) -> None:
    if info.digest != model.digest.lower():
        raise UserError(
            f"{where}: ARTIFACT_HASH reads {info.digest[:SHOWN_DIGITS]}…, expected "
            f"{model.digest[:SHOWN_DIGITS]}… of {model.name}; load that model's bitstream, or name "
            "the model of this one"
        )
    vocab_size = info.config.vocab_size
    if vocab_size != model.vocab_size:
        raise UserError(
            f"{where}: VOCAB_SIZE reads {vocab_size}, expected {model.vocab_size} of "
            f"{model.name}; load that model's bitstream"
        )
