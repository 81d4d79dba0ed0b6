"""Every intermediate result of a decoder core, and its comparison with the reference's taps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from gateformer.model.contract.arith import round_shift
from gateformer.model.contract.decoder import arith
from gateformer.model.contract.decoder.reference import DecoderReference

from ..core.taps import Mismatch, TapPort, TapRecords, compare_tokens
from .instruction import Instruction, Sink, Source
from .program import DecoderProgram


def tap_ports(program: DecoderProgram) -> list[TapPort]:
    """All tap ports of a core."""
    bits, segments = program.model.config.bits, program.layout.segments
    return [
        TapPort("activation", 1, max(bits.norm, bits.query, bits.attention, bits.hidden), True),
        TapPort("key", 1, bits.key, True),
        TapPort("value", 1, bits.value, True),
        TapPort("gate", 1, bits.gate, True),
        TapPort("residual", 1, bits.residual, True),
        TapPort("logit", 1, bits.logit, True),
        TapPort("score", segments, program.sum_width, True),
        TapPort("probability", segments, arith.PROBABILITY_MAX.bit_length(), False),
    ]


def tap_signature(program: DecoderProgram) -> wiring.Signature:
    """Ports of :func:`tap_ports`."""
    members = {}
    for port in tap_ports(program):
        members[f"{port.name}_valid"] = Out(1)
        members[f"{port.name}_data"] = Out(port.count * port.width)
    return wiring.Signature(members)


PORTS = {
    Sink.ACTIVATION: "activation",
    Sink.KEY: "key",
    Sink.VALUE: "value",
    Sink.GATE: "gate",
    Sink.LOAD: "residual",
    Sink.ADD: "residual",
    Sink.LOGIT: "logit",
}


class DecoderTapReader(TapRecords):
    """Splits recorded tap ports into the reference's taps, token by token: as
    :class:`gateware.core.taps.TapReader`.

    ``slot``: whose they are, of a streamed core with several.
    """

    def __init__(self, program: DecoderProgram, records: dict[str, np.ndarray], slot: int = 0):
        super().__init__(records)
        self._program = program
        self._instructions = [i for i in program.instructions if i.slot in (0, slot + 1)]

    def read_token(self, position: int, predict: bool) -> dict[str, np.ndarray]:
        """Taps of one token, in the reference's shapes."""
        parts: dict[str, list[np.ndarray]] = {}
        for item in self._instructions:
            for name, values in self._results(item, position):
                parts.setdefault(name, []).append(values)
            if not predict and item.ends_prompt_token:
                break
        return dict(self._named(parts))

    def _results(self, item: Instruction, position: int) -> Iterator[tuple[str, np.ndarray]]:
        count = item.outer_count(position)
        if item.source is Source.GROUP_SUMS:
            return
        if item.source in (Source.SCORE, Source.WEIGH):
            port = "score" if item.source is Source.SCORE else "probability"
            yield item.name, self.take(port, count)
            return
        if item.source in (Source.MOVE, Source.PROGRAM):
            return
        numbers = self.take(PORTS[item.sink], count)[:, 0]
        if item.turned:
            numbers = np.concatenate([numbers[0::2], numbers[1::2]])
        if item.sink is not Sink.GATE:
            yield item.name, numbers
            return
        layer, gated = item.name.removesuffix("hidden"), self._program.model.config.gated
        yield f"{layer}gate", numbers[:: 1 + gated]
        if gated:
            yield f"{layer}up", numbers[1::2]
        yield item.name, self.take("activation", count // (1 + gated))[:, 0]

    def _named(self, parts: dict[str, list[np.ndarray]]) -> Iterator[tuple[str, np.ndarray]]:
        layout = self._program.layout
        heads = [head for item in layout.passes for head in item.heads]
        order = np.argsort([head.index for head in heads])
        for name, values in parts.items():
            kind = name.rpartition(".")[2]
            if kind in ("scores", "probabilities"):
                yield name, self._by_head(name, values)[:, None]
            elif kind == "q":
                yield name, np.concatenate([values[i] for i in order])[None]
            elif kind == "attn":
                yield name, self._attention(values)[None]
            elif name != "embed token":
                yield name, np.concatenate(values)[None]

    def _by_head(self, name: str, values: list[np.ndarray]) -> np.ndarray:
        """[n_heads, positions] from [positions, segments] of every pass (and word of a head)."""
        layout, words = self._program.layout, 1
        if name.endswith("probabilities"):
            words = layout.head_words
        found = np.empty((layout.config.n_heads, len(values[0])), np.int64)
        for i, item in enumerate(layout.passes):
            repeated = values[i * words : (i + 1) * words]
            if any((other != repeated[0]).any() for other in repeated):
                raise Mismatch("the words of one head were weighed by different probabilities")
            for head in item.heads:
                found[head.index] = repeated[0][:, head.segment]
        if name.endswith("scores"):
            layer = int(name.split(".")[1])
            found = round_shift(found, self._program.model.layers[layer].score_shift)
        return found

    def _attention(self, values: list[np.ndarray]) -> np.ndarray:
        """[n_heads * head_dim] from the parts of heads in the program's order."""
        layout, parts = self._program.layout, iter(values)
        found: dict[int, list[np.ndarray]] = {}
        for item in layout.passes:
            for _ in range(layout.head_words):
                for head in item.heads:
                    found.setdefault(head.index, []).append(next(parts))
        return np.concatenate([np.concatenate(found[h]) for h in sorted(found)])


def check_taps(
    program: DecoderProgram,
    records: dict[str, np.ndarray],
    tokens: list[int],
    prompt_length: int,
) -> int:
    """Compare recorded taps with the reference: as :func:`gateware.core.taps.check_taps`."""
    expected: dict[str, np.ndarray] = {}
    reference = DecoderReference(program.model, expected.__setitem__)
    reader = DecoderTapReader(program, records)
    return compare_tokens(reader, reference.step, expected, tokens, prompt_length)
