"""Search for a learning rate in several processes, on one machine or many.

    mpiexec -n 4 python -m mpi4py search.py                       # 4 trials at once
    mpiexec -n 4 python -m mpi4py search.py --ranks-per-trial 2   # 2, on 2 ranks each

Rank 0 starts a server that keeps the study in a file, and tells the others where it is.
search.slurm starts the same on a cluster.  Needs: pip install 'lrcore[search,mpi]'
mpich grpcio protobuf.
"""

import argparse
import os
import socket
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import lrcore
from lrcore import space
from lrcore.cli.demo import SIZES, load, loss_and_grads, new_network

EPOCHS = 3
BATCH = 64

SPACE = {"lr": space.lr(1e-4, 1.0), "momentum": space.momentum()}


def serve(address, file):
    """Serve the study in a file, until this process is ended."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    host, _, port = address.rpartition(":")
    optuna.storages.run_grpc_proxy_server(
        optuna.storages.get_storage(f"sqlite:///{file}"),
        host=host,
        port=int(port),
        thread_pool=ThreadPoolExecutor(1),  # SQLite has no lock for two at once
    )


def start_server(host, file):
    """Start a process that serves a study; return it, and its address."""
    with socket.create_server((host, 0)) as free:
        address = f"{host}:{free.getsockname()[1]}"
    command = [sys.executable, os.path.abspath(__file__), "--serve", address]
    return subprocess.Popen([*command, "--study", file]), address


def train(ranks, params):
    """Train a network on some ranks; return its loss on other data."""
    rng = np.random.default_rng(0)
    x, y, x_valid, y_valid = load(rng)
    network = new_network(SIZES)
    opt = lrcore.SGD(network, **params, comm=lrcore.distributed.MPIComm(ranks))
    for _ in range(EPOCHS * len(x) // BATCH):
        batch = rng.integers(len(x), size=BATCH)  # the same on each rank,
        own = batch[ranks.rank :: ranks.size]  # which takes its share
        with np.errstate(over="ignore", invalid="ignore"):  # a high rate may diverge
            opt.step(loss_and_grads(network, x[own], y[own])[1])
    with np.errstate(over="ignore", invalid="ignore"):
        return loss_and_grads(network, x_valid, y_valid)[0]


def search(ranks, **more):
    """Search on the first of the ranks that train together; the others help it."""
    if ranks.rank > 0:
        while (params := ranks.bcast(None)) is not None:
            train(ranks, params)
        return
    lrcore.tune(lambda params: train(ranks, ranks.bcast(params)), **more)
    ranks.bcast(None)


def main():
    """Search, and print the best trials."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--ranks-per-trial", type=int, default=1)
    parser.add_argument("--study", default="study.db", help="the file of the study")
    parser.add_argument("--serve", metavar="HOST:PORT", help="be the server")
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.study)
        return

    from mpi4py import MPI

    world = MPI.COMM_WORLD
    here = world.Split_type(MPI.COMM_TYPE_SHARED)
    host = "localhost" if here.size == world.size else socket.gethostname()
    server, address = (
        start_server(host, args.study) if world.rank == 0 else (None, None)
    )
    try:
        how = {
            "space": SPACE,
            "trials": args.trials,
            "storage": f"grpc://{world.bcast(address)}",
            "name": "digits",
        }
        search(world.Split(world.rank // args.ranks_per_trial), **how)
        world.Barrier()  # others may have been in their last trials
        if world.rank == 0:
            found = lrcore.tune(print, **how)  # no trial is left: it reads the study
            workers = {str(t.user_attrs["worker"]) for t in found.study.trials}
            print(found.table(5))
            print(f"\n{len(found.trials)} trials by {len(workers)} processes")
    finally:
        if server is not None:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
