"""The windows of 32 losses by which a monitor tells rises from shifts of the data."""

import numpy as np
import pytest
from watching import kinds, noisy, watched

from lrcore.monitor._diagnosis import diagnose
from lrcore.monitor._windows import WINDOW, Windows

LEVEL, FIRST = 0.5, 3.0  # so that a rise of 1.25, and 4 noises, is told


def after_a_good_run(late, at=300, size=0.01):
    """What is told of a run that falls to LEVEL, and has these losses from `at` on."""
    good = LEVEL + (FIRST - LEVEL) * np.exp(-np.arange(at) / 40)
    return watched(noisy([*good, *late], size=size), lr=0.1).findings


def test_windows_that_are_too_high_count_only_in_a_row():
    windows = Windows()
    for k, level in enumerate([3.0, 1.0, 9.0, 1.01, 9.0], 1):
        windows = windows.followed_by([level] * WINDOW, k * WINDOW)
    assert windows.above == 1
    assert not windows.risen
    again = windows.followed_by([9.0] * WINDOW, 6 * WINDOW)
    assert again.risen


@pytest.mark.parametrize("at", range(300, 304))
@pytest.mark.parametrize("size", [0.0, 0.02])
def test_the_step_of_a_shift_is_exact(at, size):
    (finding,) = after_a_good_run([2.1] * 110, at, size)
    assert finding.kind == "data shift"
    assert finding.since == at + 1


def test_a_shift_begins_where_the_run_was_well():
    """Not at a level that has risen before, slowly: the rise began there."""
    slowly = np.linspace(LEVEL, 1.1, 20)
    found = kinds(after_a_good_run([*slowly, *[1.1] * 10, *[2.4] * 80]))
    assert "rising" in found
    assert "data shift" not in found


def test_after_a_shift_the_loss_does_not_go_on_rising():
    for slope, kind in ((0.0, "data shift"), (0.35 / 64, "rising")):
        found = kinds(after_a_good_run(2.1 + slope * np.arange(110)))
        assert [x for x in found if x in ("data shift", "rising")] == [kind]


def test_a_shift_has_most_of_the_rise_in_one_step():
    """Here it has half; the other half comes later, and goes again."""
    late = [1.6] * 8 + [2.5] * 49 + [1.6] * 7
    found = kinds(after_a_good_run(late, at=10 * WINDOW))
    assert "rising" in found
    assert "data shift" not in found


def test_a_shift_within_the_last_block_leaves_nothing_to_judge():
    """Of a long run, whose last block began before the other data."""
    monitor = watched(noisy([LEVEL] * 300), lr=0.1)
    watch = monitor._watched()._replace(windows=Windows(seen=300, shift=301))
    assert watch.summary() is None
    assert kinds(diagnose(watch)) == ["data shift"]
