"""From a text to an artifact: the loop, the phases, the model whose forward pass is the integer
function, teachers. Imports evaluation and below. Read first: train.py, run.py, loop.py,
qat_model.py.
"""
