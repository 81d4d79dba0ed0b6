"""The ternary engine: a matrix-vector product with rows x cols weights per cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from gateformer.model.contract.arith import ACT_BITS
from gateformer.model.contract.config import MAX_DIGITS

from ...parts.delay import delayed
from ...parts.duplicated import duplicated
from ...parts.loadable_memory import block_attributes, loadable_read, write_layout
from ...parts.memory_banks import bank_depths, banked_word
from .lane import ADDERS, PairTerms, TernaryLane, accumulate_cycle
from .packing import WeightFormat
from .weight_decoder import n_pairs

__all__ = ["TernaryEngine"]


class TernaryEngine(wiring.Component):
    """Product of packed ternary weights and INT8 activations, ``rows`` x ``cols`` per cycle.

    ``cols = rows * chunk_groups``. Activations are written group by group (``rows`` elements) into
    a memory of ``activation_chunks`` chunks of ``chunk_groups`` groups; weights are constants.

    A *beat* multiplies one word of weights with one chunk: ``dot[r] = sum(w[r, c] * x[c])``, where
    column c is element ``c % rows`` of group ``c // rows``. Then ``acc = dot`` if ``first``,
    ``acc = 3 * acc + dot`` if ``triple`` (next lower trit plane), else ``acc = acc + dot``.
    A beat may come in every cycle, and there is no back-pressure. The beat of cycle 0 with ``last``
    shows its ``acc`` on ``result`` in cycle ``latency``:

        ``latency = 3 + B + decode_latency + ceil((L + 1) / tree_levels_per_register)``

    with L = ceil(log2(ceil(cols / 2))) levels of the tree and one for the accumulator, and B = 1
    if the weight memory has several banks (:func:`gateware.parts.memory_banks.bank_depths`), else
    0.

    Parameters
    ----------
    rows, chunk_groups, activation_chunks : int
        Sizes, at least 1.
    weight_words : list of int
        Words of the weight memory, one per address, from ``weight_format.pack``.
    weight_format : WeightFormat
        How the words are packed.
    max_planes : int
        Most trit planes of a weight, 1 to 5. With 1 there is no adder for ``triple``, which is
        ignored.
    acc_width : int
        Bits of a signed accumulator. The caller proves that no sum overflows it.
    tree_levels_per_register : int
        Adders in a row between two registers, at least 1.
    writable : bool
        The weights can be written.
    adders : str
        How :mod:`gateware.engines.ternary.lane` builds adders, one of its ``ADDERS``; the results
        are the same.

    Members
    -------
    beat : In
        ``valid``, ``weight_address``, ``chunk``, ``first``, ``triple``, ``last``.
    write : In
        ``valid``, ``chunk``, ``group``, ``data`` (``rows`` signed bytes). The group is seen by the
        beats of the next cycle on (``WRITE_LATENCY`` = 1). What a beat of the same cycle sees of
        the chunk being written is not specified; other chunks are not disturbed.
    result : Out
        ``valid`` and ``acc`` (``rows`` values), both registers; ``acc`` holds only while ``valid``.
    weight_write : In(write_layout(...)), if ``writable``
        Writes a word; what a beat of the same cycle sees of it is not specified.
    weight_word : Out, if ``writable``
        The word at ``beat.weight_address``, ``WEIGHT_LATENCY`` (3) cycles later or sooner.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a size is below 1, ``max_planes`` above 5, a weight word does not fit, or the adders
        are of no known kind.
    """

    WRITE_LATENCY = 1
    WEIGHT_LATENCY = 3

    def __init__(
        self,
        *,
        rows: int,
        chunk_groups: int,
        activation_chunks: int,
        weight_words: list[int],
        weight_format: WeightFormat,
        max_planes: int,
        acc_width: int,
        tree_levels_per_register: int = 2,
        writable: bool = False,
        adders: str = "plain",
    ):
        if adders not in ADDERS:
            raise ValueError(f"adders must be one of {', '.join(ADDERS)}, not {adders!r}")
        self._adders = adders
        sizes = {
            "rows": rows,
            "chunk_groups": chunk_groups,
            "activation_chunks": activation_chunks,
            "max_planes": max_planes,
            "acc_width": acc_width,
            "tree_levels_per_register": tree_levels_per_register,
        }
        for name, value in sizes.items():
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{name} must be an integer, not {value!r}")
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
            setattr(self, name, value)
        if max_planes > MAX_DIGITS:
            raise ValueError(f"max_planes must be at most {MAX_DIGITS}, not {max_planes}")
        if not isinstance(weight_format, WeightFormat):
            raise TypeError(f"weight_format must be a WeightFormat, not {weight_format!r}")
        self.weight_format = weight_format
        self.cols = rows * chunk_groups
        self.weight_words = _checked_words(weight_words, weight_format.width(rows, self.cols))
        members = self._signature_members()
        if writable:
            width = weight_format.width(rows, self.cols)
            members["weight_write"] = In(write_layout(len(self.weight_words), width))
            members["weight_word"] = Out(width)
        super().__init__(members)

    def _signature_members(self):
        group = data.ArrayLayout(signed(ACT_BITS), self.rows)
        beat = {
            "valid": Out(1),
            "weight_address": Out(range(len(self.weight_words))),
            "chunk": Out(range(self.activation_chunks)),
            "first": Out(1),
            "triple": Out(1),
            "last": Out(1),
        }
        write = {
            "valid": Out(1),
            "chunk": Out(range(self.activation_chunks)),
            "group": Out(range(self.chunk_groups)),
            "data": Out(group),
        }
        result = {
            "valid": Out(1),
            "acc": Out(data.ArrayLayout(signed(self.acc_width), self.rows)),
        }
        return {
            "beat": In(wiring.Signature(beat)),
            "write": In(wiring.Signature(write)),
            "result": Out(wiring.Signature(result)),
        }

    @property
    def _control_cycle(self) -> int:
        """Cycle in which the controls of a beat leave the decoder.

        Memory, output register, register after the banks' multiplexer, decoder.
        """
        return 2 + self._has_banks + self.weight_format.decode_latency

    @property
    def _has_banks(self) -> bool:
        return len(bank_depths(len(self.weight_words))) > 1

    @property
    def latency(self) -> int:
        """Cycles from the beat with ``last`` to ``result``."""
        return self._control_cycle + accumulate_cycle(self.cols, self.tree_levels_per_register) + 1

    def elaborate(self, platform):
        m = Module()
        m.submodules.decoder = decoder = self.weight_format.decoder(self.rows, self.cols)
        weight_word = self._weight_memory(m)
        m.d.comb += decoder.word.eq(weight_word)
        if hasattr(self, "weight_word"):
            m.d.comb += self.weight_word.eq(weight_word)
        terms = self._pair_terms(m, self._activation_memory(m))

        flags = data.StructLayout({"valid": 1, "first": 1, "triple": 1, "last": 1})
        # flags[n] belongs to the beat of n cycles before.
        stages = [Signal(flags, name="flags_0")]
        m.d.comb += [stages[0][name].eq(getattr(self.beat, name)) for name, _ in flags]
        for n in range(1, self.latency):
            stages.append(Signal(flags, name=f"flags_{n}"))
            m.d.sync += stages[n].eq(stages[n - 1])
        clear = Signal()
        m.d.sync += clear.eq(stages[-3].valid & stages[-3].first)
        m.d.sync += self.result.valid.eq(stages[-1].valid & stages[-1].last)

        for row in range(self.rows):
            m.submodules[f"lane_{row}"] = lane = TernaryLane(
                cols=self.cols,
                acc_width=self.acc_width,
                tree_levels_per_register=self.tree_levels_per_register,
                planes=self.max_planes > 1,
                adders=self._adders,
            )
            m.d.comb += [
                lane.terms.eq(terms),
                lane.controls.eq(decoder.controls[row]),
                lane.clear.eq(clear),
                lane.enable.eq(stages[-1].valid),
                lane.triple.eq(stages[-1].triple),
                self.result.acc[row].eq(lane.acc),
            ]
        return m

    def _weight_memory(self, m):
        """The word of the beat 2 cycles before; 3, if it comes from one of several banks."""
        address, write = self.beat.weight_address, getattr(self, "weight_write", None)

        def read(number: int, words: range):
            m.submodules[f"weights_bank{number}"] = memory = Memory(
                shape=self.weight_format.width(self.rows, self.cols),
                depth=len(words),
                init=self.weight_words[words.start : words.stop],
                attrs=block_attributes(write is not None),
            )
            place = address[: ceil_log2(len(words))]
            return loadable_read(m, memory, place, words, write, f"read_bank{number}")

        word = banked_word(m, address, len(self.weight_words), read)
        return delayed(m, word, 1, name="word") if self._has_banks else word

    def _activation_memory(self, m):
        """The columns of the beat of the cycle before."""
        columns = Signal(data.ArrayLayout(signed(ACT_BITS), self.cols), reset_less=True)
        for group in range(self.chunk_groups):
            memory = Memory(
                shape=ACT_BITS * self.rows,
                depth=self.activation_chunks,
                init=[],
                attrs={"ram_style": "distributed"},
            )
            m.submodules[f"activations_{group}"] = memory
            write = memory.write_port()
            read = memory.read_port(domain="comb")
            m.d.comb += [
                write.addr.eq(self.write.chunk),
                write.data.eq(self.write.data),
                write.en.eq(self.write.valid & (self.write.group == group)),
                read.addr.eq(self.beat.chunk),
            ]
            begin = group * self.rows * ACT_BITS
            m.d.sync += columns.as_value()[begin : begin + self.rows * ACT_BITS].eq(read.data)
        return columns

    def _pair_terms(self, m, columns):
        """Terms of all pairs, delayed to the cycle of the controls."""
        terms = Signal(data.ArrayLayout(PairTerms, n_pairs(self.cols)))
        for pair in range(n_pairs(self.cols)):
            a = columns[2 * pair]
            b = columns[2 * pair + 1] if 2 * pair + 1 < self.cols else 0
            difference = (a - b)[:ACT_BITS] if self._adders == "short" else a - b
            m.d.comb += [
                terms[pair].a.eq(a),
                terms[pair].b.eq(b),
                terms[pair].difference.eq(difference),
            ]
        for n in range(self._control_cycle - 1):
            signs = duplicated(m, Cat(pair.a[-1] for pair in terms), f"signs_{n}")[1]
            later = Signal.like(terms, name=f"terms_{n}", reset_less=True)
            m.d.sync += later.eq(terms)
            terms = later
        shown = Signal.like(terms, name="terms")
        m.d.comb += shown.eq(terms)
        m.d.comb += [pair.sign.eq(sign) for pair, sign in zip(shown, signs, strict=True)]
        return shown


def _checked_words(words, width: int) -> list[int]:
    if not isinstance(words, list | tuple):
        raise TypeError(f"weight_words must be a list of integers, not {words!r}")
    if not words:
        raise ValueError("weight_words must have at least one word, not none")
    limit = 1 << width
    for address, word in enumerate(words):
        if type(word) is not int and (not isinstance(word, int) or isinstance(word, bool)):
            raise TypeError(f"weight_words[{address}] must be an integer, not {word!r}")
        if not 0 <= word < limit:
            raise ValueError(
                f"weight_words[{address}] must have at most {width} bits, not {word:#x}"
            )
    return list(words)
