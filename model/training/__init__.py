"""From a text to an artifact: the loop, the phases, the model whose forward pass is the integer
function, teachers; and of other architectures, which are trained as floats and rounded. Imports
importing and below. Read first: train.py, run.py, loop.py, qat_model.py; decoder_run.py.
"""
