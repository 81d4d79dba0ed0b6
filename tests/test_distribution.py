"""Source distributions are complete; hints install an extra, however the program is installed."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from gateformer.model.support import optional
from gateformer.model.support.optional import PROJECT, install_command

ROOT = Path(__file__).parent.parent
GENERATED = {"PKG-INFO", "setup.cfg"}


def tracked() -> list[str]:
    """Files of the repository as they are now, new ones that git would not ignore included."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        result = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [name for name in result.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the repository's files, as a fresh clone has them."""
    directory = tmp_path_factory.mktemp("clone") / PROJECT
    for name in tracked():
        place = directory / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place)
    return directory


def run(code: str, directory: Path, *options: str, **environment) -> str:
    """What a new Python prints in ``directory``, without this repository on its path."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [sys.executable, *options, "-c", code],
        cwd=directory,
        env={**variables, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_source_distribution_has_every_file_of_the_repository(tree, tmp_path):
    pytest.importorskip("setuptools")
    run(f"from setuptools import build_meta; build_meta.build_sdist({str(tmp_path)!r})", tree)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        names = {name.split("/", 1)[1] for name in file.getnames() if "/" in name}
        held = {name for name in names if file.getmember(f"{archive.name[:-7]}/{name}").isfile()}
    held = {name for name in held - GENERATED if f"{PROJECT}.egg-info/" not in name}
    assert held == set(tracked())


def _install(tree: Path, directory: Path, *options: str) -> Path:
    """site-packages below ``directory`` with the project of ``tree``, by pip, without a network."""
    pytest.importorskip("setuptools")
    prefix = ["--prefix", str(directory), "--ignore-installed"]
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, *prefix, *options, str(tree)], cwd=directory, check=True)
    (site,) = directory.glob("**/site-packages")
    return site


def _said(directory: Path, site: Path) -> str:
    """The hint of the program in ``site``, run in ``directory``."""
    place = f"import site; site.addsitedir({str(site)!r}); "
    code = f"{place}import sys; from {optional.__name__} import install_command as c"
    # -S: what is installed here, this repository among it, does not count
    return run(f"{code}; print(c('train'))", directory, "-S").strip()


def test_a_source_tree_that_is_not_installed(tree, tmp_path):
    build = [sys.executable, "-S", str(tree / "build.py"), "zybo"]
    result = subprocess.run(build, cwd=tmp_path, env={}, capture_output=True, text=True)
    said = f"error: gateformer is not installed; run: pip install -e {tree}\n"
    assert (result.returncode, result.stdout, result.stderr) == (2, "", said)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_installed_editable(tree, tmp_path, elsewhere):
    site = _install(tree, tmp_path, "-e")
    there = tmp_path if elsewhere else tree
    place = tree if elsewhere else "."
    assert _said(there, site) == f"pip install -e '{place}[train]'"


@pytest.mark.parametrize(
    "origin, command",
    [
        (None, "pip install 'TREE[train]'"),  # as pip has noted it
        ("", "pip install 'gateformer[train]'"),
        (
            {"url": "https://host/g.git", "vcs_info": {"vcs": "git", "commit_id": "a1"}},
            "pip install 'gateformer[train] @ git+https://host/g.git@a1'",
        ),
        (
            {"url": "https://host/gateformer-0.1.0.tar.gz", "archive_info": {}},
            "pip install 'gateformer[train] @ https://host/gateformer-0.1.0.tar.gz'",
        ),
    ],
)
@pytest.mark.slow_but("None-*", "origin2*")
def test_installed_as_a_copy(tree, tmp_path, origin, command):
    site = _install(tree, tmp_path)
    (noted,) = site.glob("*.dist-info/direct_url.json")
    if origin == "":
        noted.unlink()
    elif origin is not None:
        noted.write_text(json.dumps(origin))
    assert _said(tmp_path, site) == command.replace("TREE", str(tree))


def test_the_hint_is_a_command_of_a_shell(monkeypatch, tmp_path):
    monkeypatch.setattr(optional, "_source_tree", lambda: tmp_path / "it's here")
    words = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {install_command('train')}"], capture_output=True, text=True
    ).stdout
    assert words.splitlines() == ["pip", "install", "-e", f"{tmp_path}/it's here[train]"]
