"""The same study on a Dask cluster of separate processes."""

import os
import signal
import sys
import threading
import time

import pandas as pd
import pytest
import studies_example as example

from notebook_lib import studies

distributed = pytest.importorskip(
    "distributed", reason="the extra 'cluster' is not installed"
)


class _Path(distributed.WorkerPlugin):
    """Every worker, also one that was restarted, must find the test's module."""

    def __init__(self, folder):
        self.folder = folder

    def setup(self, worker):
        sys.path.insert(0, self.folder)


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.register_plugin(_Path(os.path.dirname(__file__)))
        yield client


def test_cluster_gives_the_same_rows(client, tmp_path):
    plain = studies.run(example.make(), progress=False, checkpoint_dir=tmp_path / "a")
    spread = studies.run(
        example.make(),
        backend="dask",
        batch=3,
        progress=False,
        checkpoint_dir=tmp_path / "b",
    )
    pd.testing.assert_frame_equal(spread, plain)


def test_a_worker_killed_in_the_middle_changes_nothing(client, tmp_path):
    study = example.make(example.slow, n_replicates=100)
    fast = example.make(n_replicates=100)
    plain = studies.run(fast, progress=False, checkpoint_dir=tmp_path / "a")
    killer = threading.Thread(target=_kill_a_worker, args=(client, tmp_path / "b"))
    killer.start()
    spread = studies.run(
        study, backend="dask", batch=2, progress=False, checkpoint_dir=tmp_path / "b"
    )
    killer.join()
    pd.testing.assert_frame_equal(spread, plain)
    assert killed == [signal.SIGKILL]


killed = []


def _kill_a_worker(client, folder):
    """Wait until some batches are done, then kill one of the two workers."""
    victim = next(iter(client.run(os.getpid).values()))
    deadline = time.monotonic() + 300
    while len(list(folder.rglob("done-*.json"))) < 5:
        if time.monotonic() > deadline:
            return
        time.sleep(0.01)
    os.kill(victim, signal.SIGKILL)
    killed.append(signal.SIGKILL)
