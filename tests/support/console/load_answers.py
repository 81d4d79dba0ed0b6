"""What a device says of an image that it refused, over the serial line or from its processor."""

KEPT = b"the old model is still there\r\n"
NONE = b"there is no model; /load one\r\n"
BROKEN_OFF = b"! image refused: broken off: no byte came for 1 second; "
SHAPE = b"! image refused: it is for a core of another shape; "
CHECKSUM = b"! image refused: its checksum is wrong; "
READBACK = b"! image refused: the memories do not hold what was written; "
