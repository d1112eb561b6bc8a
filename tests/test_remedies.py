"""The trainings by which bench/remedies.py tells whether an advice helps."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import lrcore

sys.path.append(str(Path(__file__).parents[1] / "bench"))
remedies = importlib.import_module("remedies")
runs = importlib.import_module("runs")


def run_of(problem, lr):
    return runs.Run(problem, "SGD", 0, lr, {}, 1.0, 1.0, 1.0, "good", "disturbed")


@pytest.mark.parametrize("name", ["warm-up-digits", "digits-32"])
def test_a_rate_that_is_lowered_stays_low(name, monkeypatch):
    """With a schedule, too, of which the last rate is 1 here."""
    rates = []

    class Noted(lrcore.SGD):
        def step(self, grads, loss=None):
            rates.append(self.lr)
            return super().step(grads)

    monkeypatch.setitem(remedies.OPTIMIZERS, "SGD", Noted)
    problem = runs.by_name(name)
    remedies.trained(run_of(name, 0.1), more=0.5, lower=0.1)
    wanted = [problem.rate(0.1, step) for step in range(problem.steps)]
    assert rates[: problem.steps] == wanted
    assert rates[problem.steps :] == [0.1 * 0.1] * (problem.steps // 2)


def test_the_loss_without_an_advice_is_that_of_the_run():
    name, lr = "digits-32", 0.1
    _, last, _ = runs.train(runs.by_name(name), "SGD", 0, lr)
    assert remedies.trained(run_of(name, lr)) == last


@pytest.mark.parametrize(
    ("advised", "shares"),
    [
        ([0.9, 0.9], (1.0, 0.0)),
        ([0.9, 1.04], (0.5, 0.0)),  # higher, but by less than 5 % of the descent
        ([1.2, np.inf], (0.0, 1.0)),
    ],
)
def test_what_helped_and_what_harmed(advised, shares):
    """Of two runs that fell from 2 to 1."""
    told = [(1.0, end, 2.0) for end in advised]
    assert remedies.shares(told) == (2, *shares)
