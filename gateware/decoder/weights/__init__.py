"""Weights of every format on their way into a sum: how they lie in words (``word_format``), the
memories of words (``weight_store``), and what scales of groups multiply (``group_sums``, behind
the trees of ``part_tree``, in step by ``grouped_total``)."""
