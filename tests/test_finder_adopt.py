"""What the winner of a race has learnt is adopted: all of it, or nothing."""

import itertools
import pickle
import random

import numpy as np
import pytest
from range_tests import BUILDS, Task, assert_same, each_build, find

import lrcore
from lrcore import lr_find
from lrcore.schedules import Cosine

NUMBERS = {k: v for k, v in BUILDS.items() if k not in ("scheduled", "plateau")}


def seed():
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 # a user's


@pytest.mark.parametrize("build", NUMBERS.values(), ids=NUMBERS)
def test_it_is_as_if_the_trial_had_been_the_training(build):
    """To the bit: params, state, counts, averages, generators; and the steps after."""
    tested, plain = Task(build), Task(build)
    seed()
    found = find(tested, trial_steps=60)
    found.adopt(tested.opt)
    trial, after = found._trained, tested.everything()
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    seed()
    assert trial.steps == max(found.trial_steps)
    for group, lr in zip(plain.opt.param_groups, (1, 0.003 / 0.01), strict=True):
        group["lr"] = trial.lr * lr
    batches = itertools.cycle(plain.batches())
    for rows in itertools.islice(batches, trial.steps * plain.opt.accumulate):
        plain.opt.step(plain.loss_and_grad(rows)[1])
    assert tested.opt.t == plain.opt.t == trial.steps
    for mine, its in zip(tested.opt.param_groups, plain.opt.param_groups, strict=True):
        assert mine["lr"] == pytest.approx(found.suggestion * its["lr"] / trial.lr)
        its["lr"] = mine["lr"]
    assert_same(plain.everything(), after)
    plain.train(5)
    expected = plain.everything()
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    tested.train(5)
    assert_same(expected, tested.everything())


def test_arrays_beside_the_params_are_adopted_too():
    w, seen = np.ones(2), np.zeros(1)

    def loss_and_grad(_):
        seen[0] += 1
        return w @ w / 2, w.copy()

    opt = lrcore.SGD(w)
    found = lr_find(opt, loss_and_grad, [0], also=seen, trial_steps=30)
    assert seen[0] == 0
    found.adopt(opt)
    assert seen[0] == opt.t == max(found.trial_steps)


def found_of(task, **more):
    return find(task, trial_steps=30, **more)


def test_after_steps_or_other_changes_it_is_refused():
    task = Task(BUILDS["averages"])
    found = found_of(task)
    task.train(1)
    before = task.everything()
    with pytest.raises(RuntimeError, match="opt: expected params and a count of steps"):
        found.adopt(task.opt)
    assert_same(before, task.everything())
    task = Task(BUILDS["SGD"])
    found = found_of(task)
    task.body["W"][0, 0] = 3.0
    with pytest.raises(RuntimeError, match="adopt before you train"):
        found.adopt(task.opt)
    assert task.body["W"][0, 0] == 3.0
    task.body["W"][0, 0] = 0.0
    found.adopt(task.opt)


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (lambda found, task: found.adopt(Task(BUILDS["SGD"]).opt),
         "opt: expected the optimizer that was tested"),
        (lambda found, task: pickle.loads(pickle.dumps(found)).adopt(task.opt),
         "adopt: expected the result of a race"),
        (lambda found, task: find(task, trial_steps=0).adopt(task.opt),
         "adopt: expected the result of a race"),
        (lambda found, task: found_of(
            task, schedule=Cosine(1.0, total=99), total=99).adopt(task.opt),
         "adopt: expected the result of a race"),
    ],
)  # fmt: skip
def test_what_cannot_be_adopted_is_refused(refused, words):
    task = Task(BUILDS["SGD"])
    found = found_of(task)
    before = task.everything()
    with pytest.raises(ValueError, match=words):
        refused(found, task)
    assert_same(before, task.everything())


def test_a_scheduled_rate_is_not_replaced():
    task = Task(BUILDS["scheduled"])
    found = found_of(task)
    before = task.everything()
    with pytest.raises(ValueError, match=r"the lr of param_groups\[0\], found"):
        found.adopt(task.opt)
    assert_same(before, task.everything())
    with pytest.raises(TypeError, match="opt: expected an optimizer"):
        found.adopt(3)


@each_build
def test_without_adopting_nothing_is_left(build):
    task = Task(build)
    seed()
    before = task.everything()
    found_of(task)
    assert_same(before, task.everything())
