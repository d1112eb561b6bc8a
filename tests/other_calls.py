"""Ranks that make different calls, each of them beside each other one."""

import itertools
import os

import numpy as np
from ranks import SHAPES, arrays, content, gradient, one_by_one

import lrcore

CALLS = {
    "step": lambda opt: opt.step(gradient(0, 0)),
    "step_one": lambda opt: one_by_one(opt, gradient(0, 0), SHAPES),
    "state_dict": lambda opt: opt.state_dict(),
    "ema of array 0": lambda opt: opt.ema,
    "save": lambda opt: opt.save("x.safetensors"),
    "load": lambda opt: opt.load("x.safetensors"),
    "construct": lambda opt: lrcore.SGD(np.zeros(3), comm=opt.comm),
    "LocalSGD": lambda opt: lrcore.LocalSGD(opt, 2, comm=opt.comm),
}


def made(comm, folder):
    """Let rank 1 make another call than the others; return the errors, and the end."""
    os.chdir(folder)
    params = arrays(0)
    opt = lrcore.AdamW(params, comm=comm, ema_decay=0.5)
    opt.step(gradient(1, 0))
    opt.save("x.safetensors")
    before, found = content(params), {}
    for one, other in itertools.permutations(CALLS, 2):
        try:
            CALLS[other if comm.rank == 1 else one](opt)
        except Exception as error:
            found[one, other] = str(error)
    assert content(params) == before
    assert opt.step(gradient(2, 0))  # they go on together
    return found, content(params)


def check(of_ranks):
    """All ranks have the same errors, which name the calls of both."""
    (found, params), *others = of_ranks
    for (one, other), words in found.items():
        assert "expected the same call on every rank, found " in words, words
        assert f"found {other}" in words, words
        assert f"on rank 1 and {one}" in words, words
    assert len(found) == len(CALLS) * (len(CALLS) - 1)
    assert others == [(found, params)] * len(others)
