"""``gateformer import``, ``evaluate`` and ``generate``: a model from directory to text."""

import json
import re

import numpy as np
import pytest

from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.evaluation import evaluate, generate
from gateformer.model.floating.checkpoints.opening import open_source
from gateformer.model.importing import command
from gateformer.model.importing.texts import CHAT_SHARE, conversations, windows_of
from gateformer.model.importing.vocabulary import source_codec
from tests.support.user_error import message

TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
WORDS = "the cat sat on a mat and saw how one bird went over many green hills to find its nest "
CONTEXT = 48
PREFIX = "--prefix must be bos or token ids below 290 with commas between, not "


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(directory with a chat model, its text)."""
    pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    from tests.support.checkpoints.decoder_files import llama_model, save

    directory = tmp_path_factory.mktemp("model")
    rng = np.random.default_rng(3)
    text = " ".join(rng.choice(WORDS.split(), 1500))
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    special = ["<|start|>", "<|end|>"]
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=290,
        special_tokens=special,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    size = tokenizer.get_vocab_size()
    save(llama_model(vocab_size=size, max_position_embeddings=CONTEXT), directory)
    tokenizer.save(str(directory / "tokenizer.json"))
    settings = {"chat_template": TEMPLATE, "bos_token": special[0], "eos_token": special[1]}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    (directory / "text.txt").write_text(text)
    return directory, text


def imported(directory, tmp_path, *options):
    out = tmp_path / "mine.safetensors"
    text = str(directory / "text.txt")
    command.main([str(directory), "--calibrate", text, "--out", str(out), *options])
    return out


@pytest.mark.parametrize(
    ("options", "divergence"), [((), 0.01), (("--bits", "trits:4"), 0.05), (("--bits", "5"), 0.2)]
)
def test_integers_follow_the_float_model(made, tmp_path, capsys, options, divergence):
    directory, _ = made
    out = imported(directory, tmp_path, *options)
    told = capsys.readouterr().out
    assert "Llama type" in told and "parameters" in told and "bits per weight" in told
    assert "boards" in told and "KL divergence" in told
    assert "windows of text.txt" in told  # ranges, and below in whole windows of the context
    taken, count, window = re.search(r"([\d,]+): (\d+) windows of (\d+) ", told).groups()
    assert int(taken.replace(",", "")) == int(count) * int(window) <= command.MEASURED_TOKENS
    arguments = [str(out), "--corpus", str(directory / "text.txt"), "--tokens", "400", "--json"]
    evaluate.main([*arguments, "--source", str(directory)])
    found = json.loads(capsys.readouterr().out)
    assert 0 <= found["kl"] < divergence and found["top1"] > 0.8
    assert abs(found["perplexity_ratio"] - 1) < 0.1
    assert found["integer_loss"] > 0 and found["float_loss"] > 0 and found["tokens"] >= 300
    evaluate.main(arguments)
    alone = json.loads(capsys.readouterr().out)
    assert alone["integer_loss"] == pytest.approx(found["integer_loss"]) and alone["kl"] is None


def test_generated_text_is_the_references(made, tmp_path, capsys):
    directory, _ = made
    out = imported(directory, tmp_path, "--no-measure", "--prefix", "bos", "--key-bits", "9")
    capsys.readouterr()
    generate.main([str(out), "--prompt", "the cat", "--tokens", "9", "--temperature", "0"])
    told = capsys.readouterr().out
    model = open_model(str(out), imported=True).model
    assert model.config.bits.key == 9 and model.config.bits.value == 8
    codec = source_codec(directory, open_source(directory))
    assert model.prefix == (codec.bos,)
    reference, ids = DecoderReference(model), codec.encode("the cat")
    logits = reference.feed([*model.prefix, *ids])[-1]
    for _ in range(9):
        ids.append(int(np.argmax(logits)))
        if ids[-1] in codec.stop:
            ids.pop()
            break
        logits = reference.step(ids[-1])
    assert told.rstrip("\n") == codec.decode(ids).decode("utf-8", "replace").rstrip("\n")


def test_a_chat_model_is_calibrated_on_conversations_too(made):
    directory, text = made
    codec = source_codec(directory, open_source(directory))
    windows = windows_of(codec, codec.encode(text), CONTEXT, text)
    said = conversations(codec, text, CONTEXT, 3)
    special = dict((token, name) for token, name in codec.special)
    for window in said:
        assert len(window) == CONTEXT
        assert special[int(window[0])] == "<|start|>"
        assert codec.decode(window).decode().startswith("user\n")
    plain = [w for w in windows if not (w[1:] == codec.bos).any()]
    assert len(windows) > len(plain) >= (len(windows) - 1) * CHAT_SHARE // (CHAT_SHARE + 1)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--prefix", "1,x"), f"{PREFIX}'x'"),
        (("--prefix", "290"), f"{PREFIX}'290'"),
        (("--bits", "3"), "--bits must be 4 to 8, trits:1 to trits:5, native or auto, not '3'"),
        (("--budget", "9"), "--budget is for --bits auto"),
        (("--context", "49"), "the context must be 1 to 48 tokens, the model's, not 49"),
        (
            ("--context", "2", "--prefix", "1,2"),
            "--prefix has 2 tokens, which leave no room for a text in a context of 2; give fewer, "
            "or a longer --context",
        ),
    ],
)  # fmt: skip
def test_refused_options_leave_nothing_behind(made, tmp_path, capsys, monkeypatch, options, told):
    """And are refused before the work: before the text is encoded."""
    monkeypatch.setattr(command, "encode_corpus", None)
    directory, _ = made
    assert message(imported, directory, tmp_path, *options) == told
    assert list(tmp_path.iterdir()) == [] and capsys.readouterr().out == ""


def test_bits_that_the_source_does_not_take(made, tmp_path):
    name = made[0].name
    assert message(imported, made[0], tmp_path, "--bits", "native") == (
        f"--bits native: {name} has float weights, no codes to take over; choose --bits 8"
    )
    told = message(imported, made[0], tmp_path, "--bits", "auto")
    assert told.startswith("--bits auto needs --budget BYTES; ")
    least = int(told.split()[5])
    assert f"{least} bytes (int4 for every matrix) is the least, " in told
    too_small = message(imported, made[0], tmp_path, "--bits", "auto", "--budget", str(least - 1))
    assert too_small.startswith(f"a budget of {least - 1} bytes is too small; {least} bytes (int4")
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_is_too_short(made, tmp_path):
    directory, _ = made
    short = tmp_path / "short.txt"
    short.write_text("the cat")
    out = tmp_path / "mine.safetensors"
    arguments = [str(directory), "--calibrate", str(short), "--out", str(out)]
    assert message(command.main, arguments) == (
        "the calibration text has 3 tokens, but at least 96 are needed (2 windows of 48); give a "
        "longer text, or a shorter --context"
    )
    assert list(tmp_path.iterdir()) == [short]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none", "does not exist; give a UTF-8 text file"),
        ("directory", "cannot be read: Is a directory; give a UTF-8 text file"),
        (
            "bytes",
            "is not UTF-8 text: byte 0 is 0xff; convert it to UTF-8, or its tokens to text as "
            "docs/import.md says",
        ),
    ],
)
def test_no_text_to_calibrate_on(made, tmp_path, name, told):
    source, path = made[0], tmp_path / name
    (tmp_path / "directory").mkdir()
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    given = [str(source), "--calibrate", str(path), "--out", str(tmp_path / "a.safetensors")]
    assert message(command.main, given) == f"--calibrate {path} {told}"


def test_the_calibration_text_is_not_overwritten(made, tmp_path):
    text = tmp_path / "text.safetensors"
    text.write_text("the cat")
    arguments = [str(made[0]), "--calibrate", str(text), "--out", str(text)]
    assert message(command.main, arguments) == (
        f"{text} is the calibration text, which would be overwritten; name another --out"
    )


def test_an_artifact_is_no_source(made, tmp_path, capsys):
    """And a text in another encoding is no prompt: one line, before anything is printed."""
    out = imported(made[0], tmp_path, "--no-measure", "--context", "40")
    assert "bytes per token at position 39\n" in capsys.readouterr().out
    again = [str(out), "--calibrate", str(made[0] / "text.txt"), "--out", str(tmp_path / "b.st")]
    assert message(command.main, again) == (
        f"{out} keeps no float weights; name the model that it was imported from"
    )
    prompts = (["--prompt", "\udcff"], ["--prompt", "a", "--system", "\udcff", "--chat"])
    for arguments in (*prompts, ["--prompt", "\udcff", "--chat"]):
        told = message(generate.main, [str(out), *arguments])
        assert told.startswith("character '\\udcff' at position ")
        assert told.endswith(" is no Unicode character; give the text in UTF-8")
    assert capsys.readouterr().out == ""
