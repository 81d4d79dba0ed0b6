"""The accelerator's registers, declared once; which of them there are depends on the model.

From them come the decoder (:mod:`gateware.host.register_bank`), the document and the C header
(:mod:`gateware.host.register_documents`), and what Python drivers use (:func:`register`). To write
the document again::

    gateformer registers --document > docs/registers.md
"""

from __future__ import annotations

from gateformer.model.contract.config import ModelConfig
from gateformer.model.support import cli

from . import register_documents
from .base_registers import REGISTERS
from .imported_registers import IMPORTED_REGISTERS
from .interleaved_registers import INTERLEAVED_REGISTERS
from .register import Register
from .reload_registers import RELOAD_REGISTERS
from .streamed_registers import STREAMED_REGISTERS

DOCUMENTED = (
    RELOAD_REGISTERS,
    IMPORTED_REGISTERS,
    STREAMED_REGISTERS,
    INTERLEAVED_REGISTERS,
)
"""What docs/registers.md describes."""


def registers(
    config: ModelConfig, reload: bool = False, streamed: bool = False, streams: int = 1
) -> tuple[Register, ...]:
    """The registers of an accelerator for models of ``config``, by rising offset; ``streamed``:
    from external memory; ``streams``: texts side by side, of a trained model."""
    if streamed:
        return STREAMED_REGISTERS
    if config.spec_version != 1:
        return IMPORTED_REGISTERS
    if streams > 1:
        return INTERLEAVED_REGISTERS
    return RELOAD_REGISTERS if reload else REGISTERS


def register(name: str, among: tuple[Register, ...] = RELOAD_REGISTERS) -> Register:
    """The register called ``name``; KeyError if there is none.

    By default of :data:`RELOAD_REGISTERS`, which have all that a trained model's others have.
    """
    return {entry.name: entry for entry in among}[name]


def main(arguments: list[str] | None = None) -> int:
    """Print the document or a C header; returns the exit status."""
    parser = cli.ArgumentParser(
        prog="gateformer registers", description="Print what describes the registers."
    )
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--document", action="store_true", help="docs/registers.md")
    kind.add_argument("--header", action="store_true", help="a C header")
    family = parser.add_mutually_exclusive_group()
    family.add_argument(
        "--imported", action="store_true", help="the header for imported models' accelerators"
    )
    family.add_argument(
        "--streamed", action="store_true", help="the same, with the model in external memory"
    )
    chosen = parser.parse_args(arguments)
    for name in ("imported", "streamed"):
        if chosen.document and getattr(chosen, name):
            parser.error(f"--document describes all registers; leave --{name} out")
    if chosen.document:
        print(register_documents.document(*DOCUMENTED), end="")
    else:
        declared = RELOAD_REGISTERS
        if chosen.imported or chosen.streamed:
            declared = IMPORTED_REGISTERS if chosen.imported else STREAMED_REGISTERS
        print(register_documents.header(declared), end="")
    return 0


if __name__ == "__main__":
    cli.run(main)
