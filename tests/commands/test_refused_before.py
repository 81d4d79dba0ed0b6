"""What can be known before the work is refused before the work: nothing has begun."""

import resource

import pytest

from tests.support.every_command import run, run_here

from .refusals import REFUSED

LIMIT = 4
"""Seconds of one core; most take less than one."""


def seconds(*whose: int) -> float:
    """Processor time, which other work does not lengthen: of this process, or those that ended."""
    used = [resource.getrusage(who) for who in whose]
    return sum(times.ru_utime + times.ru_stime for times in used)


def name(value) -> str:
    return (value if isinstance(value, str) else " ".join(value))[:60]


@pytest.mark.parametrize("command, said", REFUSED, ids=name)
def test_refused_before_the_work(tmp_path, command, said):
    (tmp_path / "text").write_text("to be or not to be\n" * 500)
    (tmp_path / "empty").touch()
    before = sorted(tmp_path.rglob("*"))
    everything = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    begun = seconds(*everything)
    process = run_here(*command, cwd=tmp_path)
    assert process.stderr.startswith(f"error: {said}") and process.stderr.count("\n") == 1
    if not said.rstrip().endswith(":"):
        assert process.stderr == f"error: {said}\n"
    assert (process.returncode, process.stdout) == (2, "")
    assert sorted(tmp_path.rglob("*")) == before
    assert seconds(*everything) - begun < LIMIT


def test_the_list_takes_no_search(tmp_path):
    """A fresh process without a cache: at most two seconds of one core."""
    variables = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    begun = seconds(resource.RUSAGE_CHILDREN)
    process = run("build.py", "--list", cwd=tmp_path, environment=variables)
    taken = seconds(resource.RUSAGE_CHILDREN) - begun
    assert "zybo" in process.stdout and "shakespeare-115k" in process.stdout
    assert process.stderr == "" and taken < 2
    assert not (tmp_path / "cache").exists()
