"""What the block memories of a synthesized netlist hold, memory by memory.

Each bit of a memory is followed from the read data of the design's memory, through the logic that
synthesis put there, to a pin of a block memory, and the read address to that cell's address pins.
So nothing is presumed about how a memory was cut into cells, nor about the order of its bits.
"""

from __future__ import annotations

import collections
import dataclasses

import numpy as np

from gateformer.gateware.core.taps import Mismatch

from .block_memory import BLOCK_MEMORIES, read_pin
from .evaluation import Evaluator, Vector
from .mapping import MemoryMapping
from .matching import match_cells
from .netlist import BitName, Cell, Module, Net, parse_bits


@dataclasses.dataclass(frozen=True)
class MappedMemory:
    """A memory of the design that synthesis mapped to block memories.

    Attributes
    ----------
    name : str
        Path in the design; a private name if synthesis made the memory of a case statement.
    cells : tuple of str
        Its block memories in the netlist.
    columns : tuple of int
        The bits of a word that are there; others nobody reads.
    words : numpy array [depth, columns], uint8
        What the netlist's cells hold.
    expected : numpy array [depth, columns], uint8
        The design's contents.
    """

    name: str
    cells: tuple[str, ...]
    columns: tuple[int, ...]
    words: np.ndarray
    expected: np.ndarray

    @property
    def bits(self) -> int:
        """Number of bits that were read."""
        return self.words.size

    def check(self) -> None:
        """Raise Mismatch at the first bit that is not the design's."""
        different = np.argwhere(self.words != self.expected)
        if len(different):
            address, column = (int(i) for i in different[0])
            raise Mismatch(
                f"memory {self.name}, address {address}, bit {self.columns[column]}: "
                f"netlist {self.words[address, column]}, design {self.expected[address, column]} "
                f"({len(different)} of {self.bits} bits differ; cells {', '.join(self.cells)})"
            )


def words_of(cell: Cell) -> np.ndarray:
    """Initial contents of a ``$mem_v2`` cell: uint8 [depth, width], undefined bits 0."""
    if cell.integer("OFFSET"):
        raise ValueError(f"{cell.name}: a memory that does not begin at address 0 is not decoded")
    depth, width = cell.integer("SIZE"), cell.integer("WIDTH")
    octets = parse_bits(cell.parameters["INIT"]).to_bytes(-(-depth * width // 8), "little")
    return unpack(octets, depth * width).reshape(depth, width)


def unpack(octets: bytes, count: int) -> np.ndarray:
    """The lowest ``count`` bits of a little-endian number, uint8."""
    return np.unpackbits(np.frombuffer(octets, np.uint8), bitorder="little")[:count]


def source_memories(mapping: MemoryMapping) -> dict[str, np.ndarray]:
    """All memories of the design before synthesis: name to contents, uint8 [depth, width]."""
    cells = mapping.read("source").of_type(["$mem_v2"])
    return {name: words_of(cell) for name, cell in cells.items()}


def read_memories(netlist: Module, mapping: MemoryMapping, family: str) -> list[MappedMemory]:
    """All memories of the design that are in block memories, as ``netlist`` holds them.

    ``netlist`` is the finished synthesis of the design that ``mapping`` belongs to, ``family``
    the name of its family.

    Raises
    ------
    Mismatch
        If a cell of the netlist cannot be told from others, belongs to no memory or to two, or a
        bit of a memory cannot be followed to its cell.
    ValueError
        For a mode of a cell that is not decoded.
    """
    return _Reader(netlist, mapping, family).read()


class _Reader:
    def __init__(self, netlist: Module, mapping: MemoryMapping, family: str):
        self._types = BLOCK_MEMORIES[family]
        self._source = mapping.read("source")
        self._collected = mapping.read("collected")
        self._mapped = mapping.read("mapped")
        self._cells = match_cells(
            self._mapped.of_type(self._types), netlist.of_type(self._types), self._mapped, netlist
        )
        self._owner: dict[str, str] = {}

    def read(self) -> list[MappedMemory]:
        memories = []
        for name, cell in sorted(self._collected.of_type(["$mem_v2"]).items()):
            if name not in self._mapped.cells:
                memories.append(self._memory(name, cell))
        unclaimed = sorted({cell.name for cell in self._cells.values()} - set(self._owner))
        if unclaimed:
            raise Mismatch(f"block memories that no memory reads: {', '.join(unclaimed)}")
        return [memory for memory in memories if memory is not None]

    def _memory(self, name: str, cell: Cell) -> MappedMemory | None:
        """The memory of a ``$mem_v2`` cell; None if it is not in block memories."""
        if parse_bits(cell.parameters["RD_WIDE_CONTINUATION"]):
            raise ValueError(f"{name}: ports of different widths are not decoded")
        depth, width = cell.integer("SIZE"), cell.integer("WIDTH")
        words, cells = None, set()
        for port in range(cell.integer("RD_PORTS")):
            evaluator = self._evaluator(cell, port, depth)
            nets = cell.pins["RD_DATA"][port * width : (port + 1) * width]
            vectors = [evaluator.value(self._after(net)) for net in nets]
            used = frozenset().union(*(vector.cells for vector in vectors))
            if not used and port == 0:
                return None
            read = self._contents(name, vectors, depth)
            if words is not None and (read != words).any():
                raise Mismatch(f"memory {name}: its read ports see different contents")
            words, cells = read, cells | used
        for used in cells:
            owner = self._owner.setdefault(used, name)
            if owner != name:
                raise Mismatch(f"block memory {used} belongs to {owner} and to {name}")
        columns, expected = self._design(name, cell)
        return MappedMemory(name, tuple(sorted(cells)), columns, words, expected)

    def _design(self, name: str, cell: Cell) -> tuple[tuple[int, ...], np.ndarray]:
        """The columns that are left of the design's memory, and their contents."""
        design = self._source.cells.get(name, cell)
        words = words_of(design)
        if len(words) != cell.integer("SIZE"):
            raise ValueError(f"{name}: a memory that synthesis made smaller is not decoded")
        columns = tuple(range(cell.integer("WIDTH")))
        if design.integer("WIDTH") != len(columns):
            columns = self._remaining_columns(design, cell)
        return columns, words[:, list(columns)]

    def _remaining_columns(self, design: Cell, cell: Cell) -> tuple[int, ...]:
        """The bit of the design's word that each bit of a narrowed memory is, by its net's name.

        Synthesis may have taken in a register behind the memory, whose name the bit then has.
        """
        bits: dict[BitName, int] = {}
        registers = collections.defaultdict(set)
        for register in self._source.of_type(["$dff", "$dffe", "$sdff", "$sdffe"]).values():
            for d, q in zip(register.pins["D"], register.pins["Q"], strict=True):
                registers[d].add(q)
        for bit, net in enumerate(design.pins["RD_DATA"][: design.integer("WIDTH")]):
            for alias in {net, *registers[net]}:
                bits.update(dict.fromkeys(self._source.names[alias], bit))
        columns = []
        for net in cell.pins["RD_DATA"][: cell.integer("WIDTH")]:
            known = {bits[name] for name in self._collected.names[net] if name in bits}
            if len(known) != 1:
                raise Mismatch(f"memory {cell.name}: cannot tell the bits of its narrowed word")
            columns.append(known.pop())
        return tuple(columns)

    def _after(self, net: Net) -> Net:
        """The net after memory mapping that has a name of a net before it, or "x"."""
        if isinstance(net, str):
            return net
        names = self._collected.names[net]
        found = {self._mapped.net[name] for name in names if name in self._mapped.net}
        if len(found) > 1:
            raise Mismatch(f"one net before memory mapping, several after it: {min(names)[0]}")
        return found.pop() if found else "x"

    def _evaluator(self, cell: Cell, port: int, depth: int) -> Evaluator:
        """All addresses at a read port of a memory, and no write."""
        ones, given = (1 << depth) - 1, {}
        enables = ((net, Vector(ones, 0)) for net in cell.pins["WR_EN"])
        bits = cell.integer("ABITS")
        counting = np.arange(depth)
        address = cell.pins["RD_ADDR"][port * bits : (port + 1) * bits]
        lines = ((net, Vector(ones, _pack(counting >> bit & 1))) for bit, net in enumerate(address))
        for net, vector in (*enables, *lines):
            after = self._after(net)
            if isinstance(after, int):
                given[after] = vector
        return Evaluator(self._mapped, depth, given, self._read)

    def _read(self, cell: Cell, port: str, bit: int, evaluator: Evaluator) -> Vector | None:
        """Value of an output of a primitive: known if it is a block memory's at known addresses."""
        if cell.type not in self._types:
            return None
        pin = read_pin(cell, port, bit)
        if pin is None:
            return None
        depth = evaluator.ones.bit_length()
        addresses = np.zeros(depth, np.int64)
        for index, net in enumerate(pin.address):
            if net == "x":
                continue
            vector = evaluator.value(net)
            if vector.known != evaluator.ones:
                return None
            octets = vector.bits.to_bytes(-(-depth // 8), "little")
            addresses |= unpack(octets, depth).astype(np.int64) << index
        final = self._cells[cell.name]
        contents = pin.contents(final, addresses)
        return Vector(evaluator.ones, _pack(contents), frozenset([final.name]))

    def _contents(self, name: str, vectors: list[Vector], depth: int) -> np.ndarray:
        words = np.zeros((depth, len(vectors)), np.uint8)
        for i, vector in enumerate(vectors):
            if vector.known != (1 << depth) - 1:
                raise Mismatch(f"memory {name}: bit {i} of its word leads to no block memory")
            words[:, i] = unpack(vector.bits.to_bytes(-(-depth // 8), "little"), depth)
        return words


def _pack(bits: np.ndarray) -> int:
    return int.from_bytes(np.packbits(bits.astype(np.uint8), bitorder="little").tobytes(), "little")
