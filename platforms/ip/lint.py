"""Verilator's checks of the exported IP core: which ones, and what is known of generated Verilog.

Source: Verilator's manual, "Configuration Files" and "Errors and Warnings".
"""

from __future__ import annotations

from .verilog import SYSTEM, TOP

WAIVERS = f"{TOP}.vlt"
STYLE = (
    *("BLKSEQ", "DEFPARAM", "DECLFILENAME", "EOFNEWLINE", "IMPORTSTAR", "INCABSPATH"),
    *("PINCONNECTEMPTY", "PINNOCONNECT", "SYNCASYNCNET", "UNDRIVEN", "UNUSEDGENVAR"),
    *("UNUSEDPARAM", "UNUSEDSIGNAL", "VARHIDDEN"),
)
"""What ``-Wall`` of Verilator 5.006 adds to the checks that are always made.

Later versions have more in ``-Wall`` (PROCASSINIT: registers with initial values, of which this
design has hundreds), that 5.006 refuses to hear of, so that a waiver could not name them.
"""
_RULES = {
    "WIDTH": "Yosys writes constants and operands narrower or wider than the place they go to;\\n"
    "// Verilog extends them as meant",
    "CASEINCOMPLETE": "what no case names keeps the value given before the casez",
    "LITENDIAN": "vectors that stand for arrays of one element",
    "UNUSEDSIGNAL": "every field of a structure has a wire of its own, read or not",
    "VARHIDDEN": "a module's signal may have the name of an instance in the one around it",
    "DECLFILENAME": "all modules are in one file",
}
"""Rule, by the name that old and new versions know, and why it says nothing of this Verilog."""


def options() -> list[str]:
    """Verilator's for the checks."""
    return ["-Wno-style", *(f"-Wwarn-{name}" for name in STYLE)]


def waivers(verilog: str) -> str:
    """Text of ``gateformer.vlt``, for the generated part of that Verilog.

    The wrapper before it has to do without.
    """
    first = verilog[: verilog.index(f"\nmodule {SYSTEM}") + 1].count("\n") + 1
    last = verilog.rstrip("\n").count("\n") + 1
    place = f'-file "*{TOP}.v" -lines {first}-{last}'
    rules = "".join(f"// {why}\nlint_off -rule {rule} {place}\n" for rule, why in _RULES.items())
    return (
        f"// What Verilator need not say of the part of {TOP}.v that yosys wrote.\n"
        f"`verilator_config\n\n{rules}"
    )
