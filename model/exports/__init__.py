"""Models for other programs: ONNX, INT8 ONNX, QONNX, torch.export, each compared with its source.
Imports floating and below. Read first: export.py, onnx_integer.py, onnx_float.py, onnx_decoder.py.
"""
