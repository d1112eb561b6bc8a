"""Clipping by the past norms of each array (`AdaGC`), against the paper in NumPy."""

import numpy as np
import pytest
from spiky import adagc, gradients, norm, params

import lrcore
from lrcore import AdaGC


@pytest.mark.parametrize("most", [2.0, 1e9])
def test_adagc_clips_to_the_norms_of_the_paper(most):
    grads = gradients(60, spikes=(20, 33))
    opt = lrcore.SGD(
        params(), lr=1.0, telemetry=True, clip_tensor_norm=AdaGC(1.2, 0.9, 10, most)
    )
    found = []
    for g in grads:
        opt.step(g)
        found.append([r.update_norm for r in opt.reports("tensor").values()])
    norms = np.array([[norm([a]) for a in g] for g in grads])
    wanted, means = adagc(norms, 1.2, 0.9, 10, most)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    np.testing.assert_allclose([s["norm_mean"] for s in opt.state], means, rtol=1e-12)


def test_adagc_leaves_out_norms_of_zero_and_arrays_without_gradient():
    opt = lrcore.SGD(params(), lr=1.0, clip_tensor_norm=AdaGC(warmup=2))
    zeros, (one, two) = params(), gradients(2)
    opt.step(zeros)
    assert [float(s["norm_mean"]) for s in opt.state] == [0, 0, 0]
    opt.step([one[0], None, one[2]])
    means = [float(s["norm_mean"]) for s in opt.state]
    assert means[1] == 0
    assert min(means[0], means[2]) > 0
    opt.step(two)  # the second step of the second array, after its warm-up of one
    assert opt.state[1]["norm_mean"] > 0


def test_adagc_begins_with_the_first_norm_after_a_warm_up_of_zeros():
    p = np.zeros(1)
    opt = lrcore.SGD(p, lr=1.0, clip_tensor_norm=AdaGC(1.5, 0.5, warmup=1))
    moved = []
    for g in (0.0, 2.0, 100.0):
        before = p.copy()
        opt.step(np.array([g]))
        moved.append(float(before[0] - p[0]))
    assert moved == [0.0, 2.0, 3.0]
    assert opt.state[0]["norm_mean"] == 0.5 * 2 + 0.5 * 3


@pytest.mark.parametrize("skips", [False, True])
@pytest.mark.parametrize("steps", [1, 5])
def test_adagc_counts_no_norm_that_is_not_finite(steps, skips):
    """In the warm-up, and after it; nor does it clip by one."""
    opt = lrcore.SGD(
        params(), clip_tensor_norm=AdaGC(1.2, 0.9, 2, None), skip_nonfinite=skips
    )
    good = gradients(steps)
    for g in good:
        opt.step(g)
    means = [float(s["norm_mean"]) for s in opt.state]
    bad = [g.copy() for g in good[-1]]
    bad[1][7] = np.inf
    assert opt.step(bad) is not skips
    after = [float(s["norm_mean"]) for s in opt.state]
    assert after[1] == means[1]
    if skips:
        assert after == means
