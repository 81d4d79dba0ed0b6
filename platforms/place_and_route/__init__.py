"""From a build directory to a bitstream: toolchains, their runs, and what they reported. Imports
synthesis and below. Read first: toolchain.py, project.py, run.py, placed.py.
"""
