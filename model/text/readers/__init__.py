"""Readers of other programs' tokenizers, each to a TextCodec: files of Hugging Face, nanoGPT,
llama2.c, SentencePiece and GGUF metadata. Imports text and support. Read first: pieces.py,
hugging_face.py.
"""
