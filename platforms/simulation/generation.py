"""Text and cycle counts out of the compiled simulation, checked against the reference."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator

from gateformer.gateware.core.taps import Mismatch
from gateformer.gateware.host.any_core import AnyProgram, check_taps
from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.context_window import refed_window
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.contract.reference import Reference, check_request
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.support.errors import UserError
from gateformer.model.text.model_codec import codec_of, prompt_tokens

from .simulation import CoreSimulator

FAVOURITE_PROMPT = "ROMEO:"
MEASURED_CYCLES = 1_500_000
"""About half a minute of simulation."""
MOST_SIMULATED_WEIGHTS = 4_000_000
ANY_TEXT = "Once upon a time"
"""Prompt of a model that has tokens for any text."""


def default_prompt(artifact: Artifact) -> str:
    """A prompt that the model's vocabulary has."""
    codec = codec_of(artifact.model)
    if codec.kind != "characters":
        return ANY_TEXT
    known = [piece.decode("utf-8") for piece in codec.pieces if piece]
    fits = len(FAVOURITE_PROMPT) <= artifact.model.config.ctx_len
    return FAVOURITE_PROMPT if fits and set(FAVOURITE_PROMPT) <= set(known) else known[0]


def is_large(artifact: Artifact) -> bool:
    """Whether a model has more weights than a simulation of a core on chip holds."""
    return artifact.model.config.n_weights > MOST_SIMULATED_WEIGHTS


def refuse_too_large(artifact: Artifact) -> None:
    """UserError if an imported model has more weights than a simulation holds."""
    if isinstance(artifact.model, DecoderModel) and is_large(artifact):
        raise UserError(
            f"{artifact.name} has {artifact.model.config.n_weights:,} weights, and block memories "
            f"hold up to {MOST_SIMULATED_WEIGHTS:,}; build.py for sim or a Zynq board makes a "
            "core that reads them from external memory, gateformer console firmware its console, "
            "gateformer generate writes text at once"
        )


def reference_of(model) -> Reference | DecoderReference:
    """The reference of a model of either version."""
    return DecoderReference(model) if isinstance(model, DecoderModel) else Reference(model)


def settings_of(model) -> type[SamplingSettings]:
    """What says how a model's tokens are chosen."""
    return DecoderSettings if isinstance(model, DecoderModel) else SamplingSettings


def before_prompt(model) -> list[int]:
    """Tokens that are fed before every prompt."""
    return list(model.prefix) if isinstance(model, DecoderModel) else []


@dataclasses.dataclass
class TextGenerator:
    """Generates text with a simulated core and the reference in step.

    Parameters
    ----------
    artifact : Artifact
    simulator : CoreSimulator
    settings : SamplingSettings
    emit : callable
        Receives each piece of text as it comes.
    """

    artifact: Artifact
    simulator: CoreSimulator
    settings: SamplingSettings
    emit: Callable[[str], None]

    def generate(self, prompt: str, count: int, refeed: bool) -> tuple[str, bool]:
        """Text of up to ``count`` tokens after ``prompt``, and whether the context ended it.

        With ``refeed``, a full context is followed by a new sequence whose prompt is the last
        half of the old one (seed + 1 each time), until all tokens are there. What comes before
        every prompt stays, and half of what it leaves is kept.

        Raises
        ------
        UserError
            If the prompt or the count can't be served.
        Mismatch
            If the gateware's token is not the reference's.
        """
        model = self.artifact.model
        codec = codec_of(model)
        before, tokens = before_prompt(model), prompt_tokens(codec, prompt)
        check_request(model.config, [*before, *tokens], count)
        room = model.config.ctx_len - len(before)
        settings, produced = self.settings, []
        while True:
            fresh = self._window([*before, *tokens], count - len(produced), settings, codec)
            produced += fresh
            if len(produced) >= count or not refeed:
                text = codec.decode(produced).decode("utf-8", "replace")
                return text, len(produced) < count
            tokens, settings = refed_window(tokens + fresh, room, settings)

    def _window(self, prompt, count, settings, codec) -> list[int]:
        tokens: list[int] = []
        for text in codec.stream(self._checked(prompt, count, settings, tokens), first=False):
            self.emit(text)
        return tokens

    def _checked(self, prompt, count, settings, tokens) -> Iterator[int]:
        """Tokens as they come, appended to ``tokens``."""
        expected = reference_of(self.artifact.model).generate(prompt, count, settings)
        actual = self.simulator.generate(prompt, count, settings)
        for (token, _), reference in zip(actual, expected, strict=True):
            if token != reference:
                raise Mismatch(f"token {len(tokens)}: gateware {token}, reference {reference}")
            tokens.append(token)
            yield token


def measure_cycles(program: AnyProgram, simulator: CoreSimulator) -> list[int]:
    """Simulated core cycles of a greedy token at the positions of the context, from 0 on.

    All of them, or as many as :data:`MEASURED_CYCLES` allow.

    Raises
    ------
    Mismatch
        If a count is not the program's prediction, or a token not the reference's.
    """
    model, predicted = program.model, program.cycles_by_position()
    within = [total <= MEASURED_CYCLES for total in itertools.accumulate(predicted)]
    positions = max(sum(within), 1)
    settings = settings_of(model)()
    expected = list(reference_of(model).generate([0], positions, settings))
    run = list(simulator.generate([0], positions, settings))
    if [token for token, _ in run] != expected:
        raise Mismatch("greedy tokens differ from the reference")
    stamps = [simulator.first_beat, *(cycle + 1 for _, cycle in run)]
    counts = [after - before for before, after in itertools.pairwise(stamps)]
    if counts != predicted[:positions]:
        raise Mismatch(f"simulated cycles {counts} are not the predicted ones")
    return counts


def check_everything(
    artifact: Artifact,
    program: AnyProgram,
    prompt: list[int],
    count: int,
    settings,
    simulator: CoreSimulator | None = None,
) -> tuple[int, int]:
    """Compare every tap and token of one generation; (tokens, integers) that were equal.

    ``simulator``, with taps: by default a new one of the program's core.

    Raises
    ------
    Mismatch
        Naming the first difference.
    """
    simulator = simulator or CoreSimulator(program, taps=True)
    tokens = [token for token, _ in simulator.generate(prompt, count, settings)]
    expected = list(reference_of(artifact.model).generate(prompt, count, settings))
    if tokens != expected:
        raise Mismatch(f"tokens: gateware {tokens}, reference {expected}")
    fed = (prompt + tokens)[: len(prompt) + len(tokens) - 1]
    return len(tokens), check_taps(program, simulator.tap_records(), fed, len(prompt))


def parse_cycles(text: str) -> tuple[int, int]:
    """(first, last) of ``first:last``.

    Raises UserError if it is not two integers in order.
    """
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise UserError(f"cycles must be first:last with first <= last, not {text!r}")
    return int(first), int(last)
