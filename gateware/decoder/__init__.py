"""Core for contract version 2: GPT-2 and Llama type, all numbers of a vector one after the other
behind a row of lanes that multiplies a word of weights, keys or values per cycle."""
