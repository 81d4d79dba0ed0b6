"""Syntheses one after the other, side by side, or on a dask scheduler."""

from __future__ import annotations

import pytest

from gateformer.platforms.sizes.jobs import run_jobs


def _square(number: int) -> int:
    return number * number


def test_jobs_give_every_result_with_its_item():
    items = [3, 1, 2]
    one = list(run_jobs(_square, items, what="squares"))
    assert one == [(3, 9), (1, 1), (2, 4)]
    pytest.importorskip("joblib")
    assert sorted(run_jobs(_square, items, what="squares", jobs=2)) == sorted(one)


def test_jobs_run_on_a_dask_scheduler():
    distributed = pytest.importorskip("distributed")
    options = {"processes": False, "n_workers": 1, "threads_per_worker": 1}
    with distributed.LocalCluster(dashboard_address=None, **options) as cluster:
        results = run_jobs(_square, [3, 1, 2], what="squares", scheduler=cluster.scheduler_address)
        assert sorted(results) == [(1, 1), (2, 4), (3, 9)]
