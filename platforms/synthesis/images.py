"""What a core's program says its memories hold, and whether they do."""

from __future__ import annotations

import re

import numpy as np

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.core.taps import Mismatch
from gateformer.gateware.decoder.program import DecoderProgram
from gateformer.gateware.decoder.tables import angle_table, parameter_words, position_table
from gateformer.gateware.decoder.weights.weight_store import store_names
from gateformer.gateware.engines.array.words import memory_name
from gateformer.gateware.engines.sampler.scheme import VERSION_2
from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.parts.elaboration import may_stay_unused
from gateformer.gateware.parts.memory_banks import bank_depths
from gateformer.model.contract.arith import EXP2


def check_images(program: AnyProgram, memories: dict[str, np.ndarray]) -> None:
    """Compare the program's images with the memories of its core, by their paths in the core.

    Raises Mismatch if an image has no memory, or another one.
    """
    images = _decoder_images if isinstance(program, DecoderProgram) else _resident_images
    expected = images(program, memories)
    for pattern, words in expected.items():
        name = _only(memories, pattern)
        bits = memories[name]
        for address, (word, row) in enumerate(zip(words, bits, strict=True)):
            stored = int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little")
            if stored != word:
                raise Mismatch(
                    f"memory {name}, address {address}: design {stored:#x}, image {word:#x}"
                )


def _resident_images(program: Program, memories: dict[str, np.ndarray]) -> dict[str, list[int]]:
    """Of a trained model's core: words by the pattern of their memory's path."""
    layout, images = program.layout, program.images
    width = layout.rows * 8
    array = {}
    for group in range(layout.memory_groups):
        words = [word >> width * group & (1 << width) - 1 for word in images.array_words]
        pattern = rf"array\.memory\S*\.group{group}_bank{{}}"
        if layout.halves == 2:
            name = memory_name(*divmod(group, layout.word_groups))
            pattern = rf"array\.{name}\S*\.group0_bank{{}}"
        array |= _in_banks(pattern, words)
    scales = _only(memories, r"vector\.scales\.memory")
    scale_bits = memories[scales].shape[1] // layout.rows
    return {
        **_in_banks(r"engine\.weights_bank{}", images.weight_words),
        r"vector\.scales\.memory": [
            sum((value % (1 << scale_bits)) << scale_bits * i for i, value in enumerate(row))
            for row in images.scale_words
        ],
        r"sampler\.chooser\.draw\.exp2": [int(value) for value in EXP2.table],
        **array,
    }


def _decoder_images(program: DecoderProgram, memories) -> dict[str, list[int]]:
    """The same of an imported model's core."""
    images, model = program.images, program.model
    weights = {}
    for name, store in zip(store_names(images.stores), images.stores, strict=True):
        weights |= _in_banks(rf"datapath\.lanes\.{name}_bank{{}}", store.words)
        if store.scale_words:
            weights |= _in_banks(rf"datapath\.lanes\.{name}_scales_bank{{}}", store.scale_words)
    expected = {
        **weights,
        **_in_banks(r"datapath\.parameters\.bank{}", parameter_words(images.parameters)),
        r"sampler\.chooser\.draw\.exp2": list(VERSION_2.probabilities),
    }
    tables = {}
    if model.rotary_cos is not None:
        tables["angles"] = angle_table(model.rotary_cos, model.rotary_sin)
    if model.position_embedding is not None:
        tables["positions"] = position_table(model.position_embedding)
    may_stay_unused(*tables.values())
    for name, table in tables.items():
        expected |= _in_banks(rf"datapath\.{name}\.bank{{}}", table.words)
    return expected


def _in_banks(pattern: str, words: list[int]) -> dict[str, list[int]]:
    """A memory's words by the names of its banks, ``pattern`` with the bank's number."""
    banks, first = {}, 0
    for number, depth in enumerate(bank_depths(len(words))):
        banks[pattern.format(number)] = words[first : first + depth]
        first += depth
    return banks


def _only(memories: dict[str, np.ndarray], pattern: str) -> str:
    # beside a loader, the rest is a submodule
    names = [name for name in memories if re.fullmatch(rf"(core\.)?{pattern}", name)]
    if len(names) != 1:
        raise Mismatch(f"{len(names)} memories of the core are called {pattern}, not 1")
    return names[0]
