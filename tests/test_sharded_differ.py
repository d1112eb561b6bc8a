"""Ranks that are not alike: an error on every rank, before anything is written."""

import re

import numpy as np
import other_calls
import pytest
from ranks import arrays, content, gradient, on_every_rank, one_by_one, ranks

import lrcore

# --- at construction ------------------------------------------------------------------


def test_other_values():
    def wrong(comm, params, odd):
        params["b"][3] += odd
        lrcore.AdamW(params, comm=comm)

    assert on_every_rank(wrong) == (
        "ValueError: params['b']: expected the same values on every rank, found others "
        "on rank 1 than on rank 0; make them from the same seed, or load the same file"
    )


def test_another_optimizer():
    def wrong(comm, params, odd):
        (lrcore.Adam if odd else lrcore.AdamW)(params, comm=comm)

    assert on_every_rank(wrong) == (
        "ValueError: optimizer: expected the same on every rank, found Adam on rank 1 "
        "and AdamW on rank 0"
    )


@pytest.mark.parametrize(
    ("odd_hyper", "words"),
    [
        ({"lr": 0.5}, r"param_groups\[0\]: lr: .* found 0.5 on rank 1 and 0.001"),
        ({"clip_norm": 1.0}, "clip_norm: .* found 1.0 on rank 1 and None on rank 0"),
        ({"telemetry": True}, "telemetry: .* found True on rank 1"),
        ({"ema_decay": 0.5}, r"param_groups\[0\]: ema_decay: .* found 0.5 on rank 1"),
        (
            {"lr": lrcore.schedules.Cosine(0.1, total=5)},
            r"lr: .* found Cosine\(.*\) on rank 1",
        ),
        (
            {"groups": {"W": {"lr": 1.0}}},
            r"groups: .* found \{'W': \{'lr': 1.0\}\} on rank 1",
        ),
    ],
)
def test_another_hyper_parameter(odd_hyper, words):
    def wrong(comm, params, odd):
        lrcore.AdamW(params, comm=comm, **(odd_hyper if odd else {}))

    error = on_every_rank(wrong)
    assert re.search(words, error), error


def test_other_arrays():
    def missing(comm, params, odd):
        lrcore.AdamW({**params, "more": np.ones(2)} if odd else params, comm=comm)

    assert "arrays: expected the same on every rank, found " in on_every_rank(missing)

    def shape(comm, params, odd):
        lrcore.AdamW({"W": np.zeros((2, 3 + odd))}, comm=comm)

    assert on_every_rank(shape) == (
        "ValueError: params['W']: expected the same on every rank, found float64 of "
        "shape (2, 4) in C order on rank 1 and float64 of shape (2, 3) in C order on "
        "rank 0"
    )


def test_what_may_differ():
    def fine(comm):
        params, odd = arrays(0), comm.rank == 1
        opt = lrcore.SGD(
            params, comm=comm, num_threads=1 + odd, convert_grads=odd, zero_grads=odd
        )
        return opt.step(gradient(0, 0))

    assert ranks(2, fine) == [True, True]


# --- in a step ------------------------------------------------------------------------


def test_a_missing_gradient():
    def wrong(comm, params, odd):
        opt = lrcore.AdamW(params, comm=comm)
        opt.step({**gradient(0, 0), **({"b": None} if odd else {})})

    assert on_every_rank(wrong) == (
        "ValueError: grads['b']: expected a gradient on every rank, or None on all, "
        "found None on rank 1; pass zeros there, which count in the mean"
    )


def test_a_gradient_that_is_refused():
    def wrong(comm):
        params = arrays(0)
        before = content(params)
        opt = lrcore.AdamW(params, comm=comm)
        grads = gradient(0, 0)
        if comm.rank == 1:
            grads["b"] = np.zeros(3, "f4")
        with pytest.raises((ValueError, RuntimeError)) as caught:
            opt.step(grads)
        assert content(params) == before
        assert opt.t == 0
        # Nothing is lost: the next step is taken.
        return str(caught.value), opt.step(gradient(0, 0))

    words = "grads['b']: expected shape (70,)"
    for rank, (found, then) in enumerate(ranks(3, wrong)):
        other = (
            "" if rank == 1 else "rank 1 cannot step, and no rank does: ValueError: "
        )
        assert found.startswith(other + words), found
        assert then


def test_a_hyper_parameter_that_is_set_on_one_rank():
    def wrong(comm, params, odd):
        opt = lrcore.AdamW(params, comm=comm)
        if odd:
            opt.lr = 0.5
        opt.step(gradient(0, 0))

    assert on_every_rank(wrong) == (
        "ValueError: param_groups[0]: lr: expected the same on every rank, found 0.5 "
        "on rank 1 and 0.001 on rank 0"
    )


def test_arrays_one_by_one_in_another_order():
    shapes = {"a": (3,), "b": (3,), "c": (5000,)}

    def wrong(comm):
        params = arrays(0, shapes)
        before = content(params)
        opt = lrcore.AdamW(params, comm=comm)
        grads = gradient(0, 0, shapes)
        with pytest.raises(ValueError, match="order of step_one: ") as caught:
            one_by_one(opt, grads, "bac" if comm.rank == 1 else "abc")
        assert content(params) == before
        one_by_one(opt, grads, "abc")  # the next one is fine
        return str(caught.value), opt.t

    wanted = (
        "order of step_one: expected the same on every rank, found [['b'], ['a'], "
        "['c']] on rank 1 and [['a'], ['b'], ['c']] on rank 0"
    )
    assert ranks(3, wrong) == [(wanted, 1)] * 3


def test_arrays_of_other_owners_one_by_one_in_another_order():
    """They travel at once; what has another size does not."""

    def wrong(comm, params, odd):
        opt = lrcore.AdamW(params, comm=comm)
        order = ["wide", "W"] if odd else ["W", "wide"]
        one_by_one(opt, gradient(0, 0), [*order, "b", "scalar", "none", "one"])

    assert on_every_rank(wrong).startswith(
        "ValueError: order of step_one: expected the same on every rank, found "
        "[['wide'], ['W'], "
    )


def test_a_gradient_that_is_missing_one_by_one():
    def wrong(comm, params, odd):
        opt = lrcore.AdamW(params, comm=comm)
        grads = {**gradient(0, 0), **({"b": None} if odd else {})}
        one_by_one(opt, grads, params)

    assert "found None on rank 1; pass zeros there" in on_every_rank(wrong)


def test_a_function_that_returns_other_values():
    def wrong(comm, params, odd):
        opt = lrcore.AdamW(params, comm=comm, lr=lambda t: 0.1 + odd)
        opt.step(gradient(0, 0))

    assert "a function that is one may return another value" in on_every_rank(wrong)


def test_another_number_of_steps():
    def wrong(comm, params, odd):
        opt = lrcore.AdamW(params, comm=comm)
        opt.t = 3 + odd
        opt.step(gradient(0, 0))

    assert on_every_rank(wrong) == (
        "ValueError: t: expected the same on every rank, found 4 on rank 1 and 3 on "
        "rank 0"
    )


def test_another_loss_scale():
    def wrong(comm, params, odd):
        opt = lrcore.AdamW(params, comm=comm)
        lrcore.LossScaler(16.0 if odd else 8.0).step(opt, gradient(0, 0))

    assert "factor of gradients by opt.scaled: " in on_every_rank(wrong)


# --- other calls ----------------------------------------------------------------------


def test_other_calls(tmp_path):
    other_calls.check(ranks(3, other_calls.made, tmp_path))
