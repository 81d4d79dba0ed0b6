"""Readers of models that people have: Hugging Face directories, nanoGPT checkpoints, llama2.c and
GGUF files, all behind one face, with one set of names and the codes of quantized files kept.
Read first: opening.py, source.py, stored.py.
"""
