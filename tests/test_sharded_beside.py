"""Optimizers of several ranks beside each other, and in lr_find."""

import os
import signal
from dataclasses import dataclass
from typing import Any

import numpy as np
from ranks import ranks

import lrcore


def test_two_optimizers_whose_arrays_come_one_by_one():
    def both(comm):
        n = 5000  # of which both ranks have a part
        p, q, r = ({name: np.zeros(n) for name in "ab"} for _ in range(3))
        one, other, third = (lrcore.SGD(x, lr=1.0, comm=comm) for x in (p, q, r))
        for _ in range(20):
            one.step_one("a", np.full(n, 1.0))
            other.step_one("a", np.full(n, 2.0))
            third.step({"a": np.full(n, 5.0), "b": np.full(n, 6.0)})
            third.state_dict()
            one.step_one("b", np.full(n, 3.0))
            other.step_one("b", np.full(n, 4.0))
        return [x[name].tolist() == [x[name][0]] * n and x[name][0].item()
                for x in (p, q, r) for name in "ab"]  # fmt: skip

    assert ranks(2, both) == [[-20.0, -60.0, -40.0, -80.0, -100.0, -120.0]] * 2


@dataclass(slots=True)
class Wrapped:
    """Ranks of a user's class: it has no hash and no weak references.

    Two of them are equal if they have the same name.
    """

    name: str
    comm: Any

    def __eq__(self, other):
        return self.name == other.name

    def __getattr__(self, name):
        return getattr(self.comm, name)


def test_ranks_that_have_no_hash():
    def both(comm):
        one, other = Wrapped("a", comm), Wrapped("a", comm)
        p, q, r = ({"w": np.zeros(5000), "b": np.zeros(3)} for _ in range(3))
        opts = [
            lrcore.SGD(params, lr=1.0, comm=mine)
            for params, mine in ((p, one), (q, one), (r, other))
        ]
        for name in "wb":
            for opt, params in zip(opts[:2], (p, q), strict=True):
                opt.step_one(name, np.full(params[name].shape, 1.0 + comm.rank))
        opts[2].step({name: np.full(x.shape, 2.0) for name, x in r.items()})
        return [x[name][0].item() for x in (p, q, r) for name in "wb"]

    assert ranks(2, both) == [[-1.5] * 4 + [-2.0] * 2] * 2


def test_an_optimizer_that_is_constructed_or_loaded_within_a_step_of_another(tmp_path):
    """It waits for the gradients that travel, also for those of one that is gone."""
    path = str(tmp_path / "run.safetensors")

    def others(comm):
        n = 300_000
        params = {"a": np.zeros(n), "b": np.zeros(5)}
        first = lrcore.SGD({"w": np.ones(3)}, lr=1.0, comm=comm)
        first.save(path)
        for k in range(20):
            opt = lrcore.SGD(params, lr=1.0, comm=comm)
            opt.step_one("a", np.ones(n))
            first.load(path)
            if comm.rank == k % 2:
                del opt
        opt = lrcore.SGD(params, lr=1.0, comm=comm)
        assert opt.step({"a": np.full(n, 2.0), "b": np.ones(5)})
        return params["a"][0].item(), params["b"][0].item()

    assert ranks(2, others) == [(-2.0, -1.0)] * 2


def found_rate(opt, w, batches, mean):
    """Return what lr_find suggests, and the losses by which it does."""

    def loss_and_grad(batch):
        residual = w - batch
        return mean(float((residual**2).mean())), 2 * residual / w.size

    found = lrcore.lr_find(opt, loss_and_grad, batches)
    assert (w == 1.0).all()
    return found.suggestion, found.reason, list(found.losses)


def test_lr_find_with_the_mean_loss_of_all_ranks():
    rng = np.random.default_rng(3)
    batches = [rng.normal(size=3000) for _ in range(8)]

    def of_ranks(comm):
        def mean(loss):
            total = np.array([loss])
            comm.sum(total)
            return total.item() / comm.size

        w = np.ones(3000)
        opt = lrcore.SGD(w, lr=1e-3, comm=comm)
        return found_rate(opt, w, batches[comm.rank :: 2], mean)

    w = np.ones(3000)
    alone = found_rate(lrcore.SGD(w, lr=1e-3, accumulate=2), w, batches, float)
    assert ranks(2, of_ranks) == [alone, alone]


def step_in_a_child(opt, names):
    """Step in a forked child, where nothing may hang; return its error."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(20)
        try:
            for name in names:
                opt.step_one(name, np.ones(200_000))
        except RuntimeError as error:
            os.write(write, str(error).encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    os.close(write)
    with os.fdopen(read) as told:
        return told.read()


def test_arrays_one_by_one_in_a_forked_child():
    """It has not the thread of the rank: between two steps, and within one."""

    def forks(comm):
        params = {name: np.ones(200_000) for name in "ab"}
        opt = lrcore.SGD(params, lr=0.5, comm=comm)
        found = []
        for name in "abab":
            opt.step_one(name, np.ones(200_000))
            if name == "b" or opt.t == 1:
                found.append(step_in_a_child(opt, "ab" if name == "b" else "b"))
        return found, params["b"][0]

    for rank, (found, value) in enumerate(ranks(2, forks)):
        words = f"this process was forked from rank {rank}, and is no rank"
        assert len(found) == 3
        assert all(each.startswith(words) for each in found)
        assert value == 0
