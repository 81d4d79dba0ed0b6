"""Every intermediate result of the core, and its comparison with the reference's taps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from gateformer.model.contract import arith
from gateformer.model.contract.reference import Reference

from ..compiler.program import Program
from ..plan.instruction import Instruction, Opcode
from ..plan.layout import Layout
from ..plan.vector_op import VectorKind


class Mismatch(Exception):
    """Gateware and reference differ: a bug of ours, never the user's."""


@dataclasses.dataclass(frozen=True)
class TapPort:
    """A pair of ports ``NAME_valid`` and ``NAME_data``: ``count`` elements of ``width`` bits."""

    name: str
    count: int
    width: int
    signed: bool

    def unpack(self, records: np.ndarray) -> np.ndarray:
        """int64 [records, count] from little-endian 32-bit chunks [records, chunks] (uint32)."""
        octets = np.ascontiguousarray(records.astype("<u4")).view(np.uint8)
        bits = np.unpackbits(octets, axis=1, bitorder="little")[:, : self.count * self.width]
        bits = bits.reshape(-1, self.count, self.width).astype(np.int64)
        values = bits @ (np.int64(1) << np.arange(self.width))
        if self.signed:
            values -= (bits[:, :, -1]) << self.width
        return values


def tap_ports(program: Program) -> list[TapPort]:
    """All tap ports of a core."""
    layout, bounds = program.layout, program.bounds
    return [
        TapPort("write", layout.rows, arith.ACT_BITS, True),
        TapPort("residual", layout.rows, arith.RESIDUAL_BITS, True),
        TapPort("dot", layout.halves * layout.segments, bounds.dot_width, True),
        TapPort("probability", layout.halves * layout.segments, arith.EXP2.OUT_BITS, False),
        TapPort("logit", layout.halves, bounds.logit_width, True),
    ]


def tap_signature(program: Program) -> wiring.Signature:
    """Ports of :func:`tap_ports`."""
    members = {}
    for port in tap_ports(program):
        members[f"{port.name}_valid"] = Out(1)
        members[f"{port.name}_data"] = Out(port.count * port.width)
    return wiring.Signature(members)


def tap_event(item: Instruction) -> str | None:
    """Name of the tap port on which an instruction's results appear."""
    if item.opcode is Opcode.EMBED:
        return None
    named = {Opcode.SCORE: "dot", Opcode.WEIGH: "probability", Opcode.LOGITS: "logit"}
    if item.opcode in named:
        return named[item.opcode]
    residual = item.kind in (VectorKind.RESIDUAL_ADD, VectorKind.RESIDUAL_LOAD)
    return "residual" if residual else "write"


class TapRecords:
    """What tap ports recorded, by port: int64 [records, count]; taken in order."""

    def __init__(self, records: dict[str, np.ndarray]):
        self._records = records
        self._used = dict.fromkeys(records, 0)

    def take(self, port: str, count: int) -> np.ndarray:
        """The next ``count`` records of a port."""
        start = self._used[port]
        self._used[port] += count
        return self._records[port][start : start + count]

    def left_over(self) -> dict[str, int]:
        """Records that no token has consumed, by port; a correct run leaves none."""
        left = {name: len(self._records[name]) - used for name, used in self._used.items()}
        return {name: count for name, count in left.items() if count}


class TapReader(TapRecords):
    """Splits recorded tap ports into the reference's taps, token by token.

    ``read_token`` consumes the records of one token from ``records`` (port name to int64 array
    [records, count]) and returns tap name to values, in the reference's shapes.
    """

    def __init__(self, program: Program, records: dict[str, np.ndarray]):
        super().__init__(records)
        self._program = program

    def read_token(self, position: int, predict: bool) -> dict[str, np.ndarray]:
        places: dict[str, list[np.ndarray]] = {}
        layout = self._program.layout
        for item in self._program.instructions:
            port = tap_event(item)
            if port is not None:
                values = self.take(port, item.outer_count(position))
                if item.per_position:  # of a last pair, the second may be of none
                    values = values.reshape(-1, layout.segments)[: position + 1]
                places.setdefault(item.name, []).append(values)
            if not predict and item.ends_prompt_token:
                break
        return dict(self._named(places))

    def _named(self, places: dict[str, list[np.ndarray]]) -> Iterator[tuple[str, np.ndarray]]:
        layout, program = self._program.layout, self._program
        cfg = layout.config
        for name, parts in places.items():
            kind = name.rsplit(".", 1)[-1]
            flat = np.concatenate(parts).reshape(-1)
            if kind in ("scores", "weigh"):
                heads = _heads(layout, parts)
                if kind == "scores":
                    layer = int(name.split(".")[1])
                    shift = program.model.score_shifts[layer]
                    yield name, arith.Softmax(shift).scores(heads)
                else:
                    yield name.replace("weigh", "probabilities"), heads
            elif kind in ("q_proj", "k_proj", "v_proj", "attn"):
                yield name.replace("_proj", ""), flat[layout.head_map]
            elif kind == "up_proj":
                yield name.replace("up_proj", "ffn_hidden"), flat[: cfg.d_ff]
            elif kind == "logits":
                yield name, flat[: cfg.vocab_size]
            else:
                tap = name.replace("o_proj", "attn_residual")
                yield tap.replace("down_proj", "ffn_residual"), flat[: cfg.d_model]


def _heads(layout: Layout, parts: list[np.ndarray]) -> np.ndarray:
    """[n_heads, positions] from [positions, segments] of every slot (and word of a head).

    The words of a head repeat the same probabilities; a difference is an error.
    """
    per_slot = np.stack(parts).reshape(layout.slots, -1, *parts[0].shape)
    if (per_slot != per_slot[:, :1]).any():
        raise Mismatch("the words of one head were weighed by different probabilities")
    heads = per_slot[:, 0].transpose(0, 2, 1).reshape(-1, parts[0].shape[0])
    return heads[: layout.config.n_heads]


def check_taps(
    program: Program, records: dict[str, np.ndarray], tokens: list[int], prompt_length: int
) -> int:
    """Compare recorded taps with the reference, stage by stage.

    ``tokens`` were fed to the core, the prompt first. Returns the number of compared integers.

    Raises
    ------
    Mismatch
        Naming position, tap, element and both values, at the first difference.
    """
    expected: dict[str, np.ndarray] = {}
    reference = Reference(program.model, expected.__setitem__)
    reader = TapReader(program, records)
    return compare_tokens(reader, reference.step, expected, tokens, prompt_length)


def compare_tokens(
    reader,
    step: Callable[[int], np.ndarray],
    expected: dict[str, np.ndarray],
    tokens: list[int],
    prompt_length: int,
) -> int:
    """Number of equal integers of all ``tokens``; ``step`` feeds one to the reference, which fills
    ``expected``.

    Raises Mismatch at the first difference, and for results that the reference does not have.
    """
    compared = 0
    for position, token in enumerate(tokens):
        predict = position >= prompt_length - 1
        step(token)
        for name, values in reader.read_token(position, predict).items():
            compared += compare_tap(position, name, values, expected[name])
    left = reader.left_over()
    if left:
        raise Mismatch(f"results that the reference does not have: {left}")
    return compared


def compare_tap(position: int, name: str, values: np.ndarray, expected: np.ndarray) -> int:
    """Number of equal integers; Mismatch at the first difference."""
    if values.shape != expected.shape:
        raise Mismatch(
            f"position {position}, {name}: gateware has shape {values.shape}, "
            f"reference {expected.shape}"
        )
    different = np.argwhere(values != expected)
    if len(different):
        at = tuple(int(i) for i in different[0])
        raise Mismatch(
            f"position {position}, {name}{list(at)}: gateware {values[at]}, "
            f"reference {expected[at]} ({len(different)} of {values.size} differ)"
        )
    return values.size
