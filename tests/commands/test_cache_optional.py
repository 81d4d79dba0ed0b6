"""The cache is optional: without it, one line says so and the work goes on."""

import errno
import os
from pathlib import Path

import pytest

from gateformer.model.support import cache
from gateformer.model.support.errors import NO_ROOM, ToolError
from tests.support.every_command import TINY, run

SIZES = ("--rows", "1", "--cols", "8", "--lanes", "8", "--packing", "2bit")
COMMAND = ("build.py", "zybo", "--model", TINY, *SIZES, "--timeline")
"""Keeps what the search of sizes measured."""


@pytest.fixture
def fresh(monkeypatch):
    """As in a process that has just begun."""
    monkeypatch.setattr(cache, "_instead", {})
    monkeypatch.setattr(cache, "_written", set())
    for name in ("YOWASP_CACHE_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "kept")


@pytest.mark.parametrize(
    "changes, place, reason",
    [
        ({"XDG_CACHE_HOME": "TMP/file"}, "TMP/file/gateformer", "Not a directory"),
        ({"XDG_CACHE_HOME": None, "HOME": "file"}, "file/.cache/gateformer", "Not a directory"),
        ({"XDG_CACHE_HOME": "/proc/none"}, "/proc/none/gateformer", "No such file or directory"),
        (
            {"XDG_CACHE_HOME": None, "HOME": "/proc/none"},
            "/proc/none/.cache/gateformer",
            "No such file or directory",
        ),
    ],
)
def test_a_cache_that_cannot_be_used(tmp_path, changes, place, reason):
    (tmp_path / "file").touch()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    changes = {
        name: value and value.replace("TMP", str(tmp_path)) for name, value in changes.items()
    }
    place = place.replace("TMP", str(tmp_path))
    environment = {**changes, "TMPDIR": str(temporary)}
    process = run(*COMMAND, cwd=tmp_path, environment=environment)
    assert process.stderr == f"the cache {place} cannot be used ({reason}); going on without it\n"
    assert process.returncode == 0 and "cycles" in process.stdout
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("name", ["HOME", "XDG_CACHE_HOME"])
def test_a_home_that_does_not_exist_is_made(tmp_path, name):
    changes = {"XDG_CACHE_HOME": None, name: str(tmp_path / "none/where")}
    process = run(*COMMAND, cwd=tmp_path, environment=changes)
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize("given", ["", "here", "./here", "../here"])
def test_a_relative_cache_is_ignored(tmp_path, monkeypatch, fresh, given):
    """As the XDG base directory specification has it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    assert cache.cache_directory() == tmp_path / "home/.cache/gateformer"
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_no_place_at_all(tmp_path, monkeypatch, fresh):
    from tests.support.user_error import message

    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    def fail(**options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache.tempfile, "mkdtemp", fail)
    assert message(cache.cache_directory) == (
        "cannot write temporary files: No space left on device; set TMPDIR to a place with room"
    )


@pytest.mark.parametrize("number", NO_ROOM)
def test_a_cache_that_fills_up(tmp_path, monkeypatch, fresh, capsys, number):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    places = []

    def make(work: Path, target: Path):
        places.append(work)
        if work.is_relative_to(tmp_path / "gateformer"):
            raise OSError(number, os.strerror(number))
        target.write_text("made")

    path = cache.cached_file("result", make)
    assert path.read_text() == "made" and len(places) == 2
    assert cache.cached_file("result", make) == path and len(places) == 2
    assert capsys.readouterr().err == (
        f"the cache {tmp_path / 'gateformer'} cannot be used ({os.strerror(number)}); going on "
        "without it\n"
    )
    assert not [entry for entry in tmp_path.rglob("*") if entry.name == "result"]


def test_a_tool_that_fills_the_cache(tmp_path, monkeypatch, fresh, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    usage = cache.shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda place: usage)

    def make(work: Path, target: Path):
        if work.is_relative_to(tmp_path / "gateformer"):
            raise ToolError("cannot write out.o")
        target.write_text("made")

    assert cache.cached_file("result", make).read_text() == "made"
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ToolError("wrong"), OSError(errno.ENOENT, "none"), KeyError(1)])
def test_other_faults_are_no_matter_of_the_cache(tmp_path, monkeypatch, fresh, error):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def make(work: Path, target: Path):
        raise error

    with pytest.raises(type(error)):
        cache.cached_file("result", make)
    assert cache.cache_directory() == tmp_path / "gateformer"
