"""Compiler: model and hardware sizes to instructions, memory images and exact cycle counts."""

from __future__ import annotations

import copy
import dataclasses
import functools

from gateformer.model.contract.integer_model import IntegerModel

from ..parts.elaboration import may_stay_unused
from ..plan.bounds import prove_bounds, shape_bounds
from ..plan.hw_config import HwConfig
from ..plan.layout import Layout
from ..plan.reload_limits import ReloadLimits
from .interleaving import ISSUE_LATENCY, Interleaving
from .memory_images import build_images
from .reload_image import Contents, contents, shape_word
from .schedule import Scheduler, with_waits
from .token_program import TokenProgram
from .units import Units, build_units, score_shifts

TOKEN_OVERHEAD = 2
"""Cycles per generated token outside its program: the chosen token is latched, then offered on
the output stream; the cycle in which it is taken also starts the next program."""

PROMPT_OVERHEAD = 2
"""Cycles per prompt token whose logits are not computed, outside its program, which ends with the
last layer's V: the next token is taken, then its program starts."""


@dataclasses.dataclass(frozen=True)
class Span:
    """One instruction of a token's timeline; cycles count from the token's first beat."""

    engine: str
    name: str
    start: int
    end: int


class Program:
    """Everything that the core of ``model`` on hardware ``hw`` consists of.

    With ``hw.reload`` nothing but the contents of memories depends on the model's numbers, as long
    as they are within ``limits``.

    Parameters
    ----------
    model : IntegerModel
    hw : HwConfig
    limits : ReloadLimits, optional
        With ``hw.reload`` only; by default those of the model.

    Attributes
    ----------
    model : IntegerModel
    layout : Layout
    bounds : Bounds
    images : MemoryImages
    instructions : list of Instruction, with waits; one token each time through
    limits : ReloadLimits, None without ``hw.reload``
    interleaving : Interleaving, None with one stream per core

    Raises
    ------
    UserError
        If an accumulator can't be bounded (names the tensor), or the model is not within limits.
    """

    limits: ReloadLimits | None = None
    interleaving: Interleaving | None = None

    def __init__(self, model: IntegerModel, hw: HwConfig, limits: ReloadLimits | None = None):
        self.model = model
        self.hw = hw
        self.layout = Layout(model.config, hw)
        if hw.reload:
            self.limits = limits or ReloadLimits.of(model)
            self.limits.check(model)
        self.bounds = shape_bounds(model.config) if hw.reload else prove_bounds(model)
        self.images = build_images(model, self.layout, self.limits)
        self._units = self.build_units("generic")
        may_stay_unused(*vars(self._units).values())
        self._schedule()

    @property
    def streams(self) -> int:
        """Texts that are generated side by side, by all cores."""
        return self.hw.all_streams

    @functools.cached_property
    def one_core(self) -> Program:
        """The program of each core, whose streams are its own."""
        one = copy.copy(self)
        one.hw = dataclasses.replace(self.hw, cores=1)
        return one

    @property
    def token_words(self) -> int:
        """Words of a row of the token embedding."""
        return self.layout.embed_words

    def build_units(self, dsp: str) -> Units:
        """New engines for one core; latencies are the same for every ``dsp``."""
        return build_units(self.model, self.layout, self.images, self.bounds, dsp, self.limits)

    def cycles(
        self, position: int, *, sampled: bool = False, top_k: bool = False, predict: bool = True
    ) -> int:
        """Exact core cycles of the token at ``position``.

        From its program's first beat to the next token's first beat, when the output is taken
        and the next prompt token is there at once. ``predict=False``: a prompt token whose
        logits are not computed, with one stream (ValueError otherwise). With several, of a
        generated token while the other streams are idle:
        :class:`gateware.compiler.turns.Turns` has the cycles of all.
        """
        if self.interleaving is not None:
            if not predict:
                raise ValueError("tokens of a prompt run side by side: see Turns")
            return self._cycles_alone(position, sampled, top_k)
        total = 0
        for item in self.instructions:
            total += item.beats(position) + item.wait
            if not predict and item.ends_prompt_token:
                return total + PROMPT_OVERHEAD
        # the last beat's cycle is counted in the beats and in the latency after it
        return total - 1 + self.choice_latency(sampled, top_k) + TOKEN_OVERHEAD

    def choice_latency(self, sampled: bool, top_k: bool) -> int:
        """Cycles from a token's last beat to the one in which the next token is known."""
        sampler = self._units.sampler
        choose = sampler.sampled_latency(top_k) if sampled else sampler.greedy_latency
        return self._units.array.total_latency + choose

    def _cycles_alone(self, position: int, sampled: bool, top_k: bool) -> int:
        turns = self.interleaving.alone(position)
        last_beat = turns[-1] + ISSUE_LATENCY + self.instructions[-1].beats(position) - 1
        return last_beat + self.choice_latency(sampled, top_k) + TOKEN_OVERHEAD

    def cycles_by_position(self, **kwargs) -> list[int]:
        """:meth:`cycles` for every position of the context."""
        return [self.cycles(p, **kwargs) for p in range(self.model.config.ctx_len)]

    def timeline(self, position: int) -> list[Span]:
        """Beats of every instruction, and of the sampler, for a greedy token at ``position``."""
        starts, now = [], 0
        for item in self.instructions:
            starts.append(now)
            now += item.beats(position) + item.wait
        if self.interleaving is not None:
            starts = self.interleaving.alone(position)
            now = starts[-1] + self.instructions[-1].beats(position)
        spans = [
            Span(item.engine, item.name, start, start + item.beats(position))
            for item, start in zip(self.instructions, starts, strict=True)
        ]
        return [*spans, Span("sampler", "sample", now, self.cycles(position))]

    @functools.cached_property
    def score_shifts(self) -> tuple[int, ...]:
        """Score shifts among which the core has its choice."""
        return score_shifts(self.model, self.limits)

    @functools.cached_property
    def shift_selects(self) -> tuple[int, ...]:
        """Values of ``Instruction.shift_select``, by layer.

        Indices of :attr:`score_shifts`; with ``limits``, of the layers, whose indices are loaded.
        """
        if self.limits is not None:
            return tuple(range(self.model.config.n_layers))
        return tuple(self.score_shifts.index(shift) for shift in self.model.score_shifts)

    @functools.cached_property
    def contents(self) -> list[Contents]:
        """What the loader of a core with ``limits`` writes; at first, the core holds it."""
        return contents(self.model, self.layout, self.limits, self.images)

    @property
    def shape_word(self) -> int:
        """First word of the images that fit a core with ``limits``."""
        sections = [entry.section for entry in self.contents]
        return shape_word(self.layout, self.limits, sections)

    def _schedule(self) -> None:
        """The instructions with their waits, from the layout and the units."""
        token = TokenProgram(self.model, self.layout, self.images, self.shift_selects)
        plain = list(token.instructions())
        if self.hw.streams > 1:
            self.interleaving = Interleaving(self.layout, self._units, plain)
            self.instructions = self.interleaving.instructions
            return
        scheduler, starts = Scheduler(self.layout, self._units), []
        for item in plain:
            starts.append(scheduler.add(item))
            if item.ends_prompt_token:
                scheduler.end_prompt_token(PROMPT_OVERHEAD)
        self.instructions = with_waits(plain, starts)
