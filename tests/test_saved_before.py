"""Dicts that were saved before some of their entries existed."""

import numpy as np
import pytest
from wrong import message

import lrcore

MADE = {
    "ReduceOnPlateau": lambda: lrcore.ReduceOnPlateau(0.1, patience=1),
    "EarlyStopping": lambda: lrcore.EarlyStopping(patience=2, params=[np.ones(2)]),
}
LATER = {
    "ReduceOnPlateau": ("smoothing", "sum", "count"),
    "EarlyStopping": ("smoothing", "sum", "count", "baseline", "stop_at_nan"),
}


@pytest.mark.parametrize("kind", MADE)
def test_entries_that_came_later_may_be_missing(kind):
    followed, other = MADE[kind](), MADE[kind]()
    for metric in (2.0, 1.0, 1.5):
        followed.update(metric)
    saved = followed.state_dict()
    other.load_state_dict({k: v for k, v in saved.items() if k not in LATER[kind]})
    assert repr(other.state_dict()) == repr(saved)


@pytest.mark.parametrize("kind", MADE)
def test_all_other_entries_are_needed(kind):
    followed = MADE[kind]()
    saved = followed.state_dict()
    for name in saved.keys() - {*LATER[kind]}:
        lacking = {k: v for k, v in saved.items() if k != name}
        said = message(followed.load_state_dict, lacking)
        assert said.startswith("saved: expected [")
    assert message(followed.load_state_dict, saved | {"x": 1}).startswith("saved: exp")


@pytest.mark.parametrize(
    ("schedule", "old"),
    [
        (lrcore.schedules.InverseTime(0.1, 0.5, every=10), {"every": "steps"}),
        (
            lrcore.schedules.Linear(0.1, 0.0, total=9),
            {"base": "start", "total": "steps"},
        ),
    ],
    ids=str,
)
def test_a_pickle_of_a_schedule_with_the_old_names(schedule, old):
    """As `pickle` restores an object: its class, then its attributes."""
    before = {old.get(name, name): value for name, value in vars(schedule).items()}
    revived = object.__new__(type(schedule))
    revived.__setstate__(before)
    assert revived == schedule
    assert vars(revived) == vars(schedule)
