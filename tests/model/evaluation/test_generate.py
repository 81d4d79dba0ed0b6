"""``gateformer generate``: text from the integer function of a model."""

import pytest

from gateformer.model.contract import artifact
from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.decoder.model import Vocabulary
from gateformer.model.contract.decoder.random_decoder import random_decoder
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSampler
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.evaluation.generate import main, until
from gateformer.model.evaluation.text_model import TextModel
from gateformer.model.support.errors import UserError
from gateformer.model.text.codec import TextCodec
from gateformer.model.text.codec_arrays import to_arrays
from tests.support.user_error import no_integer

LETTERS = [chr(code) for code in range(97, 123)]
SHAPE = {"vocab_size": 26, "d_model": 16, "n_heads": 2, "n_layers": 1, "d_ff": 24, "ctx_len": 12}
TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=12,vocab_size=60,seed=4"


def imported(tmp_path, stop=(), template=None, prefix=()):
    codec = TextCodec(
        "characters",
        tuple(letter.encode() for letter in LETTERS),
        stop=stop,
        chat_template=template,
    )
    model = random_decoder(3, **SHAPE)
    object.__setattr__(model, "vocabulary", Vocabulary(*to_arrays(codec)))
    object.__setattr__(model, "prefix", prefix)
    path = tmp_path / "mine.safetensors"
    artifact.save(path, model)
    return path


def test_text_of_a_trained_model_is_the_references(capsys):
    main([TINY, "--prompt", "ab", "--tokens", "8", "--seed", "7", "--temperature", "1"])
    model = artifact.open_model(TINY).model
    settings = SamplingSettings.from_user(
        temperature=1, top_k=20, seed=7, logit_scale=model.logit_scale, vocab_size=60
    )
    prompt = [model.vocabulary.index(letter) for letter in "ab"]
    tokens = Reference(model).generate(prompt, 8, settings)
    expected = "".join(model.vocabulary[token] for token in tokens)
    assert capsys.readouterr().out == f"ab{expected}\n"


@pytest.mark.parametrize("prefix", [(), (5, 9)])
def test_text_of_an_imported_model_is_the_references(tmp_path, capsys, prefix):
    path = imported(tmp_path, prefix=prefix)
    main([str(path), "--prompt", "hello", "--tokens", "5", "--top-p", "0.9", "--top-k", "0"])
    text = TextModel(artifact.open_model(str(path), imported=True))
    reference = DecoderReference(text.model)
    sampler = DecoderSampler(text.settings("0.8", 0, 0.9, 1))
    logits = reference.feed([*prefix, *(LETTERS.index(letter) for letter in "hello")])[-1]
    said = ""
    for _ in range(5):
        token = sampler.choose(logits)
        said += LETTERS[token]
        logits = reference.step(token)
    assert capsys.readouterr().out == f"hello{said}\n"


def test_a_full_context_ends_the_text_or_is_fed_again(tmp_path, capsys):
    path = str(imported(tmp_path))
    main([path, "--prompt", "hello", "--tokens", "40"])
    assert len(capsys.readouterr().out) == len("hello") + (12 - 5 + 1) + len("\n")
    main([path, "--prompt", "hello", "--tokens", "40", "--continue"])
    assert len(capsys.readouterr().out) == len("hello") + 40 + len("\n")


def test_the_token_that_ends_a_text_ends_it(tmp_path, capsys):
    path = str(imported(tmp_path))
    main([path, "--prompt", "abc", "--tokens", "6", "--temperature", "0"])
    said = capsys.readouterr().out[3:-1]
    end = said[-1]
    path = str(imported(tmp_path, stop=(LETTERS.index(end),)))
    main([path, "--prompt", "abc", "--tokens", "6", "--temperature", "0", "--continue"])
    assert capsys.readouterr().out == f"abc{said[: said.index(end)]}\n"


def test_a_chat_is_what_the_template_makes_of_it(tmp_path, capsys):
    template = "{% for m in messages %}{{ m.role[0] }}{{ m.content }}{% endfor %}"
    path = imported(tmp_path, template=template)
    text = TextModel(artifact.open_model(str(path), imported=True))
    assert text.chat("hi", "be") == [LETTERS.index(letter) for letter in "sbeuhi"]
    main([str(path), "--prompt", "hi", "--system", "be", "--chat", "--tokens", "4"])
    assert len(capsys.readouterr().out) == 5


@pytest.mark.parametrize(
    "stops, expected",
    [([], "one two"), (["two"], "one "), (["e t", "on"], ""), (["nowhere"], "one two")],
)
def test_text_ends_before_a_stop_that_comes_in_pieces(stops, expected):
    assert "".join(until(iter(["o", "ne", " t", "w", "o"]), stops)) == expected


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([TINY], "--prompt is missing; give the text to continue"),
        ([TINY, "--prompt", ""], "the prompt must have at least 1 token, but is empty"),
        ([TINY, "--prompt", "a", "--stop", ""], "--stop needs a text, not an empty one"),
        (
            [TINY, "--prompt", "a", "--system", "b"],
            "--system is for --chat; give both, or leave --system out",
        ),
        (
            [TINY, "--prompt", "a", "--top-p", "0.5"],
            f"--top-p is for imported models, and {TINY} was trained here; leave it out",
        ),
        ([TINY, "--prompt", "a", "--chat"], f"{TINY} has no chat template; leave --chat out"),
        ([TINY, "--prompt", "a", "--tokens", "0"], no_integer("--tokens", "of at least 1", 0)),
        (
            [TINY, "--prompt", "abcabcabcabca"],
            "the prompt has 13 tokens, but the context holds 12; shorten the prompt",
        ),
    ],
)
def test_refusals(capsys, arguments, message):
    with pytest.raises(UserError) as error:
        main(arguments)
    assert str(error.value) == message
    assert capsys.readouterr().out == ""


def test_tokens_without_a_text_are_counted(capsys):
    main(["shakespeare-115k", "--prompt", "a", "--tokens", "9", "--temperature", "1e9"])
    said = capsys.readouterr()
    assert said.out == "a\n"
    assert said.err == "9 of 9 tokens have no text: special or unused ones\n"


def test_the_artifacts_of_others_are_refused_where_they_do_not_work_yet(tmp_path):
    path = str(imported(tmp_path))
    with pytest.raises(UserError, match=r"mine\.safetensors is of number contract version 2"):
        artifact.open_model(path)
    assert isinstance(artifact.open_model(path, imported=True), Artifact)
