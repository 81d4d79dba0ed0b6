"""What of a source is part of a design's digest."""

from __future__ import annotations

import pytest

from gateformer.platforms.support.design_digest import code

SOURCE = '''"""A module."""

class A:
    """A class."""

    width = 3
    """An attribute."""

    def f(self):
        """A method."""
        return "text", self.width  # a comment
'''


@pytest.fixture
def code_of(tmp_path):
    def code_of(text: str) -> str:
        path = tmp_path / "source.py"
        path.write_text(text, encoding="utf-8")
        return code(path)

    return code_of


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Another µ-module."""'),
        ('"""A class."""', '"""Another."""'),
        ('"""An attribute."""', '"""Another."""'),
        ('"""A method."""', '"""Another."""'),
        ("# a comment", "# another"),
        ('return "text", self.width', 'return ("text",\n            self.width)'),
    ],
)
def test_documentation_and_layout_are_no_code(code_of, old, new):
    assert old in SOURCE
    assert code_of(SOURCE.replace(old, new)) == code_of(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"), [('"text"', '"texts"'), ("width = 3", "width = 4"), ("self.width", "self.w")]
)
def test_everything_else_is(code_of, old, new):
    assert old in SOURCE
    assert code_of(SOURCE.replace(old, new)) != code_of(SOURCE)
