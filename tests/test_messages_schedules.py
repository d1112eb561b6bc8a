"""Functions that are no schedule, since they do not take the number of steps."""

from functools import partial

import numpy as np
import pytest
from wrong import message

import lrcore
from lrcore import schedules

TAKERS = {
    "lr": lambda f: lrcore.SGD(np.ones(2), lr=f),
    "betas": lambda f: lrcore.Adam(np.ones(2), betas=f),
    "betas[1]": lambda f: lrcore.Adam(np.ones(2), betas=(0.9, f)),
    "clip_norm": lambda f: lrcore.SGD(np.ones(2), clip_norm=f),
    "schedule": lambda f: lrcore.ReduceOnPlateau(f),
    "other": lambda f: schedules.Constant(0.1).then(5, f),
    "function": lambda f: schedules.Function(f),
}


class Method:
    def value(self):
        return 0.1


@pytest.mark.parametrize("argument", TAKERS)
@pytest.mark.parametrize("f", [lambda: 0.1, lambda t, x: 0.1, Method().value])
def test_a_function_that_does_not_take_the_step_is_refused_at_once(argument, f):
    said = message(TAKERS[argument], f)
    assert said.startswith(f"{argument}: expected a schedule that takes the number of ")
    assert said.endswith(" arguments")


@pytest.mark.parametrize(
    "f",
    [lambda t, x=2: 0.1, lambda *a: 0.1, partial(lambda x, t: 0.1, 3), abs, np.cos],
)
def test_all_others_are_taken(f):
    opt = lrcore.SGD(np.ones(2), lr=f)
    opt.param_groups[0]["lr"] = f
    assert opt.step(np.ones(2))
