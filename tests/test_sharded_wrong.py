"""What several ranks cannot share, and what one of them refuses."""

import copy
import pickle
import re

import numpy as np
import pytest
from ranks import (
    arrays,
    content,
    gradient,
    on_every_rank,
    one_by_one,
    ranks,
)

import lrcore
from lrcore.distributed import _ones, _traffic, run_ranks

# --- what cannot be shared ------------------------------------------------------------


def alone(function):
    return ranks(1, function)[0]


def make_sps(comm):
    return lrcore.SPS(arrays(0), comm=comm)


def test_what_is_refused():
    def wrong(comm):
        opt = lrcore.AdamW(arrays(0), comm=comm, accumulate=2)
        told = []
        for call in (
            lambda: opt.step_one("b", np.zeros(70, "f4")),
            lambda: make_sps(comm).step_one("b", np.zeros(70, "f4")),
            lambda: opt.add_group(np.ones(3)),
            lambda: copy.deepcopy(opt),
            lambda: pickle.dumps(opt),
            lambda: opt.save_async("x.safetensors"),
            lambda: setattr(opt, "accumulate", 3),
            lambda: setattr(opt, "comm", None),
        ):
            with pytest.raises((ValueError, TypeError)) as caught:
                call()
            told.append(str(caught.value))
        opt.step(gradient(0, 0))
        for call in (opt.state_dict, lambda: opt.save("x.safetensors")):
            with pytest.raises(RuntimeError) as caught:
                call()
            told.append(str(caught.value))
        return told

    step_one, sps, add, copied, pickled, async_, accumulate, comm, *gathered = alone(
        wrong
    )
    assert step_one.startswith("accumulate: found 2, which needs the gradients of all")
    assert sps.startswith("this optimizer needs the gradients of all arrays at once")
    assert add.startswith("add_group: expected an optimizer without comm")
    assert copied == pickled
    assert copied.startswith("comm: an optimizer of several processes is neither")
    assert async_.startswith("save_async: expected an optimizer without comm")
    assert accumulate.startswith("accumulate: expected 2, as with comm it cannot")
    assert comm == "comm: used at construction only; it cannot be set now"
    for words in gathered:
        assert words.startswith("found 1 gathered gradients; with comm, save and load")


@pytest.mark.parametrize("given", [3, "world", object()])
def test_what_is_no_comm(given):
    with pytest.raises(TypeError, match=r"comm: expected MPI.COMM_WORLD of mpi4py"):
        lrcore.AdamW(np.zeros(3), comm=given)


def test_another_order_of_bytes(monkeypatch):
    def wrong(comm, params, odd):
        if odd:
            monkeypatch.setattr("sys.byteorder", "big")
        lrcore.AdamW(params, comm=comm)

    assert on_every_rank(wrong) == (
        "ValueError: comm: expected processors with the same order of bytes, found: "
        "rank 0 is little-endian, rank 1 is big-endian, rank 2 is little-endian; run "
        "all ranks on machines of one kind"
    )


def test_a_rank_that_ends_in_a_step(tmp_path):
    def wrong(comm):
        opt = lrcore.AdamW(arrays(0), comm=comm)
        if comm.rank == 1:
            raise ValueError("odd")
        opt.step(gradient(0, 0))

    with pytest.raises(ValueError, match="odd"):
        run_ranks(2, wrong, timeout=20, method="fork")


# --- one rank refuses what others do not see ------------------------------------------


def raised_by_rank(n, function):
    """Return what a function raises on each rank."""

    def caught(comm):
        try:
            function(comm, comm.rank == 1)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "nothing"

    return ranks(n, caught)


@pytest.mark.parametrize(
    ("construct", "words"),
    [
        (
            lambda comm, odd: lrcore.AdamW(
                arrays(0), lr=-1.0 if odd else 1.0, comm=comm
            ),
            "ValueError: lr: expected a finite number >= 0, found -1.0",
        ),
        (
            lambda comm, odd: lrcore.AdamW(
                {"b": np.ones(3, int if odd else float)}, comm=comm
            ),
            "TypeError: params['b']: expected dtype float32 or float64, found int64",
        ),
        (
            lambda comm, odd: lrcore.AdamW(arrays(0), comm=comm, curvature=odd),
            "ValueError: curvature: expected False without telemetry",
        ),
        (
            lambda comm, odd: lrcore.Mixed(
                {"W": lrcore.Muon, "*": lrcore.AdamW},
                arrays(0),
                comm=comm,
                lr=-1.0 if odd else 1.0,
            ),
            "ValueError: optimizers['W']: lr: expected a finite number >= 0",
        ),
    ],
)
def test_an_argument_that_one_rank_refuses(construct, words):
    for rank, found in enumerate(raised_by_rank(3, construct)):
        other = "" if rank == 1 else "RuntimeError: rank 1 has failed, and all do: "
        assert found.startswith(other + words), found


def test_a_micro_batch_that_is_refused_before_the_last():
    def wrong(comm):
        odd = comm.rank == 1
        params = arrays(0)
        opt = lrcore.AdamW(params, comm=comm, accumulate=3)
        given = [gradient(0, 3 * comm.rank + i) for i in range(3)]
        bad = {**given[1], "b": np.zeros(3, "f4")}
        taken = [opt.step(given[0])]
        if not odd:
            taken.append(opt.step(given[1]))
        with pytest.raises((ValueError, RuntimeError)) as caught:
            opt.step(bad if odd else given[2])
        assert content(params) == content(arrays(0))
        # Each repeats the call that raised, and nothing is lost.
        taken += [opt.step(g) for g in given[len(taken) :]]
        return str(caught.value), taken, content(params)

    def right(comm):
        params = arrays(0)
        opt = lrcore.AdamW(params, comm=comm, accumulate=3)
        for i in range(3):
            opt.step(gradient(0, 3 * comm.rank + i))
        return content(params)

    wanted = ranks(3, right)
    words = "grads['b']: expected shape (70,)"
    for rank, (found, taken, params) in enumerate(ranks(3, wrong)):
        other = (
            "" if rank == 1 else "rank 1 cannot step, and no rank does: ValueError: "
        )
        assert found.startswith(other + words), found
        assert taken == [False, False, True]
        assert params == wanted[rank]


def test_the_own_error_is_raised_where_the_others_do_not_come():
    def wrong(comm):
        opt = lrcore.AdamW(arrays(0), comm=comm, accumulate=2)
        if comm.rank == 1:
            comm.timeout = 0.1
            with pytest.raises(ValueError, match=r"grads\['b'\]: expected shape"):
                opt.step({**gradient(0, 0), "b": np.zeros(3, "f4")})
        return "done"

    assert ranks(2, wrong) == ["done", "done"]


def test_an_array_that_is_refused_one_by_one():
    def wrong(comm):
        params = arrays(0)
        opt = lrcore.AdamW(params, comm=comm)
        grads = gradient(0, 0)
        given = {**grads, "b": np.zeros(3, "f4")} if comm.rank == 1 else grads
        with pytest.raises((ValueError, RuntimeError)) as caught:
            one_by_one(opt, given, ["b", *(name for name in params if name != "b")])
        assert content(params) == content(arrays(0))
        one_by_one(opt, grads, params)
        return str(caught.value), opt.t

    words = "grad: expected shape (70,) as params['b'] has"
    for rank, (found, t) in enumerate(ranks(3, wrong)):
        other = (
            "" if rank == 1 else "rank 1 cannot step, and no rank does: ValueError: "
        )
        assert found.startswith(other + words), found
        assert t == 1


class Scarce:
    """NumPy, without memory for arrays."""

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, *args):
        raise MemoryError("no room")

    zeros = empty


@pytest.mark.parametrize("together", [False, True])
def test_memory_that_one_rank_does_not_have(together):
    """It is got before anything travels."""

    def take(opt, grads):
        return opt.step(grads) if together else one_by_one(opt, grads, grads)

    def wrong(comm):
        params = arrays(0)
        opt = lrcore.AdamW(params, comm=comm)
        with pytest.MonkeyPatch.context() as patch:
            if comm.rank == 1:
                patch.setattr(_traffic, "np", Scarce())
                patch.setattr(_ones, "np", Scarce())
            with pytest.raises((MemoryError, RuntimeError)) as caught:
                take(opt, gradient(0, comm.rank))
        assert content(params) == content(arrays(0))
        take(opt, gradient(0, comm.rank))
        return str(caught.value), opt.t, content(params)

    def right(comm):
        params = arrays(0)
        lrcore.AdamW(params, comm=comm).step(gradient(0, comm.rank))
        return content(params)

    wanted = ranks(3, right)[0]
    for rank, found in enumerate(ranks(3, wrong)):
        other = "" if rank == 1 else "rank 1 has failed, and all do: MemoryError: "
        assert found == (f"{other}no room", 1, wanted)


def test_memory_that_is_lost_where_more_was_asked_for():
    """A step that needs less asks for it anew, and fails on all ranks, too."""

    def wrong(comm):
        params, grads = arrays(0), gradient(0, comm.rank)
        opt = lrcore.AdamW(params, comm=comm, accumulate=3)
        opt.step(grads)
        opt.step(grads)
        opt.flush()
        opt.step(grads)
        opt.step(grads)
        with pytest.MonkeyPatch.context() as patch:
            if comm.rank == 1:
                patch.setattr(_traffic, "np", Scarce())
            with pytest.raises((MemoryError, RuntimeError)):
                opt.step(grads)
            before = content(params)
            with pytest.raises((MemoryError, RuntimeError)) as caught:
                opt.flush()
        assert content(params) == before
        assert opt.flush()
        return str(caught.value), opt.t

    told = "rank 1 has failed, and all do: MemoryError: no room"
    assert ranks(3, wrong) == [(told, 2), ("no room", 2), (told, 2)]


def test_two_optimizers_in_another_order():
    def wrong(comm, odd):
        first, second = (lrcore.AdamW(arrays(0), comm=comm) for _ in range(2))
        (second if odd else first).step(gradient(0, 0))

    for found in raised_by_rank(3, wrong):
        assert re.fullmatch(
            r"ValueError: optimizer of this step: expected the same on every rank, "
            r"found number \d+ of those with comm on rank 1 and number \d+ .*",
            found,
        ), found


def test_another_file_on_one_rank(tmp_path):
    def wrong(comm, odd):
        opt = lrcore.AdamW(arrays(0), comm=comm)
        opt.save(f"{tmp_path}/{'odd' if odd else 'run'}.safetensors")

    for found in raised_by_rank(3, wrong):
        assert found.startswith("ValueError: path: expected the same on every rank")
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_one_rank_refuses():
    def wrong(comm, odd):
        make_sps(comm).step(gradient(0, 0), None if odd else 1.0)

    words = "TypeError: loss: expected a number"
    for rank, found in enumerate(raised_by_rank(3, wrong)):
        other = (
            "" if rank == 1 else "RuntimeError: rank 1 cannot step, and no rank does: "
        )
        assert found.startswith(other + words), found
