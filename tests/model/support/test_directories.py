"""``directories``: what a command makes goes with it unless there is something in it."""

import contextlib
import errno
import os
from pathlib import Path

import pytest

from gateformer.model.support import directories
from gateformer.model.support.directories import made_directory, require_writable
from gateformer.model.support.errors import UserError
from gateformer.model.support.whole_file import write_whole


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


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no directory of the system's own")
def test_a_directory_that_takes_no_files():
    with pytest.raises(UserError) as caught:
        require_writable("/proc/x.json", ".json", "--json")
    assert str(caught.value) == (
        "no file can be made in the directory /proc of --json; choose another place"
    )


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    wanted = tmp_path / "file" / "a"
    with pytest.raises(UserError) as caught, made_directory(wanted):
        pass
    assert str(caught.value) == (
        f"{tmp_path / 'file'} is a file, where a directory is needed; name another"
    )


def test_a_directory_that_cannot_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr("gateformer.model.support.directories.os.access", lambda path, mode: False)
    with pytest.raises(UserError) as caught, made_directory(tmp_path / "a"):
        pass
    assert str(caught.value) == (
        f"cannot write to the directory {tmp_path / 'a'}; choose a place where you may write"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_what_is_no_file_stays_what_it_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match=r"^--out .*pipe is a device or the like; name a file$"):
        require_writable(pipe, ".json")
    with pytest.raises(UserError, match=r"^cannot write .*pipe: it is a device or the like"):
        write_whole(pipe, "text")
    assert pipe.is_fifo() and [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_what_is_read_is_not_written(tmp_path):
    (tmp_path / "text").write_text("kept")
    (tmp_path / "same").symlink_to("text")
    with pytest.raises(UserError) as caught:
        require_writable(
            tmp_path / "same", ".txt", model="none", corpus=tmp_path / "text", init=None
        )
    assert str(caught.value) == (
        f"{tmp_path}/same is the corpus, which would be overwritten; name another --out"
    )
    require_writable(tmp_path / "other", ".txt", corpus=tmp_path / "text")


def test_a_file_that_can_be_written(tmp_path, monkeypatch):
    (tmp_path / "there.JPG").write_text("kept")
    monkeypatch.chdir(tmp_path)
    for name in ("there.JPG", "new", "new.txt", tmp_path / "new"):
        require_writable(Path(name), (".jpeg", ".jpg"))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize(
    "suffixes, expected", [(".json", ".json"), ((".jpeg", ".jpg"), ".jpeg or .jpg")]
)
def test_a_file_of_another_kind_is_kept(tmp_path, monkeypatch, suffixes, expected):
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "json"):
        Path(name).write_text("kept")
        with pytest.raises(UserError) as caught:
            require_writable(Path(name), suffixes, "--json")
        assert str(caught.value) == (
            f"--json {name} exists and is no {expected} file; name another, or remove it first"
        )


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
        require_writable(Path(name), ".json")
    assert str(caught.value) == message
