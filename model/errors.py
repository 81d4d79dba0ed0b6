"""The one exception a user can cause.

Command-line entry points print its text as one line and exit with status 2; any other
exception is a bug of ours and keeps its traceback.
"""


class UserError(Exception):
    """Bad input: the message names the value, what was expected and what to do."""
