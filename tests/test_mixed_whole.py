"""What is one for all optimizers of a Mixed: skips, rates, averages, groups."""

import copy
import inspect
import pickle
from functools import partial

import numpy as np
import pytest
from helpers import AVAILABLE, all_same
from mixtures import MUON, NAMES, gradients, network, run, same

import lrcore
from lrcore import Mixed
from lrcore.schedules import Linear


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
