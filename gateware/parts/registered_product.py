"""Product of two signed factors behind an input and an output register, in a vendor's block.

The blocks hold both registers, so a design that uses them spends no flip-flops, and the path
through the multiplier begins and ends inside the block. Sources: Lattice FPGA-TN-02205, "ECP5 and
ECP5-5G sysDSP Usage Guide" (MULT18X18D); Gowin UG287, "Gowin DSP" (MULT9X9, MULT18X18).
"""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Signal, Value, signed

from .delay import delayed

BLOCK_BITS = 18
"""Bits of a signed factor of one block."""
HALF_BLOCK_BITS = 9
"""Bits of a signed factor of MULT9X9, of which Gowin's block holds two."""
LOW_BITS = BLOCK_BITS - 1
"""Bits of the lower part of a factor that is split: unsigned, so one less than a block takes."""
LATENCY = 2


def product_blocks(dsp: str, a_width: int, b_width: int) -> float:
    """Blocks of 18 x 18 bits that :func:`registered_product` instantiates (a MULT9X9 is half).

    0 if it is left to synthesis: ``"generic"``, or factors too wide for two blocks.
    """
    narrow, wide = sorted((a_width, b_width))
    if dsp not in _BLOCKS or narrow > BLOCK_BITS or wide > BLOCK_BITS + LOW_BITS:
        return 0
    if dsp == "gowin" and wide <= HALF_BLOCK_BITS:
        return 0.5
    return 1 if wide <= BLOCK_BITS else 1 + product_blocks(dsp, narrow, wide - LOW_BITS)


def registered_product(m: Module, a: Value, b: Value, dsp: str, name: str = "product") -> Value:
    """``a * b``, signed, ``LATENCY`` (2) cycles later, ``len(a) + len(b)`` bits.

    Parameters
    ----------
    a, b : Value, signed
    dsp : str
        ``"mult18x18d"``, ``"gowin"``; anything else: plain registers and ``*``.
    name : str
        Of the submodules and signals.
    """
    a, b = sorted((Value.cast(a), Value.cast(b)), key=len)  # narrow, wide
    width = len(a) + len(b)
    blocks = product_blocks(dsp, len(a), len(b))
    if not blocks:
        return _plain(m, a, b, name)
    if len(b) <= BLOCK_BITS:
        return _block(m, a, b, dsp, name)
    low = _block(m, a, Cat(b[:LOW_BITS], C(0, 1)).as_signed(), dsp, f"{name}_low")
    high = _block(m, a, b[LOW_BITS:].as_signed(), dsp, f"{name}_high")
    return (low + (high << LOW_BITS))[:width].as_signed()


def _plain(m: Module, a: Value, b: Value, name: str) -> Value:
    narrow = delayed(m, a, 1, name=f"{name}_narrow")
    wide = delayed(m, b, 1, name=f"{name}_wide")
    product = Signal(signed(len(a) + len(b)), name=name, reset_less=True)
    m.d.sync += product.eq(wide * narrow)
    return product


def _block(m: Module, a: Value, b: Value, dsp: str, name: str) -> Value:
    half = product_blocks(dsp, len(a), len(b)) == 0.5
    bits = HALF_BLOCK_BITS if half else BLOCK_BITS
    product = Signal(signed(2 * bits), name=name)
    a, b = (Cat(f, f[-1].replicate(bits - len(f))) for f in (a, b))
    m.submodules[f"{name}_block"] = _BLOCKS[dsp](a, b, product)
    return product[: len(product)].as_signed()


def _mult18x18d(a: Value, b: Value, product: Signal) -> Instance:
    registers = {"INPUTA": 0, "INPUTB": 0, "INPUTC": None, "PIPELINE": None, "OUTPUT": 0}
    parameters = {}
    for register, number in registers.items():
        parameters[f"p_REG_{register}_CLK"] = "NONE" if number is None else f"CLK{number}"
        parameters[f"p_REG_{register}_CE"] = f"CE{number or 0}"
        parameters[f"p_REG_{register}_RST"] = f"RST{number or 0}"
    ports = {f"i_{port}{i}": 0 for port in ("CLK", "CE", "RST") for i in range(1, 4)}
    ports |= {f"i_A{i}": a[i] for i in range(BLOCK_BITS)}
    ports |= {f"i_B{i}": b[i] for i in range(BLOCK_BITS)}
    ports |= {f"i_C{i}": 0 for i in range(BLOCK_BITS)}
    ports |= {f"o_P{i}": product[i] for i in range(2 * BLOCK_BITS)}
    return Instance(
        "MULT18X18D",
        **parameters,
        p_GSR="DISABLED",
        p_RESETMODE="SYNC",
        i_CLK0=ClockSignal(),
        i_CE0=C(1, 1),
        i_RST0=C(0, 1),
        i_SIGNEDA=C(1, 1),
        i_SIGNEDB=C(1, 1),
        i_SOURCEA=C(0, 1),
        i_SOURCEB=C(0, 1),
        **ports,
    )


def _gowin(a: Value, b: Value, product: Signal) -> Instance:
    bits = len(a)
    return Instance(
        f"MULT{bits}X{bits}",
        p_AREG=C(1, 1),
        p_BREG=C(1, 1),
        p_ASIGN_REG=C(0, 1),
        p_BSIGN_REG=C(0, 1),
        p_PIPE_REG=C(0, 1),
        p_OUT_REG=C(1, 1),
        p_SOA_REG=C(0, 1),
        p_MULT_RESET_MODE="SYNC",
        i_A=a,
        i_B=b,
        i_SIA=C(0, bits),
        i_SIB=C(0, bits),
        i_ASIGN=C(1, 1),
        i_BSIGN=C(1, 1),
        i_ASEL=C(0, 1),
        i_BSEL=C(0, 1),
        i_CE=C(1, 1),
        i_CLK=ClockSignal(),
        i_RESET=C(0, 1),
        o_DOUT=product,
    )


_BLOCKS: dict[str, Callable[[Value, Value, Signal], Instance]] = {
    "mult18x18d": _mult18x18d,
    "gowin": _gowin,
}
PRODUCT_FAMILIES = tuple(_BLOCKS)
"""Families whose block is a multiplier with registers and nothing else."""
