"""Firmware for the processor of a Zynq board: C sources (source/), their build, the image of
another model, an emulated processor. Imports sizes and below. Read first: build.py, model.py,
zynq_emulator.py.
"""
