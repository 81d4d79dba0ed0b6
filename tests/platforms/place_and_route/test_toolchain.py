"""The choice of a toolchain, and what to do without one."""

import shutil

import pytest

from gateformer.model.support.errors import UserError
from gateformer.model.support.optional import install_command
from gateformer.platforms.boards.board import board
from gateformer.platforms.place_and_route import project as projects


@pytest.mark.parametrize(
    ("name", "extra", "tools_named"),
    [
        ("ulx3s", "ecp5", "nextpnr-ecp5, ecppack"),
        ("tang-nano-9k", "gowin", "nextpnr-himbaechel-gowin, gowin_pack"),
    ],
)
def test_without_tools_one_line_says_what_to_do(tmp_path, monkeypatch, name, extra, tools_named):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    project = projects.Project(tmp_path, board(name), "nextpnr", [])
    assert projects.advice(project, project.tools.missing()) == (
        f"no bitstream yet: {tools_named} not found; {install_command(extra)}, "
        f"then run: cd {tmp_path} && sh build_top.sh"
    )


@pytest.mark.parametrize(
    ("name", "known"), [("ulx3s", "nextpnr"), ("arty-a7-35", "vivado, openxc7")]
)
def test_unknown_toolchains(name, known):
    with pytest.raises(UserError) as error:
        projects.choose_toolchain(board(name), "diamond")
    assert str(error.value) == f"unknown toolchain 'diamond' for {name}; known: {known}"
