"""The clock of `lrcore bench`; no time is asserted."""

from itertools import count

import pytest

from lrcore.bench import clock
from lrcore.bench.clock import Timing, Turn

pytestmark = pytest.mark.usefixtures("no_pause")


def test_functions_take_turns_and_another_begins_each_round():
    began = []
    turns = {
        name: Turn(lambda: None, enter=lambda name=name: began.append(name))
        for name in "abc"
    }
    times = clock.interleave(turns, rounds=3, seconds=1e-4)
    assert "".join(began) == "abcbcacab"
    assert list(times) == ["a", "b", "c"]
    assert all(0 < t.low <= t.median <= t.high for t in times.values())
    for t in times.values():
        assert 0 < t.calls.median <= t.calls.p90 <= t.calls.p99


def test_gradients_are_given_anew_outside_the_time(monkeypatch):
    """By a clock that only a step and a feed move on."""
    fed, seen, now = count(), [], [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])

    def step():
        now[0] += 1.0
        seen.append(fed_so_far[0])

    def feed():
        fed_so_far[0] = next(fed)
        now[0] += 5.0

    fed_so_far = [None]
    times = clock.interleave({"a": Turn(step, feed=feed)}, rounds=2, seconds=3.0)
    assert seen == sorted(set(seen))  # one feed a call
    assert times["a"] == (1.0, 1.0, 1.0, (1.0, 1.0, 1.0, 1.0))


def test_short_calls_are_timed_together_and_long_ones_by_themselves(monkeypatch):
    """By a clock that only a step moves on."""
    now = [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])

    def step(seconds):
        now[0] += seconds

    short = Turn(lambda: step(clock.SAMPLE / 10)).take(19.5 * clock.SAMPLE)
    long = Turn(lambda: step(clock.SAMPLE * 2)).take(19.5 * clock.SAMPLE)
    assert short == pytest.approx([clock.SAMPLE / 10] * 20)
    assert long == pytest.approx([clock.SAMPLE * 2] * 10)


def test_quantiles():
    """Quartiles are of the turns' means; all else is of calls, whatever their turn."""
    t = Timing.of([[5, 5], [1], [2], [4], [1, 5]])
    assert t[:3] == (3, 2, 4)
    assert t.calls.mean == 3
    assert Timing.of([range(1, 129)]).calls == (64.5, 64, 116, 127)
    assert Timing.of([[7]]) == (7, 7, 7, (7, 7, 7, 7))


def test_a_turn_of_few_slow_calls_counts_like_one_of_many():
    calls = Timing.of([[1] * 97 + [9] * 3, [5]]).calls
    assert calls == ((0.97 + 0.27 + 5) / 2, 5, 5, 9)
