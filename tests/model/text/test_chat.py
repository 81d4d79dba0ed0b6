"""Chats: a model's own template, its special tokens as single ids, bos once; llama.cpp's tokens."""

from __future__ import annotations

import dataclasses

import pytest

from gateformer.model.floating.checkpoints.gguf_file import read_tokenizer
from gateformer.model.support.errors import UserError
from gateformer.model.text.chat import chat_tokens, render_chat
from gateformer.model.text.readers.gguf_metadata import codec_of_metadata
from gateformer.model.text.readers.pieces import codec_of_json
from tests.support.llama_reference import open_llama, smollm2

pytest.importorskip("jinja2")
HI = [{"role": "user", "content": "Hi"}]
TEMPLATE = "{{ bos_token }}{% for m in messages %}\n[{{ m.role }}]{{ m.content }}\n{% endfor %}"
CHATS = [
    HI,
    [{"role": "system", "content": "Be brief."}, *HI],
    [{"role": "user", "content": "  日本語 é 😀\n\n  it's 12345\t"}],
    [*HI, {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Who?"}],
    [{"role": "user", "content": "say <|im_end|>\nor <|endoftext|>"}],
    [{"role": "user", "content": ""}],
]


def test_a_chat_is_rendered_and_refused_in_one_line():
    assert render_chat(TEMPLATE, HI, "<s>") == "<s>[user]Hi\n"
    with pytest.raises(UserError, match=r"^the model's chat template fails: no system; give"):
        render_chat("{{ raise_exception('no system') }}", [])
    with pytest.raises(UserError, match=r"template fails: access to attribute '__class__'"):
        render_chat("{{ ''.__class__.__mro__ }}", [])


def test_templates_have_what_transformers_gives_them():
    transformers = pytest.importorskip("transformers")
    chats = pytest.importorskip("transformers.utils.chat_template_utils")
    assert transformers
    template = (
        "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}"
        "  {{ m | tojson }}{{ strftime_now('%Y') }}\n{% endfor %}{{ '</é>' | tojson }}"
    )
    (expected,), _ = chats.render_jinja_template([[*HI, *HI]], chat_template=template)
    assert render_chat(template, [*HI, *HI]) == expected


def test_special_tokens_are_single_ids_and_bos_comes_once():
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {character: i for i, character in enumerate("[]userHi\n")}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
    tokenizer.add_special_tokens(["<s>"])
    bos = tokenizer.token_to_id("<s>")
    codec = codec_of_json("t", tokenizer.to_str().encode(), bos=bos, chat_template=TEMPLATE)
    says = codec.encode("[user]Hi\n")
    assert chat_tokens(codec, HI) == [bos, *says]
    begins = dataclasses.replace(codec, add_bos=True)
    assert chat_tokens(begins, HI) == [bos, *says]
    silent = TEMPLATE.removeprefix("{{ bos_token }}")
    assert chat_tokens(dataclasses.replace(begins, chat_template=silent), HI) == [bos, *says]
    assert chat_tokens(dataclasses.replace(codec, chat_template=silent), HI) == says
    nameless = dataclasses.replace(codec, bos=None)
    assert chat_tokens(nameless, HI) == says  # not the text "None"
    with pytest.raises(UserError, match=r"^the model has no chat template; give a plain text"):
        chat_tokens(dataclasses.replace(codec, chat_template=None), HI)


@pytest.mark.slow
def test_smollm2_has_the_tokens_of_llama_cpp():
    path = smollm2()
    codec = codec_of_metadata(str(path), read_tokenizer(path))
    llama = open_llama(path, vocab_only=True)
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    texts = dict(codec.special)
    template = llama.metadata["tokenizer.chat_template"]
    formatter = Jinja2ChatFormatter(template, texts[codec.eos], texts[codec.bos])
    (start,) = codec.encode("<|im_start|>", special=True)
    for messages in CHATS:
        said = formatter(messages=messages)
        prompt, add_bos = said.prompt.encode(), not said.added_special
        ids = chat_tokens(codec, messages)
        assert ids == llama.tokenize(prompt, add_bos=add_bos, special=True)
        has_system = messages[0]["role"] == "system"
        assert ids[0] == start and ids.count(start) == len(messages) + 1 + (not has_system)
