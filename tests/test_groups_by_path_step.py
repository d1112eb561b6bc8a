"""The step of groups by patterns of names."""

from itertools import pairwise

from helpers import KINDS, all_same, each_kind, same_states
from patterns import ALL, PATHS, leaves, nested, network, run

import lrcore
from lrcore.schedules import Linear

# Of neighbours: a list of groups has the arrays in the same order, and so the sums.
SECTIONS = {
    "layers.1.*": {"weight_decay": 0.0, "lr": 0.2},
    "head.*": {"lr_scale": 0.5},
    "bias": {"clip_value": 0.1, "ema_decay": 0.25},
}
ENDS = [0, 2, 4, 6, 7]
COMMON = {"lr": Linear(0.1, 0.05, 10), "weight_decay": 0.1, "ema_decay": 0.5}
WIDE = {"clip_norm": 0.5, "telemetry": True}


def sections(arrays):
    return [arrays[a:b] for a, b in pairwise(ENDS)]


@each_kind
def test_it_steps_as_a_list_of_groups(name):
    """To the bit, with clipping by the norm of all, averages and a report."""
    params, twins = network(), network()
    opt = KINDS[name](params, groups=SECTIONS, **COMMON, **WIDE)
    assert [group.paths for group in opt.param_groups] == sections(PATHS)
    own = [{}, *SECTIONS.values()]
    twin = KINDS[name](
        [
            {"params": p, **hyper}
            for p, hyper in zip(sections(leaves(twins)), own, strict=True)
        ],
        **COMMON,
        **WIDE,
    )
    run(opt, params)
    run(twin, twins, of=lambda grads: sections(leaves(grads)))
    assert all_same(leaves(params), leaves(twins))
    assert same_states(opt.state, twin.state)
    assert opt.last_lr == twin.last_lr
    assert opt.report == twin.report
    assert opt.reports("group") == twin.reports("group")
    assert [*opt.reports("tensor")] == PATHS
    assert all_same(leaves(opt.ema), [a for part in twin.ema for a in part])


def test_one_array_at_a_time():
    params, twins = network(), network()
    opt = lrcore.Adam(params, lr=0.1, groups=ALL)
    twin = lrcore.Adam(twins, lr=0.1, groups=ALL)
    keys = [("head", 1), ("bias",), ("layers", 1, "bias"), ("layers", 0, "weight")]
    keys += [("layers", 0, "bias"), ("head", 0), ("layers", 1, "weight")]
    for key in keys:
        p = params
        for k in key:
            p = p[k]
        opt.step_one(key, p * 0.5)
    twin.step(nested([p * 0.5 for p in leaves(twins)]))
    assert all_same(leaves(params), leaves(twins))
    assert (opt.t, opt.state["head", 0].keys()) == (1, {"m", "v", "ema"})


def test_muon_steps_matrices_and_others_in_each_group():
    params, twins = network(), network()
    groups = {"head.*": {"lr": 0.0}, "layers.1.*": {"lr_scale": 0.25}}
    run(lrcore.Muon(params, lr=0.1, groups=groups), params)
    before = network()
    assert all_same(params["head"], before["head"])
    run(lrcore.Muon(twins, lr=0.025), twins)
    assert all_same(params["layers"][1].values(), twins["layers"][1].values())


def test_a_projection_gets_the_params_as_they_were_passed():
    def project(p):
        seen.append(p)
        p["bias"][...] = 0

    seen, params = [], network()
    opt = lrcore.SGD(params, groups=ALL, project=project)
    run(opt, params, range(1))
    assert len(seen) == 1
    assert seen[0] is params
    assert params["bias"].tolist() == [0.0]
