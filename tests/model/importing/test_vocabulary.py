"""The tokenizer that comes with a model: found where its family keeps it, whole in the artifact."""

from __future__ import annotations

import json
import sys

import pytest

from gateformer.model.contract import artifact
from gateformer.model.evaluation import evaluate, generate
from gateformer.model.evaluation.text_model import TextModel
from gateformer.model.floating.checkpoints.opening import open_source
from gateformer.model.importing import command
from gateformer.model.importing.vocabulary import source_codec
from gateformer.model.support.errors import UserError
from tests.support.checkpoints.decoder_files import llama_model, save
from tests.support.checkpoints.gguf_vocabulary import sentencepiece_model
from tests.support.text_lines import files

pytest.importorskip("transformers")
pytest.importorskip("sentencepiece")
SIZE = 710
TEMPLATE = "{{ bos_token }}{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}"


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A Hugging Face directory with SentencePiece's model, and texts beside it."""
    parent = tmp_path_factory.mktemp("import")
    made = save(llama_model(vocab_size=SIZE), parent / "model", safe_serialization=True)
    (made / "tokenizer.model").write_bytes(sentencepiece_model())
    added = {"700": {"content": "<|im_end|>", "special": True}}
    config = {"bos_token": "<s>", "eos_token": "</s>", "added_tokens_decoder": added}
    (made / "tokenizer_config.json").write_text(json.dumps(config))
    (made / "generation_config.json").write_text('{"eos_token_id": [2, 700]}')
    (made / "chat_template.jinja").write_text(TEMPLATE)
    (parent / "text.txt").write_text(files()[0][:4000], encoding="utf-8")
    return made


def test_from_a_directory_to_text_without_the_library(directory, tmp_path, capsys, monkeypatch):
    text, out = str(directory.parent / "text.txt"), str(tmp_path / "mine.safetensors")
    command.main([str(directory), "--calibrate", text, "--out", out, "--no-measure"])
    model = artifact.open_model(out, imported=True)
    codec = source_codec(directory, open_source(directory))
    ours = TextModel(model).codec
    assert ours == codec and (len(ours.pieces), ours.stop) == (SIZE, (2, 700))
    assert TextModel(model).chat("the") == [1, *codec.encode("the"), 700]
    capsys.readouterr()

    generate.main([out, "--prompt", "the", "--tokens", "9", "--temperature", "0", "--chat"])
    said = capsys.readouterr().out
    evaluate.main([out, "--corpus", text, "--source", str(directory), "--tokens", "128", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["text"] == "text.txt" and result["kl"] < 0.1

    monkeypatch.setitem(sys.modules, "sentencepiece", None)  # decoding needs it no more
    again = TextModel(artifact.open_model(out, imported=True))
    prompt, settings = [1, *codec.encode("the"), 700], again.settings("0", 0, None, 1)
    told = list(again.generate(prompt, 9, settings))
    assert again.codec.decode(told).decode("utf-8", "replace") + "\n" == said


def test_a_tokenizer_is_named_by_its_file(directory, tmp_path):
    source = open_source(directory)
    lonely = tmp_path / "mine.model"
    lonely.write_bytes(sentencepiece_model())
    assert source_codec(directory, source, lonely).encode("the") == source_codec(
        directory, source
    ).encode("the")
    with pytest.raises(
        UserError, match=r"mine\.txt is of no known kind; expected a directory with"
    ):
        source_codec(directory, source, tmp_path / "mine.txt")
