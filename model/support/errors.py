"""Exceptions that are no bug of ours: command-line entry points print their text, no traceback."""


class UserError(Exception):
    """Bad input: the message names the value, what was expected and what to do."""


class ToolError(Exception):
    """A program that should have worked failed; the message holds the end of its output."""
