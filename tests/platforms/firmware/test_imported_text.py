"""Texts that the firmware cuts itself: tokens as those of the model's tokenizer, emulated."""

import dataclasses
import functools
import re

import pytest

from gateformer.gateware.console.imported.pieces import Pieces
from gateformer.model.contract.decoder.model import DecoderModel, Vocabulary
from gateformer.model.contract.decoder.random_decoder import random_decoder
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.text.codec_arrays import to_arrays
from gateformer.model.text.model_codec import codec_of
from gateformer.platforms.firmware.imported_model import encoder
from tests.support.imported.small_accelerator import BEGIN, LOGIT_SCALE, SHAPE, artifact

from .imported_bench import ImportedDevice
from .test_encoder import scores

GREEDY = b"/temperature 0\r/tokens 3\r"
PROMPT = re.compile(rb"\x02(.*)\x03\r\n# prompt (\d+) tokens, text (\d+) tokens, ", re.DOTALL)
TEXTS = ["the cat sat", "don't\\n sit", "a\\\\b \\/ 1234", "é中 the mat", " ", "\\/x", "the  rat "]


@functools.cache
def byte_level() -> DecoderModel:
    return artifact().model


@functools.cache
def by_scores() -> DecoderModel:
    """The same integers with a SentencePiece vocabulary, cut to the model's size."""
    codec = scores(prefix=True)
    shown = dataclasses.replace(codec, bos=1, add_bos=True, stop=(1, 2))
    size = len(codec.pieces)
    model = random_decoder(6, **{**SHAPE, "vocab_size": size})
    return dataclasses.replace(
        model, logit_scale=LOGIT_SCALE, vocabulary=Vocabulary(*to_arrays(shown))
    )


MODELS = {"byte level": byte_level, "scores": by_scores}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]()


@pytest.fixture
def device(model):
    device = ImportedDevice(model)
    device.ask(GREEDY)
    return device


def expected(model, tokens, count=3) -> tuple[bytes, int, int]:
    """(text as it is sent, tokens of the prompt, tokens of the text)"""
    pieces = Pieces.of(model)
    opening = pieces.opening[:-1] if tokens[:1] == [pieces.begin] else pieces.opening
    prompt = [*opening, *tokens]
    found = list(DecoderReference(model).generate(prompt, count, DecoderSettings()))
    stops = [i for i, token in enumerate(found) if token in pieces.stop]
    found = found[: stops[0] + 1] if stops else found
    text = b"".join(pieces.texts[token] for token in found if token not in pieces.stop)
    return text, len(prompt), len(found)


def answered(device, line: bytes) -> tuple[bytes, int, int]:
    match = PROMPT.search(device.ask(line + b"\r"))
    return match[1], int(match[2]), int(match[3])


@pytest.mark.parametrize("text", TEXTS)
def test_a_prompt_is_cut_as_in_python(model, device, text):
    assert encoder(model) is not None
    plain = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), text)
    tokens = codec_of(model).encode(plain)
    assert len(tokens) < len(plain.encode()) or len(plain) < 6
    assert answered(device, text.encode()) == expected(model, tokens)


def test_numbers_stand_between_texts(model, device):
    codec = codec_of(model)
    tokens = [9, *codec.encode("the cat"), 30, 31, *codec.encode(" sat")]
    assert answered(device, b"\\9;the cat\\30;\\31; sat") == expected(model, tokens)
    begin = Pieces.of(model).begin
    assert answered(device, b"\\%d;the" % begin) == expected(model, [begin, *codec.encode("the")])


def test_the_line_is_cut_after_it_is_edited(model, device):
    tokens = codec_of(model).encode("the catx")
    assert answered(device, b"the cat\\7;\bx\xc3\xa9\b") == expected(model, tokens)


def test_what_counts_are_tokens():
    """More bytes than the context has tokens, and less tokens."""
    codec = codec_of(byte_level())
    model = byte_level()
    device = ImportedDevice(model)
    device.ask(GREEDY + b"/tokens 1\r")
    room = model.config.ctx_len - len(Pieces.of(model).opening)
    text = " the cat"
    while len(codec.encode(text + " the")) <= room:
        text += " the"
    assert len(text) > room
    assert answered(device, text.encode()) == expected(model, codec.encode(text), 1)
    less = f" less the {len(Pieces.of(model).opening)} before every prompt"
    refusal = f"! longer than the context of {model.config.ctx_len} tokens{less}; line ignored"
    assert refusal.encode() in device.ask((text + " the").encode() + b"\r")
    assert refusal.encode() in device.ask(b"x" * (4 * model.config.ctx_len + 1) + b"\r")
    assert Pieces.of(model).begin == BEGIN
