"""A conversation as the text that a chat model expects, by the model's own Jinja template."""

from __future__ import annotations

from collections.abc import Sequence

from ..support.errors import UserError
from ..support.optional import require
from .codec import TextCodec


def chat_tokens(codec: TextCodec, messages: Sequence[dict[str, str]]) -> list[int]:
    """Token ids of ``messages``, by the model's chat template, up to where it answers.

    Raises UserError if the model has no chat template, and as :func:`render_chat`.
    """
    if codec.chat_template is None:
        raise UserError("the model has no chat template; give a plain text instead")
    texts = dict(codec.special)
    text = render_chat(
        codec.chat_template, messages, texts.get(codec.bos, ""), texts.get(codec.eos, "")
    )
    return codec.encode(text, special=True)


def render_chat(
    template: str, messages: Sequence[dict[str, str]], bos: str = "", eos: str = ""
) -> str:
    """Text up to where the model answers; ``messages`` have a role and a content each.

    The template runs in a sandbox that changes nothing, as in Hugging Face's transformers.
    Raises UserError if the template is damaged or refuses the messages.
    """
    require({"jinja2": "a chat template"}, "import")
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str):
        raise jinja2.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = raise_exception
    try:
        return environment.from_string(template).render(
            messages=list(messages), bos_token=bos, eos_token=eos, add_generation_prompt=True
        )
    except Exception as error:  # a template may fail as any program
        line = " ".join(str(error).split())
        raise UserError(
            f"the model's chat template fails: {line}; give a plain text instead"
        ) from None
