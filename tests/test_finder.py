"""The range test: nothing is left behind, what is handed out, bad input is refused."""

import itertools
import math
import random
import signal

import numpy as np
import pytest
from range_tests import BUILDS, Task, assert_same, each_build, find, plateau

import lrcore
from lrcore import LRSweep, lr_find
from lrcore.finder import _kept
from lrcore.schedules import Cosine


@pytest.fixture
def task():
    return Task(BUILDS["averages"])


# --- nothing is left behind -----------------------------------------------------------


@each_build
def test_all_is_put_back_and_the_training_is_the_same(build):
    plain, tested = Task(build), Task(build)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    plain.train(7)
    plain.train(10)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    tested.train(7)  # of accumulate=3, one more is gathered
    before = tested.everything()
    found = find(tested)
    assert len(found.losses) > 50
    assert len(found.trial_lrs) > 2
    assert_same(before, tested.everything())
    tested.train(10)
    assert_same(plain.everything(), tested.everything())


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("call", [1, 2, 50, 115])
def test_all_is_put_back_after_an_exception(task, error, call):
    task.train(5)
    before = task.everything()

    def fails(rows):
        if task.calls == 5 + call - 1:
            raise error("here")
        return task.loss_and_grad(rows)

    with pytest.raises(error, match="here"):
        lr_find(
            task.opt, fails, task.batches(), rng=[task.rng, task.legacy], trial_steps=20
        )
    assert task.calls == 5 + call - 1
    assert_same(before, task.everything())


@pytest.fixture
def ctrl_c():
    """SIGINT interrupts, also where the tests were started with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_all_is_put_back_after_ctrl_c(task):
    before = task.everything()

    def interrupted(rows):
        if task.calls == 30:
            signal.raise_signal(signal.SIGINT)
        return task.loss_and_grad(rows)

    with pytest.raises(KeyboardInterrupt):
        lr_find(task.opt, interrupted, task.batches(), rng=[task.rng, task.legacy])
    assert_same(before, task.everything())


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_while_it_is_put_back_waits_until_it_is(task, monkeypatch):
    before = task.everything()
    counts, times = _kept.Counts, itertools.count()

    def interrupted(*args):
        if next(times) == 1:  # `begin` calls it, too
            signal.raise_signal(signal.SIGINT)
        return counts(*args)

    monkeypatch.setattr(_kept, "Counts", interrupted)
    with pytest.raises(KeyboardInterrupt):
        find(task, trial_steps=0)
    assert next(times) == 3
    assert_same(before, task.everything())


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_before_it_is_put_back_waits_too(task, monkeypatch):
    before = task.everything()
    put_back, times = _kept.Kept.put_back, itertools.count()

    def interrupted(kept):
        if next(times) == 0:
            signal.raise_signal(signal.SIGINT)
        put_back(kept)

    monkeypatch.setattr(_kept.Kept, "put_back", interrupted)
    with np.errstate(over="raise"):
        with pytest.raises(KeyboardInterrupt):
            find(task, trial_steps=0)
        assert np.geterr()["over"] == "raise"
    assert next(times) == 2
    assert_same(before, task.everything())


def test_what_can_be_is_put_back_where_an_array_is_read_only_by_then(task):
    before = task.everything()

    def freezes(rows):
        if task.calls == 10:
            task.body["W"].flags.writeable = False
        return task.loss_and_grad(rows)

    with pytest.raises(
        ValueError, match=r"params\[0\]\['W'\]: found a read-only array"
    ):
        lr_find(task.opt, freezes, task.batches(), rng=[task.rng, task.legacy])
    after = task.everything()
    assert (after[0][0] != before[0][0]).any()
    before[0][0] = after[0][0]
    assert_same(before, after)


def test_a_group_that_joins_in_a_sweep_is_refused(task):
    sweep = LRSweep(task.opt, trial_steps=0)

    def grows():
        with sweep:
            task.opt.add_group(np.ones(3))

    with pytest.raises(RuntimeError, match="opt: expected its 2 groups, found 3"):
        grows()


def test_a_stateful_schedule_stays_the_users_object():
    task = Task(plateau)
    schedule = task.opt.param_groups[0]["lr"]
    with LRSweep(task.opt, trial_steps=0) as sweep:
        for lr in sweep:
            assert task.opt.lr == lr
            schedule.update(1e9)  # as a user's loop may
            sweep.record(1.0)
    assert all(group["lr"] is schedule for group in task.opt.param_groups)
    assert schedule.scale == 1.0
    assert schedule.num_bad == 1


# --- what is handed out ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("spacing", "spaced"), [("exponential", np.geomspace), ("linear", np.linspace)]
)
def test_rates_are_spread_and_groups_keep_their_ratio(spacing, spaced):
    task = Task(BUILDS["SGD"])
    seen = []
    with LRSweep(
        task.opt, 1e-4, 1e-2, 30, spacing=spacing, trial_steps=0
    ) as sweep:  # fmt: skip
        for lr in sweep:
            seen.append([group["lr"] for group in task.opt.param_groups])
            assert lr == seen[-1][0]
            sweep.record(1.0)
    np.testing.assert_array_equal([a for a, _ in seen], spaced(1e-4, 1e-2, 30))
    # A quotient and a product, each rounded.
    np.testing.assert_allclose([b / a for a, b in seen], 0.003 / 0.01, rtol=1e-15)


@pytest.mark.parametrize("start", [0.1, 0.7, 3e-5])
def test_the_narrowest_range_is_not_refused_for_rounding(start):
    """1.1 * 0.1 is 0.11000000000000002."""
    end = float(f"{1.1 * start:.2g}")
    with LRSweep(lrcore.SGD(np.zeros(1)), start, end, trial_steps=0) as sweep:
        lrs = [lr for lr in sweep if not sweep.record(1.0)]
    assert (lrs[0], lrs[-1]) == (start, end)


def test_losses_are_those_before_the_step_at_each_rate():
    w = np.array([8.0])
    opt = lrcore.SGD(w, lr=1.0)
    found = lr_find(
        opt, lambda _: (w[0], np.ones(1)), [0], 0.01, 0.1, 20, trial_steps=0
    )  # fmt: skip
    expected = 8 - np.concatenate([[0], np.cumsum(found.lrs)[:-1]])
    np.testing.assert_allclose(found.losses, expected, rtol=1e-14)  # 20 roundings


def test_gradients_are_gathered_at_each_rate():
    task = Task(BUILDS["accumulate"])
    found = find(task, num=20, trial_steps=0, end=1e-3)
    assert task.calls == 3 * 20
    assert len(found.losses) == 20


def test_what_was_gathered_before_is_left_out():
    """Each rate's loss is of the params before all of its own calls."""
    w = np.array([8.0])
    opt = lrcore.SGD(w, lr=1.0, accumulate=2)
    opt.step(np.array([100.0]))
    seen = []

    def loss_and_grad(_):
        seen.append(w[0])
        return w[0], np.ones(1)

    lr_find(opt, loss_and_grad, [0], 0.01, 0.1, 20, trial_steps=0)
    assert len(seen) == 40
    assert seen[::2] == seen[1::2]
    opt.step(np.array([102.0]))
    assert w[0] == 8 - 101  # it was put back


def test_trials_start_from_the_same_params_and_see_the_same_batches():
    task = Task(BUILDS["SGD"])
    begun, seen = [], {}
    with LRSweep(task.opt, rng=task.rng, trial_steps=30) as sweep:
        for lr in sweep:
            if sweep.begins and sweep.at == 0:
                begun.append((lr, task.head.copy(), task.rng.random()))
            loss, grads = task.loss_and_grad(task.batches()[sweep.at % 8])
            seen.setdefault(lr, []).append(sweep.at)
            task.opt.step(grads)
            sweep.record(loss)
    found = sweep.result
    assert len(begun) == 2 + len(found.trial_lrs) >= 5
    assert all((head == 0).all() and x == begun[0][2] for _, head, x in begun)
    assert begun[1][0] == 0
    for lr, steps in zip(found.trial_lrs, found.trial_steps, strict=True):
        assert seen[lr] == list(range(steps))  # in turns, but none left out
    assert max(found.trial_steps) == 30
    assert min(found.trial_steps) < 30
    resting = len(seen[0.0])
    assert found.evaluations == len(found.losses) + resting + sum(found.trial_steps)


def test_an_old_name_of_the_spacing_still_works():
    task = Task(BUILDS["SGD"])
    with pytest.warns(DeprecationWarning, match="spacing='linear'"):
        found = find(
            task, schedule="linear", num=20, trial_steps=0, start=1e-4, end=0.01
        )
    np.testing.assert_array_equal(found.lrs, np.linspace(1e-4, 0.01, 20))


# --- bad input ------------------------------------------------------------------------

BAD = [
    ({"start": 0}, "start: expected a number from 1e-100 to 1e100, found 0"),
    ({"start": "1"}, "start: expected a number from 1e-100 to 1e100"),
    ({"start": 5e-324}, "start: expected a number from 1e-100 to 1e100, found 5e-324"),
    ({"start": 1.0, "end": 1.0},
     "end: expected at least 1.1 times start = 1.0, found 1.0"),
    ({"start": 1e-3, "end": 1e-3 * (1 + 1e-15)}, "end: expected at least 1.1 times"),
    ({"end": math.inf}, "end: expected a number from 1e-100 to 1e100, found inf"),
    ({"num": 19}, "num: expected an int >= 20, found 19"),
    ({"num": 20.0}, "num: expected an int >= 20, found 20.0"),
    ({"spacing": "log"}, "spacing: expected one of 'exponential', 'linear', found"),
    ({"schedule": "log"}, "schedule: expected a schedule, as .*, found 'log'"),
    ({"schedule": 0.1, "total": 9}, "schedule: expected a schedule, as"),
    ({"schedule": Cosine(1.0, total=9)}, "total: expected the number of steps"),
    ({"schedule": lambda _: 0.0, "total": 9}, "schedule: expected rates that are not"),
    ({"schedule": lambda t: math.nan if t == 5 else 1.0, "total": 9},
     "schedule: expected finite rates >= 0, found nan"),
    ({"schedule": lambda _: None, "total": 9}, "schedule: expected numbers as rates"),
    ({"schedule": 0.1, "trial_steps": 0}, "schedule: expected a schedule, as"),
    ({"score_every": 0}, "score_every: expected an int >= 1"),
    ({"total": 0}, "total: expected a number of steps, an int >= 1, found 0"),
    ({"total": 10**25}, r"total: expected at most 2\^53 steps"),
    ({"score": 3}, "score: expected a function without arguments"),
    ({"score": lambda: np.ones(2), "loss_and_grad": lambda _: (1.0, 0)},
     "score: expected a scalar, found an array"),
    ({"score": lambda: 1.0, "score_every": 0}, "score_every: expected an int >= 1"),
    ({"smoothing": 1}, r"smoothing: expected a number in \[0, 1\), found 1"),
    ({"stop": 1}, "stop: expected a number > 1, found 1"),
    ({"stop": math.nan}, "stop: expected a number > 1, found nan"),
    ({"trial_steps": -1}, "trial_steps: expected 0, or an int >= 20, found -1"),
    ({"trial_steps": 19}, "trial_steps: expected 0, or an int >= 20, found 19"),
    ({"rng": 3}, "rng: expected a numpy.random.Generator, or several, found 3"),
    ({"rng": [None]}, "rng: expected a numpy.random.Generator, or several, found None"),
    ({"batches": 3}, "batches: expected an iterable of batches, or a function"),
    ({"batches": []}, "batches: expected at least one batch, found none"),
    ({"batches": lambda: iter([])}, "batches: expected at least one batch, found none"),
    ({"batches": lambda: 3}, "batches: expected it to return an iterable"),
    ({"loss_and_grad": 3}, "loss_and_grad: expected a function of a batch"),
    ({"loss_and_grad": lambda _: 1.0}, "expected it to return a pair, .* found float$"),
    ({"loss_and_grad": lambda _: (1.0, 0, 0)}, "return a pair, .* found tuple of 3$"),
    ({"loss_and_grad": lambda _: (np.ones(3), 0)},
     r"loss: expected a scalar, found an array of shape \(3,\); take its mean"),
    ({"loss_and_grad": lambda _: ("1", 0)}, "loss: expected a scalar, found '1'"),
    ({"loss_and_grad": lambda _: ([1.0, 2.0], 0)},
     r"loss: expected a scalar, found \[1.0, 2.0\]"),
    ({"loss_and_grad": lambda _: (1.0, [1])}, "grads"),
    ({"opt": np.ones(3)}, "opt: expected an optimizer of lrcore, found"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "words"), BAD)
def test_bad_input_is_refused_and_all_is_as_it_was(task, wrong, words):
    task.train(2)
    before = task.everything()
    given = {"opt": task.opt, "loss_and_grad": task.loss_and_grad,
             "batches": task.batches(), **wrong}  # fmt: skip
    with pytest.raises((TypeError, ValueError), match=words):
        lr_find(**given)
    assert_same(before, task.everything())


def test_a_loop_without_its_block_or_losses_is_refused(task):
    sweep = LRSweep(task.opt)
    with pytest.raises(RuntimeError, match="with LRSweep"):
        iter(sweep)
    with pytest.raises(RuntimeError, match="with LRSweep"):
        sweep.record(1.0)
    before = task.everything()
    with pytest.raises(RuntimeError, match="expected a loss at the rate 1e-07"), sweep:
        for _ in sweep:
            pass
    with pytest.raises(RuntimeError, match="make another"), sweep:
        pass
    with LRSweep(task.opt) as twice:
        loop = iter(twice)
        next(loop)
        with pytest.raises(RuntimeError, match="one loop"):
            iter(twice)
        twice.record(1.0)
        with pytest.raises(RuntimeError, match="one loss for each rate"):
            twice.record(1.0)
    with pytest.raises(RuntimeError, match="with LRSweep"):
        next(loop)
    assert_same(before, task.everything())


def test_a_loop_may_be_left_early(task):
    before = task.everything()
    with LRSweep(task.opt) as sweep:
        for k, _ in enumerate(sweep):
            sweep.record(1.0)
            if k == 9:
                break
    assert len(sweep.result.losses) == 10
    assert sweep.result.reason.endswith("; the loop has not come to its end")
    assert_same(before, task.everything())


def test_an_optimizer_in_the_middle_of_a_step_is_refused():
    params = {"a": np.ones(2), "b": np.ones(2)}
    opt = lrcore.SGD(params)
    opt.step_one("a", np.ones(2))
    with pytest.raises(RuntimeError, match="params"):
        lr_find(opt, lambda _: (1.0, params), [0])
