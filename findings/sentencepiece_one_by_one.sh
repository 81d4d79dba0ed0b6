#!/bin/sh
# sentencepiece 0.2.3, tokenizers 0.23.3 (Metaspace): decoding token by token loses every space.
#
# A program that shows text while it is generated decodes each new token and prints it. With the
# vocabularies of Llama and TinyStories models the pieces hold their spaces ("_cat", with a mark for
# the space), so one expects the parts to add up to the whole. But decode() takes the first piece's
# space away, since encode() had put one in front of the text, and every single token is a first one:
# decode(ids) and the joined decodes of each id differ in all spaces. The same holds for encoding: a
# leading space and none give the same ids. A console or an FPGA's character table must take the piece
# itself and drop the space of the very first only.
#
# Output: 'the cat sat on the mat' and 'thecatsatonthemat' from both libraries.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" install --quiet --disable-pip-version-check sentencepiece==0.2.3 tokenizers==0.23.3
cd "$directory"
"$directory/venv/bin/python" - <<'PYTHON'
import io
import random

import sentencepiece
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

words = "the cat and dog sat on mat log ate food".split()
choose = random.Random(0)
lines = [" ".join(choose.choices(words, k=8)) for _ in range(400)]
text = "the cat sat on the mat"

written = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(lines),
    model_writer=written,
    vocab_size=40,
    model_type="bpe",
    minloglevel=2,
)
of_sentencepiece = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
assert of_sentencepiece.encode(text) == of_sentencepiece.encode(" " + text)
ids = of_sentencepiece.encode(text)
pieces = [of_sentencepiece.id_to_piece(i) for i in ids]
results = [(of_sentencepiece.decode(ids), "".join(of_sentencepiece.decode([i]) for i in ids))]
assert "".join(pieces).replace("\u2581", " ") == " " + text

other = Tokenizer(models.BPE())
other.pre_tokenizer, other.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
other.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=60, show_progress=False))
ids = other.encode(text).ids
results.append((other.decode(ids), "".join(other.decode([i]) for i in ids)))

for whole, joined in results:
    print(repr(whole), repr(joined))
    assert whole == text and joined == text.replace(" ", "")
PYTHON
