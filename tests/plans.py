"""Steps of plans that are made by hand, of any numbers, and of the reference."""

from types import SimpleNamespace

from helpers import same_bits

from lrcore import _core, reference
from lrcore._shared import trees

# What a plan reads of a part of a group.
PART = {
    "rule": "sgd",
    "scale": "",
    "gauge": "",
    "averages": (),
    "pulls": (),
    "carries": (),
    "factoring": "",
    "directed": False,
    "per_array": False,
    "carries_per_array": False,
    "sums_all": False,
}


def step(params, grads, states, *, threads, keep=True, **part):
    """Step params and states in place, as one part.

    keep: whether subnormal numbers are kept; part: what differs from PART.
    """
    plan = _core.Plan(
        trees.flatten(params),
        (SimpleNamespace(owner=None),),
        ((0, SimpleNamespace(**PART | part)),),
        [0] * len(params),
        states,
        [None] * len(params),
    )
    plan.parallel_from = 1
    settings = _core.Settings(
        plan,
        num_threads=threads,
        keep_subnormals=keep,
        skip_nonfinite=False,
        zero_grads=False,
        convert_grads=False,
        accumulate=1,
        telemetry=False,
        numbers=(1.0, 0.0, 0.0),
    )
    commit = _core.Commit()
    commit.give(plan, settings)
    commit.make()
    plan.step(grads)


def run(
    rule, coefs, params, grads, states, *, threads, keep=True, scale="", more=(),
    averages=None,
):  # fmt: skip
    """One step of the kernels on copies; returns the params and states after it.

    more: a scale's coefficients; averages: their weights by name.
    """
    params = [p.copy("K") for p in params]
    states = [[s.copy("K") for s in arrays] for arrays in states]
    gscale, l2, *rest = coefs
    averages = averages or {}
    weights = tuple(averages.values())
    folded = _core.Folded(
        lambda t, lr, decay: tuple(rest), 0.0, 1.0, gscale, l2,
        weights=lambda t: weights, scale=lambda t: tuple(more),
    )  # fmt: skip
    names = _core.RULES[rule].states + tuple(averages)
    names += ("u",) if _core.SCALES[scale].emits else ()
    names += _core.SCALES[scale].states
    named = [dict(zip(names, arrays, strict=True)) for arrays in states]
    step(
        params, grads, named, threads=threads, keep=keep, rule=rule, scale=scale,
        averages=tuple(averages), pulls={"slow"}, per_array=bool(scale), folded=folded,
    )  # fmt: skip
    return params, states


def expected(rule, coefs, params, grads, states):
    """The same by the reference."""
    params = [p.copy("K") for p in params]
    states = [[s.copy("K") for s in arrays] for arrays in states]
    for p, g, s in zip(params, grads, states, strict=True):
        reference.step(rule, p, g, s, coefs)
    return params, states


def agree(got, want):
    """Whether the params and states have the same bits."""
    return all(same_bits(a, b) for a, b in zip(got[0], want[0], strict=True)) and all(
        same_bits(a, b)
        for x, y in zip(got[1], want[1], strict=True)
        for a, b in zip(x, y, strict=True)
    )


def sums_of(gauge, coefs, params, grads, arrays, *, threads):
    """The sums of a gauge, from which a step has its numbers made."""
    found = []

    def adapt(t, lr, decay, carried, sums):
        found.append(sums)
        return (), (1.0, 0.0), 0.0

    gscale, l2, *own = coefs
    folded = _core.Folded(adapt, 0.0, 1.0, gscale, l2, gauge=lambda *_: tuple(own))
    names = _core.GAUGES[gauge].arrays
    states = [dict(zip(names, own, strict=True)) for own in arrays]
    copies = [p.copy() for p in params]
    step(copies, grads, states, threads=threads, gauge=gauge, folded=folded)
    return found[0]
