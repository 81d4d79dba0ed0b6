"""Prompts of imported models, as ``gateformer console`` sends them."""

import contextlib
import dataclasses

import pytest
import tokenizers

from gateformer.gateware.console import dialect
from gateformer.gateware.console.imported.texts import ImportedTexts
from gateformer.gateware.host.identification import Identification
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract import artifact
from gateformer.model.contract.artifact import Artifact, open_model
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.support.errors import UserError
from gateformer.model.text.codec import TextCodec
from gateformer.model.text.model_codec import codec_of
from gateformer.platforms.console import session as console_session
from gateformer.platforms.console.bench import BenchError, parse_clock, parse_counts
from gateformer.platforms.console.client import Answer, ConsoleClient
from gateformer.platforms.console.link import LONGEST_ANSWER, SerialLink
from gateformer.platforms.console.prompts import NOTE, PromptEncoder, encoder_of, is_imported
from gateformer.platforms.console.simulation import simulate
from tests.support.console import fake_console
from tests.support.console.fake_console import FakeConsole
from tests.support.console.imported import codec_of_characters, imported_model

SIZE = 64
WORDS = {"h": 0, "e": 1, "l": 2, "o": 3, "he": 4, "ll": 5, "hell": 6, "hello": 7, "Ġ": 8, "Ċ": 9}
MERGES = [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o")]
BOS, STOP = 10, 11


def byte_level_codec() -> TextCodec:
    """A byte-level BPE of a few letters."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(WORDS, MERGES))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces = [word.replace("Ġ", " ").replace("Ċ", "\n").encode() for word in WORDS]
    facts = {"bos": BOS, "eos": STOP, "stop": (STOP,), "add_bos": True}
    return TextCodec(
        "tokenizers",
        (*pieces, b"", b"", *(b"<%d>" % number for number in range(SIZE - 12))),
        ((BOS, "<s>"), (STOP, "</s>")),
        tokenizer_json=tokenizer.to_str().encode(),
        **facts,
    )


MODEL = imported_model(byte_level_codec(), prefix=(3,), vocab_size=SIZE, ctx_len=16)


def artifact_of(model) -> Artifact:
    return Artifact("mine", model, {}, {}, "")


@pytest.fixture
def encoder():
    return PromptEncoder(artifact_of(MODEL))


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("hello", "\\7;"),
        ("hellohe l", "\\7;\\4;\\8;\\2;"),
        ("he\\nhe", "\\4;\\9;\\4;"),
        ("he\\11;llo", "\\4;\\11;\\5;\\3;"),
        ("\\12;", "\\12;"),
        ("\\010;", "\\10;"),
    ],
)
def test_a_line_is_sent_by_token_numbers(encoder, line, sent):
    assert encoder.encode(line) == sent


@pytest.mark.parametrize("line", ["he\\x", "he\\", "he\\12", "\\;", ""])
def test_what_the_console_refuses_it_is_sent(encoder, line):
    assert encoder.encode(line) == line


@pytest.mark.parametrize("digits", ["1234567890", "9" * 5000, "\u0663"])
def test_numbers_of_no_token_are_the_console_s_to_refuse(encoder, digits):
    """Too many digits for any, or too many for Python; digits of another script."""
    assert encoder.encode(f"he\\{digits};") == f"he\\{digits};"
    line = f"prompt {digits * 3} tokens, text 1 tokens, 1 cycles, 0 waiting, end: x"
    with pytest.raises(BenchError):
        parse_counts(Answer("", (line,), None), 1.0)


def test_escaped_characters_are_text(encoder):
    codec = codec_of(MODEL)
    expected = "".join(f"\\{token};" for token in codec.encode("h\\e/o"))
    assert encoder.encode("h\\\\e\\/o") == expected


def test_characters_are_sent_as_they_are():
    encoder = PromptEncoder(artifact_of(imported_model(codec_of_characters(), prefix=())))
    assert encoder.encode("aé\\n中") == "aé\\n中"
    assert encoder_of(open_model("random:vocab_size=16")) is None


def test_another_model_on_the_board_is_refused(encoder):
    line = "model x, digest {}, build 00000001"
    encoder.check([line.format(MODEL.digest[:16])])
    with pytest.raises(UserError) as error:
        encoder.check([line.format("0123456789abcdef")])
    assert str(error.value) == (
        f"--model mine has digest {MODEL.digest[:16]}, but the console's model 0123456789abcdef; "
        "give the model that it was built with"
    )


@pytest.fixture
def imported_board(monkeypatch):
    """A fake console's port tells of MODEL."""
    first = f"# model mine, digest {MODEL.digest[:16]}, build 00000001"
    family = "# norm rms, positions rotary, activation gated silu, n_kv_heads 1, head_dim 4"
    monkeypatch.setattr(fake_console, "INFO", (first, family))
    return f"{first}\n"


def test_a_board_with_its_model(console_main, imported_board, tmp_path):
    path = tmp_path / "mine.safetensors"
    artifact.save(path, MODEL)
    with FakeConsole() as device:
        status, output = console_main(device.port, "--model", str(path), stdin=b"hello\n/seed\n")
    assert device.lines == [b"/info", b"\\7;", b"/seed"]
    assert status == 0 and output.startswith(imported_board) and NOTE not in output


def test_a_board_without_its_model(console_main, imported_board):
    with FakeConsole() as device:
        _, output = console_main(device.port, stdin=b"hello\n")
    assert device.lines == [b"/info", b"hello"]
    assert output.startswith(f"{imported_board}# {NOTE}\n")


def test_a_text_that_no_tokenizer_takes(console_main, imported_board, tmp_path):
    path = tmp_path / "mine.safetensors"
    artifact.save(path, MODEL)
    with FakeConsole() as device:
        status, output = console_main(device.port, "--model", str(path), stdin=b"h\xffe\n/seed\n")
    assert device.lines == [b"/info", b"/seed"]
    assert status == 2 and "! character '\\udcff' at position 1 is no Unicode character" in output


def test_a_model_of_characters_is_no_board_s(console_main):
    with pytest.raises(UserError) as error:
        console_main("COM1", "--model", "random:vocab_size=16")
    assert str(error.value) == (
        "--model goes with sim or firmware, or with an imported model; the tokens of "
        "random:vocab_size=16 are characters, and a board has its model built in"
    )


@pytest.mark.slow  # compiles a console with its core
def test_a_simulation_says_what_the_reference_says(console_main, tmp_path):
    path = tmp_path / "mine.safetensors"
    artifact.save(path, MODEL)
    script = b"/temperature 0\n/tokens 6\nhello he\n"
    status, output = console_main("sim", "--model", str(path), stdin=script)
    codec = codec_of(MODEL)
    prompt = [3, BOS, *codec.encode("hello he")]
    tokens = list(DecoderReference(MODEL).generate(prompt, 6, DecoderSettings()))
    tokens = tokens[: (tokens.index(STOP) + 1) if STOP in tokens else None]
    text = codec.decode(tokens).decode()
    assert f"\n{text}\n# prompt {len(prompt)} tokens, text {len(tokens)} tokens, " in output
    assert status == 0


def test_a_simulation_of_an_imported_model_takes_no_other(tmp_path):
    path = tmp_path / "mine.safetensors"
    artifact.save(path, MODEL)
    with pytest.raises(UserError) as error:
        simulate(str(path), reload=True)
    assert str(error.value) == (
        "--reload is for models that were trained here, and mine is imported; leave it out"
    )


def test_both_ends_have_the_same_words():
    shape = {"ctx_len": 2**16, "n_heads": 1024, "d_model": 2**16, "d_ff": 2**18}
    config = dataclasses.replace(MODEL.config, norm="layer", norm_bias=True, **shape)
    texts = ImportedTexts(
        "mine",
        Identification(config, HwConfig(1, 1, 4096), MODEL.digest, 1, 123_456),
        opening=2**16 - 1,
    )
    info = [line.removeprefix("# ") for line in texts.info()]
    assert is_imported(info)
    encoder_of(artifact_of(MODEL)).check(info)
    assert parse_clock(Answer("", tuple(info), None)) == 123.456e6
    assert f"/{dialect.TOP_P}" == console_session.TOP_P
    parts = [texts.text(message) for message in dialect.IMPORTED.messages]
    lengths = [sum(len(p) if isinstance(p, str) else 10 for p in text) for text in parts]
    assert max(lengths) <= LONGEST_ANSWER
    line = "prompt 5 tokens, text 7 tokens, 900 cycles, 0 waiting, end: "
    end = "".join(texts.text(dialect.ImportedMessage.ENDED_BY_STOP)).split("\r")[0]
    assert parse_counts(Answer("", (line + end,), None), 1.0).end == "stop"


def test_commands_of_imported_models_are_completed(imported_board, monkeypatch):
    completed = []

    def line_editing(commands):
        completed.append(commands)
        return contextlib.nullcontext()

    def end_of_input(prompt):
        raise EOFError

    monkeypatch.setattr(console_session, "line_editing", line_editing)
    monkeypatch.setattr("builtins.input", end_of_input)
    with FakeConsole() as device:
        client = ConsoleClient(SerialLink(device.port))
        client.synchronize()
        session = console_session.Session(client)
        session._interactive = True
        assert session.run() == 0
    assert completed == [(*console_session.COMMANDS, "/top-p")]
    assert is_imported(["norm rms"]) and not is_imported(["rows 2"])
