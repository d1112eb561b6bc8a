"""Arrays beside the params (`also`), which a rollback and a range test put back."""

import numpy as np
import pytest

import lrcore
from lrcore import Monitor

CURVATURE = np.array([1.0, 7.0])


def test_a_rollback_sets_other_arrays_back_too():
    w, mean, count = np.ones(2), np.zeros((2, 4))[:, ::2], np.zeros(1, np.int64)
    opt = lrcore.SGD(w, lr=1.5)
    monitor = Monitor(
        opt, on_divergence="rollback", also={"mean": mean, "count": [count]}
    )
    for _ in range(40):
        mean += 1
        count += 1
        opt.step(CURVATURE * w)
        found = monitor.update(0.5 * (CURVATURE * w**2).sum())
        if found:
            break
    assert found.kind == "rolled back"
    assert (mean == found.since).all()
    assert count == found.since


def finds(mean):
    """Run a range test whose loss changes another array, too."""
    w = np.ones(3)

    def loss_and_grad(x):
        mean[...] = mean + 1
        return float(w @ w), 2 * w

    opt = lrcore.SGD(w, lr=0.1)
    lrcore.lr_find(opt, loss_and_grad, [0], trial_steps=0, also=[mean])


@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_a_range_test_puts_other_arrays_back(dtype):
    mean = np.zeros((3, 2), dtype).T
    finds(mean)
    assert not mean.any()


def test_other_arrays_go_with_each_trial():
    w, seen = np.ones(2), np.zeros(1)
    opt = lrcore.SGD(w, lr=0.1)
    with lrcore.LRSweep(opt, also=seen) as sweep:
        for _ in sweep:
            assert seen[0] == sweep.at
            sweep.record(w @ w)
            opt.step(2 * w)
            seen += 1
    assert seen[0] == 0


read_only = np.zeros(3)
read_only.flags.writeable = False


@pytest.mark.parametrize(
    ("also", "message"),
    [
        ([1.5], r"also\[0\]: expected a numpy.ndarray of numbers.*found float"),
        (np.float64(1.5), "also: expected a numpy.ndarray of numbers"),
        ({"m": np.array([None])}, r"also\['m'\]: .*found an array of objects"),
        (np.ma.ones(3), "also: found a masked array; give its data and its mask"),
        ([np.zeros(2), read_only], r"also\[1\]: found a read-only array"),
    ],
)
def test_other_arrays_that_could_not_be_put_back(also, message):
    opt = lrcore.SGD(np.zeros(2))
    with pytest.raises((TypeError, ValueError), match=message):
        lrcore.LRSweep(opt, also=also)
    with pytest.raises((TypeError, ValueError), match=message):
        Monitor(opt, on_divergence="rollback", also=also)


def test_an_array_that_has_become_read_only_is_named():
    mean, w = np.zeros(2), np.ones(2)
    opt = lrcore.SGD(w, lr=0.1)

    def run():
        with lrcore.LRSweep(opt, also=mean):
            w[...] = 2
            mean.flags.writeable = False

    with pytest.raises(ValueError, match=r"^also: found a read-only array"):
        run()
    assert (w == 1).all()
