"""What a rank of several has: its part of the states and threads; what it sends."""

import numpy as np
import pytest
from ranks import arrays, gradient, make, ranks

import lrcore
from lrcore.distributed._shards import STRIP


def states_of(comm, name, shapes, hyper):
    opt, _ = make(comm, name, comm.size, arrays(0, shapes), **hyper)
    return sum(a.nbytes for state in opt.state for a in state.values())


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_rank_has_its_part_of_the_states(n):
    shapes, hyper = {"a": (100_000,), "b": (7, 3001)}, {"ema_decay": 0.9}
    whole = ranks(1, states_of, "AdamW", shapes, hyper)[0]
    assert whole == 3 * 4 * (100_000 + 7 * 3001)
    found = ranks(n, states_of, "AdamW", shapes, hyper)
    assert sum(found) == whole
    # Strips are whole, and the last one of an array may be short.
    assert max(found) <= whole / n + 2 * 3 * 4 * STRIP


def threads_of(comm, hyper):
    found = []
    opt = lrcore.AdamW(np.zeros(3), comm=comm, **hyper)
    found.append(opt._plan.ranks.threads)
    lrcore.set_num_threads(6)
    found.append(lrcore.AdamW(np.zeros(3), comm=comm)._plan.ranks.threads)
    return found


def test_ranks_share_the_threads_of_a_host(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    lrcore.set_num_threads(None)
    alone = lrcore.get_num_threads()
    wanted = [max(alone // 2, 1), 0]  # 0: those that the user has asked for
    assert ranks(2, threads_of, {}) == [wanted] * 2


def test_matrices_of_muon_are_dealt_out():
    shapes = {f"W{i}": (40, 30) for i in range(6)}
    assert ranks(3, states_of, "Muon", shapes, {}) == [2 * 2 * 4 * 1200] * 3


def sent(comm, shapes):
    opt, mine = make(comm, "AdamW", 4, arrays(0, shapes))
    for i in mine:
        opt.step(gradient(0, i, shapes))
    return opt._plan.ranks.traffic.sent_bytes, comm.sent_bytes


def test_bytes_are_those_of_a_ring():
    n = 64 * STRIP
    for ranks_, blocks in ((2, 1), (4, 1), (3, 2)):  # 4 micro-batches on 3: 1, 1, 2
        bytes_ = ranks(ranks_, sent, {"a": (n,)})
        part = 4 * n * (ranks_ - 1) / ranks_
        assert sum(b for b, _ in bytes_) <= ranks_ * part * (1 + blocks) * 1.02
        # Comparing the ranks takes a few bytes a step, and more at construction.
        assert all(all_ - own < 20_000 for own, all_ in bytes_)
    assert ranks(1, sent, {"a": (n,)}) == [(0, 0)]
