"""The trajectories of other libraries that golden/make.py recorded, run with lrcore."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from helpers import each_dtype, make
from table import ROWS, Row

pytestmark = pytest.mark.isa


def load(name):
    """The entries of one of the files."""
    with np.load(Path(__file__).parent / "golden" / f"{name}.npz") as file:
        return dict(file)


class Run(NamedTuple):
    row: Row
    options: dict  # further arguments of the constructor
    want: dict  # by dtype: what is recorded after each of its steps
    steps: np.ndarray

    def __str__(self):
        return "-".join([self.row.label, *map(str, self.options.values())])


GIVEN = load("given")
FILES = {name: load(name) for name in sorted({row.golden for row in ROWS} - {None})}
ABOUT = {name: json.loads(str(file["about"])) for name, file in FILES.items()}


def runs(row):
    """What its file has of a row."""
    file, about = FILES[row.golden], ABOUT[row.golden]
    for i, (label, options) in enumerate(about["runs"]):
        if label == row.label:
            want = {"float32": file["float32"][i], "float64": file["float64"][i]}
            yield Run(row, options, want, np.array(about["steps"]))


RUNS = [run for row in ROWS if row.golden for run in runs(row)]
LAST_RUNS = {run.row.label: run for run in RUNS}.values()
each_run = pytest.mark.parametrize("run", RUNS, ids=str)
each_last_run = pytest.mark.parametrize("run", LAST_RUNS, ids=str)


def trajectory(run, dtype, *, scheduled=False):
    """What is recorded after each step, and how far each element has gone by then.

    lr is a schedule, or set before every step.
    """
    lr = run.row.lrs(GIVEN["factors"].tolist())
    params = [p.copy() for p in run.row.arrays(GIVEN["start"].astype(dtype))]
    first_lr = (lambda t: lr[t]) if scheduled else 1.0
    opt = make(run.row, params, lr=first_lr, **run.options)
    path, old, recorded = 0.0, GIVEN["start"], []
    for t, grads in enumerate(GIVEN["grads"].astype(dtype)):
        if not scheduled:
            opt.lr = lr[t]
        opt.step(run.row.arrays(grads), loss=lr[t])  # which SPS takes for its rate
        new = np.concatenate(params, axis=None)
        path, old = path + abs(new - old), new
        if t + 1 in run.steps:
            if run.row.recorded:
                new = np.concatenate(getattr(opt, run.row.recorded), axis=None)
            recorded.append((new, path))
    got, paths = map(np.array, zip(*recorded, strict=True))
    return got, paths


def tolerance(run, dtype, path):
    """How far apart the two may be after each of the steps, for parameters of size 1.

    float32: 2 ulp a step.  A step takes p to ``decay p - lr u``, and both sides round a
    product and the difference, each by half an ulp at most.  What u is off by counts by
    lr u / p, and fits in what is left where errors do not all point the same way.
    Where they do, the row says by how much of u: that adds up along the path.

    float64: a bias correction 1 - b^t magnifies the last bit of the C library's pow by
    up to 1 / (1 - 0.999), and RAdam's rho that again, by 2000; 1e-12 holds with any.
    """
    if dtype == "float64":
        return 1e-12
    steps = run.steps[:, np.newaxis]
    return np.finfo(np.float32).eps * (2 * steps + run.row.float32_bias * path)


def assert_close(run, dtype, got, path):
    """Compare, in units of the largest that each element has been.

    What it was rounded to then is relative to that, and remains where it passes 0.
    """
    want = run.want[dtype]
    assert got.dtype == want.dtype == dtype
    size = np.maximum(abs(GIVEN["start"]), abs(want).max(axis=0))
    error = abs(got.astype(float) - want) / size
    worst = (error / tolerance(run, dtype, path / size)).max(axis=1)
    assert (worst <= 1).all(), dict(zip(run.steps, worst, strict=True))


@pytest.mark.parametrize("library", FILES)
def test_the_files_hold_the_rows_of_the_table(library):
    labels = list(dict.fromkeys(label for label, _ in ABOUT[library]["runs"]))
    in_table = [row.label for row in ROWS if row.golden == library]
    assert labels == in_table, f"run golden/make.py {library}"


@each_run
@each_dtype
def test_params_follow_those_of_the_library(run, dtype):
    assert_close(run, dtype, *trajectory(run, dtype))


@each_last_run
@each_dtype
def test_a_schedule_gives_the_lr_of_each_step(run, dtype):
    assert_close(run, dtype, *trajectory(run, dtype, scheduled=True))
