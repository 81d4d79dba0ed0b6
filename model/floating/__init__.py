"""Float models, before and around quantization: the twin of an artifact, GPT-2, decoders of any
shape (torch_decoder.py), what integers stand for (dequantized.py), their files, their
parts (matrices, heads, FFN units), calibration, simulated quantization. Imports contract, text and
support. Read first: torch_model.py, structure.py, file.py.
"""
