"""The same study on a Dask cluster of separate processes."""

import os
import signal
import sys
import threading
import time

import pandas as pd
import pytest
import studies_example as example
from studies_example import pid

from notebook_lib import studies
from notebook_lib.studies import __main__ as command

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
    assert killed == [signal.SIGKILL]
    pd.testing.assert_frame_equal(spread, plain)
    for name, frame in (("a", plain), ("b", spread)):
        studies.save(fast, frame, folder=tmp_path / name)
    one, two = (tmp_path / name / "example.csv" for name in "ab")
    assert one.read_bytes() == two.read_bytes()


def test_command_runs_on_a_cluster(client, tmp_path, monkeypatch):
    """`make studies DASK=address` hands the replicates to the cluster's processes."""
    monkeypatch.setattr(studies, "REGISTRY", {})
    monkeypatch.setattr(studies, "discover", lambda: studies.REGISTRY)
    studies.register(example.make(pid))
    folders = ["--output", str(tmp_path), "--checkpoints", str(tmp_path / "c")]
    address = client.scheduler.address
    assert command.main(["run", "example", "--scheduler", address, *folders]) == 0
    frame, manifest = studies.load("example", folder=tmp_path)
    assert manifest["backend"] == "dask"
    # Not compared with the workers' own numbers: one was killed by the test above,
    # and its successor may come and go while this runs.
    assert os.getpid() not in set(frame["pid"])
    assert (frame["error"] == "").all()


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
