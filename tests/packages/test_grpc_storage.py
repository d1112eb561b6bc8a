"""Studies on the server of a storage, and the example of several machines."""

import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import mpiexec
import optuna
import pytest

import lrcore
from lrcore.search import _storage

grpc = pytest.importorskip("grpc", reason="needs grpcio: make test-packages")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "search_machines"
GRID = {"x": [1, 2, 3, 4, 5, 6]}


def square(params):
    return (params["x"] - 3) ** 2


@pytest.fixture
def address(tmp_path):
    """The address of a server, which a process runs."""
    with socket.create_server(("localhost", 0)) as free:
        address = f"localhost:{free.getsockname()[1]}"
    server = subprocess.Popen(
        [sys.executable, EXAMPLE / "search.py", "--serve", address,
         "--study", tmp_path / "study.db"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    yield address
    server.terminate()
    server.wait()


def search(storage, **more):
    return lrcore.tune(square, GRID, "grid", storage=storage, name="s", **more)


def test_workers_on_a_server(address, tmp_path):
    found = search(f"grpc://{address}", n_jobs=2)
    assert sorted(t.params["x"] for t in found.trials) == GRID["x"]
    assert found.best_params == {"x": 3}
    # It is in the file behind the server, and continued by the object, too.
    host, _, port = address.partition(":")
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        proxy = optuna.storages.GrpcStorageProxy(host=host, port=int(port))
    for storage in (proxy, f"sqlite:///{tmp_path / 'study.db'}"):
        assert search(storage).trials == found.trials


def test_several_calls_at_once(address):
    """Each trial is run once, whoever comes first."""
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(search(f"grpc://{address}")))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (trials,) = {tuple(str(t.params) for t in each.trials) for each in found}
    assert len(trials) == len({*trials}) == 6


@pytest.mark.parametrize("url", ["grpc://", "grpc://host", "grpc://host:1/study"])
def test_urls_without_host_and_port(url):
    with pytest.raises(ValueError, match=r"is named as 'grpc://host:13000'"):
        search(url)


def test_a_server_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(_storage, "SERVER", 0.2)
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ValueError, match=r"no server has answered within 0\.2 seconds"):
        search(f"grpc://localhost:{port}")


@pytest.mark.skipif(mpiexec.MPIEXEC is None, reason="there is no mpiexec")
@pytest.mark.parametrize("ranks", [1, 2])
def test_the_example_searches_by_four_processes(tmp_path, ranks):
    """With 2 ranks a trial, each is an MPI job of its own."""
    pytest.importorskip("mpi4py", reason="needs mpi4py: make test-packages")
    done = subprocess.run(
        mpiexec.command(4, EXAMPLE / "search.py", "--trials", "6",
                        "--ranks-per-trial", str(ranks), flags=["-W", "error"]),
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        env={**mpiexec.ENVIRONMENT, "LRCORE_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    trials, processes = re.search(
        r"(\d+) trials by (\d+) processes", done.stdout
    ).groups()
    assert int(trials) == 6
    assert 1 <= int(processes) <= 4 // ranks
    assert (tmp_path / "study.db").exists()


def test_the_slurm_script_is_one():
    """Its syntax; there is no Slurm here."""
    script = EXAMPLE / "search.slurm"
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    for line in script.read_text().splitlines():
        if line.startswith("srun"):
            arguments = line.split("search.py")[1].split()
    source = (EXAMPLE / "search.py").read_text()
    for each in arguments:
        if each.startswith("--"):
            assert f'"{each}"' in source
