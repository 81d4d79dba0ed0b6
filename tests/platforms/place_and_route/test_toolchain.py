"""The choice of a toolchain, and what to do without one."""

import shutil
from types import SimpleNamespace

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


def test_what_could_not_be_written_whole_is_removed(tmp_path, monkeypatch):
    """A full disk leaves no half of a project, and what somebody else put there."""
    (tmp_path / "notes").write_text("mine")
    target = board("zybo")
    left = [3]

    def write(path, content):
        left[0] -= 1
        if left[0] < 0:
            raise UserError(f"cannot write {path}: No space left on device")
        path.write_text(content)

    plan = SimpleNamespace(files={f"{name}.tcl": name for name in "abcde"})
    monkeypatch.setattr(projects, "build_plan", lambda *arguments: plan)
    monkeypatch.setattr(projects, "write_whole", write)
    with pytest.raises(UserError, match="No space left"):
        projects.write_project(None, target, tmp_path, "vivado")
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
