"""Spaces, sweeps and studies of one process; of several: test_search_storage.py."""

import math
import os
import pickle
import re
import signal
import subprocess
import sys
from dataclasses import FrozenInstanceError, dataclass
from functools import partial
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path
from types import ModuleType

import numpy as np
import optuna
import pytest
from matplotlib import image, pyplot

import lrcore
from lrcore import space
from lrcore.search import Search, Trial, _queue, _study, _workers, sweep, tune
from lrcore.search._losses import follow
from lrcore.search._plan import Plan
from lrcore.search._storage import open_storage
from lrcore.search._trial import ranked
from lrcore.space import Choice, Integer, Real, Tuple

READY = {
    name: getattr(space, name)()
    for name in space.__all__
    if name[0].islower()
}  # fmt: skip
LR = {"lr": space.lr(1e-4, 10.0)}


def bowl(params):
    """The loss after each of 9 steps of gradient descent; it grows from lr 2 on."""
    w = 3.0
    for _ in range(9):
        w -= params["lr"] * w
        yield w * w


def final(params):
    *_, loss = bowl(params)
    return loss


# --- space ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", READY)
def test_the_usual_ranges_are_values(name):
    dimension = READY[name]
    assert dimension == getattr(space, name)()
    assert hash(dimension) == hash(getattr(space, name)())
    assert eval(repr(dimension), vars(space)) == dimension
    assert pickle.loads(pickle.dumps(dimension)) == dimension
    field = next(iter(vars(dimension)))
    with pytest.raises(FrozenInstanceError):
        setattr(dimension, field, None)


@pytest.mark.parametrize("name", READY)
def test_what_is_suggested_lies_in_the_range(name):
    """And is what the parameters of Optuna's study stand for."""
    dimension = READY[name]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = []
    for _ in range(50):
        trial = study.ask()
        seen.append(dimension.suggest(name, trial))
        assert set(trial.params) == set(dimension.keys(name))
        assert dimension.read(name, trial.params) == seen[-1]
    if isinstance(dimension, Choice):
        assert set(seen) == set(dimension.values)
    elif isinstance(dimension, Tuple):
        for part, values in zip(dimension.parts, zip(*seen, strict=True), strict=True):
            assert part.low <= min(values) < max(values) <= part.high
    else:
        assert dimension.low <= min(seen) < max(seen) <= dimension.high
        if getattr(dimension, "scale", "") == "powers of 2":
            assert {x & (x - 1) for x in seen} == {0}


@pytest.mark.parametrize("name", READY)
def test_points_are_read_as_they_were_written(name):
    dimension = READY[name]
    points = dimension.points(5)
    assert len(set(points)) == len(points)
    for point in points:
        back = dimension.read(name, dimension.write(name, point))
        assert back == pytest.approx(point, rel=1e-12) if _number(point) else point


def _number(x):
    return isinstance(x, (int, float, tuple))


def test_scales_are_uniform_in_what_they_say():
    """The median of 2,000 draws is at the middle of the scale.

    Its standard error is 1.25 / sqrt(2000) of the spread, 1 % of the range.
    """
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    dimensions = {
        "a": Real(0, 4), "b": Real(1e-4, 1, "log"), "c": Real(0.9, 0.999, "complement"),
    }  # fmt: skip
    draws = []
    for _ in range(2000):
        trial = study.ask()
        draws.append([d.suggest(name, trial) for name, d in dimensions.items()])
    a, b, c = np.median(draws, axis=0)
    assert a == pytest.approx(2, abs=0.04 * 4)
    assert np.log10(b) == pytest.approx(-2, abs=0.04 * 4)
    assert np.log10(1 - c) == pytest.approx(-2, abs=0.04 * 2)


def test_points():
    assert Real(1e-5, 1, "log").points(6) == [1e-5, 1e-4, 1e-3, 0.01, 0.1, 1]
    assert Real(1e-4, 1, "log").points(1) == [pytest.approx(0.01)]
    assert Real(1e308, 1.5e308).points(1) == [1.25e308]
    assert Real(0.9, 0.999, "complement").points(1) == [pytest.approx(0.99)]
    assert Integer(0, 3).points(10) == [0, 1, 2, 3]
    assert Integer(16, 128, "powers of 2").points(2) == [16, 128]
    assert Choice("a", None, 3, True).points(1) == ["a", None, 3, True]
    assert Tuple(Real(0, 1), Integer(1, 2)).points(2) == [
        (0.0, 1), (0.0, 2), (1.0, 1), (1.0, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: space.lr(0, 1), "low: expected finite numbers > 0"),
        (lambda: space.lr(1e-3, math.inf), "high: expected finite numbers > 0"),
        (lambda: space.lr(math.nan, 1), "low: expected finite"),
        (lambda: space.lr(1, 1e-3), r"high: expected more than low = 1, found 0.001"),
        (lambda: space.lr(1, 1), r"a fixed value is the list \[1\]"),
        (lambda: space.lr("1e-3", 1), "low: expected a number, found '1e-3'"),
        (lambda: space.momentum(0.5, 1.0), r"high: expected numbers in \[0, 1\)"),
        (lambda: space.betas((0.5, 1.5)), r"beta1: high: expected numbers in \[0, 1\)"),
        (lambda: space.betas(0.5), "beta1: expected two bounds, found 0.5"),
        (lambda: space.batch_size(10, 100), "low: expected a power of 2, found 10"),
        (
            lambda: space.batch_size(16.0, 32),
            r"low: expected an int in \[1,.*found 16.0",
        ),
        (lambda: Integer(3, 2), "high: expected more than low = 3, found 2"),
        (
            lambda: Integer(0, 2, "log"),
            r"low: expected an int in \[1, 2\*\*53\], found 0",
        ),
        (
            lambda: Integer(-(2**60), 0),
            r"low: expected an int in \[-2\*\*53, 2\*\*53\]",
        ),
        (lambda: Integer(0, 2**70), r"high: expected an int in \[-2\*\*53, 2\*\*53\]"),
        (lambda: Real(-1e308, 1e308), "high: expected a finite distance to low = -1e"),
        (lambda: Real(0, 1, "exp"), "scale: expected one of 'linear', 'log'"),
        (lambda: Choice(), "values: expected at least one, found none"),
        (lambda: Choice(1, 2, 1), r"values\[2\]: expected each once, found 1"),
        (lambda: Choice(1, math.nan), r"values\[1\]: expected a finite"),
        (lambda: Choice(lrcore.SGD), r"values\[0\]: expected a string.*name it by"),
        (lambda: Tuple(), "parts: expected at least one"),
        (lambda: Tuple(3), r"parts\[0\]: expected a dimension, found 3"),
        (lambda: space.optimizer("Adamw"), "optimizer: expected one of .*'Adamw'"),
        (lambda: Real(0, 1).points(0), "count: expected an int >= 1, found 0"),
        (lambda: space.check({}), "space: expected at least one dimension"),
        (lambda: space.check([1]), "space: expected a dict of dimensions"),
        (lambda: space.check({1: space.lr()}), "space: expected strings as names"),
        (lambda: space.check({"lr": 0.1}), r"'lr'\]: expected.*fixed value is \[0.1\]"),
        (lambda: space.check({"lr": space.lr}), r"'lr'\]: expected .*lr.*; call it$"),
        (
            lambda: space.check({"a": Tuple(space.lr()), "a[0]": space.lr()}),
            r"space\['a\[0\]'\]: expected a name .*, which is of 'a' too; rename one",
        ),
        (
            lambda: space.check({"m": space.momentum(), "1 - m": Real(0, 1)}),
            r"space\['1 - m'\]: expected a name .*found '1 - m', which is of 'm' too",
        ),
        (lambda: space.check({"lr": []}), r"space\['lr'\]: values: expected at least"),
    ],
)
def test_impossible_spaces(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


# --- sweep ----------------------------------------------------------------------------


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


# --- tune -----------------------------------------------------------------------------


def test_grid_takes_each_combination_once():
    given = {"lr": space.lr(0.01, 1.0), "momentum": space.momentum(0.9, 0.99),
             "betas": space.betas(), "size": space.batch_size(16, 32),
             "name": ["a", "b"]}  # fmt: skip
    calls = []
    found = tune(lambda params: calls.append(params) or 1.0, given, "grid", points=2)
    points = [d.points(2) for d in space.check(given).values()]
    assert len(calls) == len(found.trials) == math.prod(map(len, points)) == 64
    seen = {tuple(np.round(p, 12) if isinstance(p, float) else p for p in c.values())
            for c in calls}  # fmt: skip
    assert len(seen) == 64
    assert [list(c) for c in calls] == [list(given)] * 64
    assert sorted(map(str, calls)) == sorted(str(t.params) for t in found.trials)


def test_log_sweep_is_a_sweep():
    found = tune(final, LR, "log_sweep", 6)
    rates = np.geomspace(1e-4, 10, 6)
    np.testing.assert_allclose(sorted(t.params["lr"] for t in found.trials), rates)
    plain = sweep(lambda lr: final({"lr": lr}), LR["lr"].points(6))
    assert [t.value for t in plain.trials] == [t.value for t in found.trials]
    assert len(tune(final, LR, "log_sweep").trials) == 13


@pytest.mark.parametrize("method", ["random", "tpe", "hyperband", "asha"])
def test_a_seed_makes_a_study_reproducible(method):
    def search(seed):
        steps = {"max_steps": 9} if method == "hyperband" else {}
        return tune(bowl, LR, method, 15, seed=seed, **steps)

    assert search(3).trials == search(3).trials
    rates = [{t.params["lr"] for t in search(seed).trials} for seed in (3, 4, None)]
    assert len(rates[0] | rates[1] | rates[2]) == 45


def test_tpe_learns():
    """Its later trials lie within a factor of 2 of the best rate, 1, more often.

    Random ones do by log(4) / log(1e5), 12 %: of 20 it is 7 or more by a chance of 1 %.
    """
    found = tune(final, LR, "tpe", 40, seed=0)
    late = [t.params["lr"] for t in found.trials if t.number >= 20]
    assert sum(0.5 <= lr <= 2 for lr in late) >= 7
    assert found.best_params["lr"] == pytest.approx(1, abs=0.2)


def test_gp():
    missing = [name for name in ("torch", "scipy") if find_spec(name) is None]
    if missing:
        pytest.skip(f"Optuna's Gaussian process needs {' and '.join(missing)}")
    found = tune(final, LR, "gp", 20, seed=0)
    assert found.best_params["lr"] == pytest.approx(1, abs=0.5)


@pytest.mark.parametrize("name", ["torch", "scipy"])
def test_gp_says_what_it_needs(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=f"needs .*{name}.*pip install .*{name}"):
        tune(final, LR, "gp", 1)


@pytest.mark.parametrize(
    ("method", "steps"), [("hyperband", {"max_steps": 9}), ("asha", {})]
)
def test_pruning_ends_the_worse_trials(method, steps):
    ended = []

    def objective(params):
        taken = 0
        try:
            for loss in bowl(params):
                taken += 1
                yield loss
        finally:
            ended.append(taken)

    found = tune(objective, LR, method, 30, seed=1, **steps)
    assert len(found.trials) == len(ended) == 30
    assert sorted(len(t.losses) for t in found.trials) == sorted(ended)
    pruned = [t for t in found.trials if t.state == "pruned"]
    assert len(pruned) >= 10
    assert {len(t.losses) for t in pruned} <= {1, 3, 9}
    # Whose loss is the least at every step is never among the worse.
    least = min(found.trials, key=lambda t: final(t.params))
    assert found.best == least
    values = [t.value for t in found.trials if t.state == "finished"]
    assert values == sorted(values)
    assert found.trials[len(values)].state == "pruned"


@pytest.mark.parametrize("steps", [{"method": "asha"}, {"method": "hyperband"}])
def test_what_yields_nothing_cannot_be_pruned(steps):
    if steps["method"] == "hyperband":
        steps["max_steps"] = 9
    with pytest.raises(TypeError, match=f"objective: .*yield.*{steps['method']}.*2.5"):
        tune(lambda params: 2.5, LR, trials=1, **steps)
    found = tune(lambda params: math.inf, LR, trials=1, **steps)
    assert found.trials[0].state == "diverged"  # perhaps before its first yield


def test_min_steps_and_reduction():
    found = tune(bowl, LR, "asha", 30, seed=1, min_steps=2, reduction=2)
    steps = {len(t.losses) for t in found.trials if t.state == "pruned"}
    assert steps <= {2, 4, 8}
    assert 2 in steps


def test_a_generator_may_return_its_value():
    def objective(params):
        yield 5.0
        return params["x"]

    found = tune(objective, {"x": [3.0, 1.0, 2.0]}, "grid")
    assert [t.value for t in found.trials] == [1.0, 2.0, 3.0]
    assert found.trials[0].losses == (5.0,)


@pytest.mark.parametrize("method", ["grid", "tpe", "hyperband", "asha"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_diverges_is_kept_and_breaks_nothing(method, bad, mode):
    def objective(params):
        yield 1.0
        yield bad if params["lr"] > 0.1 else params["lr"]
        yield params["lr"]

    trials = None if method == "grid" else 20
    steps = {"max_steps": 3} if method == "hyperband" else {}
    found = tune(objective, LR, method, trials, mode=mode, seed=0, **steps)
    assert len(found.trials) == (trials or 5)
    diverged = [t for t in found.trials if t.state == "diverged"]
    reached = [t for t in found.trials if t.params["lr"] > 0.1 and len(t.losses) > 1]
    assert sorted(t.number for t in diverged) == sorted(t.number for t in reached)
    assert diverged
    assert all(math.isnan(t.value) and len(t.losses) == 2 for t in diverged)
    assert found.trials[-1].state == "diverged"
    assert found.best_params["lr"] <= 0.1
    assert found.study.best_params == found.best_params
    found.importance()


def test_max():
    found = tune(lambda params: params["x"], {"x": [1, 3, 2]}, "grid", mode="max")
    assert [t.value for t in found.trials] == [3, 2, 1]
    assert found.study.best_value == 3
    assert found.table().split()[2] == "value"


def test_an_optimizer_is_a_dimension():
    def objective(params):
        w = np.array([3.0, -2.0])
        opt = getattr(lrcore, params["optimizer"])(w, lr=params["lr"])
        for _ in range(20):
            opt.step(w.copy())
        return (w**2).sum()

    given = {"optimizer": space.optimizer("SGD", "Lion"), "lr": space.lr(0.01, 1.0)}
    found = tune(objective, given, "grid", points=3)
    assert found.best_params == {"optimizer": "SGD", "lr": 1.0}
    importance = found.importance()
    assert set(importance) == set(given)
    assert sum(importance.values()) == pytest.approx(1)
    assert list(importance.values()) == sorted(importance.values(), reverse=True)


def test_importance_is_of_the_dimension_that_matters():
    given = {"betas": space.betas(), "x": Real(0, 1)}
    found = tune(lambda params: params["betas"][0], given, "random", 60, seed=0)
    assert list(found.importance()) == ["betas", "x"]
    assert found.importance()["betas"] > 0.8


def test_importance_of_trials_that_are_alike():
    """They are the best and all of them, of which Optuna warns."""
    found = tune(lambda params: 1.0, {"x": [1, 2], "y": [1, 2]}, "grid")
    assert found.importance() == {"x": 0.5, "y": 0.5}


def test_importance_is_by_the_estimator_that_needs_nothing_else(monkeypatch):
    """Whatever Optuna's own default is: once it was one that needs scikit-learn."""
    seen = []
    plain = optuna.importance.get_param_importances

    def spy(study, **given):
        seen.append(type(given["evaluator"]).__name__)
        return plain(study, **given)

    monkeypatch.setattr(optuna.importance, "get_param_importances", spy)
    tune(lambda params: 1.0, {"x": [1, 2], "y": [1, 2]}, "grid").importance()
    assert seen == ["PedAnovaImportanceEvaluator"]


def test_progress(capsys):
    tune(final, LR, "random", 3, progress=True)
    assert re.search(r"searching: 100%.*3/3.*best=", capsys.readouterr().err)
    sweep(lambda lr: lr, [1.0, 2.0], progress=True)
    assert re.search(r"searching: 100%.*2/2.*best=1\b", capsys.readouterr().err)
    tune(final, LR, "random", 3)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"objective": 3}, "objective: expected a function, found 3"),
        ({"space": {}}, "space: expected at least one dimension"),
        ({"method": "bayes"}, "method: expected one of 'grid', .*found 'bayes'"),
        ({"mode": "least"}, "mode: expected one of 'min', 'max', found 'least'"),
        ({"trials": 0}, "trials: expected an int >= 1, or None, found 0"),
        ({"trials": 2.5}, "trials: expected an int >= 1, or None, found 2.5"),
        ({"seed": -1}, "seed: expected an int >= 0, or None, found -1"),
        ({"method": "grid", "points": 0}, "points: expected an int >= 1, found 0"),
        (
            {"method": "asha", "min_steps": 0},
            "min_steps: expected an int >= 1, found 0",
        ),
        (
            {"method": "asha", "reduction": 1},
            "reduction: expected an int >= 2, found 1",
        ),
        (
            {"method": "hyperband", "max_steps": 1},
            "max_steps: expected an int > min_steps = 1, found 1",
        ),
        ({"points": 3}, "points: expected None for 'tpe', as it is of 'grid', found 3"),
        (
            {"max_steps": 9},
            "max_steps: expected None for 'tpe', .*'hyperband', found 9",
        ),
        ({"min_steps": 1}, "min_steps: expected None .* 'hyperband' and 'asha', found"),
        ({"method": "grid", "reduction": 2}, "reduction: expected None for 'grid'"),
        ({"method": "hyperband"}, "max_steps: expected how many numbers.*found None"),
        ({"n_jobs": 0}, "n_jobs: expected an int >= 1, found 0"),
        ({"timeout": 0}, "timeout: expected a number of seconds > 0, found 0"),
        ({"timeout": math.nan}, "timeout: expected a number of seconds > 0, found nan"),
        ({"name": 3}, "name: expected a string, found 3"),
        ({"catch": 3}, "catch: expected types of exceptions, as .*, found 3"),
        ({"catch": (OSError, KeyboardInterrupt)}, "catch: expected types of .* found"),
        ({"n_trials": 0}, "n_trials: expected an int >= 1, or None, found 0"),
        ({"n_trials": 2, "trials": 2}, "n_trials: expected one of `trials` and"),
        ({"direction": "up"}, "direction: expected one of 'minimize', 'maximize', fou"),
        ({"direction": "maximize", "mode": "min"}, "direction: expected one of `mode`"),
        ({"storage": "x"}, "name: expected the study's name, by which.*found None"),
        ({"storage": 3, "name": "x"}, "storage: expected a database's URL.*found 3"),
        ({"method": "grid", "trials": 3}, "trials: expected None for 'grid', whose 5"),
        (
            {"method": "log_sweep", "space": {"lr": [1, 2]}},
            "space: expected one number on the scale 'log'.*'grid' takes any",
        ),
        (
            {"objective": lambda params: 0.0, "n_jobs": 2},
            "objective: expected one that pickles.*at a module's top level",
        ),
        (
            {"storage": optuna.storages.InMemoryStorage(), "name": "x", "n_jobs": 2},
            "storage: expected one that several processes can use",
        ),
    ],
)
def test_bad_input(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        tune(**{"objective": final, "space": LR, **given})


def test_without_optuna(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"Optuna: pip install optuna;"):
        tune(final, LR)
    assert sweep(lambda lr: lr, [1.0, 2.0]).best_params == {"lr": 1.0}


def test_importing_lrcore_imports_neither_optuna_nor_matplotlib():
    code = "import lrcore, sys; lrcore.sweep(abs, [1.0]); lrcore.space.lr()\n"
    code += "print({'optuna', 'sqlalchemy', 'matplotlib', 'tqdm'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_optunas_log_is_left_as_it_was(capfd):
    before = optuna.logging.get_verbosity()
    tune(final, LR, "random", 2)
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")


# --- one study, several calls ---------------------------------------------------------


@pytest.fixture
def journal(tmp_path):
    return {"storage": tmp_path / "journal", "name": "study"}


def test_a_study_is_continued_by_its_name(journal):
    first = tune(final, LR, "random", 5, seed=0, **journal)
    more = tune(final, LR, "tpe", 9, seed=0, **journal)
    assert len(more.trials) == 9
    assert {t.number for t in first.trials} == set(range(5))
    assert {t.params["lr"] for t in first.trials} < {
        t.params["lr"] for t in more.trials
    }  # all of them others, though of the same seed
    again = tune(pytest.fail, LR, "random", 9, **journal)
    assert again.trials == more.trials


def test_any_storage_of_optuna():
    storage = optuna.storages.InMemoryStorage()
    found = tune(final, LR, "random", 3, storage=storage, name="mine")
    study = optuna.load_study(study_name="mine", storage=storage)
    assert [t.value for t in study.trials] == [
        t.value for t in sorted(found.trials, key=lambda t: t.number)
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": {"lr": space.lr(1e-3, 1)}}, "of another space: expected .*0.0001"),
        ({"mode": "max"}, "of another mode: expected 'min', found 'max'"),
        (
            {"method": "grid", "trials": None},
            "of another grid: expected 'none', found '5 ",
        ),
    ],
)
def test_another_study_of_that_name(journal, change, message):
    given = {"space": LR, "method": "random", "trials": 2}
    tune(final, **given, **journal)
    with pytest.raises(ValueError, match=f"name: .*'study' {message}"):
        tune(final, **{**given, **change}, **journal)


@pytest.mark.parametrize(
    ("directions", "found"),
    [(["maximize"], "'max'"), (["minimize", "maximize"], "'min and max'")],
)
def test_a_study_of_other_directions(directions, found):
    """It is empty, so that there is no other trace of its mode."""
    storage = optuna.storages.InMemoryStorage()
    optuna.create_study(study_name="s", storage=storage, directions=directions)
    with pytest.raises(
        ValueError, match=f"of another mode: expected {found}, found 'min'"
    ):
        tune(final, LR, "random", 2, storage=storage, name="s")


def test_a_study_that_is_not_of_tune():
    storage = optuna.storages.InMemoryStorage()
    theirs = optuna.create_study(study_name="s", storage=storage)
    found = tune(final, LR, "random", 1, storage=storage, name="s")
    assert found.study.trials  # it was empty
    theirs = optuna.create_study(study_name="t", storage=storage)
    theirs.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(
        ValueError, match=r"'t' that is not of lrcore.tune: .* found 1;"
    ):
        tune(final, LR, "random", 1, storage=storage, name="t")


@pytest.mark.parametrize(
    ("storage", "error"),
    [
        ("folder", ValueError),
        ("folder/none/journal", ValueError),
        ("text", ValueError),
        (b"text", ValueError),
        ("study.db", ValueError),
        ("nosuch://user@host/name", ValueError),
        ("mysql+nosuch://user@host/name", ValueError),
        ("mysql://user:secret@host/name", ImportError),
    ],
)
def test_a_storage_that_cannot_be_opened(storage, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("text").write_text("no journal\n")
    Path("study.db").write_bytes(b"SQLite format 3\0\xfb\n")
    with pytest.raises(error) as raised:
        tune(final, LR, "random", 1, storage=storage, name="s")
    found = re.escape(repr(os.fsdecode(storage)).replace("secret", "***"))
    wanted = f"storage: expected a database's URL, .* found {found}, which cannot be "
    assert re.match(f"{wanted}opened: .*'sqlite:///study.db'$", str(raised.value))
    assert Path("text").read_text() == "no journal\n"


def test_a_path_may_be_bytes(tmp_path):
    path = os.fsencode(tmp_path / "journal")
    assert tune(final, LR, "random", 1, storage=path, name="s").trials


def test_what_was_interrupted_is_tried_again(journal):
    calls = []

    def objective(params):
        calls.append(params["lr"])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return params["lr"]

    with pytest.raises(KeyboardInterrupt):
        tune(objective, LR, "random", 5, **journal)
    found = tune(objective, LR, "random", 5, **journal)
    assert calls[3:].count(calls[2]) == 1
    assert len(calls) == 6
    assert sorted(t.value for t in found.trials) == sorted(calls[:2] + calls[3:])


def test_timeout(journal):
    taken = []

    def objective(params):
        taken.append(params)
        return 1.0

    found = tune(objective, LR, "random", 10**4, timeout=0.01, **journal)
    done = len(taken)
    assert len(found.trials) == done < 10**4  # a microsecond each is no time for one
    found = tune(objective, LR, "random", done + 2, **journal)
    assert len(found.trials) == len(taken) == done + 2


def plan(storage, points):
    given = Plan(
        lambda params: 0.0, space.check({"x": points}), "grid", False,
        [{"x": x} for x in points], "study", None, 1, None, 3, math.inf,
    )  # fmt: skip
    study = _study.open_study(given, open_storage(storage))
    return given, study


def test_a_slot_that_was_queued_twice_is_run_once(journal):
    """As two machines may do that begin at the same moment."""
    _, study = plan(journal["storage"], [1, 2])
    for _ in range(2):
        for slot, x in enumerate([1, 2]):
            study.enqueue_trial({"x": x}, user_attrs={"slot": slot})
    calls = []
    found = tune(
        lambda params: calls.append(params["x"]) or 1.0,
        {"x": [1, 2]},
        "grid",
        **journal,
    )
    assert calls == [1, 2]
    assert len(found.trials) == 2


@pytest.mark.parametrize("signed", [True, False])
def test_what_a_dead_process_left_is_tried_again(journal, signed):
    given, study = plan(journal["storage"], [1, 2])
    _queue.fill(study, given)
    left = study.ask()
    if signed:
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        left.set_user_attr("worker", (_queue._place(), dead.pid, "1"))
    calls = []
    tune(
        lambda params: calls.append(params["x"]) or 1.0,
        {"x": [1, 2]},
        "grid",
        **journal,
    )
    assert sorted(calls) == [1, 2]


def test_what_a_living_process_does_is_left_alone(journal):
    given, study = plan(journal["storage"], [1, 2])
    _queue.fill(study, given)
    study.ask().set_user_attr("worker", _queue.sign())
    found = tune(lambda params: 1.0, {"x": [1, 2]}, "grid", **journal)
    assert [t.params for t in found.trials] == [{"x": 2}]


def test_more_slots_than_are_queued_at_once():
    numbers = list(range(3 * _queue.AHEAD + 5))
    found = tune(lambda params: params["x"], {"x": numbers}, "grid")
    assert [t.value for t in found.trials] == numbers
    assert len(found.study.trials) == len(numbers)


# --- processes ------------------------------------------------------------------------


def exits(code, params):
    sys.exit(code)


@dataclass(frozen=True)
class Terminated:
    """What asks itself to end at its first call, as a machine's scheduler may."""

    mark: Path

    def __call__(self, params):
        if not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGTERM)
        return 1.0


def test_processes_in_memory():
    """Each of two has a seed of its own; nothing is left of the journal they share."""
    found = tune(final, LR, "random", 6, n_jobs=2, seed=0)
    assert len(found.trials) == 6
    assert len({t.params["lr"] for t in found.trials}) == 6
    assert isinstance(found.study._storage, optuna.storages.InMemoryStorage)
    assert found.study.best_params == found.best_params


@pytest.mark.parametrize("code", [0, 3])
def test_a_worker_that_ends_by_itself(code):
    with pytest.raises(RuntimeError, match=f"exit code {code}.*__main__.*not exit"):
        tune(partial(exits, code), LR, "random", 1, n_jobs=2)


def test_a_worker_that_is_terminated_is_replaced(tmp_path):
    found = tune(Terminated(tmp_path / "mark"), LR, "random", 1, n_jobs=2)
    assert [t.state.name for t in found.study.trials] == ["FAIL", "COMPLETE"]


@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: partial(f, 0)])
def test_an_objective_of_the_prompt_is_refused_for_processes(monkeypatch, wrap):
    """As processes cannot import it from there."""
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    monkeypatch.setattr(exits, "__module__", "__main__")
    with pytest.raises(TypeError, match=r"objective: .*found .*at the prompt.*a file"):
        tune(wrap(exits), LR, n_jobs=2)


def test_workers_that_are_killed_again_and_again():
    for deaths in range(1, 8):
        _workers._check_death(-signal.SIGKILL, deaths, n_jobs=4)
    with pytest.raises(RuntimeError, match=r"8 workers were killed in a row.*SIGKILL"):
        _workers._check_death(-signal.SIGKILL, 8, n_jobs=4)


# --- exceptions of the objective ------------------------------------------------------


def singular(params):
    if params["lr"] > 0.1:
        raise np.linalg.LinAlgError("singular")
    yield params["lr"]


@pytest.mark.parametrize(
    ("method", "n_jobs"), [("random", 1), ("tpe", 1), ("log_sweep", 2)]
)
def test_a_trial_that_raises_is_kept_as_failed(method, n_jobs, tmp_path):
    def search(**given):
        return tune(
            singular, {"lr": space.lr(1e-4, 1.0)}, method, 10, seed=3, n_jobs=n_jobs,
            storage=tmp_path / "study.log", name="a", **given,
        )  # fmt: skip

    with pytest.raises(np.linalg.LinAlgError) as raised:
        search()
    assert any("catch=(LinAlgError,)" in note for note in raised.value.__notes__)
    found = search(catch=(ArithmeticError, np.linalg.LinAlgError))
    assert len(found.trials) == 10
    failed = [t for t in found.trials if t.state == "failed"]
    assert failed
    for trial in found.trials:
        assert (trial.params["lr"] > 0.1) == (trial.state == "failed")
    assert found.trials[-len(failed) :] == tuple(failed)
    assert found.best_value == min(t.params["lr"] for t in found.trials)
    assert search().trials == search(catch=Exception).trials  # nothing is left to run


def test_what_is_not_caught_ends_the_study():
    def objective(params):
        return [][params["x"]] if params["x"] else "no number"

    with pytest.raises(IndexError):
        tune(objective, {"x": [1, 2]}, "grid", catch=ZeroDivisionError)
    # lrcore's own errors about an objective are not the objective's.
    with pytest.raises(
        TypeError, match="objective: expected to return a number"
    ) as own:
        tune(objective, {"x": [0]}, "grid", catch=Exception)
    assert not any("catch" in note for note in getattr(own.value, "__notes__", ()))


def test_nothing_is_best_where_all_failed():
    found = tune(singular, {"lr": [0.2, 0.3]}, "grid", catch=Exception)
    with pytest.raises(ValueError, match="found 2 trials of which 0 diverged and 2 fa"):
        found.best  # noqa: B018
    assert [line.split()[-1] for line in str(found).splitlines()[1:]] == ["failed"] * 2


def test_optunas_words():
    def objective(params):
        return -((params["x"] - 2) ** 2)

    given = {"x": space.Real(0, 4)}
    ours = tune(objective, given, "random", 5, mode="max", seed=0)
    theirs = tune(objective, given, "random", n_trials=5, direction="maximize", seed=0)
    assert (theirs.trials, theirs.mode) == (ours.trials, "max")
    assert tune(objective, given, "random", 2, direction="minimize").mode == "min"


# --- tables ---------------------------------------------------------------------------


def test_a_search_can_be_hashed():
    found = tune(singular, {"lr": [0.1, 0.2]}, "grid", catch=Exception)
    again = pickle.loads(pickle.dumps(found))
    assert hash(again) == hash(found)
    assert {found: 1}[found] == 1
    assert len({*found.trials, *sweep(lambda lr: lr, [1.0]).trials}) == 3


def test_a_dataframe():
    pandas = pytest.importorskip("pandas", reason="makes the table")
    given = {"lr": [0.1, 0.5], "pair": Tuple(Choice(1), Choice("a"))}
    found = tune(bowl, given, "grid")
    frame = found.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert [*frame.columns] == [
        "number", "state", "value", "params_lr", "params_pair", "steps", "seconds",
    ]  # fmt: skip
    assert frame["value"].tolist() == [t.value for t in found.trials]
    assert frame["params_lr"].tolist() == [0.5, 0.1]
    assert frame["params_pair"].tolist() == [(1, "a")] * 2
    assert frame["steps"].tolist() == [9, 9]


def test_a_dataframe_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_dataframe needs pandas: pip install pa"):
        sweep(lambda lr: lr, [1.0]).to_dataframe()


def test_a_notebook_shows_the_first_trials():
    name = "<script>alert('&')</script>"
    found = tune(bowl, {"lr": [0.1, 0.5], name: ["<b>"]}, "grid")
    shown = found._repr_html_()
    assert shown.count("<tr>") == 3
    assert "<script" not in shown
    assert "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;" in shown
    assert "&lt;b&gt;" in shown
    assert not re.search("http|src|href|url", shown)
    many = sweep(lambda lr: lr, np.geomspace(1e-3, 1, 500))._repr_html_()
    assert many.count("<tr>") == 21
    assert "and 480 more" in many
    assert len(many) < 20_000


# --- pictures -------------------------------------------------------------------------


def labels(axes):
    return {line.get_label(): line for line in axes.lines}


def test_a_sweeps_picture(tmp_path):
    found = sweep(lambda lr: bowl({"lr": lr}), [1e-3, 0.01, 0.1, 0.5, 5, 1e200])
    figure = found.plot(tmp_path / "x.png", "A sweep")
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate", "loss")
    assert axes.get_title() == "best: 0.5"
    drawn = labels(axes)
    assert set(drawn) == {
        "finished (5)", "best: trial 3, loss 3.433e-05", "higher (1)", "diverged (1)"
    }  # fmt: skip
    assert drawn["finished (5)"].get_xdata().tolist() == [1e-3, 0.01, 0.1, 0.5, 5]
    assert drawn["best: trial 3, loss 3.433e-05"].get_xdata().tolist() == [0.5]
    assert drawn["higher (1)"].get_xdata().tolist() == [5]  # 4^18 times the beginning
    assert drawn["diverged (1)"].get_xdata().tolist() == [1e200]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [*drawn]
    height, width, _ = image.imread(tmp_path / "x.png").shape
    assert (width, height) == (1200, 600)
    assert figure.get_suptitle() == "A sweep"


def test_a_studys_picture_of_one_dimension():
    found = tune(
        lambda params: params["m"], {"m": space.momentum(0.9, 0.99)}, "grid", mode="max"
    )
    (axes,) = found.plot().axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("m", "value")
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0.9", "0.99"]
    assert np.diff(labels(axes)["finished (5)"].get_xdata()) == pytest.approx(0.25)


def everything(params):
    """Finishes, is pruned (before it yields too), diverges, fails, gets too high."""
    if params["kind"] == "raises":
        raise ZeroDivisionError
    if params["kind"] == "pruned":
        raise optuna.TrialPruned
    if params["kind"] == "nan":
        return math.nan
    loss = (math.log10(params["lr"]) + 2) ** 2 + 0.1
    return loss * (1e6 if params["kind"] == "high" else 1)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_every_trial_is_drawn_in_the_panel_of_every_parameter(mode):
    kinds = [*["a" * 50, "b", "c"] * 2, "raises", "pruned", "nan", "high"]
    given = {
        "lr": space.lr(1e-3, 0.1), "pair": space.betas(), "batch": space.batch_size(),
        "kind": [*dict.fromkeys(kinds)],
    }  # fmt: skip
    found = tune(everything, given, "random", 60, seed=0, mode=mode, catch=Exception)
    figure = found.plot()
    panels = [a for a in figure.axes if a.axison]
    names = [axes.get_xlabel() for axes in panels]
    assert names == ["learning rate", "pair[0]", "pair[1]", "batch", "kind"]
    states = [t.state for t in found.trials]
    for axes in panels:
        drawn = {name: len(line.get_xdata()) for name, line in labels(axes).items()}
        assert drawn.pop(f"finished ({states.count('finished')})") == states.count(
            "finished"
        )
        assert drawn[f"pruned, no value ({states.count('pruned')})"] > 1
        assert drawn[f"diverged ({states.count('diverged')})"] > 1
        assert drawn[f"failed ({states.count('failed')})"] > 1
        assert any(name.startswith("higher") for name in drawn) == (mode == "min")
        assert drawn[f"the best tenth ({math.ceil(states.count('finished') / 10)})"]
        low, high = sorted(axes.get_xlim())
        for line in axes.lines:
            assert np.all((low < line.get_xdata()) & (line.get_xdata() < high))
    ticks = [t.get_text() for t in panels[3].get_xticklabels()]
    assert ticks == ["16", "32", "64", "128", "256", "512"]
    assert max(len(t.get_text()) for t in panels[4].get_xticklabels()) == 12
    best = found.best_params
    assert panels[3].get_title() == f"best: {best['batch']}"
    (star,) = [li for n, li in labels(panels[3]).items() if n.startswith("best:")]
    assert star.get_xdata() == [math.log2(best["batch"])]


@pytest.mark.parametrize("dimension", [
    Real(1e-300, 1e308, "log"), Real(-1e300, 1e300), Real(0.91, 0.92, "complement"),
    Real(0.0, 1 - 2**-53, "complement"), Integer(1, 2**53, "powers of 2"),
    Integer(-3, 4), Integer(1, 1000, "log"),
    Choice(*range(100)), Choice(None, 0.5, "x"),
])  # fmt: skip
def test_the_axis_of_any_dimension_can_be_drawn(dimension, tmp_path):
    trials = [
        Trial(i, {"x": x}, float(i), "finished")
        for i, x in enumerate(dimension.points(7))
    ]
    figure = Search(tuple(trials), {"x": dimension}).plot(tmp_path / "x.png")
    (axes,) = figure.axes
    shown = [
        t for t in axes.get_xticks() if axes.get_xlim()[0] <= t <= axes.get_xlim()[1]
    ]
    assert 1 <= len(shown) <= 20


@pytest.fixture(scope="module")
def wide():
    given = {**LR, "momentum": space.momentum(), "name": ["a", "b"]}
    return tune(bowl, given, "asha", 25, seed=0)


@pytest.mark.parametrize(
    "kind", ["slice", "contour", "parallel", "history", "importance", "intermediate"]
)
def test_optunas_pictures(wide, kind, tmp_path):
    figure = wide.plot(tmp_path / "x.png", kind=kind)
    assert (tmp_path / "x.png").stat().st_size > 10_000
    assert figure.axes
    assert not pyplot.get_fignums()


def test_pictures_of_bad_input():
    one = sweep(lambda lr: lr, [1.0])
    with pytest.raises(ValueError, match="kind: expected 'loss' of a sweep"):
        one.plot(kind="slice")
    with pytest.raises(ValueError, match="kind: expected one of"):
        one.plot(kind="pie")
    with pytest.raises(ValueError, match=r"path: expected a \.png, \.pdf or"):
        one.plot("x.jpg")
    with pytest.raises(ValueError, match="plot: expected at least one trial"):
        Search((), LR).plot()
    silent = tune(lambda params: math.inf, {**LR, "x": [1, 2]}, "random", 3)
    with pytest.raises(ValueError, match="kind: expected another than 'intermediate'"):
        silent.plot(kind="intermediate")
    for kind in ("slice", "contour", "parallel", "history", "importance"):
        with pytest.raises(ValueError, match=f"finished, as '{kind}' .* found 3 that"):
            silent.plot(kind=kind)
    with pytest.raises(
        ValueError, match="most: expected an int >= 1, or None, found 0"
    ):
        one.table(0)


def test_the_table_of_a_study(wide):
    rows = [line.split() for line in wide.table().splitlines()]
    assert rows[0] == ["trial", "lr", "momentum", "name", "loss", "steps", "seconds"]
    assert len(rows) == 26
    assert [int(row[0]) for row in rows[1:]] == [t.number for t in wide.trials]
    assert rows[-1][-1] in ("pruned", "diverged")


def test_trials_compare_by_what_they_found():
    assert Trial(0, {"x": 1}, 2.0, "finished", seconds=1.0) == Trial(
        0, {"x": 1}, 2.0, "finished", seconds=2.0
    )


# --- the example ----------------------------------------------------------------------


def test_hyperband_digits(tmp_path):
    script = Path(__file__).parents[1] / "examples" / "hyperband_digits.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", script, "--trials", "12", "--plot", "x.png"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    taken, full = map(
        int, re.search(r"(\d+) epochs, where (\d+)", done.stdout).groups()
    )
    assert full == 12 * 9
    assert taken < 0.7 * full
    share = float(re.search(r"([\d.]+)% of the test digits", done.stdout)[1])
    assert share >= 95
    assert (tmp_path / "x.png").exists()
