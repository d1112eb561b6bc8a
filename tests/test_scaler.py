"""The scale of the loss, and what is stepped by it."""

import json
import pickle
from math import inf, isfinite, nan
from pathlib import Path

import numpy as np
import pytest
from cases import cases
from composed import gradients, optimizer, split, weights
from helpers import all_same, bits_of, each_kind, same_states

import lrcore

pytestmark = pytest.mark.isa

with np.load(Path(__file__).parent / "golden" / "clip.npz") as file:
    GOLDEN = dict(file)
ABOUT = json.loads(str(GOLDEN["about"]))


@pytest.mark.parametrize("run", range(len(ABOUT["scalers"])))
def test_the_scale_is_that_of_torch(run):
    """And what is stepped: all are powers of 2 and small whole numbers."""
    scaler = lrcore.LossScaler(*ABOUT["scalers"][run])
    p = np.zeros(())
    opt = lrcore.SGD(p, lr=0.125)
    for step, (scale, stepped) in enumerate(
        zip(GOLDEN["scale"][run], GOLDEN["stepped"][run], strict=True)
    ):
        spoilt = step in ABOUT["skipped"][run]
        size = (nan if step % 2 else inf) if spoilt else 1.0 + step
        assert scaler.step(opt, np.array(size * scaler.scale)) is not spoilt
        assert (scaler.scale, p) == (scale, stepped)


@pytest.mark.parametrize("run", range(len(ABOUT["scalers"])))
@pytest.mark.parametrize("at", [1, 7, 18])
def test_it_continues_from_its_state(run, at):
    """The growth that is near, too; through a pickle."""
    first = lrcore.LossScaler(*ABOUT["scalers"][run])
    opt = lrcore.SGD(np.zeros(()))

    def go(scaler, steps):
        for step in steps:
            spoilt = step in ABOUT["skipped"][run]
            scaler.step(opt, np.array(nan if spoilt else 1.0))
            yield scaler.scale

    list(go(first, range(at)))
    saved = pickle.loads(pickle.dumps(first.state_dict()))
    list(go(first, [at]))  # what was saved is a copy
    second = lrcore.LossScaler()
    second.load_state_dict(saved)
    wanted = GOLDEN["scale"][run][at:].tolist()
    assert list(go(second, range(at, len(GOLDEN["scale"][run])))) == wanted


def test_its_defaults_are_torchs():
    scaler = lrcore.LossScaler()
    assert scaler.scale == 65536.0
    assert type(scaler.scale) is float
    opt = lrcore.SGD(np.zeros(1))
    scaler.step(opt, np.full(1, inf))
    assert scaler.scale == 32768.0
    for _ in range(1999):
        scaler.step(opt, np.ones(1))
    assert scaler.scale == 32768.0
    scaler.step(opt, np.ones(1))
    assert scaler.scale == 65536.0


def test_the_scale_stays_finite():
    scaler = lrcore.LossScaler(2.0**1023, growth_interval=1)
    opt = lrcore.SGD(np.zeros(1))
    for _ in range(3):
        scaler.step(opt, np.ones(1))
        assert isfinite(scaler.scale)


@each_kind
@cases("own", [None, False, True])
def test_a_step_is_that_of_the_gradients_of_the_loss(name, own):
    """To the bit, as the scale is a power of 2; on top of grad_scale; skipped or not,
    whatever the optimizer's own skip_nonfinite, which is as it was afterwards."""
    params, twins = weights(), weights()
    options = {"lr": 0.05, "grad_scale": 0.25, "clip_norm": 3.0, "weight_decay": 0.1}
    skips = {} if own is None else {"skip_nonfinite": own}
    opt = optimizer(name, params, **options, **skips)
    twin = optimizer(name, twins, **options)
    scaler = lrcore.LossScaler(1024.0, growth_interval=2)
    for t in range(5):
        grads = [np.asarray(g * scaler.scale) for g in gradients(params, t)]
        if t == 3:
            grads[2][0, 0, 0] = nan
            before, scale = bits_of(opt, params), scaler.scale
            assert scaler.step(opt, split(grads)) is False
            assert bits_of(opt, params) == before
            assert scaler.scale == scale / 2
        else:
            assert scaler.step(opt, split(grads)) is True
            assert twin.step(split(gradients(params, t)))
        assert opt.grad_scale == 0.25
    assert all_same(params, twins)
    assert same_states(opt.state, twin.state)
    assert opt.t == twin.t == 4
    spoilt = gradients(params, 0)
    spoilt[0][0] = nan
    assert opt.step(split(spoilt)) is not bool(own)


def test_a_scheduled_grad_scale_is_there_too():
    p = np.zeros(1)
    opt = lrcore.SGD(p, lr=1.0, grad_scale=lambda t: 2.0 ** -(1 + t))
    scaler = lrcore.LossScaler(4.0)
    for _ in range(2):
        assert scaler.step(opt, np.full(1, 4.0))
    assert p.tolist() == [-0.75]
    opt.step(np.ones(1))
    assert p.tolist() == [-0.875]


def test_gathering_changes_nothing_of_the_scaler():
    params, twins = weights(), weights()
    opt = optimizer("Adam", params, accumulate=3)
    twin = optimizer("Adam", twins, accumulate=3)
    scaler = lrcore.LossScaler(16.0, growth_interval=2)

    def call(t, k, spoilt=False):
        grads = [np.asarray(g * scaler.scale) for g in gradients(params, t, k)]
        if spoilt:
            grads[3][1] = inf
        else:
            twin.step(split(gradients(params, t, k)))
        return scaler.step(opt, split(grads)), scaler.scale

    # Growth after two steps, of three calls each.
    assert [call(0, k) for k in range(3)] == [(False, 16), (False, 16), (True, 16)]
    assert [call(1, k) for k in range(3)] == [(False, 16), (False, 16), (True, 32)]
    assert all_same(params, twins)
    saved = scaler.state_dict()
    assert call(2, 0) == (False, 32)
    assert scaler.state_dict() == saved
    before = opt.t
    assert call(2, 1, spoilt=True) == (False, 32)
    assert scaler.state_dict() == saved
    assert call(2, 2) == (False, 16), "dropped, at its last call"
    assert opt.t == before
    assert opt.grad_scale == 1.0


def test_gradients_are_zeroed_where_the_optimizer_does():
    grads = [np.array([1.0, inf]), np.ones(2)]
    opt = lrcore.SGD([np.zeros(2), np.zeros(2)], zero_grads=True)
    assert lrcore.LossScaler().step(opt, grads) is False
    assert not np.any(grads)


def test_an_error_leaves_the_scaler_and_the_optimizer_as_they_were():
    p = np.zeros(3)
    opt = lrcore.SGD(p, lr=1.0, grad_scale=0.5)
    scaler = lrcore.LossScaler(8.0, growth_interval=2)
    scaler.step(opt, np.full(3, 8.0))
    saved, before = scaler.state_dict(), bits_of(opt, [p])
    with pytest.raises(ValueError, match=r"^grads: expected shape"):
        scaler.step(opt, np.ones(4))
    assert scaler.state_dict() == saved
    assert bits_of(opt, [p]) == before
    assert opt.grad_scale == 0.5
    assert opt.step(np.full(3, nan)), "not skipped, as the optimizer does not"


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("init_scale", [0.0, -1.0, nan, inf, "1", None]),
        ("growth_factor", [0.5, nan, inf, "2", None]),
        ("backoff_factor", [0.0, -0.5, 1.5, nan, "0.5", None]),
        ("growth_interval", [0, -1, 1.5, "2", None]),
    ],
)
def test_bad_arguments_are_refused_by_name(argument, values):
    for value in values:
        with pytest.raises((TypeError, ValueError), match=rf"^{argument}: expected"):
            lrcore.LossScaler(**{argument: value})


def test_what_is_no_state_of_a_scaler_is_refused():
    scaler = lrcore.LossScaler(8.0)
    saved = scaler.state_dict()
    for bad in ({}, None, {**saved, "scale": -1.0}, {"scale": 4.0}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            scaler.load_state_dict(bad)
        assert scaler.state_dict() == saved


def test_the_scale_keeps_an_inverse_in_float32():
    p = np.zeros(2, np.float32)
    opt, scaler = lrcore.SGD(p, lr=1.0), lrcore.LossScaler(init_scale=1e-300)
    for _ in range(3):
        assert not scaler.step(opt, np.full(2, np.nan, np.float32))
    assert scaler.scale == 2.0**-100
    assert scaler.step(opt, np.zeros(2, np.float32))
    assert not p.any()


class Clamped(lrcore.SGD):
    """An optimizer of a user's own, which does something more in a step."""

    __slots__ = ()

    def step(self, grads):
        applied = super().step(grads)
        for leaf in self._tree.leaves:
            np.clip(leaf.array, -0.5, 0.5, out=leaf.array)
        return applied


def test_an_override_of_step_runs():
    w = np.zeros(2)
    assert lrcore.LossScaler(1.0).step(Clamped(w, lr=1.0), np.ones(2))
    assert w.tolist() == [-0.5, -0.5]


def test_the_factors_of_nested_blocks_multiply_and_end_with_them():
    p = np.zeros(1)
    opt = lrcore.SGD(p, lr=1.0, grad_scale=0.5)
    with opt.scaled(0.5, skip_nonfinite=False), opt.scaled(0.25):
        assert opt.step(np.array([16.0]))
        assert not opt.step(np.array([nan]))
        assert opt.step_one(0, np.array([16.0]))
    assert p.tolist() == [-2.0]
    with pytest.raises(KeyError), opt.scaled(0.5):
        raise KeyError
    assert opt.step(np.array([2.0]))
    assert p.tolist() == [-3.0]
    with opt.scaled(1.0, skip_nonfinite=False):
        assert opt.step(np.array([nan])), "not skipped, as the optimizer does not"


def test_a_factor_ends_with_its_block_where_a_group_is_added_in_it():
    """And a block can be entered again."""
    p, q = np.zeros(1), np.zeros(1)
    opt = lrcore.SGD(p, lr=1.0)
    block = opt.scaled(0.5)
    with block:
        opt.add_group(q)
        with block:
            assert opt.step([np.array([8.0]), np.array([4.0])])
        assert not opt.step([np.array([nan]), np.array([4.0])])
    assert opt.step([np.array([1.0]), np.array([nan])]), "the option does not skip"
    assert p.tolist() == [-3.0]


@pytest.mark.parametrize("value", [0.0, -1.0, nan, inf, "1", None])
def test_a_factor_out_of_its_domain_is_refused(value):
    opt = lrcore.SGD(np.zeros(1))
    with (
        pytest.raises((TypeError, ValueError), match=r"^grad_scale: expected"),
        opt.scaled(value),
    ):
        raise AssertionError("the block was entered")


@each_kind
def test_every_optimizer_takes_the_loss(name):
    """SPS makes its rate of it; the others are not changed by it."""
    params, twins = weights(), weights()
    opt, twin = optimizer(name, params), optimizer(name, twins)
    grads = split(gradients(params, 0, 0))
    assert opt.step(grads, loss=1.0)
    assert twin.step(grads)
    assert all_same(params, twins)
