"""Readers of other programs' tokenizers, each to a TextCodec: files of Hugging Face, of nanoGPT
and of llama2.c. Imports text and support. Read first: pieces.py, hugging_face.py.
"""
