"""What is printed beside plain lines: tables, progress."""

from __future__ import annotations

import copy

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table


class Terminal(Console):
    """rich's console for which brackets, in names of files and models, are no markup.

    A table's title that is wider than the table, as names of models and files can be, is a line
    above it that is not broken.
    """

    def __init__(self, **options):
        super().__init__(markup=False, **options)

    def print(self, *objects, **options) -> None:
        if len(objects) == 1 and isinstance(objects[0], Table):
            table = objects[0]
            title, width = table.title, Measurement.get(self, self.options, table).maximum
            if isinstance(title, str) and len(title) > width:
                super().print(title, style="table.title", highlight=False, soft_wrap=True)
                untitled = copy.copy(table)
                untitled.title = None
                objects = (untitled,)
        super().print(*objects, **options)
