"""What is printed beside plain lines: tables, progress."""

from __future__ import annotations

from rich.console import Console


class Terminal(Console):
    """rich's console for which brackets, in names of files and models, are no markup."""

    def __init__(self, **options):
        super().__init__(markup=False, **options)
