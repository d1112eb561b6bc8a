"""Groups by patterns of names (`groups`), and factors of their rates (`lr_scale`)."""

import copy
import inspect
import pickle
import re
from collections import OrderedDict, namedtuple
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from helpers import KINDS, all_same, each_kind, same_states
from hypothesis import given, settings
from hypothesis import strategies as st
from wrong import WRONG, message, refused

import lrcore
from lrcore.schedules import Cosine, Linear

Layer = namedtuple("Layer", "weight bias")


def network(seed=0, dtype="float64"):
    """Params: two layers, a head that is a named tuple, a bias at the top."""
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.uniform(0.5, 1.5, shape).astype(dtype)

    return {
        "layers": [{"weight": draw(3, 2), "bias": draw(3)} for _ in range(2)],
        "head": Layer(draw(2, 2), draw(2)),
        "bias": draw(1),
    }


NAMES = [
    *("layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"),
    *("head.weight", "head.bias", "bias"),
]
PATHS = [
    *("['layers'][0]['weight']", "['layers'][0]['bias']"),
    *("['layers'][1]['weight']", "['layers'][1]['bias']"),
    *("['head'][0]", "['head'][1]", "['bias']"),
]
NO_DECAY = {"*.bias": {"weight_decay": 0.0}}


def leaves(params):
    layers = [a for layer in params["layers"] for a in layer.values()]
    return [*layers, *params["head"], params["bias"]]


def nested(arrays):
    """The arrays in the structure of network()."""
    w0, b0, w1, b1, w, b, last = arrays
    layers = [{"weight": w0, "bias": b0}, {"weight": w1, "bias": b1}]
    return {"layers": layers, "head": Layer(w, b), "bias": last}


def where(params, groups):
    """The pattern of each array, in order, by its path."""
    opt = lrcore.SGD(params, groups=groups)
    of = {path: group.pattern for group in opt.param_groups for path in group.paths}
    return [of[path] for path in opt.state_dict()["names"]]


# --- which array belongs where --------------------------------------------------------

# A pattern, and the names that it matches.
MATCHES = {
    "*": NAMES,
    "*.bias": [name for name in NAMES if name.endswith("bias")],
    "*bias": [name for name in NAMES if name.endswith("bias")],
    "bias": ["bias"],
    "layers.*": NAMES[:4],
    "layers.0.*": NAMES[:2],
    "layers.[01].bias": ["layers.0.bias", "layers.1.bias"],
    "layers.[!0].*": NAMES[2:4],
    "layers.?.weight": ["layers.0.weight", "layers.1.weight"],
    "head.weight": ["head.weight"],
    "*.weight": [name for name in NAMES if name.endswith("weight")],
    **{path: [name] for path, name in zip(PATHS, NAMES, strict=True)},
}


@pytest.mark.parametrize("pattern", MATCHES)
def test_what_a_pattern_matches(pattern):
    found = where(network(), {pattern: {}})
    wanted = [pattern if name in MATCHES[pattern] else None for name in NAMES]
    assert found == wanted


@pytest.mark.parametrize(
    ("params", "names"),
    [
        (np.ones(2), [""]),
        ([np.ones(2), np.ones(1)], ["0", "1"]),
        ({"a.b": np.ones(1), "c": {1: np.ones(1)}}, ["a.b", "c.1"]),
        ({("x", 0): np.ones(1)}, ["('x', 0)"]),
        (OrderedDict(W=np.ones(1), none=None, b=np.ones(2)), ["W", "b"]),
        ((Layer({"q": np.ones(1)}, None),), ["0.weight.q"]),
    ],
)
def test_names_are_paths_with_dots(params, names):
    for k, name in enumerate(names):
        found = where(params, {re.sub(r"([*?[])", r"[\1]", name): {}})
        assert found == [*[None] * k, *found[k : k + 1], *[None] * (len(names) - k - 1)]
        assert found[k] is not None


def test_upper_and_lower_case_differ():
    params = {"W": np.ones(1), "w": np.ones(1)}
    assert where(params, {"W": {}}) == ["W", None]


def test_a_path_is_not_taken_for_a_class_of_characters():
    params = {"b": np.ones(1), "bc": np.ones(1), "c": np.ones(1)}
    assert where(params, {"['bc']": {}}) == [None, "['bc']", None]
    assert where(params, {"[bc]": {}}) == ["[bc]", None, "[bc]"]


def test_the_first_pattern_counts():
    groups = {"layers.0.bias": {"lr": 0.1}, "*.bias": {"lr": 0.2}, "*": {"lr": 0.3}}
    params = network()
    opt = lrcore.SGD(params, lr=1.0, groups=groups)
    assert [group.pattern for group in opt.param_groups] == [*groups]
    assert [group["lr"] for group in opt.param_groups] == [0.1, 0.2, 0.3]
    assert opt.param_groups[0].paths == ["['layers'][0]['bias']"]
    assert [len(group.paths) for group in opt.param_groups] == [1, 3, 3]


def test_the_rest_is_the_first_group_with_the_optimizers_own_numbers():
    opt = lrcore.AdamW(network(), lr=0.5, weight_decay=0.1, groups=NO_DECAY)
    rest, biases = opt.param_groups
    assert (rest.pattern, biases.pattern) == (None, "*.bias")
    assert [len(rest.paths), len(biases.paths)] == [3, 4]
    assert (opt.lr, rest["weight_decay"], biases["weight_decay"]) == (0.5, 0.1, 0.0)
    assert biases["lr"] == 0.5


def test_a_pattern_without_numbers_keeps_arrays_from_later_ones():
    groups = {"head.*": {}, "*": {"lr_scale": 0.1}}
    opt = lrcore.SGD(network(), lr=1.0, groups=groups)
    assert [group["lr_scale"] for group in opt.param_groups] == [1.0, 0.1]
    assert opt.param_groups[0].paths == PATHS[4:6]


def test_groups_show_what_went_where():
    params = {"W": np.ones(2), "b": np.ones(1)}
    opt = lrcore.SGD(params, lr=0.5, groups={"b": {"lr_scale": 2.0}})
    assert repr(opt.param_groups) == (
        """(ParamGroup(SGD, pattern=None, paths=["['W']"], lr=0.5), """
        """ParamGroup(SGD, pattern='b', paths=["['b']"], lr=0.5, lr_scale=2.0))"""
    )
    assert "groups=" not in repr(opt)
    assert opt.param_groups[1]["params"] == {"['b']": params["b"]}
    assert opt.groups == {"b": {"lr_scale": 2.0}}
    plain = lrcore.SGD([{"params": params}, {"params": np.ones(1)}])
    assert [group.paths for group in plain.param_groups] == [
        ["[0]['W']", "[0]['b']"],
        ["[1]"],
    ]
    assert all(group.optimizer is lrcore.SGD for group in opt.param_groups)


@pytest.mark.parametrize("groups", [None, {}])
def test_no_pattern_is_no_group(groups):
    opt = lrcore.SGD(network(), groups=groups)
    assert len(opt.param_groups) == 1
    assert opt.param_groups[0].paths == PATHS
    assert "pattern" not in repr(opt)


def test_what_was_given_is_not_kept():
    own = {"lr": 0.5}
    groups = {"*": own}
    opt = lrcore.SGD(network(), groups=groups)
    own["lr"] = groups["x"] = 0.25
    assert opt.groups == {"*": {"lr": 0.5}}
    with pytest.raises(ValueError, match=r"^groups: used at construction only"):
        opt.groups = {}


def test_the_signature_and_the_docs_have_both():
    for name in ("groups", "lr_scale"):
        assert name in inspect.signature(lrcore.Adam).parameters
        assert f"\n{name} : " in inspect.getdoc(lrcore.Adam)


# --- the step -------------------------------------------------------------------------


def run(opt, params, steps=range(4), of=lambda grads: grads):
    for t in steps:
        grads = [p * 0.3 + 0.1 * (t + 1) for p in leaves(params)]
        assert opt.step(of(nested(grads)))


ALL = {
    "*.bias": {"weight_decay": 0.0, "lr": 0.2},
    "layers.0.*": {"lr_scale": 0.5},
    "head.*": {"clip_value": 0.1, "ema_decay": 0.25},
}
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


# --- the factor of the rate -----------------------------------------------------------


@each_kind
@pytest.mark.parametrize("lr", [0.03, Linear(0.06, 0.01, 5), lambda t: 0.03 / (t + 1)])
def test_lr_scale_is_a_factor_of_lr(name, lr):
    """To the bit: a scale of a power of 2 and a rate times it."""
    scaled = (lambda t: lr(t) / 4) if callable(lr) else lr / 4
    params, twins = network(), network()
    own = {"weight_decay": 0.1, "decoupled_weight_decay": name != "DAdaptSGD"}
    opt = KINDS[name](params, lr=lr, lr_scale=0.25, **own)
    twin = KINDS[name](twins, lr=scaled, **own)
    run(opt, params)
    run(twin, twins)
    assert all_same(leaves(params), leaves(twins))
    assert same_states(opt.state, twin.state)
    assert opt.last_lr == twin.last_lr


SCALES = {"layers.0.*": {"lr_scale": 0.25}, "layers.1.*": {"lr_scale": 0.5}}


def test_the_ratio_survives_whatever_sets_the_rate():
    opt = lrcore.SGD(network(), lr=1.0, groups=SCALES)

    def ratios():
        assert opt.step(nested([p * 0 for p in leaves(network())]))
        first, *others = opt.last_lr
        return first, [rate / first for rate in others]

    assert ratios() == (1.0, [0.25, 0.5])
    opt.lr = 0.5
    assert ratios() == (0.5, [0.25, 0.5])
    opt.multiply_lr(0.5)
    assert ratios() == (0.25, [0.25, 0.5])
    opt.lr = Linear(1.0, 0.0, total=8)
    assert ratios() == (1 - 3 / 8, [0.25, 0.5])
    opt.multiply_lr(0.5)
    assert ratios() == ((1 - 4 / 8) / 2, [0.25, 0.5])
    opt.lr = lrcore.ReduceOnPlateau(1.0, factor=0.5, patience=0)
    opt.param_groups[0]["lr"].update(1.0)
    opt.param_groups[0]["lr"].update(2.0)
    assert ratios() == (0.5, [0.25, 0.5])
    twin = lrcore.SGD(network(), groups=SCALES)
    twin.load_state_dict(opt.state_dict())
    assert [group["lr_scale"] for group in twin.param_groups] == [1.0, 0.25, 0.5]
    opt.param_groups[1]["lr_scale"] = 0.125
    assert ratios() == (0.5, [0.125, 0.5])
    opt.lr_scale = 1.0
    assert ratios() == (0.5, [1.0, 1.0])


def test_a_range_test_keeps_the_ratio():
    params = network()
    groups = {**SCALES, "head.*": {"lr": 0.5}}
    opt = lrcore.SGD(params, lr=1.0, groups=groups)

    def loss_and_grad(batch):
        arrays = leaves(params)
        return sum((p * p).sum() for p in arrays), nested([2 * p for p in arrays])

    before = [p.copy() for p in leaves(params)]
    found = lrcore.lr_find(opt, loss_and_grad, range(10**6), trial_steps=0)
    assert all_same(leaves(params), before)
    found.apply(opt)
    rates = [group.rate(0) for group in opt.param_groups]
    assert rates == [found.suggestion * k for k in (1, 0.25, 0.5, 0.5)]


def test_a_scheduled_scale():
    """As for unfreezing a layer little by little."""
    params, twins = network(), network()
    grow, lr = Linear(0.0, 1.0, total=4), Cosine(0.5, total=20)
    for own, other in (
        ({"lr": lr}, lambda t: lr(t) * grow(t)),
        ({"lr": 0.5, "momentum": lambda t: 0.5}, lambda t: 0.5 * grow(t)),
    ):
        groups = {"head.*": {"lr_scale": grow}}
        opt = lrcore.SGD(params, groups=groups, **own)
        twin = lrcore.SGD(twins, groups={"head.*": {"lr": other}}, **own)
        run(opt, params)
        run(twin, twins)
        assert all_same(leaves(params), leaves(twins))
        assert opt.last_lr == twin.last_lr
        assert opt.lr_scale == 1.0


@each_kind
def test_a_scale_of_0_freezes(name):
    params = network()
    opt = KINDS[name](params, groups={"layers.0.*": {"lr_scale": 0.0}})
    run(opt, params)
    before = network()
    assert all_same(params["layers"][0].values(), before["layers"][0].values())
    assert not all_same(params["layers"][1].values(), before["layers"][1].values())


def test_the_rate_that_is_reported_is_the_one_used():
    p = np.ones(2)
    opt = lrcore.SGD(p, lr=0.5, lr_scale=0.5, telemetry=True)
    monitor = lrcore.Monitor(opt)
    opt.step(p * 0.1)
    monitor.update(1.0)
    assert (opt.last_lr, opt.report.lr, opt.lr) == ([0.25], 0.25, 0.5)
    quiet = lrcore.SGD(p, lr=0.5, lr_scale=0.5)
    other = lrcore.Monitor(quiet)
    quiet.step(p * 0.1)
    other.update(1.0)
    assert monitor.history.lr.tolist() == other.history.lr.tolist() == [0.25]


def test_a_product_out_of_range_is_refused():
    p = np.ones(2)
    opt = lrcore.SGD(p, lr=1e300)
    said = "^lr_scale: found 1e[+]10, times which lr = 1e[+]300 is out of range$"
    with pytest.raises(ValueError, match=said):
        opt.lr_scale = 1e10
    assert opt.lr_scale == 1.0
    for lr, lr_scale in ((lambda t: 1e300, 1e10), (1e300, lambda t: 1e10)):
        scheduled = lrcore.SGD(p, lr=lr, lr_scale=lr_scale)
        with pytest.raises(ValueError, match=said):
            scheduled.step(p.copy())
        assert (p.tolist(), scheduled.t) == ([1.0, 1.0], 0)


# --- copies, checkpoints, growth ------------------------------------------------------


@each_kind
@pytest.mark.parametrize(
    "way", [copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))]
)
def test_a_copy_goes_on_by_itself(name, way):
    params = network()
    opt = KINDS[name](params, groups=ALL, lr=0.1)
    run(opt, params, range(2))
    twins, twin = way((params, opt))
    assert repr(twin.param_groups) == repr(opt.param_groups)
    shared = twin.param_groups[1].params["['bias']"]
    assert shared is twins["bias"]
    run(opt, params, range(2, 4))
    run(twin, twins, range(2, 4))
    assert all_same(leaves(params), leaves(twins))
    assert same_states(opt.state, twin.state)


def test_groups_that_cannot_join_leave_the_others_as_they_are():
    opt = lrcore.SGD(network(), groups=NO_DECAY)
    before = repr(opt)
    with pytest.raises(ValueError, match=r"^agc_axis: .*"):
        opt.add_group(np.ones((2, 2, 2)), agc=0.1, agc_axis=(0, 2))
    assert repr(opt) == before


def test_groups_that_join_come_last():
    params, more = network(), np.ones(3)
    opt = lrcore.SGD(params, lr=1.0, groups=NO_DECAY)
    run(opt, params, range(1))
    opt.add_group(more, lr=0.5)
    assert opt.step([nested([p * 0 for p in leaves(params)]), np.ones(3)])
    assert more.tolist() == [0.5] * 3
    assert opt.param_groups[1].paths == [f"[0]{PATHS[k]}" for k in (1, 3, 5, 6)]
    assert [group.pattern for group in opt.param_groups] == [None, "*.bias", None]
    last = [np.ones(1)]
    opt.add_group(last, lr=2.0)
    assert opt.param_groups[3].paths == ["[2][0]"]
    twins, twin = copy.deepcopy(((params, more, last), opt))
    assert twin.step([nested([p * 0 for p in leaves(params)]), more * 0, [np.ones(1)]])
    assert twins[2][0].tolist() == [-1.0]
    again = lrcore.SGD(network(), groups=NO_DECAY)
    again.add_group(np.ones(3))
    again.add_group([np.ones(1)])
    again.load_state_dict(opt.state_dict())
    assert [group["lr"] for group in again.param_groups] == [1.0, 1.0, 0.5, 2.0]


@each_kind
def test_a_checkpoint_goes_on_to_the_bit(name):
    params, twins = network(), network()
    opt = KINDS[name](params, groups=ALL, lr=Linear(0.1, 0.01, 9))
    run(opt, params, range(2))
    twin = KINDS[name](twins, groups=ALL)
    twin.load_state_dict(pickle.loads(pickle.dumps(opt.state_dict())))
    for to, p in zip(leaves(twins), leaves(params), strict=True):
        to[...] = p
    run(opt, params, range(2, 4))
    run(twin, twins, range(2, 4))
    assert all_same(leaves(params), leaves(twins))
    assert same_states(opt.state, twin.state)


def test_states_are_loaded_by_path_whatever_the_groups():
    opt = lrcore.Adam(network(), lr=0.5)
    run(opt, network(), range(2))
    twin = lrcore.Adam(network(), lr=0.5, groups=NO_DECAY)
    with pytest.raises(ValueError, match=r"^param_groups: expected 2, found 1"):
        twin.load_state_dict(opt.state_dict())
    loaded = twin.load_state_dict(opt.state_dict(), match="path", hyper="mine")
    assert loaded == ([], [])
    assert same_states(opt.state, twin.state)
    assert twin.t == 2


def test_hyper_parameters_are_loaded_by_pattern():
    """Another order, and a network that has grown."""
    groups = {"head.*": {"lr": 0.5}, "layers.0.*": {"lr": 0.25}}
    opt = lrcore.SGD(network(), lr=1.0, groups=groups)
    back = dict(reversed(groups.items()))
    twin = lrcore.SGD(network(), groups={k: {} for k in back})
    twin.load_state_dict(opt.state_dict())
    assert [group["lr"] for group in twin.param_groups] == [1.0, 0.25, 0.5]
    grown = lrcore.SGD(network(), lr=7.0, groups={"layers.1.*": {}, **groups})
    said = r"^param_groups: expected 4, found 3"
    with pytest.raises(ValueError, match=said):
        grown.load_state_dict(opt.state_dict())
    grown.load_state_dict(opt.state_dict(), strict=False, match="path")
    assert [group["lr"] for group in grown.param_groups] == [1.0, 7.0, 0.5, 0.25]
    other = lrcore.SGD(network(), groups={"head.*": {}, "layers.1.*": {}})
    said = (
        r"^patterns: expected \[None, 'head.\*', 'layers.1.\*'\], in any order, found "
        r"\[None, 'head.\*', 'layers.0.\*'\]; strict=False loads"
    )
    with pytest.raises(ValueError, match=said):
        other.load_state_dict(opt.state_dict())
    before = opt.state_dict()
    for wrong in (None, [], "ab", [None, None]):
        with pytest.raises(ValueError, match=r"^patterns: expected 3 patterns, found"):
            opt.load_state_dict({**before, "patterns": wrong})
    without = {k: v for k, v in before.items() if k != "patterns"}
    with pytest.raises(ValueError, match=r"^patterns: expected"):
        opt.load_state_dict(without)


def test_a_dict_from_before_is_loaded():
    opt = lrcore.Adam(network(), lr=0.5)
    run(opt, network(), range(2))
    saved = opt.state_dict()
    del saved["patterns"], saved["optimizers"], saved["param_groups"][0]["lr_scale"]
    twin = lrcore.Adam(network(), lr=0.1, lr_scale=0.25)
    twin.load_state_dict(saved)
    assert (twin.lr, twin.lr_scale) == (0.5, 1.0)
    assert same_states(opt.state, twin.state)


# --- what is refused ------------------------------------------------------------------

REFUSED = {
    "groups: the pattern '*.bais' matches no array; did you mean '*.bias', "
    "'*.1.bias', '*.0.bias'?  There are 'layers.0.weight', ": {"*.bais": {}},
    "groups: the pattern 'layer.0.*' matches no array; did you mean 'layers.0.*', "
    "'layers.1.*', 'layers.*'?": {"layer.0.*": {}},
    "groups: the pattern 'zzz' matches no array; there are 'layers.0.weight'": {
        "zzz": {}
    },
    "groups: the pattern 'LAYERS.*' matches no array; there are": {"LAYERS.*": {}},
    "groups: 'head.bias' matches only arrays that '*.bias' matched before, and the "
    "first match counts; put it first, or leave it out": {
        "*.bias": {},
        "head.bias": {},
    },
    "groups: expected a dict from patterns to dicts of hyper-parameters or None, found "
    "[('*', {})]": [("*", {})],
    "groups: expected patterns for keys, such as '*.bias', found 0 (int)": {0: {}},
    "groups['*']: expected a dict of hyper-parameters, found 0.0": {"*": 0.0},
    "groups['*']: unexpected keyword 'wd'; did you mean weight_decay?": {
        "*": {"wd": 0.0}
    },
    "groups['*']: unexpected keyword 'lrscale'; did you mean lr_scale?": {
        "*": {"lrscale": 0.1}
    },
    "groups['*']: unexpected keyword 'clip_norm', which belongs to the whole optimizer:"
    " give it beside the params, or set opt.clip_norm = ....": {
        "*": {"clip_norm": 1.0}
    },
    "groups['*']: unexpected keyword 'params'": {"*": {"params": []}},
    "groups['*.bias']: lr: expected a finite number >= 0, found -1": {
        "*.bias": {"lr": -1}
    },
    "groups['*']: lr_scale: expected a finite number >= 0, or a schedule, found 'x'": {
        "*": {"lr_scale": "x"}
    },
}


@pytest.mark.parametrize("said", REFUSED)
def test_wrong_groups_are_refused(said):
    params = network()
    error = f"^{re.escape(said)}"
    with pytest.raises((TypeError, ValueError), match=error):
        lrcore.SGD(params, groups=REFUSED[said])


def test_there_is_one_way_at_a_time_to_give_groups():
    said = r"^groups: found patterns, and params that are a list of groups; pass the "
    with pytest.raises(ValueError, match=said):
        lrcore.SGD([{"params": network(), "lr": 0.1}], groups={"*": {}})


def test_wrong_params_are_told_before_wrong_patterns():
    with pytest.raises(ValueError, match=r"^params: found no array in it"):
        lrcore.SGD({}, groups={"*": {}})
    with pytest.raises(TypeError, match=r"^params\['W'\]\[0\]: expected"):
        lrcore.SGD({"W": [1.0, 2.0]}, groups={"b": {}})


def test_messages_are_short():
    params = {"W" * 1000 + str(k): np.ones(1) for k in range(100)}
    make = partial(lrcore.SGD, params)
    for value in WRONG.values():
        assert refused(make, groups=value)
        assert refused(make, groups={"*": value})
        assert refused(make, groups={"*": {"lr": value}}) or callable(value)
        if getattr(type(value), "__hash__", None) is not None:
            assert refused(make, groups={value: {}})
    names = {f"{'W' * 1000}{k}": {} for k in range(100)}
    assert "matched before" in message(partial(make, groups={**names, "*": {}}))


# --- any params and patterns ----------------------------------------------------------

words = st.sampled_from(["a", "b", "bias", "W"])
trees = st.recursive(
    st.builds(np.ones, st.integers(1, 3)),
    lambda inner: st.one_of(
        st.dictionaries(words, inner, min_size=1, max_size=3),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)
pieces = st.lists(
    st.one_of(words, st.sampled_from(["*", "0", "?", "[01]"])), max_size=3
)


def flat(tree, name=""):
    """The arrays by name."""
    if isinstance(tree, np.ndarray):
        return [(name, tree)]
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    dot = "." if name else ""
    return [each for key, value in pairs for each in flat(value, f"{name}{dot}{key}")]


def as_regex(pattern):
    """An independent reading of a pattern."""
    regex = ""
    for piece in re.findall(r"\[01\]|.", pattern):
        regex += {"*": ".*", "?": ".", "[01]": "[01]"}.get(piece, re.escape(piece))
    return f"(.*[.])?{regex[4:]}" if pattern.startswith("*.") else regex


@given(tree=trees, patterns=st.lists(pieces.map(".".join), unique=True, max_size=3))
@settings(max_examples=200, deadline=None)
def test_each_array_is_in_the_group_of_the_first_pattern_that_matches(tree, patterns):
    names = flat(tree)
    wanted = [
        next((p for p in patterns if re.fullmatch(as_regex(p), name)), None)
        for name, _ in names
    ]
    used = [pattern for pattern in patterns if pattern in wanted]
    groups = {pattern: {"lr": 1.0 + k} for k, pattern in enumerate(patterns)}
    if used != patterns:
        with pytest.raises(ValueError, match=r"matches (no array|only arrays)"):
            lrcore.SGD(tree, groups=groups)
        return
    opt = lrcore.SGD(tree, lr=0.5, groups=groups)
    of = {id(leaf.array): g for g in opt.param_groups for leaf in g.leaves}
    assert [of[id(a)].pattern for _, a in names] == wanted
    assert [of[id(a)]["lr"] for _, a in names] == [
        groups.get(pattern, {"lr": 0.5})["lr"] for pattern in wanted
    ]
