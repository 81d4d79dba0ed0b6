"""What a user is told."""

import pytest

from gateformer.model.support.errors import UserError


def message(function, *arguments, **options) -> str:
    """The one line of the UserError that the call ends with."""
    with pytest.raises(UserError) as error:
        function(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)
