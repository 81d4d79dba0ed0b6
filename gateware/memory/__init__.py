"""Access to external memory over AXI: streams of words in, single words out."""
