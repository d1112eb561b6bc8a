"""Gradient options of every optimizer: each of them, all of them, and bad values.

test_accumulate.py and test_skip_zero.py have what some options leave alone,
test_gradients_bits.py the same bits on all threads; clipping by itself is in
test_clip.py, the report in test_report.py.
"""

from math import inf, nan

import numpy as np
import pytest
from cases import cases
from composed import (
    ALL,
    FEATURES,
    SHAPES,
    Feature,
    composed,
    drawn,
    each_feature,
    gathered,
    gradients,
    optimizer,
    own_of,
    setting,
    split,
    states_of,
    weights,
)
from helpers import (
    all_same,
    bits_of,
    close,
    each_kind,
    same_bits,
    same_states,
    snapshot,
)

import lrcore

pytestmark = pytest.mark.isa


# --- the composition ------------------------------------------------------------------


@each_kind
@each_feature
def test_a_step_is_that_of_the_composition(name, feature):
    """In float64, to 1e-12: params and states, of two groups.

    A step is off by some 10 roundings, of 1e-16 each; a difference of gradients, or
    Newton's and Schulz' iterations, magnify them up to 100 times.
    """
    feature = setting(feature)
    params, twins = weights(), weights()
    common = {"lr": 0.05, "weight_decay": 0.1}
    opt = optimizer(name, params, feature, **common)
    twin = optimizer(name, twins, **common)
    for t in range(6):
        calls = drawn(feature, params, t)
        _, after = composed(twins, calls, own_of(feature, len(twins)), **feature.wide)
        assert gathered(opt, calls) is True
        assert twin.step(split(after))
        assert opt.t == t + 1
        close(params, twins)
        for ours, theirs in zip(states_of(opt), twin.state, strict=True):
            assert ours.keys() == theirs.keys()
            names = ours.keys() - {"u"}
            close([ours[k] for k in names], [theirs[k] for k in names])


# Gradients of one size an array, so that norms and factors are powers of 2, or the norm
# of all is 10: nothing is rounded, whatever the order of operations.
EXACT_SHAPES = [(4, 4), (4,), (4, 4, 4), ()]
EXACT = {
    "grad_scale": Feature({"grad_scale": 0.5}),
    "accumulate": Feature({"accumulate": 2}),
    "clip_value": Feature({}, {"clip_value": 2.0}, {"clip_value": 4.0}),
    # Sizes 2: norms 8, 4 -> 2, 2 and 16, 2 -> 8, 2.
    "clip_tensor_norm": Feature(
        {}, {"clip_tensor_norm": 2.0}, {"clip_tensor_norm": 8.0}
    ),
    # Sizes 2: norms of units 4, 4 -> 1, 1 and 8, 2 -> 2, 2.
    "agc": Feature(
        {},
        {"agc": 0.125, "agc_axis": 1, "agc_eps": 8.0},
        {"agc": 0.25, "agc_axis": (1, 2), "agc_eps": 8.0},
    ),
    # Sizes 1, 1, 1, 4: 10 -> 2.5.
    "clip_norm": Feature({"clip_norm": 4.0, "clip_eps": 6.0}),
    # 0.5 x sizes of at least 8 and 32, to 4 and 16 by value.  Norms 16, 8 -> 8, 8 and
    # 128, 16 -> 64, 16; of units 4, 8 -> 2, 2 and 32, 16 -> 4, 4; of all 10 -> 2.5.
    "all": Feature(
        {name: value for f in FEATURES.values() for name, value in f.wide.items()}
        | {"grad_scale": 0.5, "accumulate": 2, "clip_norm": 4.0, "clip_eps": 6.0},
        {"clip_value": 4.0, "clip_tensor_norm": 8.0}
        | {"agc": 0.125, "agc_axis": 1, "agc_eps": 16.0},
        {"clip_value": 16.0, "clip_tensor_norm": 64.0}
        | {"agc": 0.25, "agc_axis": (1, 2), "agc_eps": 16.0},
    ),
}
SIZES = {"clip_norm": (1, 1, 1, 4), "all": (8, 8, 32, 32)}
OF_SEVERAL_SIZES = {"grad_scale", "accumulate", "clip_value", "all"}


def exact_gradients(feature, t):
    """Of each call of a step: of small whole numbers, as their mean is."""
    rng = np.random.default_rng(t)
    sizes = SIZES.get(feature, (2, 2, 2, 2))
    most = 3 if feature in OF_SEVERAL_SIZES else 1
    mean, apart = [], []
    for shape, size in zip(EXACT_SHAPES, sizes, strict=True):
        mean.append(
            size * rng.choice([-1, 1], shape) * rng.integers(1, most + 1, shape)
        )
        apart.append(rng.integers(-8, 9, shape))
    signs = (1, -1) if "accumulate" in EXACT[feature].wide else (0,)
    return [
        [np.asarray(m + sign * d, np.float32) for m, d in zip(mean, apart, strict=True)]
        for sign in signs
    ]


@each_kind
@cases("feature", EXACT)
def test_in_float32_where_nothing_is_rounded_it_is_so_to_the_bit(name, feature):
    options = EXACT[feature]
    params, twins = (weights("float32", EXACT_SHAPES) for _ in range(2))
    for p in (*params, *twins):
        p[...] /= 8  # so that agc_eps is what counts
    common = {"lr": 0.05, "weight_decay": 0.1}
    opt = optimizer(name, params, options, **common)
    twin = optimizer(name, twins, **common)
    for t in range(4):
        calls = exact_gradients(feature, t)
        _, after = composed(twins, calls, own_of(options, len(twins)), **options.wide)
        exact = [np.asarray(g, np.float32) for g in after]
        assert all((a == b).all() for a, b in zip(after, exact, strict=True))
        assert gathered(opt, calls) is True
        twin.step(split(exact))
        assert all_same(params, twins)
        assert same_states(states_of(opt), twin.state)


# Roundings that an option adds in float32, each of 2^-24 at most: of its number or
# factor, and of the product; the sums of 3 calls and their mean.
ROUNDINGS = {"grad_scale": 2, "accumulate": 4, "clip_value": 1}
ROUNDINGS |= {"clip_tensor_norm": 2, "agc": 2, "clip_norm": 2}


@each_feature
def test_in_float32_each_option_rounds_once_or_twice(feature):
    """p is minus what the rule is given, at lr 1 and from 0."""
    options = setting(feature)
    allowed = sum(ROUNDINGS.values()) if feature == "all" else ROUNDINGS.get(feature, 0)
    for t in range(20):
        params = [np.zeros(shape, np.float32) for shape in SHAPES]
        calls = drawn(options, params, t)
        for grads in calls:
            grads[:] = [np.asarray(abs(g)) for g in grads]  # sums without cancellation
        _, after = composed(params, calls, own_of(options, len(params)), **options.wide)
        opt = optimizer("SGD", params, options, lr=1.0)
        assert gathered(opt, calls)
        for p, wanted in zip(params, after, strict=True):
            assert (abs(-p - wanted) <= allowed * 2.0**-24 * abs(wanted)).all()


# --- errors ---------------------------------------------------------------------------

BAD = {
    "grad_scale": [nan, inf, 0.0, -1.0, "1", None, [1.0]],
    "clip_norm": [nan, inf, 0.0, -1.0, "1", [1.0]],
    "clip_eps": [nan, inf, -1e-9, "1", None],
    "clip_value": [nan, inf, 0.0, -1.0, "1", [1.0]],
    "clip_tensor_norm": [nan, inf, 0.0, -1.0, "1", [1.0]],
    "agc": [nan, inf, 0.0, -1.0, "1", [1.0]],
    "agc_eps": [nan, inf, 0.0, -1e-9, "1", None],
    "accumulate": [0, -1, 1.5, "2", None, True],
    "num_threads": [0, -1, 1.5, "2", True],
    "denormals": ["zero", None, True],
    "skip_nonfinite": ["yes", 2, None, nan],
    "zero_grads": ["yes", 2, None, nan],
    "convert_grads": ["yes", 2, None, nan],
    "telemetry": ["yes", 2, None, nan],
    "project": ["yes", 2, True, nan, np.ones(2), int],
}


def also(option):
    """What an option cannot be without."""
    return {"agc_axis": 0} if option in ("agc", "agc_eps") else {}


@pytest.mark.parametrize("option", BAD)
def test_a_bad_value_is_refused_by_name(option):
    for value in BAD[option]:
        with pytest.raises((TypeError, ValueError), match=rf"^{option}: expected"):
            lrcore.Adam(np.ones((2, 2)), **also(option), **{option: value})


OPTIONS = {
    "grad_scale": 0.5,
    "accumulate": 3,
    "clip_norm": 0.5,
    "clip_eps": 0.5,
    "skip_nonfinite": True,
    "zero_grads": True,
    "convert_grads": True,
    "telemetry": True,
    "project": repr,
    "num_threads": 2,
    "denormals": "keep",
}


def test_every_option_is_in_the_table():
    fields = lrcore.SGD._fields.values()
    settable = [f.name for f in fields if f.of_all and not f.initial]
    assert sorted(OPTIONS) == sorted(settable)


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_of_all_can_be_set_and_a_bad_value_cannot(option):
    opt = lrcore.Adam(np.ones((2, 2)), accumulate=2)
    default = getattr(opt, option)
    assert default != OPTIONS[option]
    setattr(opt, option, OPTIONS[option])
    for value in BAD[option]:
        with pytest.raises((TypeError, ValueError), match=rf"^{option}: expected"):
            setattr(opt, option, value)
        assert getattr(opt, option) == OPTIONS[option]
    setattr(opt, option, default)
    assert getattr(opt, option) == default


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_of_all_is_not_a_groups(option):
    with pytest.raises(TypeError, match=rf"^params\[0\]: .*'{option}'"):
        lrcore.SGD([{"params": np.ones(2), option: OPTIONS[option]}])
    opt = lrcore.SGD(np.ones(2))
    with pytest.raises(KeyError, match=option):
        opt.param_groups[0][option] = OPTIONS[option]


@pytest.mark.parametrize("option", ["grad_scale", "clip_norm", "clip_eps"])
def test_an_option_that_is_a_number_takes_a_schedule(option):
    """Which is called with the number of steps taken, once a gathering."""
    p, twin = np.zeros(3), np.zeros(3)
    seen = []
    rest = {"clip_norm": 2.0} if option == "clip_eps" else {}
    rest |= {"lr": 1.0, "accumulate": 2}
    one = lrcore.SGD(p, **{**rest, option: lambda t: seen.append(t) or 0.5 + t})
    two = lrcore.SGD(twin, **rest)
    seen.clear()
    for t in range(4):
        setattr(two, option, 0.5 + t)
        for _ in range(2):
            assert one.step(np.full(3, 1.0 + t)) is two.step(np.full(3, 1.0 + t))
    assert same_bits(p, twin)
    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "option",
    [o for o in OPTIONS if o not in {"grad_scale", "clip_norm", "clip_eps", "project"}],
)
def test_what_is_no_number_takes_none(option):
    error = rf"^{option}: expected .*, found <function"
    with pytest.raises((TypeError, ValueError), match=error):
        lrcore.SGD(np.ones(2), **{option: lambda t: OPTIONS[option]})


def test_skipping_and_zeroing_can_be_switched_on():
    p, g = np.zeros(2), np.array([1.0, nan])
    opt = lrcore.SGD(p)
    opt.skip_nonfinite = True
    assert opt.step(g) is False
    assert not p.any()
    opt.zero_grads = True
    assert opt.step(g) is False
    assert not g.any()
    assert opt.step(g) is True


SCHEDULED = ["grad_scale", "clip_norm", "clip_value", "clip_tensor_norm", "agc"]
SCHEDULED += ["agc_eps"]


@each_kind
@cases("option", SCHEDULED)
def test_a_schedule_is_a_value_set_before_each_step(name, option):
    params, twins = weights(), weights()
    more = {"lr": 0.05, "agc_axis": 0}
    more |= {"agc": 0.3} if option == "agc_eps" else {}
    opt = optimizer(name, params, **{option: lambda t: 0.1 * (1 + t)}, **more)
    twin = optimizer(name, twins, **{option: 0.5}, **more)
    for t in range(4):
        value = 0.1 * (1 + t)
        if option in twin.param_groups[0]:
            for group in twin.param_groups:
                group[option] = value
        else:
            setattr(twin, option, value)
        assert opt.step(split(gradients(params, t)))
        assert twin.step(split(gradients(params, t)))
    assert bits_of(opt, params) == bits_of(twin, twins)


@pytest.mark.parametrize("option", SCHEDULED)
def test_a_schedule_that_returns_no_such_number_leaves_all_as_it_was(option):
    params = weights()
    now = [0.5]
    opt = optimizer(
        "Adam", params, agc_axis=0, zero_grads=True, **{option: lambda t: now[0]}
    )
    assert opt.step(split(gradients(params, 0)))
    before = bits_of(opt, params)
    for now[0] in (nan, 0.0, "1", None, max):
        grads = gradients(params, 1)
        held = snapshot(grads)
        with pytest.raises((TypeError, ValueError), match=rf"^{option}: expected"):
            opt.step(split(grads))
        assert bits_of(opt, params) == before
        assert snapshot(grads) == held
    now[0] = 0.5
    assert opt.step(split(gradients(params, 1)))


@each_feature
def test_a_bad_last_gradient_changes_nothing(feature):
    """Not the sum of what is gathered, nor the gradients before it, nor the report."""
    refuses_the_last("Adam", setting(feature))


@each_kind
def test_a_bad_last_gradient_changes_nothing_of_any_optimizer(name):
    """All have the same checks; with all options at once."""
    refuses_the_last(name, ALL)


def refuses_the_last(name, options):
    params = weights("float32")
    opt = optimizer(name, params, options, lr=0.05)
    gathered(opt, drawn(options, params, 0))
    if "accumulate" in options.wide:
        opt.step(split(gradients(params, 1, 0)))
    before = bits_of(opt, params), told(opt)
    for spoil in (
        lambda g: g.astype(np.float16),
        lambda g: np.ma.masked_array(g),
        lambda g: g[:-1],
        lambda g: "text",
    ):
        grads = gradients(params, 2)
        held = snapshot(grads)
        with pytest.raises((TypeError, ValueError), match=r"^grads\[1\]\[1\]: "):
            opt.step(split([*grads[:-1], spoil(grads[-1])]))
        assert (bits_of(opt, params), told(opt)) == before
        assert snapshot(grads) == held
    if "accumulate" in options.wide:
        opt.step(split(gradients(params, 1, 1)))
    assert opt.step(split(gradients(params, 1, 2)))


def told(opt):
    return repr(getattr(opt, "report", None))
