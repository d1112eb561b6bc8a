"""A step by one array at a time, as their gradients come."""

import re
import sys
from math import nan

import numpy as np
import pytest
from composed import (
    FIRST,
    gradients,
    merged,
    optimizer,
    split,
    weights,
)
from helpers import (
    KINDS,
    all_same,
    bits_of,
    each_alone,
    each_dtype,
    same_states,
    snapshot,
    taken,
)

import lrcore

pytestmark = pytest.mark.isa

ONE_BY_ONE = ["grad_scale", "clip_value", "clip_tensor_norm", "agc", "skip_nonfinite"]
ONE_BY_ONE += ["zero_grads"]
ORDERS = [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)]


@each_alone
@each_dtype
@pytest.mark.parametrize("features", [(), ONE_BY_ONE], ids=["plain", "all"])
def test_a_round_in_any_order_is_a_step(name, dtype, features):
    """To the bit: params, states, averages, with schedules of all."""
    options = merged(features)
    params, twins = weights(dtype), weights(dtype)
    own = {"lr": lambda t: 0.05 / (1 + t), "weight_decay": 0.1, "ema_decay": 0.5}
    own |= taken(name, lookahead_steps=2, swa_start=1)
    opt = optimizer(name, params, options, **own)
    twin = optimizer(name, twins, options, **own)
    for t, order in enumerate(ORDERS * 2):
        grads = gradients(params, t)
        for k in order:
            assert opt.t == t
            assert opt.step_one(k, grads[k]) is True
            assert grads[k].any() != ("zero_grads" in features)
        assert opt.t == t + 1
        assert twin.step(split(gradients(params, t)))
        assert all_same(params, twins)
        assert same_states(opt.state, twin.state)
    # In turns with whole steps.
    assert opt.step(split(gradients(params, 9)))
    assert twin.step(split(gradients(params, 9)))
    assert bits_of(opt, params) == bits_of(twin, twins)


def own_arrays(opt, params):
    """Each parameter and its states, but for the numbers of its group."""
    return [
        [p, *(array for name, array in state.items() if name not in opt._carries)]
        for p, state in zip(params, opt.state, strict=True)
    ]


@each_alone
def test_one_array_is_stepped_and_no_other(name):
    params = weights()
    opt = optimizer(name, params, lr=0.05)
    grads = gradients(params, 0)
    for k in range(len(params)):
        arrays = own_arrays(opt, params)
        before = [snapshot(each) for each in arrays]
        assert opt.step_one(k, grads[k])
        after = [snapshot(each) for each in arrays]
        assert [i for i in range(len(params)) if after[i] != before[i]] == [k]


@pytest.mark.parametrize("name", [name for name in KINDS if KINDS[name]._gauge])
def test_what_is_made_of_all_gradients_is_refused(name):
    params = weights()
    opt = optimizer(name, params)
    before = bits_of(opt, params)
    with pytest.raises(ValueError, match="needs the gradients of all arrays at once"):
        opt.step_one(0, gradients(params, 0)[0])
    assert bits_of(opt, params) == before


def network():
    return {
        "W": np.ones((2, 2)),
        "layers": [np.ones(3), {"b": np.ones(1)}],
    }


def test_an_array_is_named_by_its_place_or_by_its_keys():
    opt = lrcore.SGD(params := network(), lr=0.5)
    arrays = [params["W"], params["layers"][0], params["layers"][1]["b"]]
    assert opt.step_one("W", np.ones((2, 2)))
    assert opt.step_one(("layers", 0), np.ones(3))
    assert opt.step_one(("layers", 1, "b"), np.ones(1))
    assert opt.t == 1
    for k in (2, 0, 1):
        assert opt.step_one(k, np.ones_like(arrays[k]))
    assert opt.t == 2
    assert opt.step_one(("W",), np.ones((2, 2)))
    assert [p.ravel()[0] for p in arrays] == [-0.5, 0, 0]


def test_a_single_array_and_groups():
    p = np.ones(2)
    opt = lrcore.SGD(p, lr=0.5)
    assert opt.step_one(0, np.ones(2))
    assert (opt.t, p.tolist()) == (1, [0.5, 0.5])
    params = [{"params": {"a": np.ones(1)}}, {"params": [np.ones(1)], "lr": 1.0}]
    opt = lrcore.SGD(params, lr=0.5)
    assert opt.step_one(1, np.ones(1))
    assert opt.step_one((0, "a"), np.ones(1))
    assert opt.t == 1
    assert params[0]["params"]["a"] == 0.5
    assert params[1]["params"][0] == 0.0
    assert opt.step_one((1, 0), np.ones(1))
    assert params[1]["params"][0] == -1.0


def stepped_by(params, which):
    """Which of the arrays of a dict a step of one reaches."""
    lrcore.SGD(params, lr=1.0).step_one(which, np.ones(1))
    return [key for key, p in params.items() if p.any()]


def test_an_int_key_of_a_dict_is_no_place():
    def params():
        return {k: np.zeros(1) for k in (1, 2, 3)}

    assert [stepped_by(params(), k) for k in (1, 2, 3)] == [[1], [2], [3]]
    for which in (0, -1, 4):
        with pytest.raises(ValueError, match=r"^which: expected the keys of one of"):
            stepped_by(params(), which)
    # An int that is the key of a container names no array.
    nested = {1: [np.zeros(1)], 2: [np.zeros(1)]}
    with pytest.raises(ValueError, match=r"^which: expected"):
        lrcore.SGD(nested).step_one(1, np.ones(1))
    assert lrcore.SGD(nested).step_one((1, 0), np.ones(1))


def test_a_key_that_is_a_tuple_is_found():
    keys = [("a", 0), ("a", 1), ()]
    for key in keys:
        assert stepped_by({k: np.zeros(1) for k in keys}, key) == [key]
    both = {("a", 0): np.zeros(1), "a": [np.zeros(1)]}
    with pytest.raises(ValueError, match=r"^which: .* give its place, 0 or 1"):
        lrcore.SGD(both).step_one(("a", 0), np.ones(1))
    assert lrcore.SGD(both).step_one((("a", 0),), np.ones(1))


@pytest.mark.parametrize(
    "which",
    ["b", 3, -4, ("layers",), ("layers", 2), ("layers", 1), ("W", 0), (), None, 0.5],
)
def test_what_names_no_array_is_refused(which):
    """Before anything is written, and the round goes on as if it had not been tried."""
    opt = lrcore.Adam(params := network())
    arrays = [params["W"], params["layers"][0], params["layers"][1]["b"]]
    before = bits_of(opt, arrays)
    with pytest.raises((IndexError, KeyError, TypeError, ValueError), match="which"):
        opt.step_one(which, np.ones((2, 2)))
    assert bits_of(opt, arrays) == before
    assert opt.step({"W": np.ones((2, 2)), "layers": [np.ones(3), {"b": np.ones(1)}]})


@each_alone
def test_the_same_array_twice_is_refused(name):
    params = weights()
    opt = optimizer(name, params, lr=0.05)
    grads = gradients(params, 0)
    opt.step_one(1, grads[1])
    opt.step_one(0, None)
    before = bits_of(opt, params)
    for k in (0, 1):
        path = re.escape(opt_names(params)[k])
        for again in (grads[k], None):
            with pytest.raises(ValueError, match=path):
                opt.step_one(k, again)
    assert bits_of(opt, params) == before
    opt.step_one(2, grads[2])
    opt.step_one(3, grads[3])
    assert opt.t == 1
    assert opt.step_one(0, grads[0])


def opt_names(params):
    """Paths of the arrays, by group."""
    places = [(0, k) for k in range(FIRST)]
    places += [(1, k) for k in range(len(params) - FIRST)]
    return [f"[{group}][{k}]" for group, k in places]


@each_alone
def test_none_counts_an_array_without_touching_it(name):
    params, twins = weights(), weights()
    own = {"lr": lambda t: 0.05 / (1 + t)}
    opt = optimizer(name, params, ema_decay=0.5, **own)
    alone = optimizer(name, twins, ema_decay=0.5, **own)
    for t in range(4):
        grads = gradients(params, t)
        untouched = {t % 4, (t + 1) % 4}
        arrays = own_arrays(opt, params)
        before = [snapshot(each) for each in arrays]
        for k in range(4):
            done = opt.step_one(k, None if k in untouched else grads[k])
            assert type(done) is bool
            assert done or k in untouched
        after = [snapshot(each) for each in arrays]
        assert {k for k in range(4) if after[k] == before[k]} == untouched
        assert opt.t == t + 1
    # With the numbers of its own step: the others are as in an unbroken run's.
    for k in range(4):
        alone.step_one(k, gradients(params, 0)[k] if k in (2, 3) else None)
    assert alone.t == 1


@each_alone
def test_a_round_of_nothing_counts(name):
    params, twins = weights(), weights()
    own = {"lr": lambda t: 0.05 / (1 + t)}
    later = {"lr": lambda t: 0.05 / (1 + (t if t < 1 else t + 1))}
    opt, twin = optimizer(name, params, **own), optimizer(name, twins, **later)
    for each in (opt, twin):
        assert each.step(split(gradients(params, 0)))
    before = snapshot(params)
    for k in range(4):
        opt.step_one(k, None)
    assert opt.t == 2
    assert snapshot(params) == before
    # Schedules count the round, and the arrays do not.
    assert opt.step(split(gradients(params, 1)))
    assert twin.step(split(gradients(params, 1)))
    assert all_same(params, twins)


@each_alone
def test_an_unfinished_round_says_what_is_to_come(name):
    params = weights()
    opt = optimizer(name, params, lr=0.05)
    assert opt.step(split(gradients(params, 0)))
    saved = opt.state_dict()
    grads = gradients(params, 1)
    opt.step_one(2, grads[2])
    opt.step_one(0, grads[0])
    names = opt_names(params)
    before = bits_of(opt, params)
    for refused in (
        lambda: opt.step(split(gradients(params, 1))),
        opt.state_dict,
    ):
        with pytest.raises(RuntimeError) as error:
            refused()
        text = str(error.value)
        assert names[1] in text
        assert names[3] in text
        assert names[0] not in text
        assert names[2] not in text
    assert bits_of(opt, params) == before
    opt.step_one(1, grads[1])
    opt.step_one(3, grads[3])
    assert opt.state_dict()["t"] == 2
    assert opt.step(split(gradients(params, 2)))
    assert saved["t"] == 1


def test_what_is_loaded_does_not_leave_a_round_unfinished():
    """Either it is refused, or the round is forgotten."""
    params = [np.ones(2), np.ones(2)]
    opt = lrcore.SGD(params, lr=0.5)
    saved = opt.state_dict()
    opt.step_one(0, np.ones(2))
    try:
        opt.load_state_dict(saved)
    except RuntimeError as error:
        assert "params[1]" in str(error)  # noqa: PT017 # one of two is right
        opt.step_one(1, np.ones(2))
        assert opt.t == 1
    else:
        assert opt.step([np.ones(2), np.ones(2)])
        assert opt.t == 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"clip_norm": 1.0}, "clip_norm"),
        ({"clip_norm": lambda t: 1.0}, "clip_norm"),
        ({"accumulate": 2}, "accumulate"),
    ],
)
def test_what_needs_all_gradients_at_once_is_refused(options, text):
    p = [np.ones(2), np.ones(3)]
    opt = lrcore.Adam(p, **options)
    before = bits_of(opt, p)
    for g in (np.ones(2), None):
        with pytest.raises((RuntimeError, ValueError), match=text):
            opt.step_one(0, g)
    assert bits_of(opt, p) == before
    assert opt.step([np.ones(2), np.ones(3)]) is ("accumulate" not in options)


@each_alone
def test_an_array_that_is_not_finite_is_left_alone(name):
    """The round counts it, and the others are stepped."""
    params, twins = weights(), weights()
    opt = optimizer(name, params, lr=0.05, skip_nonfinite=True, zero_grads=True)
    twin = optimizer(name, twins, lr=0.05)
    for t in range(4):
        grads = gradients(params, t)
        grads[t].flat[0] = nan
        for k in range(4):
            done = opt.step_one(k, grads[k])
            assert done is (k != t)
            twin.step_one(k, None if k == t else gradients(params, t)[k])
        assert not any(g.any() for g in grads)
        assert opt.t == t + 1
        assert all_same(params, twins)
        assert same_states(opt.state, twin.state)


@each_alone
def test_a_bad_gradient_does_not_count(name):
    params = weights("float32")
    opt = optimizer(name, params, lr=0.05)
    grads = gradients(params, 0)
    opt.step_one(3, grads[3])
    before = bits_of(opt, params)
    for bad in (
        grads[0].astype(np.float64),
        grads[0].T,
        np.ma.masked_array(grads[0]),
        grads[0][:-1],
        1.0,
        params[2].reshape(-1)[:12].reshape(4, 3),
    ):
        with pytest.raises((TypeError, ValueError), match=r"^grad"):
            opt.step_one(0, bad)
        assert bits_of(opt, params) == before
    for k in range(3):
        assert opt.step_one(k, grads[k])
    assert opt.t == 1


def test_a_schedule_out_of_its_domain_does_not_count():
    params = weights()
    now = [nan]
    opt = optimizer("Adam", params, lr=lambda t: now[0])
    before = bits_of(opt, params)
    with pytest.raises(ValueError, match=r"^lr: expected"):
        opt.step_one(0, gradients(params, 0)[0])
    assert bits_of(opt, params) == before
    now[0] = 0.1
    for k in range(4):
        assert opt.step_one(k, gradients(params, 0)[k])
    assert opt.t == 1


def test_params_that_are_lent_are_not_stepped():
    opt = lrcore.SGD(p := [np.ones(2), np.ones(2)], ema_decay=0.5)
    opt.step([np.ones(2), np.ones(2)])
    with opt.averaged():
        before = bits_of(opt, p)
        with pytest.raises(RuntimeError, match="are lent to"):
            opt.step_one(0, np.ones(2))
        assert bits_of(opt, p) == before
    assert opt.step([np.ones(2), np.ones(2)])


@each_dtype
def test_threads_change_no_bit_of_one_array(dtype):
    g = np.linspace(-3, 5, 100_003).astype(dtype)
    found = []
    for threads in (1, 2, 3, 5):
        params = [np.full(100_003, 0.5, dtype), np.ones(3, dtype)]
        opt = lrcore.LAMB(params, num_threads=threads, clip_tensor_norm=0.1)
        for _ in range(2):
            opt.step_one(1, np.ones(3, dtype))
            opt.step_one(0, g)
        found.append(bits_of(opt, params))
    assert all(other == found[0] for other in found)


def test_subnormals_are_left_to_the_caller():
    tiny = np.full(9, np.finfo(np.float32).tiny)
    opt = lrcore.SGD([np.ones(3), np.ones(3)])
    assert opt.step_one(0, np.ones(3))
    assert (tiny / 4 * 4 == tiny).all()
    with pytest.raises(ValueError, match="grad"):
        opt.step_one(1, np.ones(4))
    assert (tiny / 4 * 4 == tiny).all()


def calls_in(run):
    """How many functions of Python and C it calls."""
    count = 0

    def count_call(frame, event, arg):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(count_call)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "lr", [0.1, lambda t: 0.1 / (1 + t)], ids=["number", "schedule"]
)
@pytest.mark.parametrize("grouped", [False, True], ids=["one group", "groups"])
@pytest.mark.parametrize(
    "name", ["Adam", "LAMB", "Adafactor", "Muon", "SGDScheduleFree"]
)
def test_a_round_over_twice_the_arrays_takes_twice_the_calls(name, lr, grouped):
    """Not four times: an array's step does nothing for the others."""
    calls = []
    for n in (20, 40):
        params = [np.ones((2, 3)) for _ in range(n)]
        groups = [{"params": p} for p in params] if grouped else params
        opt = KINDS[name](groups, lr=lr)
        g = np.full((2, 3), 0.5)

        def a_round(opt=opt, g=g, n=n):
            for k in range(n):
                assert opt.step_one(k, g)

        a_round()
        calls.append(calls_in(a_round))
        assert opt.t == 2
    assert calls[0] > 20
    assert calls[1] < 2.5 * calls[0]


def test_t_cannot_be_set_within_a_round():
    opt = lrcore.SGD([np.ones(2), np.ones(2)], lr=0.1)
    opt.step_one(0, np.ones(2))
    with pytest.raises(RuntimeError, match=r"params\[1\]"):
        opt.t = 7
    opt.step_one(1, None)
    opt.t = 7
    assert opt.t == 7


def test_a_rate_that_is_set_within_a_round_is_used_from_then_on():
    """Also in a group whose arrays have counts of their own."""
    p = [np.zeros(1) for _ in range(4)]
    opt = lrcore.SGD(p, lr=1.0)
    one = np.ones(1)
    for t, absent in enumerate([{}, {3}]):
        for k in range(4):
            opt.lr = 1.0 + k + t
            opt.step_one(k, None if k in absent else one)
    assert [a[0] for a in p] == [-3.0, -5.0, -7.0, -4.0]
    for k in (3, 1, 2, 0):
        opt.lr = 10.0 + k
        opt.step_one(k, one)
    assert [a[0] for a in p] == [-13.0, -16.0, -19.0, -17.0]
