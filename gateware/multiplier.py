"""Multipliers with a generic and a vendor version behind one class.

The generic versions are plain arithmetic, for simulation and for devices without a version of
their own. The DSP48E1 versions (Xilinx 7 series) follow UG479, "7 Series DSP48E1 Slice": table
2-5 (INMODE), tables 2-7 to 2-9 (OPMODE), and figure 2-1 for the pipeline registers.
``tests/test_multiplier.py`` proves the versions equal.
"""

from __future__ import annotations

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .delay import delayed

DSP_FAMILIES = ("generic", "dsp48e1")
"""Values of the ``dsp`` argument: no vendor block, or one family of DSP blocks."""

DSP48E1_A_BITS = 25
DSP48E1_B_BITS = 18
DSP48E1_P_BITS = 48


def check_dsp(dsp):
    if not isinstance(dsp, str):
        raise TypeError(f"dsp must be a string, not {dsp!r}")
    if dsp not in DSP_FAMILIES:
        raise ValueError(f"dsp must be one of {', '.join(DSP_FAMILIES)}, not {dsp!r}")


def _check_width(name: str, width, most: int | None = None):
    if not isinstance(width, int) or isinstance(width, bool):
        raise TypeError(f"{name} must be an integer, not {width!r}")
    if width < 1:
        raise ValueError(f"{name} must be at least 1, not {width!r}")
    if most is not None and width > most:
        raise ValueError(f"{name} must be at most {most}, not {width!r}")


class MultiplyAccumulate(wiring.Component):
    """One lane of the INT8 array: accumulates the products of one memory byte per cycle.

    With ``enable``, ``acc`` becomes ``operand * memory``, plus the old ``acc`` if ``accumulate``;
    ``operand`` is ``coefficient`` if ``use_coefficient``, else ``query``. Without ``enable`` it is
    held. The result shows in ``acc`` ``LATENCY`` (3) cycles after the inputs, one set of inputs
    per cycle; only ``memory`` is sampled ``MEMORY_LEAD`` (1) cycle before the others: a block
    memory delivers it that much earlier than a softmax can deliver the coefficient, and the
    waiting register is free inside a DSP block.

    Parameters
    ----------
    acc_width : int
        Bits of the accumulator, 1 to 48; sums wrap around.
    dsp : str
        One of :data:`DSP_FAMILIES`. ``"dsp48e1"`` is one block and no logic but the control
        registers, which lanes with the same controls share.

    Members
    -------
    memory : In(signed(8))
        Sampled one cycle before the other inputs.
    query : In(signed(8))
    coefficient : In(unsigned(8))
    use_coefficient, accumulate, enable : In(1)
    acc : Out(signed(acc_width))

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.
    """

    LATENCY = 3
    MEMORY_LEAD = 1

    def __init__(self, *, acc_width: int, dsp: str = "generic"):
        _check_width("acc_width", acc_width, DSP48E1_P_BITS)
        check_dsp(dsp)
        self.acc_width = acc_width
        self.dsp = dsp
        super().__init__(
            {
                "memory": In(signed(8)),
                "query": In(signed(8)),
                "coefficient": In(unsigned(8)),
                "use_coefficient": In(1),
                "accumulate": In(1),
                "enable": In(1),
                "acc": Out(signed(acc_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        if self.dsp == "dsp48e1":
            self._dsp48e1(m)
        else:
            self._generic(m)
        return m

    def _generic(self, m: Module):
        memory = delayed(m, self.memory, 2, name="memory")
        accumulate = delayed(m, self.accumulate, 2, name="accumulate")
        enable = delayed(m, self.enable, 2, name="enable")
        operand = Signal(signed(9), reset_less=True)
        product = Signal(signed(17), reset_less=True)
        acc = Signal(signed(self.acc_width), reset_less=True)
        m.d.sync += [
            operand.eq(Mux(self.use_coefficient, self.coefficient, self.query)),
            product.eq(operand * memory),
        ]
        with m.If(enable):
            m.d.sync += acc.eq(Mux(accumulate, acc, 0) + product)
        m.d.comb += self.acc.eq(acc)

    def _dsp48e1(self, m: Module):
        p = Signal(signed(DSP48E1_P_BITS))
        # INMODE gates A or D to zero before the pre-adder, whose register is the input register.
        # (With AREG=DREG=1, ADREG=0 instead, the pass xilinx_dsp of yosys 0.70 takes a register
        # with enable in front of A for one to pack, and drops it: a wrong netlist.)
        inmode = Cat(C(0, 1), self.use_coefficient, self.use_coefficient, C(0, 2))
        # X and Y take the product (0101), Z takes 0 (000) or P (010)
        opmode = Cat(C(0b0101, 5), delayed(m, self.accumulate, 1, name="accumulate"), C(0, 1))
        m.submodules.dsp = _dsp48e1(
            p,
            p_USE_DPORT="TRUE",
            p_AREG=0,
            p_ACASCREG=0,
            p_DREG=0,
            p_BREG=2,
            p_BCASCREG=2,
            p_OPMODEREG=1,
            i_A=_extended(self.query, 30),
            i_B=_extended(self.memory, DSP48E1_B_BITS),
            i_D=_extended(self.coefficient, DSP48E1_A_BITS),
            i_INMODE=inmode,
            i_OPMODE=opmode,
            i_CEP=delayed(m, self.enable, 2, name="enable"),
        )
        m.d.comb += self.acc.eq(p)


class Multiplier(wiring.Component):
    """``product = a * b + addend``, ``LATENCY`` (3) cycles later, one operation per cycle.

    Registers: inputs, product, sum. The sum wraps around at ``a_width + b_width`` bits, which no
    ``addend`` of -2**(a_width+b_width-2) to 2**(a_width+b_width-2) - 1 can reach.

    Parameters
    ----------
    a_width, b_width : int
        Bits of the signed factors.
    dsp : str
        One of :data:`DSP_FAMILIES`. ``"dsp48e1"`` is one block if the factors fit 25 x 18 bits
        (in either order), else the generic version, which synthesis composes of several.

    Members
    -------
    a : In(signed(a_width))
    b : In(signed(b_width))
    addend : In(signed(a_width + b_width))
        Sampled with ``a`` and ``b``; half a unit of the later shift rounds half up.
    product : Out(signed(a_width + b_width))

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.
    """

    LATENCY = 3

    def __init__(self, *, a_width: int, b_width: int, dsp: str = "generic"):
        _check_width("a_width", a_width)
        _check_width("b_width", b_width)
        check_dsp(dsp)
        self.a_width = a_width
        self.b_width = b_width
        self.dsp = dsp
        super().__init__(
            {
                "a": In(signed(a_width)),
                "b": In(signed(b_width)),
                "addend": In(signed(a_width + b_width)),
                "product": Out(signed(a_width + b_width)),
            }
        )

    @property
    def uses_dsp_block(self) -> bool:
        """Whether the vendor's block is instantiated."""
        narrow, wide = sorted((self.a_width, self.b_width))
        fits = narrow <= DSP48E1_B_BITS and wide <= DSP48E1_A_BITS
        return self.dsp == "dsp48e1" and fits

    def elaborate(self, platform):
        m = Module()
        if self.uses_dsp_block:
            self._dsp48e1(m)
        else:
            self._generic(m)
        return m

    def _generic(self, m: Module):
        a = delayed(m, self.a, 1, name="a")
        b = delayed(m, self.b, 1, name="b")
        addend = delayed(m, self.addend, 2, name="addend")
        product = Signal.like(self.product, reset_less=True)
        total = Signal.like(self.product, reset_less=True)
        m.d.sync += [product.eq(a * b), total.eq(product + addend)]
        m.d.comb += self.product.eq(total)

    def _dsp48e1(self, m: Module):
        wide, narrow = self.a, self.b
        if len(narrow) > len(wide):
            wide, narrow = narrow, wide
        p = Signal(signed(DSP48E1_P_BITS))
        m.submodules.dsp = _dsp48e1(
            p,
            i_A=_extended(wide, 30),
            i_B=_extended(narrow, DSP48E1_B_BITS),
            # the C register is the second of two: C meets the product after the M register
            i_C=_extended(delayed(m, self.addend, 1, name="addend"), DSP48E1_P_BITS),
            i_OPMODE=C(0b0110101, 7),  # X and Y take the product, Z takes C
        )
        m.d.comb += self.product.eq(p)


def _extended(value, width: int):
    """``value`` sign- or zero-extended to ``width`` bits."""
    if value.shape().signed:
        return Cat(value, value[-1].replicate(width - len(value)))
    return Cat(value, C(0, width - len(value)))


def _dsp48e1(p, **overrides) -> Instance:
    """DSP48E1 with registers A2, AD, B2, C, D, M and P, always enabled; ``overrides`` its ports."""
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
    widths = {"A": 30, "ACIN": 30, "B": 18, "BCIN": 18, "C": 48, "PCIN": 48, "D": 25}
    widths |= {"ALUMODE": 4, "CARRYIN": 1, "CARRYINSEL": 3, "CARRYCASCIN": 1, "MULTSIGNIN": 1}
    widths |= {"INMODE": 5, "OPMODE": 7}
    inputs = {name: C(0, width) for name, width in widths.items()}
    resets = ("A", "ALLCARRYIN", "ALUMODE", "B", "C", "CTRL", "D", "INMODE", "M", "P")
    inputs |= {f"RST{name}": C(0, 1) for name in resets}
    enables = ("A1", "A2", "AD", "ALUMODE", "B1", "B2", "C", "CARRYIN", "CTRL", "D", "INMODE")
    inputs |= {f"CE{name}": C(1, 1) for name in (*enables, "M", "P")}
    ports = {f"p_{name}": value for name, value in parameters.items()}
    ports |= {f"i_{name}": value for name, value in inputs.items()}
    return Instance("DSP48E1", i_CLK=ClockSignal(), o_P=p, **(ports | overrides))
