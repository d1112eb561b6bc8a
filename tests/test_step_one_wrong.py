"""What `step_one` refuses, and what is refused while its round is unfinished."""

import re
from math import nan

import numpy as np
import pytest
from composed import FIRST, gradients, optimizer, split, weights
from helpers import KINDS, bits_of, each_alone

import lrcore

pytestmark = pytest.mark.isa


@pytest.mark.parametrize("name", [name for name in KINDS if KINDS[name]._gauge])
def test_what_is_made_of_all_gradients_is_refused(name):
    params = weights()
    opt = optimizer(name, params)
    before = bits_of(opt, params)
    with pytest.raises(ValueError, match="needs the gradients of all arrays at once"):
        opt.step_one(0, gradients(params, 0)[0])
    assert bits_of(opt, params) == before


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
        with pytest.raises(ValueError, match=f"^{text}: found"):
            opt.step_one(0, g)
    assert bits_of(opt, p) == before
    assert opt.step([np.ones(2), np.ones(3)]) is ("accumulate" not in options)


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


def opt_names(params):
    """Paths of the arrays, by group."""
    places = [(0, k) for k in range(FIRST)]
    places += [(1, k) for k in range(len(params) - FIRST)]
    return [f"[{group}][{k}]" for group, k in places]


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


def test_what_is_loaded_ends_an_unfinished_round():
    params = [np.ones(2), np.ones(2)]
    opt = lrcore.SGD(params, lr=0.5)
    saved = opt.state_dict()
    opt.step_one(0, np.ones(2))
    opt.load_state_dict(saved)
    assert opt.t == 0
    assert opt.step([np.ones(2), np.ones(2)])
    assert opt.t == 1


def test_t_cannot_be_set_within_a_round():
    opt = lrcore.SGD([np.ones(2), np.ones(2)], lr=0.1)
    opt.step_one(0, np.ones(2))
    with pytest.raises(RuntimeError, match=r"params\[1\]"):
        opt.t = 7
    opt.step_one(1, None)
    opt.t = 7
    assert opt.t == 7
