#!/bin/sh
# llama-cpp-python 0.3.36 (llama.cpp of it), gguf 0.19.0: which tokens end a text is decided by their
# texts, beside and against what the GGUF file says.
#
# A GGUF file names its end as tokenizer.ggml.eos_token_id, if need be eot_token_id and eom_token_id,
# and gives every token a type. One expects generation to end at these ids, and tokens of type
# USER_DEFINED to stand wherever their text does. Seen instead, with a file that names one end:
# - llama_vocab_is_eog is true for every token with a text on llama.cpp's list, "<EOT>" and
#   "<|endoftext|>" among them, and for one of "<fim_pad>", "<PAD>", "[PAD]", one of "<|repo_name|>",
#   "<reponame>", and "<|file_sep|>", which separate files in training texts of code. SmolLM2's
#   file names one end, and has three: "<reponame>", but neither "<repo_name>" nor "<file_sep>".
# - such a token becomes a control token whatever its type was: its text is no longer that token
#   unless special texts are asked for, and the token has no text.
# A program that compares its text with llama.cpp's must stop where llama.cpp stops, or one goes on.
# (By the way: a file of a tokenizer alone, without model settings or tensors, loads with vocab_only.)
#
# Output: per token its text, the type in the file, whether it ends a text, whether it is control.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" install --quiet --disable-pip-version-check gguf==0.19.0 \
    llama-cpp-python==0.3.36
cd "$directory"
"$directory/venv/bin/python" - <<'PYTHON'
import gguf
import llama_cpp

NORMAL, CONTROL, USER_DEFINED = 1, 3, 4
tokens = {
    "a": NORMAL,
    "<|im_end|>": CONTROL,  # the end that the file names
    "<|im_start|>": CONTROL,
    "<|endoftext|>": CONTROL,
    "<EOT>": NORMAL,
    "[PAD]": USER_DEFINED,
    "<reponame>": CONTROL,
    "<repo_name>": CONTROL,
    "<|file_sep|>": USER_DEFINED,
    "<file_sep>": CONTROL,
    "<mine>": USER_DEFINED,
}
writer = gguf.GGUFWriter("vocabulary.gguf", "llama")
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("gpt-2")
writer.add_token_list(list(tokens))
writer.add_token_types(list(tokens.values()))
writer.add_token_merges(["a a"])
writer.add_eos_token_id(1)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.close()

llama = llama_cpp.Llama("vocabulary.gguf", vocab_only=True, verbose=False)
vocabulary = llama_cpp.llama_model_get_vocab(llama.model)
ends, control = set(), set()
for token, (text, kind) in enumerate(tokens.items()):
    is_end = llama_cpp.llama_vocab_is_eog(vocabulary, token)
    is_control = llama_cpp.llama_vocab_is_control(vocabulary, token)
    ends |= {text} if is_end else set()
    control |= {text} if is_control else set()
    print(f"{text:15} type {kind}  ends a text: {is_end!s:5}  control: {is_control}")
assert ends == {"<|im_end|>", "<|endoftext|>", "<EOT>", "[PAD]", "<reponame>", "<|file_sep|>"}
assert {"<EOT>", "[PAD]", "<|file_sep|>"} < control and "<mine>" not in control

mine, pad = list(tokens).index("<mine>"), list(tokens).index("[PAD]")
assert llama.tokenize(b"<mine>", add_bos=False, special=False) == [mine]
assert llama.tokenize(b"[PAD]", add_bos=False, special=False) != [pad]
assert llama.tokenize(b"[PAD]", add_bos=False, special=True) == [pad]
assert llama.detokenize([mine]) == b"<mine>" and llama.detokenize([pad]) == b""
PYTHON
