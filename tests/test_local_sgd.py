"""`LocalSGD`: what it computes, on 1 to 4 ranks, and how it continues."""

from contextlib import suppress
from functools import partial

import numpy as np
import pytest
from helpers import KINDS
from ranks import Alone, interrupt, ranks

import lrcore
from lrcore.distributed import RankLostError

MEAN = partial(lrcore.SGD, lr=1.0)
RANKS = [1, 2, 3, 4]


def weights():
    """Return params of both dtypes and memory orders, nested, with a hole."""
    rng = np.random.default_rng(1)
    turned = np.asfortranarray(rng.normal(size=(5, 7)))
    return {
        "W": rng.normal(size=(30, 41)).astype(np.float32),
        "rest": [(turned, None), rng.normal(size=3).astype(np.float32)],
        "none": np.zeros((0, 2)),
        "one": np.ones(()),
    }


def leaves(p):
    return [p["W"], p["rest"][0][0], p["rest"][1], p["none"], p["one"]]


def gradients(p, rng):
    """Return the gradients of a noisy bowl."""
    w, turned, b, none, one = (
        (a + rng.normal(size=a.shape)).astype(a.dtype) for a in leaves(p)
    )
    turned = np.asfortranarray(turned)
    return {"W": w, "rest": [(turned, None), b], "none": none, "one": np.array(one)}


def bits(p):
    return b"".join(a.tobytes() for a in leaves(p))


def trained(comm, steps, every, outer=None, **more):
    """Train on a rank; return the bits of the params after each meeting, and more."""
    p, rng = weights(), np.random.default_rng(10 + comm.rank)
    inner = lrcore.AdamW(p, lr=0.01)
    local = lrcore.LocalSGD(inner, every, outer, comm=comm, **more)
    met = []
    for _ in range(steps):
        before = local.rounds
        assert local.step(gradients(p, rng))
        if local.rounds > before:
            met.append(bits(p))
    return met, local.rounds, local.since, local.last


# --- what it computes -----------------------------------------------------------------


@pytest.mark.parametrize("n", RANKS)
def test_all_ranks_have_the_same_bits_after_a_meeting(n):
    def by_each(comm):
        codecs = (None, "bf16", "int8")
        return [trained(comm, steps=8, every=3, codec=codec) for codec in codecs]

    for found in zip(*ranks(n, by_each), strict=True):  # by one codec
        assert len({tuple(each[0]) for each in found}) == 1
        for met, rounds, since, last in found:
            assert (len(met), rounds, since) == (2, 2, 2)
            assert last.included == tuple(range(n))


@pytest.mark.parametrize("n", RANKS)
def test_it_is_the_algorithm_written_out(n):
    """Against the ranks one after the other, in one process."""
    outer = partial(lrcore.SGD, lr=0.7, momentum=0.9, nesterov=True)
    q = weights()
    opt = outer(q)
    each_p = [weights() for _ in range(n)]
    inner = [lrcore.AdamW(p, lr=0.01) for p in each_p]
    rngs = [np.random.default_rng(10 + r) for r in range(n)]
    wanted = []
    for _ in range(3):
        for p, each, rng in zip(each_p, inner, rngs, strict=True):
            for _ in range(4):
                each.step(gradients(p, rng))
        d = weights()
        for k, (mean, start) in enumerate(zip(leaves(d), leaves(q), strict=True)):
            total = np.zeros(mean.shape)
            for p in each_p:
                total += start - leaves(p)[k]
            mean[...] = total / n
        opt.step(d)
        for p in each_p:
            for a, b in zip(leaves(p), leaves(q), strict=True):
                a[...] = b
        wanted.append(bits(q))
    for met, *_ in ranks(n, partial(trained, steps=12, every=4)):
        assert met == wanted


def test_every_step_with_the_mean_is_synchronous_sgd():
    """For SGD, the mean of params is that of gradients."""

    def train(comm):
        w = np.ones(5)
        local = lrcore.LocalSGD(lrcore.SGD(w, lr=0.1), 1, MEAN, comm=comm)
        for t in range(9):
            local.step(w + comm.rank + t)
        return w

    alone = np.ones(5)
    opt = lrcore.SGD(alone, lr=0.1)
    for t in range(9):
        opt.step(alone + 1 + t)
    for w in ranks(3, train):
        np.testing.assert_allclose(w, alone, rtol=1e-13)


def test_any_optimizer_can_be_the_outer_one():
    for outer in (lrcore.Adam, partial(lrcore.Lion, lr=0.01), lrcore.AdamWScheduleFree):
        (met, *_), other = ranks(2, partial(trained, steps=4, every=2, outer=outer))
        assert met == other[0]
        assert met[0] != met[1]


@pytest.mark.parametrize("name", KINDS)
def test_an_inner_optimizer_goes_on_from_moved_params_or_is_refused(name):
    """One that jumps back when its params are moved cannot be the inner one."""
    p = np.linspace(1, 2, 12).reshape(3, 4)
    opt = KINDS[name](p, lr=1e-12)
    rng = np.random.default_rng(0)
    for _ in range(3):
        opt.step(rng.normal(size=p.shape), loss=1.0)
    moved = p + 100
    p += 100
    opt.step(rng.normal(size=p.shape), loss=1.0)
    jumps = np.abs(p - moved).max() > 1

    if jumps:
        with pytest.raises(ValueError, match=f"found one with {name}, whose states"):
            lrcore.LocalSGD(opt, 2, comm=Alone())
    else:
        lrcore.LocalSGD(opt, 2, comm=Alone())


def test_steps_that_gather_do_not_count_and_skipped_ones_do():
    def train(comm):
        w = np.ones(2)
        inner = lrcore.SGD(w, lr=0.1, accumulate=2, skip_nonfinite=True)
        local = lrcore.LocalSGD(inner, 2, comm=comm)
        found = []
        for g in (w, w, np.full(2, np.inf), w, w):
            local.step(g.copy())
            found.append((local.since, local.rounds))
        return found

    assert ranks(2, train) == [[(0, 0), (1, 0), (1, 0), (0, 1), (0, 1)]] * 2


def test_advance_counts_the_steps_of_other_loops():
    def train(comm):
        p = {"a": np.ones(2), "b": np.ones(3)}
        inner = lrcore.SGD(p, lr=0.1)
        local = lrcore.LocalSGD(inner, 2, comm=comm)
        scaler = lrcore.LossScaler(init_scale=4.0)
        scaler.step(inner, {"a": 4 * p["a"], "b": 4 * p["b"]})
        found = [local.advance()]
        for name in p:
            inner.step_one(name, p[name].copy())
            found.append(local.advance())
        return found

    assert ranks(2, train) == [[False, False, True]] * 2


def test_finish_averages_the_rest():
    def train(comm):
        w = np.zeros(2)
        local = lrcore.LocalSGD(lrcore.SGD(w, lr=1.0), 10, MEAN, comm=comm)
        for _ in range(comm.rank):  # other numbers of steps; rank 0 has none
            local.step(np.full(2, -3.0))
        local.finish()
        rounds = local.rounds
        local.finish()
        return w.tolist(), rounds == local.rounds

    # Of ranks 1 and 2, as rank 0 has nothing: (3 + 6) / 2.
    assert ranks(3, train) == [([4.5, 4.5], True)] * 3


# --- saving ---------------------------------------------------------------------------


def continued(comm, folder, codec, stop, save, n_before):
    """Train 10 steps; or save after `stop`, or go on from there."""
    p, rng = weights(), np.random.default_rng(10 + comm.rank)
    inner = lrcore.AdamW(p, lr=0.01)
    local = lrcore.LocalSGD(inner, 3, comm=comm, codec=codec)
    extra = {"local": local, "rng": rng}
    first = 0
    if folder and not save:
        path = f"{folder}/{comm.rank % n_before}.safetensors"
        inner.load(path, extra=extra)
        first = stop
    for t in range(first, 10):
        if t == stop and save:
            inner.save(f"{folder}/{comm.rank}.safetensors", extra=extra)
            break
        local.step(gradients(p, rng))
    return bits(p), local.rounds, local.since


@pytest.mark.parametrize("codec", [None, "int8"])
def test_a_run_continues_to_the_bit(tmp_path, codec):
    whole = ranks(2, continued, None, codec, None, False, 2)
    for stop in (0, 3, 5):
        ranks(2, continued, str(tmp_path), codec, stop, True, 2)
        found = ranks(2, continued, str(tmp_path), codec, stop, False, 2)
        assert found == whole, stop


@pytest.mark.parametrize("codec", [None, "int8"])
def test_a_run_continues_on_other_numbers_of_ranks(tmp_path, codec):
    ranks(2, continued, str(tmp_path), codec, 5, True, 2)
    for n in (1, 3, 4):
        found = ranks(n, continued, str(tmp_path), codec, 5, False, 2)
        assert {(rounds, since) for _, rounds, since in found} == {(3, 1)}, n


def test_a_saved_dict_that_does_not_fit_changes_nothing():
    def load(comm):
        def new(p):
            return lrcore.LocalSGD(lrcore.SGD(p, lr=0.1), 2, comm=comm, codec="bf16")

        p = weights()
        local = new(p)
        for _ in range(3):
            local.step(gradients(p, np.random.default_rng(0)))
        good = local.state_dict()
        small = {**good, "start": good["start"][:-1]}
        nan = [a.astype("f4") for a in good["start"]]
        found = []
        for wrong in (
            {k: v for k, v in good.items() if k != "outer"},
            {**good, "rounds": -1},
            {**good, "ranks": 0},
            {**good, "names": ["['V']"]},
            small,
            {**good, "start": nan},
            {**good, "errors": []},
            {**good, "outer": {**good["outer"], "t": -1}},
        ):
            other = new(weights())
            before = repr(other.state_dict())
            try:
                other.load_state_dict(wrong)
            except (KeyError, TypeError, ValueError) as error:
                found.append(str(error).split(":")[0])
            assert repr(other.state_dict()) == before
        other = new(weights())
        other.load_state_dict(good)
        assert repr(other.state_dict()) == repr(good)
        return found

    assert ranks(1, load)[0] == [
        "saved", "rounds", "ranks", "names", "start", "start[1]", "errors", "t",
    ]  # fmt: skip


def test_its_repr_says_where_it_is():
    def shown(comm):
        p = np.zeros(2)
        local = lrcore.LocalSGD(lrcore.AdamW(p), 5, comm=comm)
        local.step(p.copy())
        return repr(local)

    assert ranks(2, shown)[1] == (
        "<LocalSGD of AdamW by SGD every 5 steps: rank 1 of 2, round 0, 1 since>"
    )


def test_an_argument_that_one_rank_refuses():
    def wrong(comm):
        inner = lrcore.SGD(np.ones(3))
        with pytest.raises((ValueError, RuntimeError)) as caught:
            lrcore.LocalSGD(inner, -1 if comm.rank == 1 else 2, comm=comm)
        return str(caught.value)

    words = "every: expected an int >= 1, found -1"
    other = f"rank 1 has failed, and all do: ValueError: {words}"
    assert ranks(3, wrong) == [other, words, other]


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_rank_that_leaves_a_meeting_comes_to_no_other_one(k, begun, tmp_path):
    def leaves(comm):
        w = np.ones(5000)
        local = lrcore.LocalSGD(lrcore.SGD(w, lr=1.0), 1, comm=comm)
        if comm.rank == 1:
            interrupt(comm, k, begun)
        try:
            for _ in range(3):
                with suppress(KeyboardInterrupt):
                    local.step(np.ones(5000))
        except RankLostError as error:
            (tmp_path / str(comm.rank)).write_text(str(error))
            raise

    with pytest.raises(RankLostError):
        ranks(2, leaves)
    zero, one = ((tmp_path / str(r)).read_text() for r in range(2))
    assert one.startswith("rank 1 of 2 has left the other ranks in the middle of a ")
    assert zero.startswith("rank 0 of 2: rank 1 has ended before this ")
