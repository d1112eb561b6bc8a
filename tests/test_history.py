"""What a monitor keeps of a run: exact over its blocks, in bounded memory."""

from math import inf, nan
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcore import Monitor
from lrcore.monitor import _blocks, _history

LENGTHS = [1, 2, 63, 64, 255, 256, 257, 1023, 1024, 1025, 2047, 2048, 2049, 3000]


SERIES = ("validation", "entropy", "kl", "explained_variance")


class Run(NamedTuple):
    """Steps in eighths: their sums are exact, in whatever order."""

    loss: np.ndarray
    lr: np.ndarray
    norms: np.ndarray  # of gradient, params and update
    bad: np.ndarray
    series: np.ndarray  # validation, entropy, kl, explained variance; NaN: not given


def draw_run(n, seed, wild):
    """A run; `wild` is the share of losses that are not finite."""
    rng = np.random.default_rng(seed)
    loss = rng.integers(-40, 40, n) / 8
    where = rng.random(n) < wild
    loss[where] = rng.choice([nan, inf, -inf], where.sum())
    norms = rng.integers(1, 9, (n, 3)) / 8
    norms[:, 1] = 2.0 ** rng.integers(-2, 3, n)  # so that ratios are exact as well
    norms[rng.random(n) < 0.2] = nan
    norms[rng.random(n) < 0.1, 0] = inf
    given = rng.random((n, 4)) < 0.05
    return Run(
        loss,
        lr=rng.integers(0, 9, n) / 8,
        norms=norms,
        bad=np.where(rng.random(n) < 0.1, 3.0, 0.0),
        series=np.where(given, rng.integers(0, 40, (n, 4)) / 8, nan),
    )


def recorded(run):
    """A recorder that has taken up a run, as a monitor feeds it."""
    recorder = _history.Recorder()
    squares = (run.norms**2).tolist()
    series = run.series.tolist()
    rest = zip(run.loss.tolist(), run.lr.tolist(), run.bad.tolist(), strict=True)
    for i, (loss, lr, bad) in enumerate(rest):
        recorder = with_step(recorder, loss, lr, *squares[i], bad, *series[i])
    return recorder


def with_step(recorder, *step):
    """Record a step as a monitor does: by an append, or by `with_step`."""
    if len(recorder.recent) < _history.CHUNK - 1:
        recorder.recent.append(step)
        return recorder
    return recorder.with_step(step)


def mean(values, wanted):
    chosen = values[wanted]
    return chosen.sum() / len(chosen) if len(chosen) else nan


def block(run, a, b):
    """What a history says of the steps a to b - 1, from 0, by its docstring."""
    loss = np.where(np.isfinite(run.loss), run.loss, nan)
    moves = np.diff(loss, prepend=[nan, nan])[: len(loss) + 1]
    now, before = moves[1:][a:b], moves[:-1][a:b]
    cut, seen = loss[a:b], np.isfinite(loss[a:b])
    g, p, u = run.norms[a:b].T
    measured = np.isfinite(run.norms[a:b]).all(axis=1)
    given = [values[~np.isnan(values)] for values in run.series[a:b].T]
    last = [values[-1] if len(values) else nan for values in given]
    return {
        "step": a + 1,
        "steps": b - a,
        "loss": mean(cut, seen),
        "low": cut[seen].min() if seen.any() else nan,
        "high": cut[seen].max() if seen.any() else nan,
        "nonfinite": (~seen).sum(),
        "wiggle": mean(abs(now), np.isfinite(now)),
        "turns": (np.sign(now) * np.sign(before) == -1).sum() / (b - a),
        "lr": run.lr[b - 1],
        "grad_norm": mean(g, measured),
        "update_norm": mean(u, measured),
        "param_norm": mean(p, measured),
        "update_ratio": mean(u / p, measured),
        "nonfinite_grads": (run.bad[a:b] > 0).sum(),
        **dict(zip(SERIES, last, strict=True)),
    }


def assert_exact(history, run):
    """Blocks follow each other without a gap, and each is what its steps make it."""
    n = len(run.loss)
    first = history.step.astype(int) - 1
    last = first + history.steps.astype(int)
    assert first[0] == 0
    assert last[-1] == n
    np.testing.assert_array_equal(last[:-1], first[1:])
    expected = [block(run, a, b) for a, b in zip(first, last, strict=True)]
    for name, values in history._asdict().items():
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, [e[name] for e in expected], name)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("wild", [0.0, 0.3])
def test_each_block_is_what_its_steps_make_it(n, wild):
    run = draw_run(n, n, wild)
    history = recorded(run).history()
    assert_exact(history, run)
    assert len(history.step) <= _blocks.BLOCKS + _history.CHUNK


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 700),
    seed=st.integers(0, 2**32 - 1),
    wild=st.sampled_from([0.0, 0.2, 0.9, 1.0]),
    sizes=st.sampled_from([(8, 4), (4, 8), (2, 2), (16, 2), (4, 4)]),
)
def test_any_length_and_any_sizes(n, seed, wild, sizes):
    """Few blocks, and small ones: they are joined again and again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_blocks, "BLOCKS", sizes[0])
        for module in (_history, _blocks):
            patch.setattr(module, "CHUNK", sizes[1])
        run = draw_run(n, seed, wild)
        recorder = recorded(run)
        history = recorder.history()
        assert_exact(history, run)
        # Whole ones, one that is not full, and those of the steps to be taken up.
        assert len(history.step) <= sizes[0] + 1 + sizes[1]
        assert len(recorder._blocks.pending) <= 1


def test_all_whole_blocks_are_of_one_size():
    run = draw_run(5000, 1, 0.1)
    steps = recorded(run).history().steps
    assert set(steps[:-2]) == {8.0}
    assert steps.sum() == 5000


def test_asking_changes_nothing():
    run = draw_run(1500, 2, 0.2)
    once, often = recorded(run), _history.Recorder()
    for i in range(1500):
        often = with_step(
            often,
            *(run.loss[i], run.lr[i], *(run.norms[i] ** 2)),
            *(run.bad[i], *run.series[i]),
        )
        if i % 37 == 0:
            often.history()
    for a, b in zip(often.history(), once.history(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_was_returned_does_not_change_later():
    run = draw_run(1100, 3, 0.1)
    recorder = recorded(run)
    before = recorder.history()
    copies = [values.copy() for values in before]
    for values in recorder.history():
        values[:] = 7  # nor does what a caller does to it change what is kept
    assert_exact(recorder.history(), run)
    while recorder.taken < 2048:
        recorder = with_step(recorder, 1.0, 0.1, 1.0, 1.0, 1.0, 0.0, *[nan] * 4)
    for values, copy in zip(before, copies, strict=True):
        np.testing.assert_array_equal(values, copy)


def test_the_same_run_through_a_monitor():
    """With the looks that a monitor takes in between."""
    run = draw_run(3000, 4, 0.01)
    monitor = Monitor()
    for loss, lr, (value, *rest) in zip(run.loss, run.lr, run.series, strict=True):
        told = dict(zip(SERIES[1:], rest, strict=True))
        monitor.update(loss, None if np.isnan(value) else value, lr=lr, **told)
    no = np.full((3000, 3), nan)
    assert_exact(monitor.history, run._replace(norms=no, bad=np.zeros(3000)))


def test_a_validation_loss_of_a_step_in_the_blocks_goes_to_the_next_one():
    """Unless that has its own; also when the run is saved in between."""
    for own in (nan, 2.0):
        recorder = _history.Recorder()
        for _ in range(_history.CHUNK):
            recorder = with_step(recorder, 1.0, *[nan] * 9)
        recorder = recorder.with_validation(3.0)
        restored = _history.Recorder.restored(recorder.state_dict())
        for each in (recorder, restored):
            each.recent.append((1.0, *[nan] * 5, own, *[nan] * 3))
            history = _history.Recorder.restored(each.state_dict()).history()
            assert history.validation[-1] == each.history().validation[-1]
            assert history.validation[-1] == (own if own == 2.0 else 3.0)
            assert np.isnan(history.validation[:-1]).all()


def test_no_history():
    assert all(len(values) == 0 for values in Monitor().history)


@pytest.mark.parametrize("border", [False, True])
def test_an_infinite_loss_is_no_turn(border):
    """Nor is it in the first step after a chunk."""
    recorder = _history.Recorder()
    calm = _history.CHUNK - 1 if border else 10
    losses = [3.0] * calm + [inf, 3.0, 2.0, inf, 4.0] + [4.0] * 300
    for loss in losses:
        recorder = with_step(recorder, loss, *[nan] * 4, 0.0, *[nan] * 4)
    history = recorder.history()
    assert history.turns.sum() == 0
    assert history.nonfinite.sum() == 2
    assert np.nansum(history.wiggle) == 1  # from 3 to 2


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_turns_of_losses_of_any_size(size):
    recorder = _history.Recorder()
    for i in range(100):
        recorder.recent.append((size * (1 + i % 2), *[nan] * 4, 0.0, *[nan] * 4))
    assert recorder.history().turns.sum() == 98


@pytest.mark.parametrize("sign", [1, -1])
def test_huge_losses_overflow_in_silence(sign):
    """A sum of them is infinite; warnings are errors here."""
    monitor = Monitor()
    for i in range(3000):
        monitor.update(1.7e308 * sign**i)
    history = monitor.history
    assert history.high.max() == 1.7e308
    assert history.low.min() == sign * 1.7e308
    assert history.nonfinite.sum() == 0
    monitor.diagnose()


def test_memory_is_bounded():
    """However many steps: no gap, and one row more than the blocks at most."""
    n = 3 * 10**5 + 77
    recorder = _history.Recorder()
    step = (1.5, 0.1, 4.0, 4.0, 4.0, 0.0, 0.5, 1.0, 0.01, 0.5)
    for _ in range(n // _history.CHUNK):
        recorder.recent.extend([step] * (_history.CHUNK - 1))
        recorder = recorder.with_step(step)
        assert len(recorder._blocks.pending) <= 1
        assert not recorder.recent
    recorder.recent.extend([step] * (n % _history.CHUNK))
    assert recorder._blocks.rows.nbytes < 170e3
    history = recorder.history()
    assert len(history.step) <= _blocks.BLOCKS + 2
    assert history.steps.sum() == n
    np.testing.assert_array_equal(history.step[1:], 1 + history.steps.cumsum()[:-1])
    np.testing.assert_array_equal(history.loss, 1.5)
    np.testing.assert_array_equal(history.grad_norm, 2.0)
