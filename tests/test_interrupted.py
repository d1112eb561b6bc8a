"""Errors of signal handlers at random moments: a change is made whole, or not at all.

LRCORE_TRIALS=10000 python -m pytest tests/test_interrupted.py
"""

import gc
from functools import partial

import commits
import commits_beside as beside
import pytest
from commits import arrays
from interrupted import TRIALS, Keyboard, Timer, interruptions

import lrcore

pytestmark = pytest.mark.trials
CASES = [
    commits.Stepped, commits.Reported, commits.Constructed, commits.Loading,
    commits.Averages, commits.DerivedAverages, commits.Entering, commits.Leaving,
    commits.Attached, commits.RatesOfAll, commits.Growing, commits.ScaleWhileGathering,
    commits.ScaledWhileGathering, commits.Counted, commits.SteppedOne, beside.Keeping,
    beside.Restoring, beside.Beginning, beside.LoadingKept, beside.Plateau,
    beside.Reset, beside.Multiplied, beside.Swept, beside.PutBack, beside.RolledBack,
    beside.Noise, beside.Scaler,
]  # fmt: skip

UNCHANGED = [
    commits.Constructed, commits.Averages, commits.DerivedAverages, beside.Swept
]  # fmt: skip
"""Those that leave everything as it was."""

OF_FILES = [beside.File, beside.Saving, beside.SavingBeside]

BY_KEYBOARD = [
    commits.Stepped, commits.Reported, commits.Constructed, commits.Loading,
    commits.Averages, commits.Entering, commits.Leaving, beside.Keeping,
    beside.Restoring, beside.RolledBack,
]  # fmt: skip

FEWER = max(TRIALS // 5, 1)
"""How often the keyboard interrupts each call, and each call with a file is."""

# The garbage collector closes a file that was opened at the moment of the error.
closes_files = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def _no_collector():
    """An error that a handler raises in a callback of the collector is lost.

    Hypothesis has one, once a test of the same process has used it.
    """
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("case", CASES)
def test_a_raising_handler_tears_nothing(case):
    check(case, changes=case not in UNCHANGED)


@pytest.mark.parametrize("case", BY_KEYBOARD)
def test_ctrl_c_tears_nothing(case):
    check(case, changes=case not in UNCHANGED, trials=FEWER, source=Keyboard)


@closes_files
@pytest.mark.parametrize("source", [Timer, Keyboard])
@pytest.mark.parametrize("case", OF_FILES)
def test_it_tears_neither_a_file_nor_what_one_is_loaded_into(case, source, tmp_path):
    check(partial(case, tmp_path / "run.safetensors"), trials=FEWER, source=source)


def check(case, *, changes=True, trials=TRIALS, source=Timer):
    """After an error of a handler all is as before the call, or as after it."""
    before, whole = case().seen(), case()
    whole.call()
    after = whole.seen()
    assert (before != after) == changes
    current, torn, ended = None, 0, 0

    def begin():
        nonlocal current
        current = case()
        return current.call

    for _ in range(50):  # on a busy machine all signals of a round may come too late
        for by_error in interruptions(begin, trials, source):
            ended += by_error
            torn += current.seen() not in (before, after)
        if ended:
            break
    assert ended > 0
    assert torn == 0


@pytest.mark.parametrize(("source", "trials"), [(Timer, TRIALS), (Keyboard, FEWER)])
def test_what_was_kept_is_of_one_epoch(source, trials):
    """EarlyStopping.update is interrupted; restore() then gives the best epoch."""
    params = arrays(0.0)
    stopping = lrcore.EarlyStopping(params=params)
    loss, epoch = 0.0, 0

    def update():
        nonlocal loss, epoch
        loss, epoch = loss - 1, epoch + 1
        for p in params:
            p[...] = epoch
        return lambda: stopping.update(loss)

    update()()
    stopping.restore()
    for _ in interruptions(update, trials, source):
        stopping.restore()
        assert {x for p in params for x in p} == {-stopping.best}
