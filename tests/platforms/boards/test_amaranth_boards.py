"""Every platform class of the installed amaranth-boards: a board, or one line."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import amaranth_boards
import pytest
from amaranth.build import Platform

from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from tests.support.own_boards import OWN_BOARDS


def platforms() -> dict[str, type[Platform]]:
    """By "module:class", those whose names are not private."""
    found = {}
    for module in pkgutil.iter_modules(amaranth_boards.__path__):
        for name, value in vars(importlib.import_module(f"amaranth_boards.{module.name}")).items():
            own = isinstance(value, type) and value.__module__ == f"amaranth_boards.{module.name}"
            if own and issubclass(value, Platform) and not name.startswith("_"):
                found[f"{module.name}:{name}"] = value
    return found


PLATFORMS = platforms()


def test_there_are_many():
    assert len(PLATFORMS) > 60
    assert {name.partition(":")[2] for name in PLATFORMS} >= set(OWN_BOARDS)


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_board_or_one_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cls = PLATFORMS[name]
    Path("mine.py").write_text(f"from {cls.__module__} import {cls.__name__}\n")
    try:
        target = board("mine.py")
    except UserError as refused:
        said = str(refused)
        assert said.startswith(f"mine.py: {cls.__name__}") and "\n" not in said
        reasons = ("not supported", "no serial port", "no default_clk", "is not one of")
        assert any(reason in said for reason in reasons), said
    else:
        assert target.toolchains and target.budget.lut
        for toolchain in target.toolchains:
            assert target.build_platform(toolchain).lights is not None
