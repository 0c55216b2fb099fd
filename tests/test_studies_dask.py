"""The same study on a Dask cluster of separate processes."""

import os
import signal
import sys

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
        n_jobs=-1,
        backend="dask",
        batch=3,
        progress=False,
        checkpoint_dir=tmp_path / "b",
    )
    pd.testing.assert_frame_equal(spread, plain)


def test_a_killed_worker_changes_nothing(client, tmp_path):
    study = example.make(example.slow, n_replicates=25)
    plain = studies.run(study, progress=False, checkpoint_dir=tmp_path / "a")
    victim = next(iter(client.run(os.getpid).values()))
    os.kill(victim, signal.SIGKILL)
    spread = studies.run(
        study,
        n_jobs=-1,
        backend="dask",
        batch=2,
        progress=False,
        checkpoint_dir=tmp_path / "b",
    )
    pd.testing.assert_frame_equal(spread, plain)


def test_no_client_is_said(tmp_path):
    if distributed.client._get_global_client() is not None:
        pytest.skip("a client of another test is open")
    with pytest.raises(ValueError, match="no Dask client"):
        studies.run(example.make(), backend="dask", checkpoint_dir=tmp_path)
