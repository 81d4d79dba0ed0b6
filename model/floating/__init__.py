"""Float models, before and around quantization: the twin of an artifact, GPT-2, decoders of any
shape, what integers stand for, their files, their parts (matrices, heads, FFN units), calibration,
simulated quantization. Imports contract, text and support. Read first: torch_model.py,
structure.py, file.py; decoder_shape.py, decoder.py, torch_decoder.py, dequantized.py.
"""
