"""A conversation as the text that a chat model expects, by the model's own Jinja template."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence

from ..support.errors import UserError
from ..support.optional import require
from .codec import TextCodec


def chat_tokens(codec: TextCodec, messages: Sequence[dict[str, str]]) -> list[int]:
    """Token ids of a conversation up to where the model answers, as llama.cpp has them.

    Texts of special tokens become those tokens; bos comes first if a text of the model begins with
    it, whether the template writes it or not, and once.

    Raises UserError if the codec has no chat template, or as :func:`render_chat`.
    """
    if codec.chat_template is None:
        raise UserError("the model has no chat template; give a plain text instead")
    texts = dict(codec.special)
    bos, eos = texts.get(codec.bos, ""), texts.get(codec.eos, "")
    return codec.begun(
        codec.encode(render_chat(codec.chat_template, messages, bos, eos), special=True)
    )


def render_chat(
    template: str, messages: Sequence[dict[str, str]], bos: str = "", eos: str = ""
) -> str:
    """Text up to where the model answers; ``messages`` have a role and a content each.

    The template runs in a sandbox that changes nothing, with the extensions, the filter and the
    functions that Hugging Face's transformers gives it.
    Raises UserError if the template is damaged or refuses the messages.
    """
    require({"jinja2": "a chat template"}, "import")
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str):
        raise jinja2.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = lambda value, **options: json.dumps(
        value, **{"ensure_ascii": False} | options
    )
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
    try:
        return environment.from_string(template).render(
            messages=list(messages), bos_token=bos, eos_token=eos, add_generation_prompt=True
        )
    except Exception as error:  # a template may fail as any program
        line = " ".join(str(error).split())
        raise UserError(
            f"the model's chat template fails: {line}; give a plain text instead"
        ) from None
