"""The multipliers of :mod:`gateware.parts.multiplier` as Xilinx DSP48E1 or DSP48E2 blocks.

Sources: UG479, "7 Series DSP48E1 Slice": table 2-5 (INMODE), tables 2-7 to 2-9 (OPMODE), and figure
2-1 for the pipeline registers; UG579, "UltraScale Architecture DSP Slice" (DSP48E2: a multiplier of
27 x 18 bits, AMULTSEL where the DSP48E1 has USE_DPORT, a fourth summand that OPMODE[8:7] = 0 leaves
out, and INMODE, OPMODE[6:0] and the registers of the DSP48E1). Cascade inputs are left out: Vivado
and yosys take them for 0, and nextpnr-xilinx has no wire to them.

With the family :data:`DRIVEN` nothing depends on a control pin that is tied to a constant. Some
pins (INMODE, D, ALUMODE[3:2], OPMODE[6] and a few more) have two sources in the tile: a wire
from the fabric or a constant beside the block, and tools that can't set the latter are right only
about the former. So INMODE, ALUMODE and OPMODE get their constants from two flip-flops of the
block's own that load themselves, which no synthesis here looks into.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Signal, Value, signed

from .delay import delayed

A_BITS = 25
"""Of the wider factor in every block: that of the DSP48E1."""
B_BITS = 18
P_BITS = 48
_PORT_A_BITS = 30


@dataclasses.dataclass(frozen=True)
class _Block:
    """What the two primitives differ in.

    ``a_bits``: of the wider factor and of port D. ``pre_adder``, ``no_pre_adder``: parameters for
    the multiplier behind the pre-adder of A and D, and behind A alone.
    """

    primitive: str
    a_bits: int
    opmode_bits: int
    pre_adder: Mapping[str, str]
    no_pre_adder: Mapping[str, str]


_E1 = _Block("DSP48E1", A_BITS, 7, {"USE_DPORT": "TRUE"}, {"USE_DPORT": "FALSE"})
_E2 = _Block("DSP48E2", 27, 9, {"AMULTSEL": "AD"}, {"AMULTSEL": "A"})
E1, DRIVEN, E2 = "dsp48e1", "dsp48e1-driven", "dsp48e2"
_BLOCKS = {E1: _E1, DRIVEN: _E1, E2: _E2}
FAMILIES = tuple(_BLOCKS)
"""Multiplier families that these blocks are: the DSP48E1 with tied control pins, and with driven
ones, and the DSP48E2."""


def fits(family: str, a_width: int, b_width: int) -> bool:
    """Whether one block of ``family`` multiplies factors of these widths, in either order."""
    narrow, wide = sorted((a_width, b_width))
    return narrow <= B_BITS and wide <= _BLOCKS[family].a_bits


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
    opmode = Cat(one, zero, one, zero, zero, accumulate)
    block = _BLOCKS[lane.dsp]
    m.submodules.dsp = _dsp48(
        block,
        p,
        zero,
        block.pre_adder,
        opmode,
        p_AREG=0,
        p_ACASCREG=0,
        p_DREG=0,
        p_BREG=2,
        p_BCASCREG=2,
        p_OPMODEREG=1,
        i_A=_extended(lane.query, _PORT_A_BITS),
        i_B=_extended(lane.memory, B_BITS),
        i_D=_extended(lane.coefficient, block.a_bits),
        i_INMODE=inmode,
        i_CEP=delayed(m, lane.enable, 2, name="enable"),
    )
    m.d.comb += lane.acc.eq(p)


def pair_multiply_accumulate(m: Module, lane, field_bits: int) -> None:
    """Build :class:`gateware.parts.pair_multiplier.PairMultiplyAccumulate` ``lane`` of one block.

    A holds the high number ``field_bits`` from the right, D the low one; the pre-adder joins them.
    """
    p = Signal(signed(P_BITS))
    zero, one = _levels(m, lane.dsp)
    block = _BLOCKS[lane.dsp]
    # INMODE[2] lets D into the pre-adder. X and Y take the product (0101) or 0 and C (1100), Z
    # takes 0 (000), P (010) or C (011)
    chain = delayed(m, lane.chain, 1, name="chain")
    kept, merge, product = lane.chain | lane.accumulate, zero, one
    if hasattr(lane, "merge"):
        kept, merge = kept | lane.merge, delayed(m, lane.merge, 1, name="merge")
        product = ~merge
    m.submodules.dsp = _dsp48(
        block,
        p,
        zero,
        block.pre_adder,
        Cat(product, zero, one, merge, chain, delayed(m, kept, 1, name="kept")),
        # C without register: it is the P register of the lane before
        p_CREG=0,
        p_OPMODEREG=1,
        i_A=_extended(Cat(C(0, field_bits), lane.high).as_signed(), _PORT_A_BITS),
        i_B=_extended(lane.factor, B_BITS),
        i_C=_extended(lane.addend, P_BITS),
        i_D=_extended(lane.low, block.a_bits),
        i_INMODE=Cat(zero, zero, one, zero, zero),
        i_CEB2=lane.factor_enable,
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
    block = _BLOCKS[multiplier.dsp]
    # X and Y take the product (0101), Z takes C (011)
    opmode = Cat(one, zero, one, zero, one, one)
    m.submodules.dsp = _dsp48(
        block,
        p,
        zero,
        block.no_pre_adder,
        opmode,
        i_A=_extended(wide, _PORT_A_BITS),
        i_B=_extended(narrow, B_BITS),
        # the C register is the second of two: C meets the product after the M register
        i_C=_extended(delayed(m, multiplier.addend, 1, name="addend"), P_BITS),
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


def _dsp48(
    block: _Block, p, zero: Value, multiplier: Mapping[str, str], opmode: Value, **overrides
) -> Instance:
    """A block with registers A2, AD, B2, C, D, M and P, always enabled; ``overrides`` its ports.

    ``zero`` is what a control pin that is 0 is connected to, ``multiplier`` the block's
    ``pre_adder`` or ``no_pre_adder``, ``opmode`` the lower bits of OPMODE that are not 0.
    """
    parameters = {
        "USE_MULT": "MULTIPLY",
        **multiplier,
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
    widths = {"A": _PORT_A_BITS, "B": B_BITS, "C": P_BITS, "D": block.a_bits}
    widths |= {"CARRYIN": 1, "CARRYINSEL": 3}
    inputs = {name: C(0, width) for name, width in widths.items()}
    controls = {"ALUMODE": 4, "INMODE": 5}
    inputs |= {name: zero.replicate(width) for name, width in controls.items()}
    inputs["OPMODE"] = Cat(opmode, zero.replicate(block.opmode_bits - len(opmode)))
    resets = ("A", "ALLCARRYIN", "ALUMODE", "B", "C", "CTRL", "D", "INMODE", "M", "P")
    inputs |= {f"RST{name}": C(0, 1) for name in resets}
    enables = ("A1", "A2", "AD", "ALUMODE", "B1", "B2", "C", "CARRYIN", "CTRL", "D", "INMODE")
    inputs |= {f"CE{name}": C(1, 1) for name in (*enables, "M", "P")}
    ports = {f"p_{name}": value for name, value in parameters.items()}
    ports |= {f"i_{name}": value for name, value in inputs.items()}
    return Instance(block.primitive, i_CLK=ClockSignal(), o_P=p, **(ports | overrides))
