"""The trajectories of torch.optim that golden/make.py recorded, run with lrcore."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import each_dtype, make
from table import TORCH_ROWS

with np.load(Path(__file__).parent / "golden" / "torch.npz") as file:
    GOLDEN = dict(file)
ABOUT = json.loads(str(GOLDEN["about"]))
STEPS = np.array(ABOUT["steps"])

each_row = pytest.mark.parametrize("row", TORCH_ROWS, ids=lambda row: row.label)
each_decay = pytest.mark.parametrize("weight_decay", ABOUT["weight_decay"])
each_direction = pytest.mark.parametrize("maximize", ABOUT["maximize"])


def arrays(elements, dtype):
    """Arrays of the recorded shapes with these elements."""
    ends = np.cumsum([np.prod(shape) for shape in ABOUT["shapes"]])
    parts = np.split(elements.astype(dtype), ends[:-1])
    return [part.reshape(s) for part, s in zip(parts, ABOUT["shapes"], strict=True)]


def trajectory(row, dtype, *, scheduled=False, **options):
    """The parameters after each of STEPS; lr is a schedule or set before every step."""
    lr = [row.kwargs["lr"] * factor for factor in GOLDEN["factors"].tolist()]
    params = arrays(GOLDEN["start"], dtype)
    opt = make(row, params, lr=(lambda t: lr[t]) if scheduled else 0.0, **options)
    recorded = []
    for t, grads in enumerate(GOLDEN["grads"]):
        if not scheduled:
            opt.lr = lr[t]
        opt.step(arrays(grads, dtype))
        if t + 1 in STEPS:
            recorded.append(np.concatenate(params, axis=None))
    return np.array(recorded)


def recorded_by_torch(row, dtype, weight_decay, maximize):
    if row.label not in ABOUT["rows"]:
        pytest.fail(f"torch.npz has no {row.label}: run golden/make.py")
    run = (
        ABOUT["rows"].index(row.label),
        ABOUT["weight_decay"].index(weight_decay),
        ABOUT["maximize"].index(maximize),
    )
    return GOLDEN[dtype][run]


def tolerance(dtype):
    """How far apart the two may be after each of STEPS, for parameters of size 1.

    float32: 2 ulp a step.  A step takes p to ``decay p - lr u``, and both sides round a
    product and the difference, each by half an ulp at most.  What u is off by counts by
    lr u / p, and fits in what is left where errors do not all point the same way.

    float64: a bias correction 1 - b^t magnifies the last bit of the C library's pow by
    up to 1 / (1 - 0.999); 1e-12 holds with any.
    """
    if dtype == "float64":
        return np.full(len(STEPS), 1e-12)
    return 2 * np.finfo(np.float32).eps * STEPS


def assert_close(got, want, dtype):
    """Compare, in units of the largest that each element of the parameters has been.

    What it was rounded to then is relative to that, and remains where it passes 0.
    """
    assert got.dtype == want.dtype == dtype
    size = np.maximum(abs(GOLDEN["start"]), abs(want).max(axis=0))
    error = (abs(got.astype(float) - want) / size).max(axis=1)
    assert (error <= tolerance(dtype)).all(), dict(zip(STEPS, error, strict=True))


@each_row
@each_dtype
@each_decay
@each_direction
def test_params_follow_those_of_torch(row, dtype, weight_decay, maximize):
    options = {"weight_decay": weight_decay, "maximize": maximize}
    want = recorded_by_torch(row, dtype, **options)
    assert_close(trajectory(row, dtype, **options), want, dtype)


@each_row
@each_dtype
def test_a_schedule_gives_the_lr_of_each_step(row, dtype):
    options = {"weight_decay": ABOUT["weight_decay"][-1], "maximize": False}
    want = recorded_by_torch(row, dtype, **options)
    assert_close(trajectory(row, dtype, scheduled=True, **options), want, dtype)
