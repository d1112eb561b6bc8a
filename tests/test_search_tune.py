"""Studies of one call and one process: methods, pruning, divergence, bad input."""

import math
import re
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import optuna
import pytest
from objectives import LR, bowl, final

import lrcore
from lrcore import space
from lrcore.search import sweep, tune
from lrcore.space import Real


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
    with pytest.raises(ImportError, match="tune needs Optuna: pip install"):
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


def test_optunas_words():
    def objective(params):
        return -((params["x"] - 2) ** 2)

    given = {"x": space.Real(0, 4)}
    ours = tune(objective, given, "random", 5, mode="max", seed=0)
    theirs = tune(objective, given, "random", n_trials=5, direction="maximize", seed=0)
    assert (theirs.trials, theirs.mode) == (ours.trials, "max")
    assert tune(objective, given, "random", 2, direction="minimize").mode == "min"
