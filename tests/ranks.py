"""Params and gradients for tests of several ranks, and runs of them."""

import numpy as np
import pytest
from helpers import KINDS

from lrcore.distributed import run_ranks

TIMEOUT = 30.0

SHAPES = {
    "W": (100, 70),
    "b": (70,),
    "wide": (3, 5000),
    "scalar": (),
    "none": (0, 3),
    "one": (1,),
}
DOUBLES = ("wide", "one")  # float64; the others are float32


def ranks(n, function, *args, timeout=TIMEOUT, **more):
    """Run a function in n ranks, which are forks: they need no time to begin."""
    return run_ranks(n, function, *args, timeout=timeout, method="fork", **more)


def in_turn(comm, function, each_args):
    """Call a function with each of several tuples of arguments.

    A rank is a fork of a process that has collected all tests: to begin takes it longer
    than many calls do.
    """
    found = []
    for args in each_args:
        try:
            found.append(function(comm, *args))
        except (Exception, pytest.fail.Exception) as error:
            error.add_note(f"of {function.__name__}{args}")
            raise
    return found


class Alone:
    """One rank, whose calls change nothing."""

    rank, size = 0, 1

    def __repr__(self):
        return "Alone()"  # names of tests have no address in them

    def exchange(self, sent, sent_bytes, received, received_bytes):
        received[...] = sent

    def allgather(self, own, received, received_bytes):
        received[...] = own

    def sum(self, numbers):
        pass

    def barrier(self):
        pass


def arrays(seed, shapes=SHAPES, order="C"):
    """Return random arrays by name; of rows that fall in size, so that clips differ."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in shapes.items():
        dtype = "f8" if name in DOUBLES else "f4"
        found[name] = np.array(rng.standard_normal(shape), dtype, order=order)
    return found


def batches(comm, total):
    """Return the numbers of a rank's micro-batches, of so many."""
    cut = [total * r // comm.size for r in range(comm.size + 1)]
    return range(cut[comm.rank], cut[comm.rank + 1])


def gradient(step, i, shapes=SHAPES, order="C"):
    """Return the gradient of micro-batch i in a step."""
    return arrays([step, i], shapes, order)


def make(comm, name, total, params, **hyper):
    """Return an optimizer and the rank's micro-batches."""
    mine = batches(comm, total)
    kind = KINDS[name]
    return kind(params, comm=comm, accumulate=len(mine), **hyper), mine


def train(comm, name, hyper, total, steps=3, order="C", shapes=SHAPES):
    """Train; return the bytes of the params, and the report."""
    params = arrays(0, shapes, order)
    opt, mine = make(comm, name, total, params, **hyper)
    for step in range(steps):
        applied = [opt.step(gradient(step, i, shapes, order)) for i in mine]
        assert applied == [False] * (len(mine) - 1) + [True]
    return content(params), repr(opt.report) if opt.telemetry else None


def alone(name, hyper, total=1, steps=3, order="C", shapes=SHAPES):
    """Do the same without ranks."""
    params = arrays(0, shapes, order)
    opt = KINDS[name](params, accumulate=total, **hyper)
    for step in range(steps):
        for i in range(total):
            opt.step(gradient(step, i, shapes, order))
    return content(params), repr(opt.report) if opt.telemetry else None


def content(params):
    return {name: p.tobytes("A") for name, p in params.items()}


def refused(comm, wrong):
    """Return what a function that is wrong on rank 1 raises; nothing is written."""
    params = arrays(0)
    before = content(params)
    try:
        wrong(comm, params, comm.rank == 1)
    except Exception as error:
        if comm.rank != 1:  # which may begin with other values
            assert content(params) == before
        return f"{type(error).__name__}: {error}"
    return "nothing"


def on_every_rank(wrong, n=3):
    """Return the one error that is raised on every rank."""
    found = ranks(n, refused, wrong)
    assert len(set(found)) == 1, found
    return found[0]


def one_by_one(opt, grads, order):
    for name in order:
        opt.step_one(name, grads[name])


def interrupt(comm, k, begun):
    """Let Ctrl-C come in call k from now on: before it, or when it is complete."""
    count = 0

    def stopped(call):
        def made(*args):
            nonlocal count
            count += 1
            if count == k and not begun:
                raise KeyboardInterrupt
            call(*args)
            if count == k:
                raise KeyboardInterrupt

        return made

    comm.exchange, comm.allgather = map(stopped, (comm.exchange, comm.allgather))
