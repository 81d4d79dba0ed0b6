"""Predicted LUTs, flip-flops, block memories and multipliers of a core, without synthesis.

Block memories and multipliers follow from the shapes alone (:mod:`platforms.sizes.memory`,
:func:`multiplier_blocks`). LUTs and flip-flops are sums of counts of the hardware
(:mod:`platforms.sizes.units`), each times what the family's synthesis was measured to take for one.
The measurements and the factors are in ``resource_data.json``, which says how it is made.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import operator
from pathlib import Path

from gateformer.gateware.host.host_interface import MIN_OUTPUT_DEPTH
from gateformer.gateware.parts import dsp48
from gateformer.gateware.parts.carry_product import product_cells
from gateformer.gateware.parts.elaboration import may_stay_unused
from gateformer.gateware.parts.integers import ceil_div
from gateformer.gateware.parts.multiplier import Multiplier
from gateformer.gateware.parts.pair_multiplier import CARRY_FAMILIES, FACTOR_BITS
from gateformer.gateware.parts.registered_product import product_blocks
from gateformer.model.contract.arith import ACT_BITS
from gateformer.model.contract.config import ModelConfig
from gateformer.model.support.errors import UserError

from ..boards.board import PROCESSOR
from ..families.family import Family
from .facts import AnySized, core_facts
from .families import PREDICTED_AS
from .memory import Mapping, MemoryShape, Style, map_memory
from .units import PAIR_FACTORS, UnitFacts

DATA_FILE = Path(__file__).parent / "resource_data.json"

SECTIONS = ("families", "imported", "interleaved")
"""Of the data file: cores of trained models and whole tops; cores of imported models; cores of
several streams."""

INFERRED_BITS = {"xc7": (25, 18), "xcup": (27, 18), "ecp5": (18, 18), "gowin": (18, 18)}
"""Signed factors of one block when yosys finds the multiplier itself; wider ones are divided into
parts of one bit less."""

SHIFT_REGISTER_CYCLES = {"xc7": 3, "xcup": 3}
"""Shortest delay that yosys makes of SRL16E: ``-minlen`` of ``xilinx_srl`` in synth_xilinx."""


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a design is predicted to take, in its family's units.

    ``carry`` and ``sites``: CARRY4 and LUT sites of the 7 series (:mod:`platforms.families.sites`),
    0 for other families.
    """

    lut: float
    ff: float
    bram: float
    dsp: float
    carry: float = 0
    sites: float = 0

    def __add__(self, other: Prediction) -> Prediction:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Prediction(*(a + b for a, b in pairs))

    def times(self, number: int) -> Prediction:
        """What so many of them take."""
        return Prediction(*(number * value for value in dataclasses.astuple(self)))


def multiplier_blocks(family: Family, a_width: int, b_width: int) -> float:
    """Blocks of a :class:`~gateware.parts.multiplier.Multiplier`, in the family's unit.

    Those that the gateware instantiates, otherwise what synthesis makes of a plain product.
    """
    multiplier = Multiplier(a_width=a_width, b_width=b_width, dsp=family.dsp)
    may_stay_unused(multiplier)
    return multiplier.blocks or _inferred_blocks(family, a_width, b_width)


def lane_blocks(family: Family, a_width: int, b_width: int) -> float:
    """Likewise of a :class:`~gateware.parts.multiplier.MultiplyAccumulate`."""
    if family.dsp in dsp48.FAMILIES or _has_carry_product(family, (a_width, b_width)):
        return 1
    blocks = product_blocks(family.dsp, a_width, b_width)
    return blocks or _inferred_blocks(family, a_width, b_width)


def _has_carry_product(family: Family, widths: tuple[int, int]) -> bool:
    return widths == PAIR_FACTORS and family.dsp in CARRY_FAMILIES


def _carry_luts(family: Family, facts: UnitFacts) -> int:
    """LUTs of the products that carry chains make in lanes of two products."""
    lanes = sum(n for w, n in facts.lane_products.items() if _has_carry_product(family, w))
    cells = product_cells(FACTOR_BITS, ACT_BITS)
    return lanes and lanes * round(cells * family.luts["CCU2C"])


def _inferred_blocks(family: Family, a_width: int, b_width: int) -> int:
    wide, narrow = INFERRED_BITS[family.name]
    a_width, b_width = max(a_width, b_width), min(a_width, b_width)
    return _parts(a_width, wide) * _parts(b_width, narrow)


def _parts(width: int, bits: int) -> int:
    return 1 if width <= bits else ceil_div(width - 1, bits - 1)


def lut_terms(family: Family, facts: UnitFacts) -> tuple[float, dict[str, float]]:
    """LUTs that are known exactly (memories, delays, carry chains of products), and the counts that
    the others follow."""
    mappings = _mappings(family, facts)
    terms = dict(facts.luts)
    multiplexed = sum(mapping.multiplexed for mapping, _ in mappings)
    terms["multiplexed bits"] = terms.get("multiplexed bits", 0) + multiplexed
    terms["table bits"] = sum(
        memory.depth * memory.width for mapping, memory in mappings if mapping == Mapping()
    )
    shift_registers = facts.delay_bits if _is_shift_register(family, facts) else 0
    memories = sum(mapping.lut for mapping, _ in mappings)
    return memories + shift_registers + _carry_luts(family, facts), terms


def flip_flop_terms(family: Family, facts: UnitFacts) -> dict[str, float]:
    """Counts that the flip-flops follow."""
    mappings = _mappings(family, facts)
    cycles = 0 if _is_shift_register(family, facts) else facts.delay_cycles
    return {
        **facts.flip_flops,
        "delayed bits": facts.flip_flops.get("delayed bits", 0) + facts.delay_bits * cycles,
        "memory bits": sum(memory.width for _, memory in mappings if not memory.rom),
        "lut memories": sum(mapping.lut for mapping, _ in mappings),
        "table words": sum(memory.width for mapping, memory in mappings if mapping == Mapping()),
    }


def _is_shift_register(family: Family, facts: UnitFacts) -> bool:
    """Whether LUTs keep the unit's delay line: one for each bit, and no flip-flop."""
    least = SHIFT_REGISTER_CYCLES.get(family.name)
    return least is not None and facts.delay_cycles >= least


def _mappings(family: Family, facts: UnitFacts) -> list:
    return [(map_memory(family, memory), memory) for memory in facts.memories]


def bram_of(family: Family, facts: UnitFacts) -> float:
    return sum(mapping.bram for mapping, _ in _mappings(family, facts))


def dsp_of(family: Family, facts: UnitFacts) -> float:
    kinds = ((multiplier_blocks, facts.multipliers), (lane_blocks, facts.lane_products))
    return sum(
        number * blocks(family, *widths)
        for blocks, products in kinds
        for widths, number in products.items()
    )


def host_memories(family: Family, kind: str, config: ModelConfig) -> Prediction:
    """Memories of a host that grow with the model: the token FIFOs of a stream's registers."""
    if kind != PROCESSOR:
        return Prediction(0, 0, 0, 0)
    token_bits = (config.vocab_size - 1).bit_length()
    shapes = (
        # one token of a FIFO waits outside its memory
        MemoryShape(config.ctx_len, token_bits, Style.AUTOMATIC),
        MemoryShape(MIN_OUTPUT_DEPTH - 1, token_bits + 1, Style.AUTOMATIC),
    )
    mappings = [map_memory(family, shape) for shape in shapes]
    luts, brams = sum(m.lut for m in mappings), sum(m.bram for m in mappings)
    return Prediction(luts, 0, brams, 0, sites=luts if family.sites else 0)


class ResourceModel:
    """Predictions for one family.

    Parameters
    ----------
    family : Family
    factors : dict of unit to {"lut": {term: factor}, "ff": {term: factor}}
        And "carry" and "sites", which follow the counts of the LUTs, where the family has them.
    hosts : dict of console kind to {"lut", "ff", "bram", "dsp"}, and "carry" and "sites"
        What a whole top takes beyond its core and :func:`host_memories`.
    further : dict of console kind to the same
        What each further stream takes there, of a trained model.
    """

    def __init__(self, family: Family, factors: dict, hosts: dict, further: dict | None = None):
        self.family = family
        self._factors = factors
        self._hosts = {kind: Prediction(**counts) for kind, counts in hosts.items()}
        further = further or {}
        self._further = {kind: Prediction(**counts) for kind, counts in further.items()}

    def unit(self, name: str, facts: UnitFacts) -> Prediction:
        """Resources of one unit; UserError if it was not calibrated."""
        if name not in self._factors:
            raise _no_data(self.family)
        factors = self._factors[name]
        exact, terms = lut_terms(self.family, facts)
        return Prediction(
            lut=exact + _sum(factors["lut"], terms),
            ff=_sum(factors["ff"], flip_flop_terms(self.family, facts)),
            bram=bram_of(self.family, facts),
            dsp=dsp_of(self.family, facts),
            carry=_sum(factors.get("carry", {}), terms),
            sites=exact + _sum(factors["sites"], terms) if "sites" in factors else 0,
        )

    def core(self, program: AnySized) -> Prediction:
        """Resources of the core of any model, or of its cores."""
        return self.core_of(core_facts(program)).times(program.hw.cores)

    def core_of(self, facts: dict[str, UnitFacts]) -> Prediction:
        """Resources of a core, given its units."""
        units = [self.unit(name, unit) for name, unit in facts.items()]
        return functools.reduce(Prediction.__add__, units)

    def host(self, kind: str, config: ModelConfig, streams: int = 1) -> Prediction:
        """What a top with a host of this kind takes beyond the core of such a model, or its cores,
        of so many streams together; UserError if several were not calibrated."""
        one = self._hosts[kind] + host_memories(self.family, kind, config)
        if streams == 1:
            return one
        if kind not in self._further:
            raise _no_data(self.family)
        each = self._further[kind] + host_memories(self.family, kind, config)
        return one + each.times(streams - 1)


def _sum(factors: dict[str, float], terms: dict[str, float]) -> float:
    return sum(factor * terms.get(name, 0) for name, factor in factors.items())


@functools.cache
def load_data() -> dict:
    """Contents of the data file; UserError if it is missing."""
    if not DATA_FILE.exists():
        raise UserError(f"{DATA_FILE} is missing; make it with gateformer fit --calibrate")
    return json.loads(DATA_FILE.read_text(encoding="utf-8"))


def predicted_as(family: Family) -> str | None:
    """The family whose factors serve for ``family``; None if it was calibrated itself."""
    known = load_data().get(SECTIONS[0], {})
    return None if family.name in known else PREDICTED_AS.get(family.name)


def resource_model(family: Family) -> ResourceModel:
    """The calibrated model of ``family``, or that of the one it is predicted as
    (:data:`platforms.sizes.families.PREDICTED_AS`); UserError if neither was calibrated."""
    name = predicted_as(family) or family.name
    fitted = [load_data().get(section, {}).get(name, {}) for section in SECTIONS]
    trained, *others = (section.get("factors", {}) for section in fitted)
    if not trained:
        raise _no_data(family)
    factors = functools.reduce(operator.or_, others, trained)
    return ResourceModel(family, factors, fitted[0]["hosts"], fitted[2].get("hosts"))


def _no_data(family: Family) -> UserError:
    return UserError(
        f"no resource data for {family.name}; make it with "
        f"gateformer fit --calibrate --family {family.name}"
    )
