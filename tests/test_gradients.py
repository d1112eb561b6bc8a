"""Gradient options of every optimizer: each of them, all of them, and what they leave.

Clipping by itself is in test_clip.py, the report in test_report.py.
"""

import gc
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import weakref
from math import inf, nan

import numpy as np
import pytest
from composed import (
    FEATURES,
    SHAPES,
    Feature,
    composed,
    gathered,
    gradients,
    merged,
    optimizer,
    own_of,
    split,
    weights,
)
from helpers import (
    KINDS,
    LENGTHS,
    all_same,
    bits_of,
    close,
    configurations,
    each_dtype,
    each_kind,
    same_bits,
    same_states,
    snapshot,
    taken,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lrcore

pytestmark = pytest.mark.isa

ALL = merged(FEATURES)
each_feature = pytest.mark.parametrize("feature", [*FEATURES, "all"])


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
@pytest.mark.parametrize("feature", EXACT)
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


# --- the same bits --------------------------------------------------------------------

LONG = [(3, 2049), (), (2, 5, 700), (4099,)]


def run(name, dtype, features, *, isa, threads):
    """Bits of params, states and reports, after two steps of long arrays."""
    lrcore.set_isa(isa)
    options = merged(features)
    params = weights(dtype, LONG)
    opt = optimizer(name, params, options, lr=0.05, num_threads=threads)
    opt._plan.parallel_from = 1
    told = []
    for t in range(2):
        assert gathered(opt, drawn(options, params, t))
        if "telemetry" in features:
            told += [opt.report, *opt.reports("tensor").values(), *opt.reports("group")]
    return bits_of(opt, params), snapshot([np.array(report) for report in told])


@pytest.mark.usefixtures("restore")
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    name=st.sampled_from(list(KINDS)),
    dtype=st.sampled_from(["float32", "float64"]),
    features=st.sets(st.sampled_from(list(FEATURES)), min_size=1),
    several=st.sampled_from([2, 3, 5]),
)
def test_any_combination_gives_the_same_bits_everywhere(name, dtype, features, several):
    """For all numbers of threads, and all instruction sets."""
    wanted = run(name, dtype, features, isa=None, threads=1)
    for isa, threads in configurations(several):
        found = run(name, dtype, features, isa=isa, threads=threads)
        assert found == wanted, (isa, threads)


@pytest.mark.usefixtures("restore")
@each_dtype
def test_threads_change_no_bit_of_what_is_large(dtype):
    """By the number that the process is told."""
    options = merged([name for name in FEATURES if name != "accumulate"])
    shapes = [(700, 300), (), (7, 11, 13), (100_003,)]
    grads = [split(gradients(weights(dtype, shapes), t)) for t in range(2)]
    found = []
    for threads in (1, 2, 3, 8):
        lrcore.set_num_threads(threads)
        params = weights(dtype, shapes)
        opt = optimizer("Adam", params, options, lr=0.05)
        for first, second in grads:
            assert opt.step([copies(first), copies(second)])
        found.append((bits_of(opt, params), opt.report))
    assert all(other == found[0] for other in found)


# --- grad_scale -----------------------------------------------------------------------


def moved(p, g, **options):
    """What one step of SGD at lr 1 takes from p."""
    before = p.copy()
    assert lrcore.SGD(p, lr=1.0, **options).step(g)
    return before - p


def test_grad_scale_is_settable_and_takes_a_schedule():
    p = np.zeros(2)
    opt = lrcore.SGD(p, lr=1.0, grad_scale=0.5)
    assert opt.grad_scale == 0.5
    opt.step(np.ones(2))
    assert p.tolist() == [-0.5] * 2
    opt.grad_scale = 0.25
    assert opt.grad_scale == 0.25
    opt.step(np.ones(2))
    assert p.tolist() == [-0.75] * 2
    seen = []
    opt.grad_scale = lambda t: seen.append(t) or 2.0**t
    opt.step(np.ones(2))
    opt.step(np.ones(2))
    assert p.tolist() == [-12.75] * 2
    assert set(seen) == {2, 3}
    assert lrcore.SGD(p).grad_scale == 1.0


def test_weight_decay_and_l2_are_not_scaled():
    taken = moved(np.full(1, 2.0), np.ones(1), grad_scale=0.5, l2=0.25)
    assert taken.tolist() == [0.5 + 0.25 * 2]
    taken = moved(np.full(1, 2.0), np.ones(1), clip_norm=0.5, weight_decay=0.25)
    assert taken.tolist() == [0.5 + 0.25 * 2]


# --- accumulate -----------------------------------------------------------------------


@each_kind
def test_gathering_writes_nothing_but_the_sum(name):
    params = weights("float32")
    opt = optimizer(name, params, lr=0.05, accumulate=3, ema_decay=0.5, zero_grads=True)
    assert all(("acc" in state) for state in opt.state)
    for t in range(2):
        before = snapshot(params), snapshot_of(states_of(opt, GATHERED))
        sums = None
        for call in range(2):
            grads = gradients(params, t, call)
            sums = copies(grads) if sums is None else [
                a + b for a, b in zip(sums, grads, strict=True)
            ]  # fmt: skip
            assert opt.step(split(grads)) is False
            assert (snapshot(params), snapshot_of(states_of(opt, GATHERED))) == before
            assert opt.t == t
            acc = [state["acc"] for state in opt.state]
            assert all((a == b).all() for a, b in zip(acc, sums, strict=True))
            assert all(a.dtype == np.float32 for a in acc)
            assert not any(g.any() for g in grads), "gathered, so zeroed"
        assert opt.step(split(gradients(params, t, 2))) is True
        assert opt.t == t + 1
        assert (snapshot(params), snapshot_of(states_of(opt, GATHERED))) != before


def snapshot_of(states):
    return [snapshot(state.values()) for state in states]


@each_kind
def test_to_accumulate_1_is_to_step(name):
    params, twins = weights(), weights()
    opt = optimizer(name, params, lr=0.05, accumulate=1)
    twin = optimizer(name, twins, lr=0.05)
    for t in range(3):
        assert opt.step(split(gradients(params, t)))
        assert twin.step(split(gradients(params, t)))
    assert bits_of(opt, params) == bits_of(twin, twins)


@each_kind
@pytest.mark.parametrize("calls", [1, 5])
def test_a_run_continues_from_within_a_gathering_to_the_bit(name, calls):
    """Through a pickle, after so many calls of 3 a step; settings come with it."""
    straight, broken = weights(), weights()
    options = merged(FEATURES)
    one = optimizer(name, straight, options, lr=0.05)
    two = optimizer(name, broken, options, lr=0.05)

    def call(opt, k):
        return opt.step(split(gradients(straight, k // 3, k % 3)))

    for k in range(calls):
        assert call(one, k) == call(two, k) == (k % 3 == 2)
    restored, saved = pickle.loads(pickle.dumps((broken, two.state_dict())))
    call(two, 99)  # what was saved is a copy
    three = optimizer(name, restored, options, lr=0.5)
    three.step(split(gradients(straight, 7)))  # to be forgotten
    for p, old in zip(restored, broken, strict=True):
        assert p.shape == old.shape
    three.load_state_dict(saved)
    assert three.t == calls // 3
    for k in range(calls, 12):
        assert call(one, k) == call(three, k) == (k % 3 == 2)
    assert all_same(straight, restored)
    assert same_states(one.state, three.state)
    assert one.report == three.report


def test_what_is_loaded_sets_the_options_too():
    """As it does all hyper-parameters."""
    options = {"grad_scale": 0.5, "clip_norm": 0.25, "clip_eps": 0.5}
    saved = lrcore.SGD(np.zeros(2), lr=1.0, clip_value=3.0, **options).state_dict()
    p = np.zeros(2)
    opt = lrcore.SGD(p, lr=0.1, grad_scale=0.1, clip_norm=9.0, clip_value=9.0)
    opt.load_state_dict(saved)
    assert (opt.grad_scale, opt.clip_norm) == (0.5, 0.25)
    assert opt.param_groups[0]["clip_value"] == 3.0
    opt.step(np.array([8.0, 0.0]))  # to 4, to 3, to 3 * 0.25 / 3.5
    assert p[0] == pytest.approx(-3 * 0.25 / 3.5, rel=1e-15)


def test_what_gathers_can_be_told_of_how_many():
    """Not whether to, as there is an array for it; nor in the middle."""
    p = np.zeros(1)
    opt = lrcore.SGD(p, lr=1.0, accumulate=2)
    opt.accumulate = 3
    assert [opt.step(np.full(1, g)) for g in (1.0, 2.0, 6.0)] == [False, False, True]
    assert p[0] == -3
    with pytest.raises(ValueError, match=r"^accumulate: found 1"):
        opt.accumulate = 1
    with pytest.raises(ValueError, match=r"^accumulate: found 2"):
        lrcore.SGD(p).accumulate = 2
    opt.step(np.ones(1))
    with pytest.raises((RuntimeError, ValueError), match="accumulate"):
        opt.accumulate = 2
    assert [opt.step(np.ones(1)) for _ in range(2)] == [False, True]
    assert p[0] == -4


def test_an_interrupt_loses_no_call():
    """A handler that raises runs between what a call does in C and in Python."""
    p, g = np.zeros(1), np.ones(1)
    opt = lrcore.SGD(p, lr=1.0, accumulate=2, skip_nonfinite=True, telemetry=True)
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(100):
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012 # it comes anywhere
                signal.setitimer(signal.ITIMER_REAL, 2e-4)
                while True:
                    opt.step(g)
            assert opt.t == -p[0]
    finally:
        signal.signal(signal.SIGALRM, handler)
    assert opt.t > 0


# --- skip_nonfinite -------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize(
    ("value", "zero"), [(nan, True), (inf, False), (-inf, True), (nan, False)]
)
def test_a_step_that_is_not_finite_is_skipped(name, value, zero):
    """As if it had not been: whichever gradient it is, and whatever the schedule."""
    params, twins = weights("float32"), weights("float32")
    own = {"lr": lambda t: 0.05 / (1 + t), "ema_decay": 0.5}
    own |= taken(name, lookahead_steps=2)
    opt = optimizer(name, params, skip_nonfinite=True, zero_grads=zero, **own)
    twin = optimizer(name, twins, **own)
    for t in range(2 * len(SHAPES)):
        spoilt = gradients(params, 100 + t)
        spoilt[t // 2].flat[-1 if t % 2 else 0] = value
        grads = copies(spoilt)
        before = bits_of(opt, params)
        assert opt.step(split(grads)) is False
        assert bits_of(opt, params) == before
        wanted = [np.zeros_like(g) for g in grads] if zero else spoilt
        assert all_same(grads, wanted)
        assert opt.step(split(gradients(params, t))) is True
        assert twin.step(split(gradients(params, t)))
    assert all_same(params, twins)
    assert same_states(opt.state, twin.state)
    assert opt.t == twin.t == 2 * len(SHAPES)


@pytest.mark.usefixtures("restore")
@each_dtype
@pytest.mark.parametrize("n", [length for length in LENGTHS if length])
def test_it_is_found_wherever_it_is(n, dtype):
    """Among the largest finite numbers, whose squares are infinite."""
    g = np.full(n, np.finfo(dtype).max, dtype)
    p = np.zeros(n, dtype)
    for isa, threads in configurations():
        lrcore.set_isa(isa)
        opt = lrcore.SGD(p, lr=0.0, skip_nonfinite=True, num_threads=threads)
        opt._plan.parallel_from = 1
        assert opt.step(g), "finite"
        for at, value in ((0, nan), (n // 3, inf), (n // 2, -inf), (n - 1, nan)):
            g[at], kept = value, g[at]
            assert not opt.step(g), (isa, threads, at)
            g[at] = kept


@each_kind
def test_without_it_a_nan_goes_into_the_params(name):
    params = weights()
    opt = optimizer(name, params, lr=0.05)
    grads = gradients(params, 0)
    grads[0][1, 1] = nan
    assert opt.step(split(grads)) is True
    assert opt.t == 1
    if name != "Rprop":  # which goes by signs
        assert np.isnan(params[0][1, 1])


@each_kind
@pytest.mark.parametrize(
    ("call", "values"), [(0, (inf,)), (1, (inf, -inf)), (2, (inf, -inf)), (2, (nan,))]
)
def test_a_gathering_with_what_is_not_finite_is_dropped(name, call, values):
    """At its last call, so that calls and steps stay in step."""
    params, twins = weights(), weights()
    opt = optimizer(name, params, lr=0.05, accumulate=3, skip_nonfinite=True)
    twin = optimizer(name, twins, lr=0.05, accumulate=3)
    for t in range(2):
        before = snapshot(params), snapshot_of(states_of(opt, GATHERED))
        calls = [gradients(params, 100 + t, k) for k in range(3)]
        for k, value in enumerate(values):
            calls[(call + k) % 3][2][1, 2, 3] = value
        assert gathered(opt, calls) is False
        assert (snapshot(params), snapshot_of(states_of(opt, GATHERED))) == before
        assert opt.t == t
        calls = [gradients(params, t, k) for k in range(3)]
        assert gathered(opt, calls) is gathered(twin, calls) is True
    assert all_same(params, twins)
    assert same_states(states_of(opt), states_of(twin))


# --- zero_grads -----------------------------------------------------------------------


@each_kind
@each_dtype
def test_gradients_are_zeroed_by_the_step_and_by_nothing_else(name, dtype):
    params, twins = weights(dtype), weights(dtype)
    opt = optimizer(name, params, lr=0.05, weight_decay=0.1, zero_grads=True)
    twin = optimizer(name, twins, lr=0.05, weight_decay=0.1)
    for t in range(3):
        grads, left = gradients(params, t), gradients(params, t)
        wanted = copies(left)
        assert opt.step(split(grads))
        assert twin.step(split(left))
        assert all_same(grads, [np.zeros_like(p) for p in params])
        assert all_same(left, wanted)
    assert bits_of(opt, params) == bits_of(twin, twins)


def overlapping():
    buffer = np.ones(9)
    return {"w": buffer[:5], "b": buffer[4:8]}


def read_only():
    grads = {"w": np.ones(5), "b": np.ones(4)}
    grads["b"].flags.writeable = False
    return grads


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (overlapping, r"^grads\['[wb]'\]: .*share memory with grads\['[wb]'\]"),
        (read_only, r"^grads\['b'\]: .*read-only"),
    ],
)
def test_what_cannot_be_zeroed_is_refused(make, error):
    """Before anything is written; without zero_grads it will do."""
    params = {"w": np.ones(5), "b": np.ones(4)}
    assert lrcore.Adam(params).step(make())
    opt = lrcore.Adam(params, zero_grads=True)
    before = bits_of(opt, params.values())
    grads = make()
    with pytest.raises(ValueError, match=error):
        opt.step(grads)
    assert bits_of(opt, params.values()) == before
    assert all((g == 1).all() for g in grads.values())
    assert opt.step({"w": np.ones(5), "b": np.ones(4)})


def test_one_array_for_two_gradients_is_refused_too():
    g = np.ones(3)
    opt = lrcore.SGD([np.zeros(3), np.zeros(3)], zero_grads=True)
    with pytest.raises(ValueError, match=r"^grads\[[01]\]: .*share memory with grads"):
        opt.step([g, g])
    assert g.tolist() == [1, 1, 1]


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
each_bad = pytest.mark.parametrize(
    ("option", "value"), [(name, value) for name in BAD for value in BAD[name]]
)


def also(option):
    """What an option cannot be without."""
    return {"agc_axis": 0} if option in ("agc", "agc_eps") else {}


@each_bad
def test_a_bad_value_is_refused_by_name(option, value):
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
    "option", OPTIONS.keys() - {"grad_scale", "clip_norm", "clip_eps", "project"}
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
@pytest.mark.parametrize("option", SCHEDULED)
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


# --- subnormal numbers, empty arrays --------------------------------------------------


def subnormals_count():
    """Whether the caller's own arithmetic has them."""
    tiny = [np.finfo(d).tiny for d in (np.float32, np.float64)]
    return all((np.full(9, t) / 4 * 4 == t).all() for t in tiny)


@pytest.mark.parametrize("threads", [1, 2])
@each_feature
def test_the_callers_subnormals_are_left_to_the_caller(feature, threads):
    """By all ways: a rule, a scale by norms, what is emitted or made beforehand."""
    options = setting(feature)
    for name in ("Adam", "LARS", "LAMB", "NovoGrad", "Adafactor", "SM3", "Muon"):
        params = weights("float32")
        opt = optimizer(name, params, options, num_threads=threads)
        opt._plan.parallel_from = 1
        gathered(opt, drawn(options, params, 0))
        assert subnormals_count(), name
        if options.wide.get("skip_nonfinite"):
            spoilt = gradients(params, 1)
            spoilt[0][0] = nan
            assert not opt.step(split(spoilt))
            assert subnormals_count(), name
        with pytest.raises(TypeError, match="found str"):
            opt.step(split([*gradients(params, 1)[:-1], "text"]))
        assert subnormals_count(), name


KEPT = ["grad_scale", "accumulate", "clip_value", "clip_tensor_norm", "agc"]


@pytest.mark.parametrize("option", [*KEPT, "clip_norm", "telemetry"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_subnormal_gradients_are_kept_where_asked(option, size):
    """Norms are of float64, where those of float32 are normal numbers."""
    least = np.finfo(np.float32).smallest_subnormal
    g = np.full(4096, size * 1024 * least)
    norm = 64 * float(g[0])
    of = {"grad_scale": 0.5, "accumulate": 1, "clip_value": float(g[0]) / 2}
    of |= {"clip_tensor_norm": norm / 2, "clip_norm": norm / 2, "telemetry": True}
    of |= {"agc": norm / 2, "agc_eps": 1.0}
    own = {"agc_axis": 0, "agc_eps": 1.0} if option == "agc" else {}
    p = np.zeros(4096, np.float32)
    opt = lrcore.SGD(p, lr=1.0, denormals="keep", **own, **{option: of[option]})
    assert opt.step(g)
    halved = option not in ("accumulate", "telemetry")
    assert (p == (-g / 2 if halved else -g)).all()
    if option == "telemetry":
        assert opt.report.grad_norm == norm


@each_kind
def test_arrays_without_elements_are_stepped_too(name):
    shapes = [(0, 3), (0,), (2, 0, 4), (0,)]
    for options in (*FEATURES.values(), ALL):
        params = weights("float32", shapes)
        opt = optimizer(name, params, options)
        assert gathered(opt, drawn(options, params, 0)) is True
        assert opt.t == 1


@pytest.mark.parametrize("name", [name for name in KINDS if name != "Adafactor"])
def test_fortran_order_gives_what_c_order_gives(name):
    """To 1e-12, as sums may go another way.  (Adafactor refuses three dimensions.)"""
    params, turned = weights(), [np.array(p, order="F") for p in weights()]
    one, two = (optimizer(name, each, ALL, lr=0.05) for each in (params, turned))
    for t in range(3):
        calls = drawn(ALL, params, t)
        turned_calls = [[np.array(g, order="F") for g in grads] for grads in calls]
        assert gathered(one, calls)
        assert gathered(two, turned_calls)
    close(params, turned)


# --- processes ------------------------------------------------------------------------

NORMS_IN_A_PROCESS = """
    import os, numpy as np, lrcore
    p, g = np.zeros(400_000, np.float32), np.full(400_000, 0.5, np.float32)
    opt = lrcore.Adam(p, num_threads=5, clip_norm=1.0, clip_tensor_norm=9.0,
                      skip_nonfinite=True, telemetry=True)
    for _ in range(3):
        opt.step(g)
    child = os.fork()
    for _ in range(3):
        opt.step(g)
    same = lrcore.clip_by_global_norm(g.copy(), 1.0) == opt.report.grad_norm
    if child == 0:
        os._exit(0 if opt.t == 6 and same else 1)
    assert os.waitpid(child, 0)[1] == 0
    print(opt.t, same)
"""


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OMP_THREAD_LIMIT": "2"},
        {"OMP_THREAD_LIMIT": "1"},
        {"OMP_DYNAMIC": "true"},
        {"OMP_NUM_THREADS": "3", "OMP_WAIT_POLICY": "active"},
        {"OMP_WAIT_POLICY": "passive"},
    ],
    ids=str,
)
def test_a_step_with_norms_never_waits_for_threads_that_are_not_there(environment):
    """Fewer than were asked for, or none, in a forked child."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(NORMS_IN_A_PROCESS)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["6", "True"], done.stderr


def test_a_scheduled_option_makes_no_cycle():
    opt = lrcore.SGD(np.ones(2), lr=0.1, clip_norm=lambda t: 1.0)
    opt.step(np.ones(2))
    seen = weakref.ref(opt)
    gc.disable()
    try:
        del opt
        assert seen() is None
    finally:
        gc.enable()


def test_great_numbers_of_threads_are_taken():
    opt = lrcore.SGD(np.ones(2), lr=1.0, num_threads=2**40)
    assert opt.step(np.ones(2))
