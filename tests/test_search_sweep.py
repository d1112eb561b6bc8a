"""Sweeps over learning rates, and what the function of a trial may return."""

import math
from itertools import permutations

import numpy as np
import pytest
from objectives import LR, bowl

from lrcore.search import Trial, sweep, tune
from lrcore.search._losses import follow
from lrcore.search._trial import ranked


def test_sweep():
    found = sweep(lambda lr: bowl({"lr": lr}), [1.0, 0.01, 0.1, 1e200])
    assert [t.params["lr"] for t in found.trials] == [1.0, 0.1, 0.01, 1e200]
    assert [t.number for t in found.trials] == [2, 1, 0, 3]  # by rising rates
    assert [t.state for t in found.trials] == [*["finished"] * 3, "diverged"]
    assert found.best_params == {"lr": 1.0}
    assert found.best_value == found.best.value == 0.0
    assert found.trials[1].losses == tuple(bowl({"lr": 0.1}))
    assert math.isnan(found.trials[3].value)
    assert len(found.trials[3].losses) == 1  # nothing was asked of it after inf
    assert found.importance() == {"lr": 1.0}
    assert str(found) == found.table()


def test_a_sweeps_table():
    found = sweep(lambda lr: math.nan if lr > 1 else 1 / lr, [0.5, 1, 2])
    rows = [line.split() for line in found.table().splitlines()]
    assert rows[0] == ["trial", "lr", "loss", "seconds"]
    assert [row[:3] + row[4:] for row in rows[1:]] == [
        ["1", "1", "1"], ["0", "0.5", "2"], ["2", "2", "nan", "diverged"],
    ]  # fmt: skip
    assert found.table(1).splitlines()[-1] == "and 2 more"


def test_nothing_is_best_where_all_diverge():
    found = sweep(lambda lr: math.inf, [1.0, 2.0])
    with pytest.raises(ValueError, match="2 trials of which 2 diverged; try smaller"):
        found.best  # noqa: B018
    with pytest.raises(ValueError, match="at least 2 trials that finished, found 0"):
        found.importance()
    found.plot()


@pytest.mark.parametrize("error", [OverflowError, FloatingPointError])
def test_leaving_the_range_of_floats_is_diverging(error):
    def run(lr):
        yield 1.0
        raise error("too large")

    assert [t.state for t in sweep(run, [1.0]).trials] == ["diverged"]
    found = tune(lambda params: run(0), LR, "random", 2)
    assert [t.state for t in found.trials] == ["diverged"] * 2


@pytest.mark.parametrize("error", [np.linalg.LinAlgError, KeyboardInterrupt])
def test_what_is_raised_tells_of_the_trials_before_it(error):
    def run(lr):
        if lr == 4:
            raise error
        return lr

    with pytest.raises(error) as raised:
        sweep(run, [1.0, 2.0, 4.0, 8.0])
    where, table = raised.value.__notes__
    assert where == "in make_run(4.0)"
    assert [row.split()[:3] for row in table.splitlines()[1:]] == [
        ["trial", "lr", "loss"], ["0", "1", "1"], ["1", "2", "2"],
    ]  # fmt: skip
    with pytest.raises(error) as raised:
        tune(lambda params: run(params["x"]), {"x": [1, 2, 4, 8]}, "grid")
    *_, table = raised.value.__notes__
    assert [row.split()[:3] for row in table.splitlines()[1:]] == [
        ["trial", "x", "loss"], ["0", "1", "1"], ["1", "2", "2"],
    ]  # fmt: skip


def test_an_error_of_a_report_is_no_divergence():
    """As one of the storage."""

    def report(step, loss):
        raise FloatingPointError

    with pytest.raises(FloatingPointError):
        follow("objective", lambda: [1.0], report)


def test_a_sweep_of_one_rate_of_any_size():
    for lr in (5e-324, 0.1, 1e308):
        found = sweep(abs, [lr])
        assert found.best_params == {"lr": lr}


def test_what_was_pruned_before_it_reported_comes_last_of_those():
    given = [("finished", 1.0), ("pruned", math.nan), ("pruned", 0.5), ("pruned", 0.1)]
    trials = [Trial(i, {}, value, state) for i, (state, value) in enumerate(given)]
    for order in permutations(trials):
        assert [t.number for t in ranked(order, "min")] == [0, 3, 2, 1]
        assert [t.number for t in ranked(order, "max")] == [0, 2, 3, 1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "expected to return a number.*found None; does it end without a return"),
        ((1.0, 0.9), r"found \(1.0, 0.9\); return the one number to compare by"),
        ("0.1", "found '0.1'"),
        (True, "found True"),
        (np.True_, "found np.True_"),
        (np.complex64(1), "found np.complex64"),
        (np.array("1"), "found array"),
        (np.ones(3), r"found an array of shape \(3,\); reduce it, as by .mean\(\)"),
        ({"loss": 1.0}, "found {'loss': 1.0}"),
        ([], "expected at least one loss, found none"),
        ([1.0, "x"], "found 'x'"),
    ],
)
def test_what_is_no_scalar(given, message):
    with pytest.raises((TypeError, ValueError), match=f"^make_run: .*{message}"):
        sweep(lambda lr: given, [1.0])
    with pytest.raises((TypeError, ValueError), match=f"^objective: .*{message}"):
        tune(lambda params: given, LR, "random", 1)


@pytest.mark.parametrize("given", [np.float32(2), np.array(2.0), 2, [3.0, 2.0]])
def test_what_is_a_scalar(given):
    assert sweep(lambda lr: given, [1.0]).best_value == 2.0
    assert tune(lambda params: given, LR, "random", 1).best_value == 2.0


@pytest.mark.parametrize(
    ("run", "lrs", "message"),
    [
        (3, [1.0], "make_run: expected a function, found 3"),
        (abs, [], "lrs: expected a sequence of learning rates, found none"),
        (abs, 0.1, "lrs: expected a sequence of learning rates, found 0.1"),
        (abs, [0.1, 0.0], r"lrs\[1\]: expected a finite number > 0, found 0.0"),
        (abs, [math.nan], r"lrs\[0\]: expected a finite number > 0, found nan"),
        (abs, ["0.1"], r"lrs\[0\]: expected a finite number > 0, found '0.1'"),
        (abs, [0.1, 0.1], r"lrs\[1\]: expected each once, found 0.1 again"),
    ],
)
def test_sweeps_of_bad_input(run, lrs, message):
    with pytest.raises((TypeError, ValueError), match=message):
        sweep(run, lrs)


def test_trials_compare_by_what_they_found():
    assert Trial(0, {"x": 1}, 2.0, "finished", seconds=1.0) == Trial(
        0, {"x": 1}, 2.0, "finished", seconds=2.0
    )
