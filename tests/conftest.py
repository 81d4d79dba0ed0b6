"""One thread per process for numpy and torch: tests run in parallel on all cores."""

import collections
import fnmatch
import gc
import hashlib
import os
import signal
import sys
import time

import pytest

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")


def pytest_sessionstart(session):
    """Garbage is looked for as in commands. Some tests run Yosys by its own command: it must have
    compiled itself before.

    Tests use all cores already, so a simulation is not compiled in parts. Most run for less time
    than they take to compile: -O1 saves a sixth of that, and they run as fast (-O0 would save a
    half, and they would run 20 times as long).
    """
    from gateformer.model.support import cli
    from gateformer.platforms.simulation import cxxrtl
    from gateformer.platforms.support import cpp_compiler, yosys
    from tests.platforms.simulation import precompiled_headers

    gc.set_threshold(*cli.GARBAGE_THRESHOLDS)
    yosys.prepare()
    cxxrtl.MAX_PARTS = 1
    cpp_compiler.FLAGS = tuple("-O1" if flag == "-O2" else flag for flag in cpp_compiler.FLAGS)
    cpp_compiler.FLAGS += precompiled_headers.flags()


def pytest_addoption(parser):
    group = parser.getgroup("time")
    group.addoption("--seconds", type=float, help="skip tests that have not begun after this time")
    group.addoption("--order", help="any text: the modules in an order that hangs on it")


def pytest_configure(config):
    config.began = time.monotonic()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """What is ``slow_but`` for some parameters is slow for the others; ``--order`` sorts.

    UsageError for a pattern that matches none of its test's parameters, if whole files are run.
    """
    matched = collections.defaultdict(set)
    for item in items:
        marker = item.get_closest_marker("slow_but")
        if marker is None:
            continue
        test, _, parameters = item.nodeid.partition("[")
        found = {p for p in marker.args if fnmatch.fnmatchcase(parameters.removesuffix("]"), p)}
        if not found:
            item.add_marker(pytest.mark.slow)
        for pattern in marker.args:
            matched[test, pattern].update(found & {pattern})
    if not any("::" in argument for argument in config.args):
        for (test, pattern), found in matched.items():
            if not found:
                raise pytest.UsageError(f"{test}: slow_but {pattern!r} matches no parameters")
    order = config.getoption("--order")
    if order is not None:
        items.sort(key=lambda item: hashlib.sha256(f"{order} {item.path}".encode()).digest())


def pytest_runtest_setup(item):
    seconds = item.config.getoption("--seconds")
    if seconds is not None and time.monotonic() - item.config.began > seconds:
        pytest.skip("no time left: --seconds")


@pytest.fixture(scope="module", autouse=True)
def reset_shared_simulations():
    """A module passes whichever modules its process had before."""
    from tests.support.shared_simulations import reset_all

    reset_all()


@pytest.fixture(autouse=True)
def signals():
    """A command that a test runs in its own process leaves Ctrl-C to pytest."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before, hook = [signal.getsignal(number) for number in numbers], sys.unraisablehook
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
    sys.unraisablehook = hook
