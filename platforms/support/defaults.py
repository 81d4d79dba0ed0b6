"""What commands take if nothing else is asked for; imports nothing, so that a help can name it."""

DEFAULT_MODEL = "shakespeare-115k"
DEFAULT_CYCLES = "0:2000"
"""Of a waveform."""
AUTO = "auto"
"""As many streams, and cores, as give the most tokens of all together."""


def several_streams(arguments) -> bool:
    """Whether more than one stream may be asked for, in one core or in several."""
    return arguments.streams == AUTO or (arguments.streams or 1) * (arguments.cores or 1) > 1


SIZES = {
    "rows": "output rows of the ternary engine per cycle",
    "cols": "input columns of the ternary engine per cycle",
    "lanes": "INT8 products per cycle",
}
"""Options of hardware sizes, and what they say."""
