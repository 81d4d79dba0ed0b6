"""Memories: mapped as yosys maps them."""

from __future__ import annotations

import json
import random

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Module, Value
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from gateformer.platforms.sizes.families import FAMILIES
from gateformer.platforms.sizes.memory import Mapping, MemoryShape, Style, map_memory
from gateformer.platforms.support import yosys

MAP = {
    "xc7": "synth_xilinx -family xc7 -flatten -top top -run begin:map_ffram",
    "xcup": "synth_xilinx -family xcup -flatten -top top -run begin:map_ffram",
    "ecp5": "synth_ecp5 -top top -run begin:map_ffram",
    "gowin": "synth_gowin -family gw2a -top top -run begin:map_ffram",
}


@pytest.fixture(params=FAMILIES)
def family(request):
    return FAMILIES[request.param]


class _OneMemory(wiring.Component):
    def __init__(self, shape: MemoryShape, seed: int):
        self._shape, self._seed = shape, seed
        address = range(shape.depth)
        super().__init__(
            {
                "read_address": In(address),
                "write_address": In(address),
                "enable": In(shape.enables),
                "value": In(shape.width),
                "word": Out(shape.width),
            }
        )

    def elaborate(self, platform):
        m, shape, rng = Module(), self._shape, random.Random(self._seed)
        styled = {} if shape.style is Style.AUTOMATIC else {"ram_style": shape.style.value}
        if shape.rom and styled:
            styled["rom_style"] = shape.style.value
        words = [rng.getrandbits(shape.width) for _ in range(shape.depth)] if shape.rom else []
        split = data.ArrayLayout(shape.width // shape.enables, shape.enables)
        m.submodules.block = block = memory.Memory(
            shape=split if shape.enables > 1 else shape.width,
            depth=shape.depth,
            init=words,
            attrs=styled,
        )
        distributed = shape.style is Style.DISTRIBUTED
        read = block.read_port(domain="comb" if distributed else "sync")
        m.d.comb += read.addr.eq(self.read_address)
        m.d.sync += self.word.eq(read.data)
        if not shape.rom:
            options = {"granularity": 1} if shape.enables > 1 else {}
            write = block.write_port(**options)
            m.d.comb += [
                write.addr.eq(self.write_address),
                write.data.eq(self.value),
                write.en.eq(self.enable),
            ]
        return m


class _Memories(Elaboratable):
    def __init__(self, memories):
        self._memories = memories

    def elaborate(self, platform):
        m = Module()
        for i, item in enumerate(self._memories):
            m.submodules[f"memory{i}"] = item
        return m


def _random_shapes(rng: random.Random, number: int) -> list[MemoryShape]:
    shapes = []
    while len(shapes) < number:
        style = rng.choice([Style.BLOCK, Style.BLOCK, Style.DISTRIBUTED, Style.AUTOMATIC])
        depth, width = int(2 ** rng.uniform(2.4, 12)), int(2 ** rng.uniform(0, 9))
        rom, enables = style is Style.AUTOMATIC or rng.random() < 0.5, 1
        if style is Style.DISTRIBUTED:
            depth, rom = int(2 ** rng.uniform(2.4, 7)), False
            if rng.random() < 0.3:
                width, enables = 72, 8
        elif style is Style.AUTOMATIC:
            depth, width = rng.randint(8, 200), rng.randint(20, 120)
        if depth * width <= 2**15:
            shapes.append(MemoryShape(depth, width, style, rom, enables))
    return shapes


@pytest.mark.slow_but("ecp5", "gowin")
def test_memories_are_mapped_as_yosys_maps_them(family, tmp_path_factory):
    shapes = _random_shapes(random.Random(f"memories {family.name}"), 10)
    memories = [_OneMemory(shape, i) for i, shape in enumerate(shapes)]
    ports = [Value.cast(v) for item in memories for _, _, v in item.signature.flatten(item)]
    text = rtlil.convert(_Memories(memories), ports=ports, name="top")
    keep = [f"setattr -mod -set keep_hierarchy 1 top.memory{i}" for i in range(len(shapes))]
    write = ["select top top.memory*", "write_json -selected top.json"]
    commands = ["read_rtlil top.il", *keep, MAP[family.name], *write]
    work = yosys.cache_directory() / "test-memories"
    work.mkdir(exist_ok=True)
    (work / "top.il").write_text(text)
    yosys.run("\n".join(commands) + "\n", work)
    modules = json.loads((work / "top.json").read_text())["modules"]
    for i, shape in enumerate(shapes):
        found = [cell["type"] for cell in modules[f"top.memory{i}"]["cells"].values()]
        bram = sum(family.brams.get(cell, 0) for cell in found)
        lut = sum(family.luts.get(cell, 0) for cell in found)
        expected = map_memory(family, shape)
        assert (expected.bram, expected.lut) == (bram, lut), shape


def test_a_memory_without_bits_takes_nothing(family):
    assert map_memory(family, MemoryShape(64, 0, Style.BLOCK)) == Mapping()


@pytest.mark.parametrize(
    "depth, width, expected", [(512, 36, 0.5), (513, 36, 1), (768, 64, 2), (192, 1024, 14.5)]
)
def test_block_memories_of_the_7_series(depth, width, expected):
    shape = MemoryShape(depth, width, Style.BLOCK, rom=True)
    assert map_memory(FAMILIES["xc7"], shape).bram == expected
