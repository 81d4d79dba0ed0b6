"""What of a source is part of a design's digest."""

from __future__ import annotations

import pytest

from gateformer.gateware.memory.bus import MemoryShape
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.decoder.random_decoder import random_decoder
from gateformer.platforms.support.design_digest import code, design_digest

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


def test_what_a_streamed_core_is_made_for_is_part_of_it():
    shape = {"vocab_size": 5, "d_model": 8, "n_heads": 2, "n_layers": 1, "d_ff": 8, "ctx_len": 3}
    model = random_decoder(1, **shape)
    memories = (MemoryShape(2, 4, 8), MemoryShape(4, 4, 8))
    made = [StreamedProgram(model, memory, streams) for memory in memories for streams in (1, 2)]
    assert len({design_digest(program) for program in made}) == len(made)
