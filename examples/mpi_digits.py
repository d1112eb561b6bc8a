"""Train a network on the digits in several processes, and go on with fewer of them.

    mpiexec -n 4 python -m mpi4py mpi_digits.py --until 120    # ends at step 120
    mpiexec -n 3 python -m mpi4py mpi_digits.py                # goes on, with 3
    python mpi_digits.py                                       # or with one

Each step has 12 micro-batches, which the ranks divide among them; so the weights have
the same bits for any number of ranks.  Each rank keeps the optimizer's states for only
a part of the network.  Needs: pip install 'lrcore[mpi]' mpich.
"""

import argparse
import hashlib

import numpy as np
from mpi4py import MPI

import lrcore
from lrcore.cli.demo import SIZES, accuracy, load, loss_and_grads, new_network
from lrcore.schedules import Cosine

STEPS = 300
MICRO_BATCHES = 12  # of a step, by all ranks
BATCH = 8  # rows of each


def main():
    """Train, and print the accuracy and a digest of the weights."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", default="mpi_digits", help="of the checkpoints")
    parser.add_argument("--until", type=int, default=STEPS, help="the last step")
    args = parser.parse_args()

    ranks = MPI.COMM_WORLD
    own = np.array_split(np.arange(MICRO_BATCHES), ranks.size)[ranks.rank]
    x, y, x_test, y_test = load(np.random.default_rng(0))
    network = new_network(SIZES)
    opt = lrcore.AdamW(
        network,
        lr=Cosine(3e-3, total=STEPS),
        clip_norm=1.0,
        comm=ranks,
        accumulate=len(own),
    )
    checkpoint = lrcore.Checkpoint(args.folder, keep=2, every=60)
    checkpoint.load(opt)
    first = opt.t
    while opt.t < args.until:
        # The same on all ranks, and after a restart: made of the step alone.
        rows = np.random.default_rng([1, opt.t]).integers(
            len(x), size=(MICRO_BATCHES, BATCH)
        )
        for i in own:
            opt.step(loss_and_grads(network, x[rows[i]], y[rows[i]])[1])
        checkpoint.save(opt)
    if ranks.rank == 0:
        weights = b"".join(w.tobytes() for w in network.values())
        print(
            f"{ranks.size} ranks, steps {first} to {opt.t}: "
            f"{accuracy(network, x_test, y_test):.1%} of the test digits are right, "
            f"digest {hashlib.sha256(weights).hexdigest()[:16]}"
        )


if __name__ == "__main__":
    main()
