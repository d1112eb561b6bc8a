"""`LocalSGD` in bad surroundings: late and lost ranks, ranks that are not alike."""

import os
import signal
import time
from functools import partial

import numpy as np
import pytest
from ranks import ranks

import lrcore
from lrcore.distributed import RankLostError
from lrcore.distributed._links import Token

MEAN = partial(lrcore.SGD, lr=1.0)


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(1e-3)


# --- late ranks -----------------------------------------------------------------------


def test_a_late_rank_is_left_out_and_keeps_its_steps():
    """Rank 2 takes its second step only when the others have begun to meet."""

    def train(comm):
        w = np.zeros(3)
        inner = lrcore.SGD(w, lr=1.0)
        local = lrcore.LocalSGD(inner, 2, MEAN, comm=comm, quorum=2)
        found = []
        for k in range(2):
            if comm.rank == 2 and k == 0:
                wait_until(lambda: max(comm.signals()) % 2 == 1)
            local.step(np.full(3, -1.0 - comm.rank))
            found.append((w[0].item(), local.since, local.rounds))
        if comm.rank == 2:  # it is ready now; with quorum=2 it waits for one more
            local.step(np.full(3, -3.0))
        local.finish()
        return found, w.tolist(), local.last.included

    first, second, third = ranks(3, train)
    # The mean of 2 steps of -1 and of -2, each with rate 1, is 3.
    assert first[0] == [(1.0, 1, 0), (3.0, 0, 1)]
    assert second[0] == [(2.0, 1, 0), (3.0, 0, 1)]
    # Rank 2 joins after its first step, which is left out and goes on from 3.
    assert third[0][0] == (3.0 + 3.0, 1, 1)
    assert first[1] == second[1] == third[1]
    assert first[2] == second[2] == third[2] == (2,)


def test_patience_waits_for_those_that_come():
    def train(comm):
        w = np.zeros(1)
        local = lrcore.LocalSGD(
            lrcore.SGD(w), 2, comm=comm, quorum=1, patience=20.0, codec="int8"
        )
        met = []
        for t in range(6):
            if comm.rank == t % 3:
                time.sleep(0.01)
            rounds = local.rounds
            local.step(np.ones(1))
            met += [local.last.included] if local.rounds > rounds else []
        return met

    assert ranks(3, train) == [[(0, 1, 2)] * 3] * 3


def test_a_rank_that_is_done_serves_the_others():
    def train(comm):
        w, steps = np.zeros(1), (3, 9, 20)[comm.rank]
        local = lrcore.LocalSGD(lrcore.SGD(w), 3, comm=comm, quorum=2)
        for _ in range(steps):
            local.step(np.ones(1))
        local.finish()
        return w.tobytes(), local.rounds

    assert len({*ranks(3, train)}) == 1


def test_without_enough_ranks_it_gives_up():
    def train(comm):
        local = lrcore.LocalSGD(lrcore.SGD(np.zeros(1)), 1, comm=comm, quorum=2)
        if comm.rank > 0:  # be late until rank 0 has ended
            wait_until(lambda: comm._links.ends[0].poll(0))
            return
        comm.timeout = 0.1
        local.step(np.ones(1))

    with pytest.raises(RankLostError, match="rank 1, 2 has not come to this meeting"):
        ranks(3, train)


# --- lost ranks -----------------------------------------------------------------------


def killed(comm, where, codec):
    """Train; rank 1 is killed at some place of its second round."""
    w = np.zeros(700)
    inner = lrcore.SGD(w, lr=0.1)
    local = lrcore.LocalSGD(inner, 2, comm=comm, quorum=2, patience=20.0, codec=codec)
    rng = np.random.default_rng(comm.rank)
    die = partial(os.kill, os.getpid(), signal.SIGKILL)
    met = []
    for t in range(12):
        if comm.rank == 1 and t == 3:
            if where == "before":
                die()
            else:
                in_call(comm, where, die)
        rounds = local.rounds
        local.step(w + rng.normal(size=700))
        met += [local.last.included] if local.rounds > rounds else []
    local.finish()
    return w.tobytes(), local.rounds, met, local.comm.members


def in_call(comm, where, die):
    """Die in one of the next calls: before or after its tokens, or between them."""
    name, k, when = where
    call = getattr(comm, name)
    count = 0

    def calling(*args):
        nonlocal count
        count += 1
        if count < k:
            return call(*args)
        if when == "after":
            call(*args)
        elif when == "between":  # only the first of the others gets its token
            links = comm._links
            (to, first), *others = links.others().items()
            for _, end in others:
                end.close()

            def meet(call, left, sent, received):
                links._send(first, to, Token(links.number + 1, call, sent[to]), left)
                die()

            comm._meet = meet
            call(*args)
        return die()

    setattr(comm, name, calling)


PLACES = [
    "before",
    *(
        ("allgather", k, when)
        for k in (1, 2)
        for when in ("before", "after", "between")
    ),
    *(("exchange", 1, when) for when in ("before", "after", "between")),
]


@pytest.mark.trials
@pytest.mark.parametrize("codec", [None, "int8"])
@pytest.mark.parametrize("where", PLACES, ids=str)
def test_the_others_go_on_without_a_rank_that_is_killed(where, codec):
    found = ranks(4, killed, where, codec, survive=True)
    assert found[1] is None
    left = [each for each in found if each is not None]
    assert len({each[0] for each in left}) == 1  # the same bits
    for _, rounds, met, members in left:
        assert members == (0, 2, 3)
        assert met[0] == (0, 1, 2, 3)
        # It may have been counted in the second, if it died in its last call.
        assert met[1] in ((0, 1, 2, 3), (0, 2, 3))
        assert rounds >= 6


def test_without_a_quorum_a_lost_rank_ends_the_others():
    def train(comm):
        local = lrcore.LocalSGD(lrcore.SGD(np.zeros(1)), 2, comm=comm)
        if comm.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        for _ in range(2):
            local.step(np.ones(1))

    with pytest.raises(RankLostError, match="exit code -9"):
        ranks(3, train, survive=True)


def test_fewer_ranks_than_the_quorum_end_the_run():
    def train(comm):
        local = lrcore.LocalSGD(lrcore.SGD(np.zeros(1)), 1, comm=comm, quorum=2)
        if comm.rank > 0:
            os.kill(os.getpid(), signal.SIGKILL)
        local.finish()

    with pytest.raises(RankLostError):
        ranks(3, train, survive=True)


# --- ranks that are not alike ---------------------------------------------------------


def construct(comm, params=None, **other):
    """Construct it with something else on rank 1; return the error."""
    p = {"a": np.ones(3), "b": np.ones((2, 2), np.float32)}
    given = {"every": 5, "codec": None, "outer": None}
    if comm.rank == 1:
        given |= other
        p = p if params is None else params
    try:
        lrcore.LocalSGD(lrcore.SGD(p), comm=comm, **given)
    except ValueError as error:
        return str(error)
    return ""


NEAR = {"a": np.ones(3), "b": np.full((2, 2), 1 + 2**-23, np.float32)}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"every": 6}, "every: expected the same on all ranks, found 5 on rank 0 and"),
        ({"codec": "int8"}, "codec: expected the same on all ranks, found 'Exact' on"),
        ({"outer": lrcore.Adam}, "outer: expected the same on all ranks, found"),
        ({"quorum": 1}, "quorum: expected the same on all ranks, found None on rank 0"),
        ({"params": NEAR}, r"params['b']: expected the same values on all ranks, found "
                           "others on rank 1 than on rank 0"),
        ({"params": {"a": np.ones(3)}}, "params: expected the same on all ranks, found "
                                        "2 arrays on rank 0 and 1 on rank 1"),
        ({"params": {"a": np.ones(4), "b": NEAR["b"]}}, "(3,)\" on rank 0 and"),
    ],
)  # fmt: skip
def test_ranks_that_differ(other, words):
    found = ranks(3, partial(construct, **other))
    assert len({*found}) == 1
    assert words in found[0]


def test_params_that_are_not_finite_change_nothing():
    def train(comm):
        w = {"a": np.zeros(2), "b": np.zeros(2)}
        local = lrcore.LocalSGD(lrcore.SGD(w, lr=1.0), 1, comm=comm)
        g = {"a": np.ones(2), "b": np.array([1.0, np.nan if comm.rank == 1 else 1.0])}
        try:
            local.step(g)
        except ValueError as error:
            return str(error), w["a"].tolist(), local.rounds
        return None

    for message, w, rounds in ranks(3, train):
        assert "params: expected finite values on all ranks, found NaN" in message
        assert "on rank 1, in [\"['b']\"]" in message
        assert (w, rounds) == ([-1.0, -1.0], 0)


def test_checkpoints_of_other_rounds_are_refused():
    def train(comm, what):
        w = np.zeros(2)
        local = lrcore.LocalSGD(lrcore.SGD(w, lr=1.0), 1, comm=comm)
        local.step(np.ones(2))
        saved = local.state_dict()
        if comm.rank == 1:
            if what == "rounds":
                saved["rounds"] = 7
            else:
                saved["start"][0][1] += 1
            local.load_state_dict(saved)
        try:
            local.step(np.ones(2))
        except ValueError as error:
            return str(error)
        return ""

    for message in ranks(2, train, "rounds"):
        assert message.startswith("rounds: expected as many on each rank, found 1 on")
    for message in ranks(2, train, "start"):
        assert message.startswith("params: expected the same values on all ranks")


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"inner": 3}, TypeError, "opt: "),
        ({"every": 0}, ValueError, "every: expected an int >= 1, found 0"),
        ({"every": 1.5}, TypeError, "every: "),
        ({"outer": lrcore.SGD(np.zeros(2))}, TypeError, "outer: expected a function"),
        ({"outer": lambda p: 3}, TypeError, "outer: expected a function that returns"),
        ({"outer": lambda p: lrcore.SGD(p.copy())}, TypeError, "of the params that it"),
        ({"comm": 3}, TypeError, "comm: expected MPI.COMM_WORLD"),
        ({"codec": "zip"}, ValueError, "codec: "),
        ({"quorum": 0}, ValueError, "quorum: expected an int from 1 to 1"),
        ({"quorum": 2}, ValueError, "quorum: expected an int from 1 to 1"),
        ({"patience": -1}, ValueError, "patience: "),
    ],
)
def test_bad_arguments(given, kind, words):
    def build(comm):
        inner = lrcore.SGD(np.zeros(2))
        lrcore.LocalSGD(**{"inner": inner, "every": 2, "comm": comm, **given})

    with pytest.raises(kind, match=words):
        ranks(1, build)


def test_a_comm_of_five_calls_has_no_quorum():
    class Five:
        rank, size = 0, 2

        def allgather(self, own, received, counts):
            received[: own.size] = received[own.size :] = own

        exchange = sum = barrier = None

    with pytest.raises(ValueError, match="which has no signal and signals"):
        lrcore.LocalSGD(lrcore.SGD(np.zeros(2)), 2, comm=Five(), quorum=1)


@pytest.mark.parametrize("more", [{"mechanic": True}, {"lookahead_steps": 5}])
def test_options_that_hold_the_params(more):
    def build(comm):
        lrcore.LocalSGD(lrcore.SGD(np.zeros(2), lr=1.0, **more), 2, comm=comm)

    with pytest.raises(ValueError, match=f"found one with {next(iter(more))}, whose"):
        ranks(1, build)


def test_an_inner_optimizer_of_several_ranks():
    def build(comm):
        inner = lrcore.SGD(np.zeros(2), comm=comm)
        lrcore.LocalSGD(inner, 2, comm=comm)

    with pytest.raises(ValueError, match="comm of inner: expected the same on all"):
        ranks(2, build)
