"""Contract version 2 (docs/number_contract_2.md): imported models of GPT-2 or Llama type as
integers. Imports only the contract's files outside this folder, and support. Read first: arith.py,
model.py, reference.py.
"""
