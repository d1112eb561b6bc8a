"""Several optimizers in one object, each for the arrays of a pattern."""

import copy
import inspect
import pickle
import re
from functools import partial

import numpy as np
import pytest
from helpers import (
    AVAILABLE,
    KINDS,
    MORE,
    all_same,
    configurations,
    random_like,
    same_states,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from wrong import WRONG, refused

import lrcore
from lrcore import Mixed
from lrcore.schedules import Cosine, Linear

MIXABLE = [name for name, kind in KINDS.items() if not kind._sums_all]
each_mixable = pytest.mark.parametrize("name", MIXABLE)
# The arrays of a pattern do not share numbers.
APART = [
    name
    for name in MIXABLE
    if KINDS[name]._carries_per_array
    or not (KINDS[name]._gauge or KINDS[name]._carries)
]

SHAPES = {"embed": (5, 2), "hidden.0.W": (3, 3), "hidden.0.b": (3,)}
SHAPES |= {"hidden.1.W": (3, 4), "hidden.1.b": (4,), "head": (2, 3)}
NAMES = [*SHAPES]


def network(dtype="float64", seed=0):
    """Params by name; a dot in a key is as good as containers in each other."""
    like = [np.empty(shape, dtype) for shape in SHAPES.values()]
    return dict(zip(SHAPES, random_like(like, seed), strict=True))


def gradients(params, t):
    arrays = random_like(list(params.values()), (7, t), 1.0 if t % 2 else 0.1)
    return dict(zip(params, arrays, strict=True))


def run(opt, params, steps=range(4)):
    for t in steps:
        assert opt.step(gradients(params, t))


def same(params, twins):
    return all_same(params.values(), twins.values())


MUON = {"*.W": (lrcore.Muon, {"lr": 0.02}), "*": lrcore.AdamW}


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


# --- one object -----------------------------------------------------------------------


@pytest.mark.parametrize("skips", [True, False])
def test_a_step_is_skipped_by_all_or_by_none(skips):
    params = network()
    opt = Mixed(MUON, params, telemetry=True, skip_nonfinite=skips)
    before = network()
    grads = gradients(params, 0)
    grads["head"][0, 0] = np.nan
    assert opt.step(grads) is not skips
    assert opt.report.nonfinite == 1
    assert [all_same([p], [old]) for p, old in zip(
        params.values(), before.values(), strict=True
    )] == [skips] * 6  # fmt: skip
    assert opt.t == (0 if skips else 1)


def test_one_lr_and_one_factor():
    opt = Mixed(MUON, network(), lr=0.1)
    assert [group["lr"] for group in opt.param_groups] == [0.02, 0.1]
    opt.multiply_lr(0.5)
    assert [group["lr"] for group in opt.param_groups] == [0.01, 0.05]
    with pytest.warns(UserWarning, match=r"^lr: 2 groups with different rates"):
        opt.lr = Linear(1.0, 0.0, 4)
    opt.param_groups[0]["lr_scale"] = 0.25
    run(opt, network(), range(2))
    assert opt.last_lr == [0.75 / 4, 0.75]
    assert (opt.lr, opt.t) == (0.5, 2)
    opt.weight_decay = 0.5
    assert [group["weight_decay"] for group in opt.param_groups] == [0.5, 0.5]
    opt.clip_norm = 2.0
    assert opt.clip_norm == 2.0
    plateau = lrcore.ReduceOnPlateau(0.5, factor=0.5, patience=0)
    opt.lr = plateau
    assert [plateau.update(loss) for loss in (1.0, 2.0)] == [False, True]
    run(opt, network(), range(1))
    assert opt.last_lr == [0.25 / 4, 0.25]


def test_common_hyper_parameters_are_those_of_all_but_their_own():
    opt = Mixed(
        {"*.W": (lrcore.Muon, {"weight_decay": 0.25}), "*": lrcore.AdamW},
        network(),
        weight_decay=0.5,
        clip_value=2.0,
    )
    assert [g["weight_decay"] for g in opt.param_groups] == [0.25, 0.5]
    assert [g["clip_value"] for g in opt.param_groups] == [2.0, 2.0]
    assert [g["lr"] for g in opt.param_groups] == [1e-3, 1e-3]
    assert [g["lr"] for g in Mixed({"*.W": "SGD", "*": "Rprop"}, network()).param_groups
    ] == [1e-3, 1e-2]  # fmt: skip


def test_conventions():
    """One for all, or one of an optimizer's own; the defaults are those of it."""
    muon, adamw = Mixed(MUON, network(), convention="keras").param_groups
    assert (muon["dampen"], adamw["eps"]) == (False, 1e-7)
    chosen = {"*.W": (lrcore.Muon, {"convention": "optax"}), "*": "AdamW"}
    muon, adamw = Mixed(chosen, network()).param_groups
    assert (muon["bias_correction"], adamw["eps"]) == (True, 1e-8)


@pytest.mark.parametrize(
    "spec",
    [
        lrcore.SGD,
        "SGD",
        (lrcore.SGD, {}),
        ("SGD", {"momentum": 0.5}),
        partial(lrcore.SGD, momentum=0.5),
        (partial(lrcore.SGD, momentum=0.25), {"momentum": 0.5}),
    ],
)
def test_what_stands_for_an_optimizer(spec):
    opt = Mixed({"*": spec}, network())
    (group,) = opt.param_groups
    assert group.optimizer is lrcore.SGD
    assert group["momentum"] == (0.0 if "0.5" not in repr(spec) else 0.5)


def test_a_subclass_of_the_users():
    class Faster(lrcore.SGD):
        lr = lrcore.SGD.lr.but(0.5)

    class Mine(Mixed):
        def step(self, grads, loss=None):
            self.seen = loss
            return super().step(grads, loss)

    opt = Mine({"*": Faster}, network())
    assert opt.lr == 0.5
    opt.step(gradients(network(), 0), 3.0)
    assert opt.seen == 3.0
    twin = pickle.loads(pickle.dumps(Mixed({"*": lrcore.SGD}, network())))
    assert type(twin) is Mixed


def test_one_array_at_a_time():
    params, twins = network(), network()
    opt, twin = Mixed(MUON, params), Mixed(MUON, twins)
    grads = gradients(params, 0)
    for name in reversed(NAMES):
        opt.step_one(name, grads[name])
    twin.step(grads)
    assert opt.t == twin.t == 1
    assert same(params, twins)
    finds = Mixed({"embed": lrcore.Prodigy, "*": lrcore.AdamW}, network())
    with pytest.raises(ValueError, match="needs the gradients of all arrays"):
        finds.step_one("head", grads["head"])


def test_gathered_gradients_and_absent_ones():
    params, twins = network(), network()
    opt = Mixed(MUON, params, accumulate=2)
    twin = Mixed(MUON, twins)
    first, second = gradients(params, 0), gradients(params, 1)
    assert opt.step(first) is False
    assert opt.step({**second, "embed": None})
    mean = {k: (first[k] + second[k]) / 2 for k in NAMES}
    mean["embed"] = first["embed"] / 2
    twin.step(mean)
    for p, q in zip(params.values(), twins.values(), strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-10)
    assert opt.step(first) is False
    assert opt.flush()
    assert opt.t == 2


def test_averages():
    """Schedule-Free has one of its own; arrays of others stay as they are under it."""
    params, twins = network(), network()
    chosen = {"hidden.*": lrcore.SGDScheduleFree, "*": lrcore.SGD}
    opt = Mixed(chosen, params, lr=0.5, ema_decay=0.5)
    hidden = {k: p for k, p in twins.items() if k.startswith("hidden")}
    twin = lrcore.SGDScheduleFree(hidden, lr=0.5, ema_decay=0.5)
    run(opt, params)
    for t in range(4):
        grads = gradients(params, t)
        twin.step({k: grads[k] for k in hidden})
    held = {k: p.copy() for k, p in params.items()}
    with opt.averaged("x"):
        assert all_same([params[k] for k in hidden], twin.x.values())
        assert all_same([params["embed"]], [held["embed"]])
        assert not all_same([params["hidden.0.W"]], [held["hidden.0.W"]])
    assert same(params, held)
    assert all_same([opt.ema[k] for k in hidden], twin.ema.values())
    with pytest.raises(ValueError, match=r"^name: expected one of \['ema', 'x'\]"):
        opt.averaged().__enter__()


def test_a_projection():
    """Of all arrays, in their structure; not of what Schedule-Free steps."""

    def clip(p):
        seen.append(p)
        np.maximum(p["head"], 0.25, out=p["head"])

    seen, params = [], network()
    opt = Mixed(MUON, params, lr=5.0, project=clip, ema_decay=0.5)
    run(opt, params, range(2))
    assert seen[1] is params
    assert params["head"].min() == 0.25
    held = opt.ema["head"].copy()
    run(opt, params, range(1))
    assert opt.ema["head"].tolist() == ((held + params["head"]) / 2).tolist()
    said = r"^project: expected None for SGDScheduleFree, "
    chosen = {"head": lrcore.SGDScheduleFree, "*": lrcore.SGD}
    with pytest.raises(ValueError, match=said):
        Mixed(chosen, network(), project=clip)
    with pytest.raises(ValueError, match=said):
        opt.add_group(np.ones(2), lrcore.SGDScheduleFree)
    assert len(opt.param_groups) == 2


def test_groups_that_join():
    params, more = network(), np.ones(3)
    opt = Mixed(MUON, params, lr=0.5)
    run(opt, params, range(1))
    group = opt.add_group(more, (lrcore.SGD, {"momentum": 0.5}), weight_decay=0.0)
    assert (group.optimizer, group["momentum"], group["lr"]) == (lrcore.SGD, 0.5, 0.5)
    zeros = {k: p * 0 for k, p in params.items()}
    assert opt.step([zeros, np.ones(3)])
    assert more.tolist() == [0.5] * 3
    assert [*opt.state[6]] == ["m"]
    (_, other), twin = copy.deepcopy(((params, more), opt))
    assert twin.step([zeros, np.ones(3)])
    assert other.tolist() == [-0.25] * 3
    assert more.tolist() == [0.5] * 3
    with pytest.raises(TypeError, match=r"^optimizer: expected an optimizer, such as"):
        opt.add_group(np.ones(2))
    with pytest.raises(TypeError, match=r"^add_group: unexpected keyword 'betas'"):
        opt.add_group(np.ones(2), lrcore.SGD, betas=0.5)
    assert len(opt.param_groups) == 3


# --- copies and checkpoints -----------------------------------------------------------

SEVERAL = {
    "embed": (lrcore.Prodigy, {"d0": 1e-3}),
    "*.W": (lrcore.Muon, {"lr": Linear(0.02, 0.01, 9)}),
    "*.b": (lrcore.AdamW, {"mechanic": True}),
    "head": lrcore.Adafactor,
}


@pytest.mark.parametrize(
    "way", [copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))]
)
def test_a_copy_goes_on_by_itself(way):
    params = network()
    opt = Mixed(SEVERAL, params, ema_decay=0.5, clip_norm=1.0)
    run(opt, params, range(2))
    twins, twin = way((params, opt))
    assert repr(twin) == repr(opt)
    run(opt, params, range(2, 4))
    run(twin, twins, range(2, 4))
    assert same(params, twins)
    assert same_states(opt.state, twin.state)


@pytest.mark.parametrize("match", ["place", "path"])
def test_one_checkpoint(match):
    params, twins = network(), network()
    opt = Mixed(SEVERAL, params, clip_norm=1.0)
    run(opt, params, range(2))
    saved = pickle.loads(pickle.dumps(opt.state_dict()))
    back = dict(reversed(SEVERAL.items()))
    twin = Mixed(back, twins)
    twin.load_state_dict(saved, match=match)
    for k, p in params.items():
        twins[k][...] = p
    assert (twin.clip_norm, twin.t) == (1.0, 2)
    run(opt, params, range(2, 4))
    run(twin, twins, range(2, 4))
    assert same(params, twins)
    assert same_states(opt.state, twin.state)


def test_checkpoints_of_other_optimizers_are_refused():
    opt = Mixed({"embed": lrcore.Adam, "*": lrcore.AdamW}, network())
    saved, before = opt.state_dict(), opt.state_dict()
    swapped = Mixed({"embed": lrcore.AdamW, "*": lrcore.Adam}, network())
    said = r"^state of params\['embed'\]: expected that of AdamW, found that of Adam$"
    for way in ({}, {"match": "path", "hyper": "mine", "strict": False}):
        with pytest.raises(ValueError, match=said):
            swapped.load_state_dict(saved, **way)
    with pytest.raises(ValueError, match=r"^optimizer: expected the state of AdamW"):
        lrcore.AdamW(network()).load_state_dict(saved)
    with pytest.raises(ValueError, match=r"^optimizers: expected 6 entries, found 1"):
        opt.load_state_dict({**saved, "optimizers": ["AdamW"]})
    assert str(opt.state_dict()) == str(before)


def test_a_network_that_grows():
    params = network()
    small = {k: p.copy() for k, p in params.items() if "1" not in k}
    old = Mixed({"*.W": lrcore.Muon, "*": lrcore.AdamW}, small)
    old.step({k: p * 0.5 for k, p in small.items()})
    opt = Mixed({"*.W": lrcore.Muon, "*": lrcore.AdamW}, params)
    loaded = opt.load_state_dict(old.state_dict(), strict=False, match="path")
    assert loaded == (["['hidden.1.W']", "['hidden.1.b']"], [])
    assert all_same([opt.state[("head",)]["m"]], [old.state[("head",)]["m"]])
    assert not opt.state[("hidden.1.W",)]["m"].any()


# --- beside the rest of lrcore --------------------------------------------------------


def test_a_loss_scaler():
    params, twins = network(), network()
    opt, twin = Mixed(MUON, params), Mixed(MUON, twins)
    scaler = lrcore.LossScaler(init_scale=4.0)
    grads = gradients(params, 0)
    assert scaler.step(opt, {k: 4 * g for k, g in grads.items()})
    twin.step(grads)
    assert same(params, twins)
    grads["head"][...] = np.inf
    assert scaler.step(opt, grads) is False
    assert scaler.scale == 2.0
    assert same(params, twins)


def quadratic(params):
    def loss_and_grad(batch):
        return (
            sum((p * p).sum() for p in params.values()),
            {k: 2 * p for k, p in params.items()},
        )

    return loss_and_grad


def test_a_range_test_and_a_sweep():
    params = network()
    chosen = {"hidden.*": (lrcore.SGD, {"lr": 0.25}), "*": (lrcore.SGD, {"lr": 0.5})}
    opt = Mixed(chosen, params)
    before = {k: p.copy() for k, p in params.items()}
    found = lrcore.lr_find(opt, quadratic(params), range(10**6), trial_steps=0)
    assert same(params, before)
    assert found.suggestion > 0
    found.apply(opt)
    first, second = [group["lr"] for group in opt.param_groups]
    assert second == 2 * first
    with lrcore.LRSweep(opt, trial_steps=0) as sweep:
        for lr in sweep:
            loss, grads = quadratic(params)(None)
            sweep.record(loss)
            opt.step(grads)
            assert opt.last_lr == [lr, lr * 2]
    assert same(params, before)


def test_a_monitor_rolls_all_parts_back():
    params = network()
    chosen = {"embed": (lrcore.SGD, {"lr": 3.0}), "*": (lrcore.SGD, {"lr": 0.75})}
    opt = Mixed(chosen, params)
    monitor = lrcore.Monitor(opt, on_divergence="rollback")
    for _ in range(200):
        loss, grads = quadratic(params)(None)
        opt.step(grads)
        monitor.update(loss)
    assert monitor.history.lr[0] == 3.0
    first, second = opt.last_lr
    assert first < 1.0  # at which the loss no longer grows
    assert second == first / 4
    assert quadratic(params)(None)[0] < quadratic(network())(None)[0]


# --- what is refused ------------------------------------------------------------------


class Stepping(lrcore.SGD):
    def step(self, grads, loss=None):
        return super().step(grads, loss)


class Constructed(lrcore.SGD):
    def __init__(self, params, rate=0.25):
        super().__init__(params, lr=rate)


WANTED = "expected an optimizer, such as lrcore.AdamW or (lrcore.AdamW, dict(lr=1e-3))"
REFUSED = {
    "optimizers: expected a dict from patterns to optimizers, found [": [lrcore.SGD],
    "optimizers: expected patterns for keys, such as '*.bias', found 3 (int)": {
        3: lrcore.SGD
    },
    "optimizers: no pattern matches 'embed', 'hidden.0.W', ": {},
    "optimizers: no pattern matches 'embed', 'head'; end with the pattern '*'": {
        "hidden.*": lrcore.SGD
    },
    "optimizers: the pattern 'haed' matches no array; did you mean 'head'?": {
        "haed": lrcore.SGD, "*": lrcore.SGD
    },
    "optimizers: 'head' matches only arrays that '*' matched before": {
        "*": lrcore.SGD, "head": lrcore.SGD
    },
    f"optimizers['*']: {WANTED}, found 3": {"*": 3},
    f"optimizers['*']: {WANTED}, found <class 'int'>": {"*": int},
    f"optimizers['*']: {WANTED}, found ('SGD',)": {"*": ("SGD",)},
    f"optimizers['*']: {WANTED}, found ('SGD', 3)": {"*": ("SGD", 3)},
    f"optimizers['*']: {WANTED}, found Optimizer": {"*": lrcore.Optimizer},
    f"optimizers['*']: {WANTED}, found Mixed": {"*": lrcore.Mixed},
    f"optimizers['*']: {WANTED}, found <SGD of 1 elements in 1 arrays, t=0: "
    "ParamGroup()>, which has its params already; pass its class": {
        "*": lrcore.SGD(np.ones(1))
    },
    "optimizers['*']: expected one of AdaBelief, ": {"*": "Adm"},
    "optimizers['*']: expected a partial with keywords only, found ": {
        "*": partial(lrcore.SGD, 3)
    },
    "optimizers['*']: expected an optimizer other than SPS, which makes its rate from "
    "the loss and the gradients of all arrays": {"*": lrcore.SPS},
    "optimizers['*']: expected an optimizer without its own step, which would not be "
    "called here, found Stepping; use it by itself": {"*": Stepping},
    "optimizers['*']: expected an optimizer without its own __init__, ": {
        "*": Constructed
    },
    "optimizers['*']: unexpected keyword 'betas'; there are lr, momentum": {
        "*": (lrcore.SGD, {"betas": 0.5})
    },
    "optimizers['*']: unexpected keyword 'wd'; did you mean weight_decay?": {
        "*": (lrcore.SGD, {"wd": 0.5})
    },
    "optimizers['*']: unexpected keyword 'clip_norm', which belongs to the whole ": {
        "*": (lrcore.SGD, {"clip_norm": 0.5})
    },
    "optimizers['*']: lr: expected a finite number >= 0, found -1": {
        "*": (lrcore.SGD, {"lr": -1})
    },
    "optimizers['*']: convention: expected one of ['torch', 'keras', 'optax'] for SGD, "
    "found 'paper'": {"*": (lrcore.SGD, {"convention": "paper"})},
    "optimizers['*']: mechanic: expected False for DoG": {
        "*": (lrcore.DoG, {"mechanic": True})
    },
}  # fmt: skip


@pytest.mark.parametrize("said", REFUSED)
def test_wrong_optimizers_are_refused(said):
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(said)}"):
        Mixed(REFUSED[said], network())


COMMON = {
    "Mixed: unexpected keyword 'betas', which not every optimizer has; give it with "
    "AdamW: (AdamW, dict(betas=...))": {"betas": 0.5},
    "Mixed: unexpected keyword 'momentum', which not every optimizer has; give it with "
    "Muon": {"momentum": 0.5},
    "Mixed: unexpected keyword 'learning_rate'; did you mean lr?  There are lr, "
    "weight_decay, ": {"learning_rate": 0.5},
    "Mixed: unexpected keyword 'foo'; there are lr, weight_decay, ": {"foo": 0.5},
    "groups: expected patterns in one dict, with the optimizers, as in ": {
        "groups": {"*": {}}
    },
    "clip_norm: expected a finite number > 0": {"clip_norm": -1.0},
    "convention: expected one of 'torch', 'keras', 'optax', 'paper', found 'x'": {
        "convention": "x"
    },
    "optimizers['*.W']: convention: expected one of ['torch', 'keras', 'optax'] for "
    "Muon, found 'paper'": {"convention": "paper"},
    "optimizers['*.W']: weight_decay: expected a finite number >= 0, found -1.0": {
        "weight_decay": -1.0
    },
}


@pytest.mark.parametrize("said", COMMON)
def test_wrong_common_keywords_are_refused(said):
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(said)}"):
        Mixed(MUON, network(), **COMMON[said])


def test_params_that_are_groups_already_are_refused():
    with pytest.raises(
        ValueError, match=r"^optimizers: found patterns, and params that"
    ):
        Mixed(MUON, [{"params": network()}])


def test_messages_are_short():
    for value in WRONG.values():
        assert refused(Mixed, value, network())
        assert refused(Mixed, {"*": value}, network())
        assert refused(Mixed, {"*": (value, {})}, network())
        assert refused(Mixed, {"*": (lrcore.SGD, {"lr": value})}, network()) or (
            callable(value)
        )
        assert refused(Mixed, {"W": lrcore.SGD}, value)
        assert refused(Mixed, {"*": lrcore.SGD}, network(), convention=value)
    long = type("n" * 10**6, (lrcore.SGD,), {"step": Stepping.step})
    assert refused(Mixed, {"*": long}, network())
    assert refused(Mixed, {"*": lrcore.SGD}, network(), **{"k" * 10**6: 1})
    lasting = type("n" * 10**6, (lrcore.AdamW,), {})
    assert refused(Mixed, {"*": (lasting, {"lr": -1})}, network())
    assert refused(Mixed, {"*": lasting}, network(), betas=0.5)


# --- the public face ------------------------------------------------------------------


def test_it_is_no_kind_of_its_own():
    assert "Mixed" in lrcore.__all__
    assert "Mixed" not in AVAILABLE
    assert lrcore.optimizers.Mixed is Mixed
    assert isinstance(Mixed({"*": "SGD"}, network()), lrcore.Optimizer)


def test_the_signature_has_all_keywords():
    given = inspect.signature(Mixed).parameters
    assert [*given][:4] == ["optimizers", "params", "lr", "weight_decay"]
    assert "groups" not in given
    assert (given["clip_norm"].default, repr(given["lr"].default)) == (
        None,
        "<that of the class>",
    )
    for name, parameter in list(given.items())[2:]:
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert hasattr(Mixed({"*": "SGD"}, network()), name)
    more = type("Mine", (Mixed,), {"__init__": lambda self, params: None})
    assert [*inspect.signature(more).parameters] == ["params"]
