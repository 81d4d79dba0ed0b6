"""The marker ``slow_but``: which parameters stay in the fast run."""

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.mark.slow_but({patterns})
@pytest.mark.parametrize("size", [1, 20, 21])
@pytest.mark.parametrize("kind", ["small", "large"])
def test_all(kind, size):
    pass
"""


@pytest.fixture
def run(pytester):
    pytester.makeini("[pytest]\nmarkers =\n    slow\n    slow_but(patterns)")
    pytester.makeconftest(
        """
        from tests.conftest import pytest_collection_modifyitems

        def pytest_addoption(parser):
            parser.addoption("--order")
        """
    )

    def run(patterns, *arguments):
        pytester.makepyfile(TESTS.format(patterns=patterns))
        options = ("-p", "no:xdist", "-p", "no:cacheprovider", "-m", "not slow")
        return pytester.inline_run(*options, *arguments)

    return run


def names(result):
    return [call.item.name for call in result.getcalls("pytest_runtest_call")]


def test_parameters_that_a_pattern_matches_are_fast(run):
    assert names(run("'small-2?', 'large-1'")) == [
        *("test_all[small-20]", "test_all[small-21]"),
        "test_all[large-1]",
    ]


def test_a_pattern_that_matches_nothing_is_an_error(run, capsys):
    result = run("'small-*', '*-3'")
    assert result.ret == pytest.ExitCode.USAGE_ERROR and names(result) == []
    assert "::test_all: slow_but '*-3' matches no parameters" in capsys.readouterr().err


def test_not_where_single_tests_are_asked_for(run):
    name = "test_not_where_single_tests_are_asked_for.py::test_all[small-20]"
    assert names(run("'small-*', 'large-1'", name)) == ["test_all[small-20]"]
