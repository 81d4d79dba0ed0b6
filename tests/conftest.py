"""One thread per process for numpy and torch: tests run in parallel on all cores."""

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")


def pytest_sessionstart(session):
    """Some tests run Yosys by its own command: it must have compiled itself before."""
    from gateformer.platforms.support import yosys

    yosys.prepare()
