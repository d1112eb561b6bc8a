"""Studies that several calls continue, one after another.

Those of several processes at once are in test_search_storage.py.
"""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from objectives import LR, final

from lrcore import space
from lrcore.search import _queue, _study, tune
from lrcore.search._plan import Plan
from lrcore.search._storage import open_storage


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
