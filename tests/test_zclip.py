"""Clipping by the past norms of all gradients (`ZClip`), against the paper in NumPy."""

from copy import deepcopy

import numpy as np
import pytest
from spiky import gradients, norm, params

import lrcore
from lrcore import ZClip


def zclip_limits(norms, z, decay, warmup, mode, skip=False):
    """The norm after clipping of each step (Kumar et al. 2025, Algorithm 1)."""
    kept, mean, var = [], None, None
    for t, g in enumerate(norms):
        if t < warmup:
            kept.append(g)
            if t == warmup - 1:
                mean, var = np.mean(norms[:warmup]), np.var(norms[:warmup])
            continue
        score, n = (g - mean) / np.sqrt(var), g
        if score > z:
            to = {"reciprocal": z**2 / score, "max": z, "mean": 0.0}
            n = mean + (z if skip else to[mode]) * np.sqrt(var)
        mean = decay * mean + (1 - decay) * n
        var = decay * var + (1 - decay) * (n - mean) ** 2
        kept.append(n)
    return kept, mean, np.sqrt(var)


@pytest.mark.parametrize("mode", ["reciprocal", "max", "mean"])
def test_zclip_clips_to_the_norms_of_the_paper(mode):
    grads = gradients(60, spikes=(20, 33, 34))
    opt = lrcore.SGD(params(), lr=1.0, telemetry=True)
    opt.clip_norm = ZClip(2.0, 0.9, warmup=10, mode=mode)
    found = []
    for g in grads:
        assert opt.step(g)
        found.append(opt.report.update_norm)
    wanted, mean, std = zclip_limits([norm(g) for g in grads], 2.0, 0.9, 10, mode)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    counted = opt.clip_norm.mean, opt.clip_norm.std
    np.testing.assert_allclose(counted, [mean, std], rtol=1e-12)
    assert opt.clip_norm.spikes >= 3
    assert opt.clip_norm.counted == 10


def test_a_clipped_step_has_the_bits_of_the_same_clip_norm():
    grads, own, other = (
        gradients(40, (30,), dtype=np.float32),
        params("f4"),
        params("f4"),
    )
    clip = ZClip(warmup=5, mode="max")
    opt, plain = lrcore.AdamW(own, clip_norm=clip), lrcore.AdamW(other)
    for g in grads:
        most = clip.mean + clip.z * clip.std if clip.counted == 5 else None
        plain.clip_norm = most
        opt.step(g)
        plain.step(g)
        assert all((a == b).all() for a, b in zip(own, other, strict=True))


def test_max_norm_holds_from_the_first_step():
    opt = lrcore.SGD(params(), lr=1.0, clip_norm=ZClip(max_norm=1.5), telemetry=True)
    for g in gradients(30):
        opt.step(g)
        np.testing.assert_allclose(opt.report.update_norm, 1.5, rtol=1e-12)


def test_skip_changes_nothing_but_what_zclip_has_counted():
    own = params()
    opt = lrcore.Adam(
        own, clip_norm=ZClip(warmup=5, skip=True), zero_grads=True, telemetry=True
    )
    for g in gradients(20):
        assert opt.step(g)
    before, states = deepcopy(own), deepcopy(opt.state_dict())
    (spike,) = gradients(1, (0,))
    size = norm(spike)
    assert not opt.step(spike)
    assert opt.t == 20
    assert not opt.report.applied
    assert opt.report.grad_norm == pytest.approx(size, rel=1e-12)
    assert opt.report.update_norm == 0
    assert all((a == b).all() for a, b in zip(own, before, strict=True))
    for now, was in zip(opt.state_dict()["state"], states["state"], strict=True):
        assert all((now[name] == was[name]).all() for name in was)
    assert all((g == 0).all() for g in spike)
    assert opt.clip_norm.spikes == 1 + states["options"]["clip_norm"].spikes


def test_skip_counts_the_largest_usual_norm_so_that_a_new_level_is_taken():
    grads = gradients(300)
    grads[100:] = [[50 * a for a in g] for g in grads[100:]]
    opt = lrcore.SGD(params(), clip_norm=ZClip(skip=True))
    taken = [opt.step(g) for g in grads]
    assert not any(taken[100:110])
    assert all(taken[200:])
    wanted, *_ = zclip_limits([norm(g) for g in grads], 2.5, 0.97, 25, "max", skip=True)
    assert taken == [bool(w == norm(g)) for w, g in zip(wanted, grads, strict=True)]


@pytest.mark.parametrize("how", [{"skip": True}, {"mode": "max"}])
def test_a_new_level_is_taken_after_norms_that_were_all_equal(how):
    """Their deviation is 0, and that of a norm clipped to their mean would be, too."""
    opt = lrcore.SGD(np.zeros(1), clip_norm=ZClip(**how))
    for level in [1.0] * 40 + [3.0] * 300:
        opt.step(np.array([level]))
    assert opt.clip_norm.spikes < 250
    assert opt.clip_norm.mean == pytest.approx(3, rel=0.1)


def test_a_norm_that_is_not_finite_is_not_counted():
    opt = lrcore.SGD(params(), clip_norm="zclip", skip_nonfinite=True)
    good, bad = gradients(2)
    bad[1][7] = np.inf
    assert opt.step(good)
    assert not opt.step(bad)
    assert opt.clip_norm.counted == 1
    assert opt.clip_norm.mean == pytest.approx(norm(good), rel=1e-12)


@pytest.mark.parametrize("warmup", [2, 5])
def test_a_norm_whose_square_is_out_of_range_is_not_counted(warmup):
    """The variance would be infinite; the step is taken, and not clipped."""
    opt = lrcore.SGD(params(), clip_norm=ZClip(warmup=warmup), telemetry=True)
    for g in gradients(3):
        opt.step(g)
    before = opt.clip_norm.state_dict()
    (large,) = gradients(1, (0,), factor=1e200)
    assert opt.step(large)
    assert (opt.report.applied, opt.report.clip) == (True, 1.0)
    assert opt.clip_norm.state_dict() == before


def test_norms_are_those_of_the_mean_of_gathered_gradients():
    opt = lrcore.SGD(
        params(),
        clip_norm=ZClip(warmup=2),
        accumulate=2,
        grad_scale=0.5,
        clip_value=1.0,
    )
    grads = gradients(4)
    assert [opt.step(g) for g in grads] == [False, True, False, True]
    means = [
        norm(np.clip((a + b) / 4, -1, 1) for a, b in zip(*two, strict=True))
        for two in (grads[:2], grads[2:])
    ]
    assert opt.clip_norm.mean == pytest.approx(np.mean(means), rel=1e-12)


def test_a_spike_does_not_halve_the_loss_scale():
    opt = lrcore.SGD(params(), clip_norm=ZClip(warmup=3, skip=True))
    scaler = lrcore.LossScaler(8.0)
    for g in gradients(10):
        scaler.step(opt, g)
    assert not scaler.step(opt, *gradients(1, (0,)))
    assert scaler.scale == 8.0
    bad = params()
    bad[0][0] = np.nan
    assert not scaler.step(opt, bad)
    assert scaler.scale == 4.0
