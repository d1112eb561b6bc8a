"""Several optimizers in one object, each for the arrays of a pattern: its steps."""

import numpy as np
import pytest
from helpers import KINDS, MORE, all_same, configurations, same_states
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import MIXABLE, MUON, NAMES, each_mixable, gradients, network, run, same

import lrcore
from lrcore import Mixed
from lrcore.schedules import Cosine, Linear

# The arrays of a pattern do not share numbers.
APART = [
    name
    for name in MIXABLE
    if KINDS[name]._carries_per_array
    or not (KINDS[name]._gauge or KINDS[name]._carries)
]


# --- alike one optimizer --------------------------------------------------------------


@each_mixable
def test_one_pattern_is_the_optimizer_itself(name):
    """To the bit: params, states, report, averages."""
    params, twins = network(), network()
    own = {**MORE.get(name, {}), "lr": Linear(0.1, 0.05, 9), "weight_decay": 0.1}
    wide = {"clip_norm": 0.5, "telemetry": True, "grad_scale": 0.5}
    opt = Mixed({"*": (KINDS[name], own)}, params, ema_decay=0.5, **wide)
    twin = KINDS[name](twins, **own, ema_decay=0.5, **wide)
    run(opt, params)
    run(twin, twins)
    assert same(params, twins)
    assert same_states(opt.state, twin.state)
    assert (opt.report, opt.last_lr) == (twin.report, twin.last_lr)
    assert same(opt.ema, twin.ema)


@given(
    name=st.sampled_from(APART),
    patterns=st.permutations(["embed", "*.W", "hidden.1.*", "hidden.0.b"]),
    number=st.integers(0, 4),
    clip_norm=st.sampled_from([None, 0.3, 5.0]),
    dtype=st.sampled_from(["float32", "float64"]),
    absent=st.sets(st.sampled_from(NAMES), max_size=3),
)
@settings(max_examples=150, deadline=None)
def test_patterns_of_one_class_are_one_optimizer(
    name, patterns, number, clip_norm, dtype, absent
):
    """To the bit, wherever the arrays are: the norm is of all, in the same order."""
    params, twins = network(dtype), network(dtype)
    own = {**MORE.get(name, {}), "lr": 0.05, "ema_decay": 0.5}
    wide = {"clip_norm": clip_norm, "telemetry": True, "accumulate": 2}
    chosen = dict.fromkeys([*patterns[:number], "*"], (KINDS[name], own))
    opt, twin = Mixed(chosen, params, **wide), KINDS[name](twins, **own, **wide)
    for t in range(4):
        grads = gradients(params, t)
        if t < 3:
            grads |= dict.fromkeys(absent)
        assert opt.step(grads) == twin.step(grads)
    assert same(params, twins)
    assert same_states(opt.state, twin.state)
    assert opt.reports("tensor").keys() == twin.reports("tensor").keys()
    # The rate is that of the first group, which may begin with another array.
    assert opt.report._replace(lr=0.0) == twin.report._replace(lr=0.0)


@each_mixable
def test_patterns_of_one_class_are_groups(name):
    """Also where the arrays of a group share numbers."""
    params, twins = network(), network()
    groups = {"hidden.0.*": {"lr_scale": 0.5}, "*.b": {"weight_decay": 0.0}}
    chosen = {pattern: (KINDS[name], own) for pattern, own in groups.items()}
    opt = Mixed({**chosen, "*": KINDS[name]}, params, weight_decay=0.1)
    twin = KINDS[name](twins, groups={**groups, "*": {}}, weight_decay=0.1)
    run(opt, params)
    run(twin, twins)
    assert same(params, twins)
    assert same_states(opt.state, twin.state)


# --- alike several optimizers ---------------------------------------------------------


@each_mixable
def test_each_part_steps_as_by_itself(name):
    """Beside one of another kind, with averages and schedules."""
    params, twins = network(), network()
    lr = Cosine(0.05, total=20)
    opt = Mixed(
        {"hidden.*": KINDS[name], "embed": lrcore.Adagrad, "*": "Lion"},
        params,
        lr=lr,
        ema_decay=0.5,
        weight_decay=0.1,
    )
    common = {"lr": lr, "ema_decay": 0.5, "weight_decay": 0.1}
    hidden = {k: p for k, p in twins.items() if k.startswith("hidden")}
    apart = [
        (KINDS[name](hidden, **common), hidden),
        (lrcore.Adagrad(twins["embed"], **common), "embed"),
        (lrcore.Lion(twins["head"], **common), "head"),
    ]
    for t in range(4):
        grads = gradients(params, t)
        assert opt.step(grads)
        for twin, which in apart:
            own = (
                grads[which] if isinstance(which, str) else {k: grads[k] for k in which}
            )
            assert twin.step(own)
    assert same(params, twins)
    order = ["hidden.0.W", "hidden.0.b", "hidden.1.W", "hidden.1.b", "embed", "head"]
    states = [state for twin, _ in apart for state in twin.state]
    assert same_states([opt.state[(k,)] for k in order], states)
    assert opt.last_lr == [rate for twin, _ in apart for rate in twin.last_lr]


def test_a_mechanic_of_each_part():
    params, twins = network(), network()
    opt = Mixed(
        {"hidden.*": (lrcore.AdamW, {"mechanic": True, "lr": 1.0}), "*": lrcore.SGD},
        params,
    )
    hidden = {k: p for k, p in twins.items() if k.startswith("hidden")}
    twin = lrcore.AdamW(hidden, lr=1.0, mechanic=True)
    for t in range(4):
        grads = gradients(params, t)
        assert opt.step(grads)
        assert twin.step({k: grads[k] for k in hidden})
    assert all_same([params[k] for k in hidden], hidden.values())


def test_muon_and_adamw_with_one_clip_norm():
    """The factor is that of the norm of all, which neither of them would find alone."""
    params, twins = network(), network()
    opt = Mixed(MUON, params, clip_norm=1.0, telemetry=True, weight_decay=0.0)
    sgd = lrcore.SGD(network(), clip_norm=1.0, telemetry=True)
    matrices = {k: twins[k] for k in ("hidden.0.W", "hidden.1.W")}
    others = {k: twins[k] for k in ("embed", "hidden.0.b", "hidden.1.b", "head")}
    muon = lrcore.Muon(matrices, lr=0.02, weight_decay=0.0)
    adamw = lrcore.AdamW(others, weight_decay=0.0)
    for t in range(4):
        grads = gradients(params, t)
        assert opt.step(grads)
        sgd.step(grads)
        assert (opt.report.grad_norm, opt.report.clip) == sgd.report[2:4]
        assert opt.report.clip < 1
        clipped = lrcore.clip_by_global_norm(grads, 1.0)
        clipped = grads if isinstance(clipped, float) else clipped
        muon.step({k: clipped[k] for k in matrices})
        adamw.step({k: clipped[k] for k in others})
    for p, twin in zip(params.values(), twins.values(), strict=True):
        np.testing.assert_allclose(p, twin, rtol=1e-12)
    assert [*opt.state[("hidden.0.W",)]] == ["m", "u"]
    assert [*opt.state[("embed",)]] == ["m", "v"]


@pytest.mark.isa
@pytest.mark.usefixtures("restore")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_bits_are_the_same_everywhere(dtype):
    """With each instruction set, and any number of threads."""
    found = set()
    for isa, threads in configurations():
        lrcore.set_isa(isa)
        params = {**network(dtype), "long": np.ones(10007, dtype)}
        chosen = {"embed": "Prodigy", "*.W": "LAMB", "*.b": "SM3", "long": "Lion"}
        opt = Mixed(
            {**chosen, "*": "AdamW"}, params, clip_norm=1.0, num_threads=threads
        )
        opt._plan.parallel_from = 1
        run(opt, params)
        arrays = [*params.values(), *(a for s in opt.state for a in s.values())]
        found.add(b"".join(a.tobytes() for a in arrays))
    assert len(found) == 1
