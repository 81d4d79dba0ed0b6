"""The core of an imported model whose weights, keys and values come from external memory."""
