"""Dimensions of a search, and what is none."""

import math
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import optuna
import pytest

import lrcore
from lrcore import space
from lrcore.space import Choice, Integer, Real, Tuple

READY = {
    name: getattr(space, name)()
    for name in space.__all__
    if name[0].islower()
}  # fmt: skip


@pytest.mark.parametrize("name", READY)
def test_the_usual_ranges_are_values(name):
    dimension = READY[name]
    assert dimension == getattr(space, name)()
    assert hash(dimension) == hash(getattr(space, name)())
    assert eval(repr(dimension), vars(space)) == dimension
    assert pickle.loads(pickle.dumps(dimension)) == dimension
    field = next(iter(vars(dimension)))
    with pytest.raises(FrozenInstanceError):
        setattr(dimension, field, None)


@pytest.mark.parametrize("name", READY)
def test_what_is_suggested_lies_in_the_range(name):
    """And is what the parameters of Optuna's study stand for."""
    dimension = READY[name]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = []
    for _ in range(50):
        trial = study.ask()
        seen.append(dimension.suggest(name, trial))
        assert set(trial.params) == set(dimension.keys(name))
        assert dimension.read(name, trial.params) == seen[-1]
    if isinstance(dimension, Choice):
        assert set(seen) == set(dimension.values)
    elif isinstance(dimension, Tuple):
        for part, values in zip(dimension.parts, zip(*seen, strict=True), strict=True):
            assert part.low <= min(values) < max(values) <= part.high
    else:
        assert dimension.low <= min(seen) < max(seen) <= dimension.high
        if getattr(dimension, "scale", "") == "powers of 2":
            assert {x & (x - 1) for x in seen} == {0}


@pytest.mark.parametrize("name", READY)
def test_points_are_read_as_they_were_written(name):
    dimension = READY[name]
    points = dimension.points(5)
    assert len(set(points)) == len(points)
    for point in points:
        back = dimension.read(name, dimension.write(name, point))
        assert back == pytest.approx(point, rel=1e-12) if _number(point) else point


def _number(x):
    return isinstance(x, (int, float, tuple))


def test_scales_are_uniform_in_what_they_say():
    """The median of 2,000 draws is at the middle of the scale.

    Its standard error is 1.25 / sqrt(2000) of the spread, 1 % of the range.
    """
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    dimensions = {
        "a": Real(0, 4), "b": Real(1e-4, 1, "log"), "c": Real(0.9, 0.999, "complement"),
    }  # fmt: skip
    draws = []
    for _ in range(2000):
        trial = study.ask()
        draws.append([d.suggest(name, trial) for name, d in dimensions.items()])
    a, b, c = np.median(draws, axis=0)
    assert a == pytest.approx(2, abs=0.04 * 4)
    assert np.log10(b) == pytest.approx(-2, abs=0.04 * 4)
    assert np.log10(1 - c) == pytest.approx(-2, abs=0.04 * 2)


def test_points():
    assert Real(1e-5, 1, "log").points(6) == [1e-5, 1e-4, 1e-3, 0.01, 0.1, 1]
    assert Real(1e-4, 1, "log").points(1) == [pytest.approx(0.01)]
    assert Real(1e308, 1.5e308).points(1) == [1.25e308]
    assert Real(0.9, 0.999, "complement").points(1) == [pytest.approx(0.99)]
    assert Integer(0, 3).points(10) == [0, 1, 2, 3]
    assert Integer(16, 128, "powers of 2").points(2) == [16, 128]
    assert Choice("a", None, 3, True).points(1) == ["a", None, 3, True]
    assert Tuple(Real(0, 1), Integer(1, 2)).points(2) == [
        (0.0, 1), (0.0, 2), (1.0, 1), (1.0, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: space.lr(0, 1), "low: expected finite numbers > 0"),
        (lambda: space.lr(1e-3, math.inf), "high: expected finite numbers > 0"),
        (lambda: space.lr(math.nan, 1), "low: expected finite"),
        (lambda: space.lr(1, 1e-3), r"high: expected more than low = 1, found 0.001"),
        (lambda: space.lr(1, 1), r"a fixed value is the list \[1\]"),
        (lambda: space.lr("1e-3", 1), "low: expected a number, found '1e-3'"),
        (lambda: space.momentum(0.5, 1.0), r"high: expected numbers in \[0, 1\)"),
        (lambda: space.betas((0.5, 1.5)), r"beta1: high: expected numbers in \[0, 1\)"),
        (lambda: space.betas(0.5), "beta1: expected two bounds, found 0.5"),
        (lambda: space.batch_size(10, 100), "low: expected a power of 2, found 10"),
        (
            lambda: space.batch_size(16.0, 32),
            r"low: expected an int in \[1,.*found 16.0",
        ),
        (lambda: Integer(3, 2), "high: expected more than low = 3, found 2"),
        (
            lambda: Integer(0, 2, "log"),
            r"low: expected an int in \[1, 2\*\*53\], found 0",
        ),
        (
            lambda: Integer(-(2**60), 0),
            r"low: expected an int in \[-2\*\*53, 2\*\*53\]",
        ),
        (lambda: Integer(0, 2**70), r"high: expected an int in \[-2\*\*53, 2\*\*53\]"),
        (lambda: Real(-1e308, 1e308), "high: expected a finite distance to low = -1e"),
        (lambda: Real(0, 1, "exp"), "scale: expected one of 'linear', 'log'"),
        (lambda: Choice(), "values: expected at least one, found none"),
        (lambda: Choice(1, 2, 1), r"values\[2\]: expected each once, found 1"),
        (lambda: Choice(1, math.nan), r"values\[1\]: expected a finite"),
        (lambda: Choice(lrcore.SGD), r"values\[0\]: expected a string.*name it by"),
        (lambda: Tuple(), "parts: expected at least one"),
        (lambda: Tuple(3), r"parts\[0\]: expected a dimension, found 3"),
        (lambda: space.optimizer("Adamw"), "optimizer: expected one of .*'Adamw'"),
        (lambda: Real(0, 1).points(0), "count: expected an int >= 1, found 0"),
        (lambda: space.check({}), "space: expected at least one dimension"),
        (lambda: space.check([1]), "space: expected a dict of dimensions"),
        (lambda: space.check({1: space.lr()}), "space: expected strings as names"),
        (lambda: space.check({"lr": 0.1}), r"'lr'\]: expected.*fixed value is \[0.1\]"),
        (lambda: space.check({"lr": space.lr}), r"'lr'\]: expected .*lr.*; call it$"),
        (
            lambda: space.check({"a": Tuple(space.lr()), "a[0]": space.lr()}),
            r"space\['a\[0\]'\]: expected a name .*, which is of 'a' too; rename one",
        ),
        (
            lambda: space.check({"m": space.momentum(), "1 - m": Real(0, 1)}),
            r"space\['1 - m'\]: expected a name .*found '1 - m', which is of 'm' too",
        ),
        (lambda: space.check({"lr": []}), r"space\['lr'\]: values: expected at least"),
    ],
)
def test_impossible_spaces(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()
