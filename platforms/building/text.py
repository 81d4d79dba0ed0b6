"""The text that a build generates: what is asked for, and how it is printed as it comes."""

from __future__ import annotations

import dataclasses

from rich.console import Console

from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.reference import check_request
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.support.counted import counted
from gateformer.model.text.model_codec import codec_of, prompt_tokens
from gateformer.model.text.options import TextOptions, text_options

from ..simulation import generation
from ..simulation.several_streams import Request
from ..simulation.simulation import CoreSimulator
from ..support.progress import console as status
from ..support.text_output import text_output


@dataclasses.dataclass(frozen=True)
class BuildText:
    """Text of a model: known to be good, with a prompt."""

    artifact: Artifact
    options: TextOptions
    settings: SamplingSettings

    @classmethod
    def of(cls, artifact: Artifact, arguments) -> BuildText:
        """What the arguments of ``build.py`` ask for; UserError if the model cannot serve it."""
        model = artifact.model
        options = text_options(arguments, model.config.vocab_size)
        settings = generation.settings_of(model).from_user(
            temperature=options.temperature,
            top_k=options.top_k,
            seed=options.seed,
            logit_scale=model.logit_scale,
            vocab_size=model.config.vocab_size,
        )
        if options.prompt is None:
            options = dataclasses.replace(options, prompt=generation.default_prompt(artifact))
        text = cls(artifact, options, settings)
        check_request(model.config, text.request.prompt, options.tokens)
        return text

    @property
    def request(self) -> Request:
        """The same in tokens."""
        model = self.artifact.model
        tokens = prompt_tokens(codec_of(model), self.options.prompt)
        return Request(
            [*generation.before_prompt(model), *tokens], self.options.tokens, self.settings
        )

    def print(self, simulator: CoreSimulator, output: Console) -> str:
        """Stream the text as the simulated core emits it; the text, with its prompt."""
        options = self.options
        with text_output(output) as emit:
            emit(options.prompt)
            generator = generation.TextGenerator(self.artifact, simulator, self.settings, emit)
            text, context_full = generator.generate(options.prompt, options.tokens, options.refeed)
        if context_full:
            ctx_len = self.artifact.model.config.ctx_len
            status.print(
                f"the context of {counted(ctx_len, 'token')} is full after "
                f"{len(text):,} of {counted(options.tokens, 'token')}; --continue goes on with a "
                "re-fed window"
            )
        return options.prompt + text
