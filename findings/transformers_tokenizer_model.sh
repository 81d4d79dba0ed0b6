#!/bin/sh
# transformers 5.24.0, sentencepiece 0.2.3, tokenizers 0.23.3: LlamaTokenizer takes the pieces of a
# tokenizer.model, but neither its normalizer nor its kind of model.
#
# A directory with SentencePiece's tokenizer.model and no tokenizer.json is how Llama models were
# first published, and AutoTokenizer reads it without a warning. One expects the ids of the library
# sentencepiece for the same file. Seen instead, from each of three models trained here:
# - BPE without normalization (Llama's own settings): a text that begins with a space has the ids of
#   the text without it. SentencePiece puts its space before every text, transformers only before
#   one that does not begin with a space.
# - BPE with SentencePiece's default normalization: "ｆｕｌｌ" stays wide, and of two spaces both stay.
# - Unigram: encoded as if it were BPE, by merges that transformers makes of the scores.
# A program that reads tokenizer.model must take the library's ids, and cannot be tested against
# transformers.
#
# Output: for each model a text, its pieces in sentencepiece and in transformers; last
# 'Unigram: 400 of 400 lines of its own text differ'.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.24.0 \
    sentencepiece==0.2.3 tokenizers==0.23.3 protobuf==7.36.2
cd "$directory"
"$directory/venv/bin/python" - <<'PYTHON'
import io
import json
import random
from pathlib import Path

import sentencepiece
import transformers

words = "the cat and dog sat on mat log ate food full of sandwiches although nobody".split()
choose = random.Random(0)
lines = [" ".join(choose.choices(words, k=8)) for _ in range(400)]
plain = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False}
bos, eos, unk = "<s>", "</s>", "<unk>"
names = {"bos_token": bos, "eos_token": eos, "unk_token": unk}


def both(kind, **options):
    """Functions from a text to its pieces, of sentencepiece and of transformers."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=written,
        vocab_size=340,
        model_type=kind,
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    place = Path(f"{kind}{len(options)}")
    place.mkdir()
    (place / "tokenizer.model").write_bytes(written.getvalue())
    (place / "config.json").write_text(json.dumps({"model_type": "llama"}))
    settings = names | {"tokenizer_class": "LlamaTokenizer"}
    (place / "tokenizer_config.json").write_text(json.dumps(settings))
    theirs = transformers.AutoTokenizer.from_pretrained(place)
    library = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    assert type(theirs).__name__ == "LlamaTokenizer"
    assert [theirs.convert_ids_to_tokens(i) for i in range(library.get_piece_size())] == [
        library.id_to_piece(i) for i in range(library.get_piece_size())
    ]

    def of_transformers(text):
        return theirs.convert_ids_to_tokens(theirs.encode(text, add_special_tokens=False))

    return lambda text: library.encode(text, out_type=str), of_transformers


def show(what, text, a, b):
    print(what, repr(text), "sentencepiece:", *a, "transformers:", *b)


a, b = both("bpe", **plain)
assert a("the cat") == b("the cat")
show("BPE", " the cat", a(" the cat"), b(" the cat"))
assert a(" the cat") == ["\u2581", *a("the cat")] and b(" the cat") == b("the cat")

a, b = both("bpe")
text = "\uff46\uff55\uff4c\uff4c  mat"
show("BPE, normalized", text, a(text), b(text))
assert a(text) == a("full mat") == b("full mat") and b(text) != a(text)

a, b = both("unigram", **plain)
different = [line for line in lines if a(line) != b(line)]
show("Unigram", different[0], a(different[0]), b(different[0]))
print(f"Unigram: {len(different)} of {len(lines)} lines of its own text differ")
assert len(different) > len(lines) / 10
PYTHON
