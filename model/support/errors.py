"""Exceptions that are no bug of ours: command-line entry points print their text, no traceback."""

from __future__ import annotations

import errno

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Of a write to a disk, or a part of it, that is full."""
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


class UserError(Exception):
    """Bad input: the message names the value, what was expected and what to do."""


class ToolError(Exception):
    """A program that should have worked failed; the message holds the end of its output."""


def write_error(what: str, error: OSError) -> UserError:
    """That ``what`` ("write FILE") failed, why, and what to do about it."""
    if error.errno in NO_ROOM:
        advice = "free space, or choose another place"
    elif error.errno in NOT_ALLOWED:
        advice = "choose a place where you may write"
    elif error.errno == errno.ENOENT:
        advice = "create its directory first"
    else:
        advice = "choose another place"
    return UserError(f"cannot {what}: {error.strerror or error}; {advice}")
