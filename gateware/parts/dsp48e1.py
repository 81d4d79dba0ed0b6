"""The multipliers of :mod:`gateware.parts.multiplier` as Xilinx DSP48E1 blocks.

Source: UG479, "7 Series DSP48E1 Slice": table 2-5 (INMODE), tables 2-7 to 2-9 (OPMODE), and figure
2-1 for the pipeline registers. Cascade inputs are left out: Vivado and yosys take them for 0, and
nextpnr-xilinx has no wire to them.

With the family :data:`DRIVEN` nothing depends on a control pin that is tied to a constant. Some
pins (INMODE, D, ALUMODE[3:2], OPMODE[6] and a few more) have two sources in the tile: a wire
from the fabric or a constant beside the block, and tools that can't set the latter are right only
about the former. So INMODE, ALUMODE and OPMODE get their constants from two flip-flops of the
block's own that load themselves, which no synthesis here looks into.
"""

from __future__ import annotations

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Signal, Value, signed

from .delay import delayed

FAMILY, DRIVEN = "dsp48e1", "dsp48e1-driven"
FAMILIES = (FAMILY, DRIVEN)
"""Multiplier families that these blocks are: with tied control pins, and with driven ones."""

A_BITS = 25
B_BITS = 18
P_BITS = 48


def fits(a_width: int, b_width: int) -> bool:
    """Whether one block multiplies factors of these widths, in either order."""
    narrow, wide = sorted((a_width, b_width))
    return narrow <= B_BITS and wide <= A_BITS


def multiply_accumulate(m: Module, lane) -> None:
    """Build :class:`gateware.parts.multiplier.MultiplyAccumulate` ``lane`` of one block."""
    p = Signal(signed(P_BITS))
    # INMODE gates A or D to zero before the pre-adder, whose register is the input register.
    # (With AREG=DREG=1, ADREG=0 instead, the pass xilinx_dsp of yosys 0.70 takes a register
    # with enable in front of A for one to pack, and drops it: a wrong netlist.)
    zero, one = _levels(m, lane.dsp)
    inmode = Cat(zero, lane.use_coefficient, lane.use_coefficient, zero, zero)
    # X and Y take the product (0101), Z takes 0 (000) or P (010)
    accumulate = delayed(m, lane.accumulate, 1, name="accumulate")
    opmode = Cat(one, zero, one, zero, zero, accumulate, zero)
    m.submodules.dsp = _dsp48e1(
        p,
        zero,
        p_USE_DPORT="TRUE",
        p_AREG=0,
        p_ACASCREG=0,
        p_DREG=0,
        p_BREG=2,
        p_BCASCREG=2,
        p_OPMODEREG=1,
        i_A=_extended(lane.query, 30),
        i_B=_extended(lane.memory, B_BITS),
        i_D=_extended(lane.coefficient, A_BITS),
        i_INMODE=inmode,
        i_OPMODE=opmode,
        i_CEP=delayed(m, lane.enable, 2, name="enable"),
    )
    m.d.comb += lane.acc.eq(p)


def multiply(m: Module, multiplier) -> None:
    """Build :class:`gateware.parts.multiplier.Multiplier` ``multiplier`` of one block."""
    wide, narrow = multiplier.a, multiplier.b
    if len(narrow) > len(wide):
        wide, narrow = narrow, wide
    p = Signal(signed(P_BITS))
    zero, one = _levels(m, multiplier.dsp)
    m.submodules.dsp = _dsp48e1(
        p,
        zero,
        i_A=_extended(wide, 30),
        i_B=_extended(narrow, B_BITS),
        # the C register is the second of two: C meets the product after the M register
        i_C=_extended(delayed(m, multiplier.addend, 1, name="addend"), P_BITS),
        # X and Y take the product (0101), Z takes C (011)
        i_OPMODE=Cat(one, zero, one, zero, one, one, zero),
    )
    m.d.comb += multiplier.product.eq(p)


def _extended(value, width: int):
    """``value`` sign- or zero-extended to ``width`` bits."""
    if value.shape().signed:
        return Cat(value, value[-1].replicate(width - len(value)))
    return Cat(value, C(0, width - len(value)))


def _levels(m: Module, family: str) -> tuple[Value, Value]:
    """What control pins that never change are connected to: 0 and 1, one bit each.

    A primitive, and not a register of the domain, because synthesis would see that the latter never
    changes, and tie the pins.
    """
    if family != DRIVEN:
        return C(0, 1), C(1, 1)
    levels = Signal(name="zero"), Signal(name="one")
    for value, level in enumerate(levels):
        m.submodules[f"{level.name}_level"] = Instance(
            "FDRE",
            p_INIT=C(value, 1),
            a_keep=1,
            i_C=ClockSignal(),
            i_CE=C(1, 1),
            i_R=C(0, 1),
            i_D=level,
            o_Q=level,
        )
    return levels


def _dsp48e1(p, zero: Value, **overrides) -> Instance:
    """DSP48E1 with registers A2, AD, B2, C, D, M and P, always enabled; ``overrides`` its ports.

    ``zero`` is what a control pin that is 0 is connected to.
    """
    parameters = {
        "USE_MULT": "MULTIPLY",
        "USE_DPORT": "FALSE",
        "USE_SIMD": "ONE48",
        "USE_PATTERN_DETECT": "NO_PATDET",
        "AUTORESET_PATDET": "NO_RESET",
        "A_INPUT": "DIRECT",
        "B_INPUT": "DIRECT",
    }
    registers = ("AREG", "ACASCREG", "BREG", "BCASCREG", "CREG", "DREG", "ADREG", "MREG", "PREG")
    parameters |= dict.fromkeys(registers, 1)
    unregistered = ("INMODEREG", "OPMODEREG", "ALUMODEREG", "CARRYINREG", "CARRYINSELREG")
    parameters |= dict.fromkeys(unregistered, 0)
    widths = {"A": 30, "B": 18, "C": 48, "D": 25, "CARRYIN": 1, "CARRYINSEL": 3}
    inputs = {name: C(0, width) for name, width in widths.items()}
    controls = {"ALUMODE": 4, "INMODE": 5, "OPMODE": 7}
    inputs |= {name: zero.replicate(width) for name, width in controls.items()}
    resets = ("A", "ALLCARRYIN", "ALUMODE", "B", "C", "CTRL", "D", "INMODE", "M", "P")
    inputs |= {f"RST{name}": C(0, 1) for name in resets}
    enables = ("A1", "A2", "AD", "ALUMODE", "B1", "B2", "C", "CARRYIN", "CTRL", "D", "INMODE")
    inputs |= {f"CE{name}": C(1, 1) for name in (*enables, "M", "P")}
    ports = {f"p_{name}": value for name, value in parameters.items()}
    ports |= {f"i_{name}": value for name, value in inputs.items()}
    return Instance("DSP48E1", i_CLK=ClockSignal(), o_P=p, **(ports | overrides))
