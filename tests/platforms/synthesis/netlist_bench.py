"""A design of memories of many shapes, to synthesize."""

from __future__ import annotations

import random

from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

SHAPES = (
    # depth, width, writable: split in width and in depth, parity bits, narrow modes
    (70, 72, False),
    (300, 40, True),
    (1500, 20, True),
    (2600, 9, True),
    (5000, 5, False),
    (9000, 3, False),
)


class Memories(wiring.Component):
    """Memories ``memory0``, … of :data:`SHAPES`: ``address0``, ``data0`` one cycle later, ….

    A writable one has ``enable0``, ``write_address0`` and ``write_data0``, too; a read does not
    see the write of its own cycle. ``contents`` are the initial words.
    """

    def __init__(self, seed: int):
        rng = random.Random(seed)
        self.contents = [[rng.getrandbits(w) for _ in range(d)] for d, w, _ in SHAPES]
        members = {}
        for i, (depth, width, writable) in enumerate(SHAPES):
            members[f"address{i}"] = In(range(depth))
            members[f"data{i}"] = Out(width)
            if writable:
                members[f"enable{i}"] = In(1)
                members[f"write_address{i}"] = In(range(depth))
                members[f"write_data{i}"] = In(width)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        for i, (depth, width, writable) in enumerate(SHAPES):
            m.submodules[f"memory{i}"] = block = memory.Memory(
                shape=width, depth=depth, init=self.contents[i], attrs={"ram_style": "block"}
            )
            read = block.read_port()
            m.d.comb += [
                read.addr.eq(getattr(self, f"address{i}")),
                getattr(self, f"data{i}").eq(read.data),
            ]
            if writable:
                write = block.write_port()
                m.d.comb += [
                    write.en.eq(getattr(self, f"enable{i}")),
                    write.addr.eq(getattr(self, f"write_address{i}")),
                    write.data.eq(getattr(self, f"write_data{i}")),
                ]
        return m
