"""Limits of streamed cores, for hosts too: they have no Amaranth."""

MOST_STREAMS = 8
