"""Text and cycle counts out of the compiled simulation, checked against the reference."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.core.taps import Mismatch, check_taps
from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.context_window import refed_window
from gateformer.model.contract.reference import Reference, check_request
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.support.errors import UserError
from gateformer.model.text.tokenizer import CharTokenizer

from .simulation import CoreSimulator

FAVOURITE_PROMPT = "ROMEO:"


def default_prompt(artifact: Artifact) -> str:
    """A prompt that the model's vocabulary has."""
    known = [text for text in artifact.model.vocabulary if text]
    fits = len(FAVOURITE_PROMPT) <= artifact.model.config.ctx_len
    return FAVOURITE_PROMPT if fits and set(FAVOURITE_PROMPT) <= set(known) else known[0]


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
        half of the old one (seed + 1 each time), until all tokens are there.

        Raises
        ------
        UserError
            If the prompt or the count can't be served.
        Mismatch
            If the gateware's token is not the reference's.
        """
        model = self.artifact.model
        tokenizer = CharTokenizer(model.vocabulary)
        tokens = tokenizer.encode(prompt)
        check_request(model.config, tokens, count)
        settings, produced = self.settings, []
        while True:
            fresh = self._window(tokens, count - len(produced), settings, tokenizer)
            produced += fresh
            if len(produced) >= count or not refeed:
                return tokenizer.decode(produced), len(produced) < count
            tokens, settings = refed_window(tokens + fresh, model.config.ctx_len, settings)

    def _window(self, prompt, count, settings, tokenizer) -> list[int]:
        model, tokens = self.artifact.model, []
        expected = Reference(model).generate(prompt, count, settings)
        actual = self.simulator.generate(prompt, count, settings)
        for (token, _), reference in zip(actual, expected, strict=True):
            if token != reference:
                raise Mismatch(f"token {len(tokens)}: gateware {token}, reference {reference}")
            tokens.append(token)
            self.emit(tokenizer.decode([token]))
        return tokens


def measure_cycles(program: Program, simulator: CoreSimulator) -> list[int]:
    """Simulated core cycles of a greedy token at every position of the context.

    Raises
    ------
    Mismatch
        If a count is not the program's prediction, or a token not the reference's.
    """
    model, ctx_len = program.model, program.model.config.ctx_len
    settings = SamplingSettings()
    expected = list(Reference(model).generate([0], ctx_len, settings))
    run = list(simulator.generate([0], ctx_len, settings))
    if [token for token, _ in run] != expected:
        raise Mismatch("greedy tokens differ from the reference")
    stamps = [simulator.first_beat, *(cycle + 1 for _, cycle in run)]
    counts = [after - before for before, after in itertools.pairwise(stamps)]
    if counts != program.cycles_by_position():
        raise Mismatch(f"simulated cycles {counts} are not the predicted ones")
    return counts


def check_everything(
    artifact: Artifact, program: Program, prompt: list[int], count: int, settings
) -> tuple[int, int]:
    """Compare every tap and token of one generation; (tokens, integers) that were equal.

    Raises
    ------
    Mismatch
        Naming the first difference.
    """
    simulator = CoreSimulator(program, taps=True)
    tokens = [token for token, _ in simulator.generate(prompt, count, settings)]
    expected = list(Reference(artifact.model).generate(prompt, count, settings))
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
