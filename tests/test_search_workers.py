"""Studies of several processes, and objectives that raise."""

import os
import signal
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import optuna
import pytest
from objectives import LR, final, singular

from lrcore import space
from lrcore.search import _workers, tune

pytestmark = pytest.mark.trials

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
