"""``model.directories``: what a command makes goes with it unless there is something in it."""

import contextlib
import errno
import os
from pathlib import Path

import pytest

from model import directories
from model.directories import made_directory, require_writable
from model.errors import UserError


class Ended(BaseException):
    """Like KeyboardInterrupt."""


@pytest.mark.parametrize("ending", [None, KeyError, Ended])
@pytest.mark.parametrize("there", ["", "a", "a/b", "a/b/c"])
@pytest.mark.parametrize("file", [None, "a/kept", "a/b/c/kept"])
def test_what_was_made_and_is_empty_goes(tmp_path, ending, there, file):
    (tmp_path / there).mkdir(parents=True, exist_ok=True)
    before = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    expected = before | ({"a", file} if file else set())
    if file == "a/b/c/kept":
        expected |= {"a/b", "a/b/c"}
    expectation = pytest.raises(ending) if ending else contextlib.nullcontext()
    with expectation, made_directory(tmp_path / "a/b/c"):
        if file:
            (tmp_path / file).write_text("")
        if ending:
            raise ending
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} == expected


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    wanted = tmp_path / "file" / "a"
    with pytest.raises(UserError) as caught, made_directory(wanted):
        pass
    assert str(caught.value) == (
        f"cannot make the directory {wanted}: Not a directory; choose a place where you may write"
    )


def test_a_directory_that_cannot_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr("model.directories.os.access", lambda path, mode: False)
    with pytest.raises(UserError) as caught, made_directory(tmp_path / "a"):
        pass
    assert str(caught.value) == (
        f"cannot write to the directory {tmp_path / 'a'}; choose a place where you may write"
    )
    assert not list(tmp_path.iterdir())


def test_a_file_that_can_be_written(tmp_path, monkeypatch):
    (tmp_path / "there").write_text("kept")
    monkeypatch.chdir(tmp_path)
    for name in ("there", "new", tmp_path / "new"):
        require_writable(Path(name))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize(
    "name, message",
    [
        ("a", "--out a is a directory; name the file to write in it"),
        ("b/c", "directory b of --out does not exist; create it first"),
        (
            "a/b",
            "cannot write to the directory a of --out: Permission denied; choose a place where you "
            "may write",
        ),
    ],
)
def test_a_file_that_cannot_be_written(tmp_path, monkeypatch, name, message):
    def refuse(**options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(directories.tempfile, "TemporaryFile", refuse)
    with pytest.raises(UserError) as caught:
        require_writable(Path(name))
    assert str(caught.value) == message
