"""Gradient options in plain NumPy: what they hand to an optimizer's rule, in float64.

An optimizer without options, stepped by what composed() returns, is what an optimizer
with them is held to.  FEATURES has a setting of each option.
"""

import math
from typing import NamedTuple

import numpy as np
from cases import cases
from helpers import KINDS, MORE, random_like, snapshot


def norm(arrays):
    """The norm of all, by a sum of squares without rounding."""
    squares = (np.square(a, dtype=np.float64).ravel() for a in arrays)
    return math.sqrt(math.fsum(x for part in squares for x in part.tolist()))


def unit_norms(a, axes):
    """Norms over axes, which stay; of all of it, where it has one dimension or none."""
    squares = np.square(a, dtype=np.float64)
    axes = None if np.ndim(a) <= 1 else axes
    return np.sqrt(squares.sum(axis=axes, keepdims=True))


def factor(most, found):
    """The factor, 1 or less, that leaves no more than `most`."""
    found = np.asarray(found)
    ratio = np.divide(most, found, out=np.ones(found.shape), where=found > 0)
    return np.minimum(1, ratio)


def clipped(
    p, g, clip_value=None, clip_tensor_norm=None, agc=None, agc_axis=None, agc_eps=1e-3
):
    """One gradient, after what its group asks for."""
    if clip_value is not None:
        g = np.clip(g, -clip_value, clip_value)
    if clip_tensor_norm is not None:
        g = g * factor(clip_tensor_norm, norm([g]))
    if agc is not None:
        most = agc * np.maximum(unit_norms(p, agc_axis), agc_eps)
        g = g * factor(most, unit_norms(g, agc_axis))
    return g


def composed(params, calls, own, *, grad_scale=1.0, clip_norm=None, clip_eps=0.0, **_):
    """The gradients after scaling and gathering, and those after all clipping.

    calls: the gradients of each call that is gathered; own: what each array's group
    asks for.  The keywords are those of an optimizer.
    """
    before = [
        sum(grad_scale * g.astype(np.float64) for g in each) / len(calls)
        for each in zip(*calls, strict=True)
    ]
    after = [clipped(p, g, **o) for p, g, o in zip(params, before, own, strict=True)]
    if clip_norm is not None:
        whole = factor(clip_norm, norm(after) + clip_eps)
        after = [whole * g for g in after]
    return before, [np.asarray(g) for g in after]


# --- options, on params of two groups -------------------------------------------------


class Feature(NamedTuple):
    """Keywords of the optimizer, and of either group."""

    wide: dict
    first: dict = {}  # noqa: RUF012 # never written to
    second: dict = {}  # noqa: RUF012 # never written to


# Which clip some arrays in some steps: see gradients().
FEATURES = {
    "grad_scale": Feature({"grad_scale": 0.37}),
    "accumulate": Feature({"accumulate": 3}),
    "clip_value": Feature({}, {"clip_value": 2.0}, {"clip_value": 0.7}),
    "clip_tensor_norm": Feature(
        {}, {"clip_tensor_norm": 4.0}, {"clip_tensor_norm": 3.0}
    ),
    "agc": Feature(
        {},
        {"agc": 0.3, "agc_axis": 1},
        {"agc": 0.2, "agc_axis": (1, 2), "agc_eps": 5.0},
    ),
    "clip_norm": Feature({"clip_norm": 2.5, "clip_eps": 1e-3}),
    "skip_nonfinite": Feature({"skip_nonfinite": True}),
    "zero_grads": Feature({"zero_grads": True}),
    "telemetry": Feature({"telemetry": True}),
}
CLIPS = ["clip_value", "clip_tensor_norm", "agc", "clip_norm"]
SHAPES = [(4, 3), (), (2, 3, 4), (5,)]
FIRST = 2  # of them are the first group's


def merged(names, table=FEATURES):
    """What these features come to together."""
    wide, first, second = {}, {}, {}
    for name in names:
        wide |= table[name].wide
        first |= table[name].first
        second |= table[name].second
    return Feature(wide, first, second)


def own_of(feature, count):
    """What each of `count` arrays is asked of, by its group."""
    return [feature.first] * FIRST + [feature.second] * (count - FIRST)


def split(arrays):
    """Arrays in the structure of two groups."""
    return [arrays[:FIRST], arrays[FIRST:]]


def weights(dtype="float64", shapes=SHAPES):
    return random_like([np.empty(shape, dtype) for shape in shapes], 0)


def gradients(params, t, call=0):
    """Of one call; every other step's are small, so that some are not clipped."""
    return random_like(params, (t, call), 0.02 if t % 2 else 1.0)


def optimizer(name, params, feature=None, **more):
    """An optimizer of these params in two groups, with a feature."""
    feature = feature or Feature({})
    first, second = split(params)
    groups = [{"params": first, **feature.first}, {"params": second, **feature.second}]
    return KINDS[name](groups, **{**MORE.get(name, {}), **feature.wide, **more})


def gathered(opt, calls):
    """Hand over the gradients of each call; return what the last step returned."""
    for grads in calls[:-1]:
        assert opt.step(split(grads)) is False
    return opt.step(split(calls[-1]))


ALL = merged(FEATURES)
each_feature = cases("feature", [*FEATURES, "all"])


def setting(feature):
    return ALL if feature == "all" else FEATURES[feature]


def copies(arrays):
    return [a.copy("K") for a in arrays]


def drawn(feature, params, t):
    """The gradients of step t: those of each call that is gathered."""
    return [gradients(params, t, k) for k in range(feature.wide.get("accumulate", 1))]


# What gathering writes.
GATHERED = ("acc", "gathered_loss")


def states_of(opt, apart=("acc",)):
    """The rule's states, apart from what gathers gradients."""
    return [
        {name: a for name, a in state.items() if name not in apart}
        for state in opt.state
    ]


def snapshot_of(states):
    return [snapshot(state.values()) for state in states]
