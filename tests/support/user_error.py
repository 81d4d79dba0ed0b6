"""What a user is told."""

import pytest

from gateformer.model.support.errors import UserError


def message(function, *arguments, **options) -> str:
    """The one line of the UserError that the call ends with."""
    with pytest.raises(UserError) as error:
        function(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def no_integer(option: str, bounds: str, given: object) -> str:
    """What is said of an option's number that is none, or beyond its bounds."""
    return f"argument {option}: must be an integer {bounds}, not {given}; see --help"
