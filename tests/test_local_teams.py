"""`LocalSGD` of teams: inner optimizers that have several ranks."""

import importlib
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from ranks import Alone, arrays, content, gradient, ranks

import lrcore

sys.path.append(str(Path(__file__).parents[1] / "bench"))
group = partial(importlib.import_module("thread_ranks").group, timeout=30.0)

EVERY, STEPS = 3, 8


def in_teams(teams, size, function, order=None):
    """Call a function on each rank of some teams, with its team and its place's group.

    order : of each place, the teams as ranks of its group.
    """
    inner = [group(size) for _ in range(teams)]
    outer = [group(teams) for _ in range(size)]
    order = order or [range(teams)] * size

    def run(job):
        team, place = job
        try:
            return function(inner[team][place], outer[place][order[place][team]], team)
        except BaseException:
            for ranks_of in (*inner, *outer):
                ranks_of[0].abort()
            raise

    jobs = [(team, place) for team in range(teams) for place in range(size)]
    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def train(local, params, grads, mine):
    for step in range(STEPS):
        for i in mine:
            local.step(grads(step, i))
    local.finish()
    return content(params)


@pytest.mark.parametrize("codec", [None, "int8"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_team_is_one_rank_with_the_micro_batches_of_all(size, codec):
    def of_team(team):
        return lambda step, i: gradient(100 * team + step, i)

    def sharded(own, comm, team):
        params = arrays(0)
        inner = lrcore.AdamW(params, lr=0.01, comm=own, clip_norm=1.0)
        local = lrcore.LocalSGD(inner, EVERY, comm=comm, codec=codec)
        found = train(local, params, of_team(team), [own.rank])
        assert local.rounds == 3
        return found

    def whole(own, comm, team):
        params = arrays(0)
        inner = lrcore.AdamW(params, lr=0.01, accumulate=size, clip_norm=1.0)
        local = lrcore.LocalSGD(inner, EVERY, comm=comm, codec=codec)
        return train(local, params, of_team(team), range(size))

    wanted = in_teams(2, 1, whole)
    assert wanted[0] == wanted[1]
    assert wanted[0] != content(arrays(0))
    assert in_teams(2, size, sharded) == [wanted[0]] * (2 * size)


def test_a_team_saves_one_file_and_goes_on(tmp_path):
    def run(own, comm, team, stop):
        params, path = arrays(0), tmp_path / f"{team}.safetensors"
        inner = lrcore.AdamW(params, lr=0.01, comm=own)
        local = lrcore.LocalSGD(inner, EVERY, comm=comm)
        for step in range(STEPS):
            if stop and step == 4:  # between two meetings
                inner.save(path, extra={"local": local})
                params = arrays(1)
                inner = lrcore.AdamW(params, lr=0.01, comm=own)
                for p in params.values():  # the same on all ranks
                    p[...] = 0
                local = lrcore.LocalSGD(inner, EVERY, comm=comm)
                inner.load(path, extra={"local": local})
            local.step(gradient(100 * team + step, own.rank))
        local.finish()
        return content(params)

    wanted = in_teams(2, 2, lambda *args: run(*args, False))
    assert in_teams(2, 2, lambda *args: run(*args, True)) == wanted
    assert wanted == [wanted[0]] * 4
    assert len([*tmp_path.iterdir()]) == 2


# --- what goes wrong ------------------------------------------------------------------


def test_teams_in_another_order():
    def wrong(own, comm, team):
        inner = lrcore.AdamW(arrays(0), comm=own)
        words = "comm: expected the same rank for all that step one inner optimizer"
        with pytest.raises(ValueError, match=words) as caught:
            lrcore.LocalSGD(inner, 2, comm=comm)
        return str(caught.value)

    of_first, _, of_second, _ = in_teams(2, 2, wrong, [[0, 1], [1, 0]])
    assert "rank 0 of 2 for rank 0 of its comm and rank 1 of 2 for rank 1" in of_first
    assert "rank 1 of 2 for rank 0 of its comm and rank 0 of 2 for rank 1" in of_second


def test_a_quorum():
    def wrong(comm):
        inner = lrcore.AdamW(arrays(0), comm=Alone())
        words = "quorum: expected None with an inner optimizer of several ranks"
        with pytest.raises(ValueError, match=words):
            lrcore.LocalSGD(inner, 2, comm=comm, quorum=1)
        return True

    assert ranks(2, wrong) == [True] * 2
