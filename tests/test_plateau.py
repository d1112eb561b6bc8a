"""Reduction on a plateau: the others' sequences, and as a part of an optimizer."""

import copy
import pickle
from math import inf, nan

import numpy as np
import pytest
from helpers import all_same, bits_of, draw, fresh

import lrcore
from lrcore import ReduceOnPlateau
from lrcore.schedules import Constant, Cosine

# A fall with noise, in eighths, so that thresholds of eighths are exact.
METRICS = [
    *(nan, 3.625, 3.125, 3.25, 3.25, 3.25, 2.625, 2.25, 1.875, 2.375, 2.625, 2.0),
    *(1.25, 1.25, 2.25, 1.625, 0.75, 1.375, 0.875, 1.125, nan, 1.0, 1.5, 1.125),
    *(0.875, 1.375, 1.5, 0.5, 1.0, 0.75, 1.0, 0.5, 1.125, 1.0, 0.875, 0.625),
    *(0.875, 0.625, 0.5, 1.125, 0.625, 1.5, 1.25, 0.25, 1.125, 0.625, 1.0, 1.0),
]

# Of torch 2.13's ReduceLROnPlateau on SGD with lr 0.3: in which updates the rate
# changed, and what it was at last.
TORCH = [
    ({"patience": 2}, [5, 11, 15, 19, 22, 25, 30, 33], "0x1.9c511dc3a41e2p-29"),
    (
        {"factor": 0.7, "patience": 1, "cooldown": 2},
        [4, 10, 14, 18, 22, 26, 30, 34, 38, 42, 46],
        "0x1.84c21d1585d89p-8",
    ),
    (
        {"factor": 0.5, "patience": 0, "min_lr": 0.004},
        [0, 3, 4, 5, 9, 10, 11],
        "0x1.0624dd2f1a9fcp-8",
    ),
    (
        {"factor": 0.3, "patience": 1, "threshold": 0.25, "threshold_mode": "abs"},
        [4, 10, 14, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40],
        "0x1.27d097aa5f014p-28",
    ),
    (
        {"factor": 0.9, "patience": 0, "eps": 0.01},
        [0, 3, 4, 5, 9, 10, 11, 13, 14, 15, 17],
        "0x1.819c4723414f5p-4",
    ),
    ({"factor": 0.5, "patience": 0, "min_lr": 0.5}, [], "0x1.3333333333333p-2"),
]

# Of Keras 3.15's ReduceLROnPlateau on a rate of 0.3, without the first metric: a NaN
# there is its best one for ever.
KERAS = [
    (
        {"patience": 2},
        [3, 9, 13, 17, 19, 21, 23, 25, 28, 30, 32, 34, 36, 38, 40, 44, 46],
        3.0000000000000033e-18,
    ),
    (
        {"factor": 0.7, "patience": 1, "cooldown": 3},
        [2, 8, 12, 16, 19, 22, 25, 28, 31, 34, 37, 40, 43, 46],
        0.0020346692185469984,
    ),
    (
        {"factor": 0.5, "patience": 0, "min_lr": 0.004, "cooldown": 1},
        [2, 3, 4, 8, 9, 10, 12],
        0.004,
    ),
    (
        {"factor": 0.3, "patience": 2, "min_delta": 0.25},
        [3, 9, 13, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 44, 46],
        1.1622614669999993e-10,
    ),
    (
        {"factor": 0.5, "patience": 3, "mode": "max"},
        [4, 10, 14, 18, 21, 24, 29, 32, 35, 38, 41, 45],
        7.32421875e-05,
    ),
]

# Of optax 0.2.8's reduce_on_plateau, whose value is the scale.
OPTAX = [
    (
        {"patience": 2},
        [4, 10, 14, 18, 20, 22, 24, 26, 29, 31, 33, 35, 37, 39, 41, 45, 47],
        1e-17,
    ),
    (
        {"factor": 0.5, "patience": 1, "cooldown": 2},
        [0, 3, 9, 13, 17, 20, 23, 26, 29, 32, 35, 38, 41, 44, 47],
        3.0517578125e-05,
    ),
    (
        {
            "factor": 0.5,
            "patience": 3,
            "threshold": 0.25,
            "threshold_mode": "abs",
        },
        [5, 11, 15, 19, 22, 25, 28, 31, 34, 37, 40, 46],
        0.000244140625,
    ),
]


def reductions(plateau, metrics):
    """The updates that say so; the value changes in these and no others."""
    sign = -1 if plateau.mode == "max" else 1
    found = []
    for k, metric in enumerate(metrics):
        before = plateau(k)
        if plateau.update(sign * metric):
            found.append(k)
        assert (plateau(k) < before) is (found[-1:] == [k])
    return found


@pytest.mark.parametrize(("kwargs", "wanted", "last"), TORCH)
def test_the_sequence_is_torchs_to_the_bit(kwargs, wanted, last):
    plateau = ReduceOnPlateau(0.3, **kwargs)
    assert reductions(plateau, METRICS) == wanted
    assert plateau(0).hex() == last


@pytest.mark.parametrize(("kwargs", "wanted", "last"), KERAS)
def test_the_sequence_is_keras_by_its_numbers(kwargs, wanted, last):
    """patience reached, thresholds absolute, a cooldown shorter by one, no eps."""
    own = {k: v for k, v in kwargs.items() if k not in ("min_delta", "cooldown")}
    plateau = ReduceOnPlateau(
        0.3,
        **own,
        threshold=kwargs.get("min_delta", 1e-4),
        threshold_mode="abs",
        cooldown=max(kwargs.get("cooldown", 0) - 1, 0),
        eps=0.0,
        patience_rule="reach",
    )
    assert reductions(plateau, METRICS[1:]) == wanted
    # Keras's rate went through float32 nowhere: the same products in the same order.
    assert plateau(0) == last


@pytest.mark.parametrize(("kwargs", "wanted", "last"), OPTAX)
def test_the_sequence_is_optax_by_its_numbers(kwargs, wanted, last):
    plateau = ReduceOnPlateau(Constant(1.0), **kwargs, eps=0.0, patience_rule="reach")
    assert reductions(plateau, METRICS) == wanted
    np.testing.assert_allclose(plateau.scale, last, rtol=1e-15 * len(wanted))


@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize("offset", [0.0, -1.0, -4.0])
def test_a_metric_to_maximize_is_its_opposite_to_minimize(threshold_mode, offset):
    """At any sign: a relative threshold is a fraction of abs(best)."""
    options = {"patience": 2, "threshold": 0.125, "threshold_mode": threshold_mode}
    rises, falls = (ReduceOnPlateau(1.0, **options, mode=m) for m in ("max", "min"))
    for metric in METRICS:
        metric += offset
        assert rises.update(-metric) is falls.update(metric)
        assert (rises.best, rises.num_bad) == (-falls.best, falls.num_bad)


@pytest.mark.parametrize("value", [1.0, -1.0])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_metric_that_has_stopped_is_a_plateau(value, threshold_mode, mode):
    plateau = ReduceOnPlateau(
        1.0, 0.5, patience=2, threshold_mode=threshold_mode, mode=mode
    )
    for _ in range(12):
        plateau.update(value)
    assert plateau(0) == 0.125


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("options", [{}, {"cooldown": 2}, {"mode": "max"}])
def test_smoothing_takes_means_for_metrics(n, options):
    """Of n each, exactly; n - 1 of n updates change nothing."""
    options = {"patience": 1, **options}
    metrics = METRICS * 3
    means = [sum(metrics[k : k + n]) / n for k in range(0, len(metrics) - n, n)]
    plain = ReduceOnPlateau(0.3, **options)
    wanted = [n * (k + 1) - 1 for k in reductions(plain, means)]
    smooth = ReduceOnPlateau(0.3, **options, smoothing=n)
    assert reductions(smooth, metrics[: n * len(means)]) == wanted != []
    assert smooth(0) == plain(0)
    assert (smooth.best, smooth.num_bad) == (plain.best, plain.num_bad)


def test_smoothing_survives_a_lucky_metric():
    metrics = [1.0, 0.9, 0.13, *(0.9 - 0.01 * k for k in range(60))]
    rates = []
    for smoothing in (1, 5):
        plateau = ReduceOnPlateau(0.1, factor=0.2, patience=5, smoothing=smoothing)
        for metric in metrics:
            plateau.update(metric)
        rates.append(plateau(0))
    assert rates[0] < 1e-7
    assert rates[1] == 0.1


def test_defaults_are_torchs():
    plateau = ReduceOnPlateau(1.0)
    plateau.update(1.0)
    assert [plateau.update(0.99995) for _ in range(11)] == [False] * 10 + [True]
    assert (plateau.scale, plateau(0), plateau.cooldown_counter) == (0.1, 0.1, 0)


def test_it_multiplies_a_schedule_above_the_least_rate():
    s = Cosine(1.0, total=10)
    plateau = ReduceOnPlateau(s, factor=0.5, patience=0, min_lr=0.2)
    t = np.arange(15)
    np.testing.assert_array_equal(plateau(t), s(t))
    plateau.update(1.0)
    for k in range(1, 6):
        assert plateau.update(1.0)
        assert plateau.scale == 0.5**k
        np.testing.assert_array_equal(
            plateau(t), np.maximum(s(t) * 0.5**k, np.minimum(0.2, s(t)))
        )
        for step in (0, 3, 14):
            value = plateau(step)
            assert type(value) is float
            assert value == max(s(step) * 0.5**k, min(0.2, s(step)))


def test_above_a_schedule_eps_is_of_the_scale():
    plateau = ReduceOnPlateau(lambda t: 1e-6, factor=0.5, patience=0, eps=0.1)
    plateau.update(1.0)
    assert [plateau.update(1.0) for _ in range(4)] == [True, True, True, False]
    assert plateau.scale == 0.125


def test_a_number_comes_as_an_array_for_steps():
    values = ReduceOnPlateau(0.5)(np.arange(3))
    assert (values.dtype, values.tolist()) == (np.float64, [0.5, 0.5, 0.5])


def test_nan_is_bad_and_infinite_is_no_best():
    plateau = ReduceOnPlateau(1.0, patience=2, threshold=1.0)
    assert [plateau.update(x) for x in (nan, inf, nan)] == [False, False, True]
    assert plateau.best == inf
    plateau.update(3.0)
    assert (plateau.best, plateau.num_bad) == (3.0, 0)
    plateau.update(np.float32(nan))
    assert (plateau.best, plateau.num_bad) == (3.0, 1)


def test_reset_begins_anew():
    plateau = ReduceOnPlateau(0.3, patience=1, cooldown=3)
    state = plateau.state_dict()
    for _ in range(5):
        plateau.update(1.0)
    assert plateau.state_dict() != state
    plateau.reset()
    assert plateau.state_dict() == state


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("schedule", [-1.0, inf, nan, "1", None, ReduceOnPlateau(1.0)]),
        ("factor", [-0.1, 1.0, nan, "0.5", None, lambda t: 0.5]),
        ("patience", [-1, 1.5, None, True]),
        ("threshold", [-1e-4, inf, nan, None]),
        ("threshold_mode", ["absolute", None, 1]),
        ("mode", ["auto", None]),
        ("cooldown", [-1, 0.5, None]),
        ("min_lr", [-1.0, inf, nan, [0.1]]),
        ("eps", [-1e-8, nan, None]),
        ("patience_rule", ["reaches", None]),
        ("smoothing", [0, 1.5, None, True]),
    ],
)
def test_bad_arguments_are_refused_by_name(argument, values):
    for value in values:
        with pytest.raises((TypeError, ValueError), match=rf"^{argument}: expected"):
            ReduceOnPlateau(**{"schedule": 1.0, argument: value})


def test_what_is_no_metric_changes_nothing():
    plateau = ReduceOnPlateau(1.0)
    before = plateau.state_dict()
    for bad in ("1", None, [1.0, 2.0], True):
        with pytest.raises(TypeError, match=r"^metric: expected a number"):
            plateau.update(bad)
    assert plateau.state_dict() == before


def nothing(t):
    pass


def test_what_a_schedule_returns_is_checked():
    with pytest.raises(TypeError, match=r"^schedule: expected .* found None") as e:
        ReduceOnPlateau(nothing)(0)
    assert "<function nothing at" in str(e.value)


@pytest.mark.parametrize("at", [0, 7, 20])
def test_it_continues_from_its_state(at):
    options = {"cooldown": 2, "min_lr": 1e-3, "smoothing": 2}
    first = ReduceOnPlateau(Cosine(0.3, total=60), 0.7, 1, **options)
    for metric in METRICS[:at]:
        first.update(metric)
    saved = pickle.loads(pickle.dumps(first.state_dict()))
    twins = [pickle.loads(pickle.dumps(first)), copy.deepcopy(first)]
    second = ReduceOnPlateau(1.0)
    second.load_state_dict(saved)
    values = [(first.update(m), first(k)) for k, m in enumerate(METRICS[at:])]
    for other in (second, *twins):
        assert [(other.update(m), other(k)) for k, m in enumerate(METRICS[at:])] == (
            values
        )


class Patient(ReduceOnPlateau):
    """A class of one's own, whose constructor has other arguments."""

    def __init__(self, patience):
        super().__init__(0.3, patience=patience)


def test_a_subclass_is_saved_and_restored_too():
    first, second = Patient(1), Patient(5)
    for metric in METRICS[:20]:
        first.update(metric)
    second.load_state_dict(pickle.loads(pickle.dumps(first.state_dict())))
    assert second.patience == 1
    for metric in METRICS[20:]:
        assert first.update(metric) is second.update(metric)
    assert second(0) == first(0) < 0.3
    opt = lrcore.SGD(np.zeros(2), lr=first)
    other = lrcore.SGD(np.zeros(2), lr=Patient(7))
    other.load_state_dict(opt.state_dict())
    assert type(other.param_groups[0]["lr"]) is Patient
    assert other.lr == opt.lr


def test_what_is_no_state_is_refused_and_changes_nothing():
    plateau = ReduceOnPlateau(0.3)
    plateau.update(2.0)
    saved = plateau.state_dict()
    bads = [{}, None, {"best": 1.0}, {**saved, "more": 1}]
    bads += [{**saved, "factor": 2.0}, {**saved, "num_bad": -1}]
    bads += [{**saved, "best": "1"}, {**saved, "scale": nan}, {**saved, "rate": None}]
    for bad in bads:
        with pytest.raises((TypeError, ValueError), match="expected"):
            plateau.load_state_dict(bad)
        assert plateau.state_dict() == saved


# --- in an optimizer ------------------------------------------------------------------


def test_an_optimizer_steps_with_it():
    """As with the same numbers set by hand."""
    params, twins = fresh(), fresh()
    plateau = ReduceOnPlateau(0.3, factor=0.7, patience=1)
    opt, twin = lrcore.Adam(params, lr=0.01), lrcore.Adam(twins)
    opt.lr = plateau
    for t, metric in enumerate(METRICS):
        twin.lr = plateau(t)
        opt.step(draw(params, t))
        twin.step(draw(twins, t))
        plateau.update(metric)
    assert plateau.scale < 0.1
    assert all_same(params, twins)


def run(opt, params, plateau, steps):
    for t in steps:
        opt.step(draw(params, t))
        plateau.update(METRICS[t])


@pytest.mark.parametrize(
    "through", [copy.copy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_it_is_saved_and_restored_with_the_optimizer(through):
    """To the bit; what becomes of it after the saving is not in what was saved; the
    object that is at its place takes the state over."""
    params = fresh()
    plateau = ReduceOnPlateau(0.3, factor=0.7, patience=1, cooldown=1)
    opt = lrcore.Adam(params, lr=plateau)
    run(opt, params, plateau, range(15))
    saved = through(opt.state_dict())
    kept = [p.copy() for p in params]
    run(opt, params, plateau, range(15, 40))

    others = [p.copy() for p in kept]
    handle = ReduceOnPlateau(Cosine(1.0, total=3), mode="max")
    other = lrcore.Adam(others, lr=handle)
    other.load_state_dict(saved)
    assert other.param_groups[0]["lr"] is handle
    assert handle.mode == "min"
    run(other, others, handle, range(15, 40))
    assert bits_of(other, others) == bits_of(opt, params)

    # Once more into the first: its own handle goes back.
    opt.load_state_dict(saved)
    assert opt.param_groups[0]["lr"] is plateau
    for p, old in zip(params, kept, strict=True):
        p[...] = old
    run(opt, params, plateau, range(15, 40))
    assert bits_of(other, others) == bits_of(opt, params)


def test_where_there_is_none_a_copy_is_put():
    plateau = ReduceOnPlateau(0.3, patience=0)
    opt = lrcore.SGD(np.zeros(2), lr=plateau)
    saved = opt.state_dict()
    other = lrcore.SGD(np.zeros(2), lr=0.1)
    other.load_state_dict(saved)
    found = other.param_groups[0]["lr"]
    assert found is not plateau
    assert found is not saved["param_groups"][0]["lr"]
    found.update(1.0)
    found.update(1.0)
    assert (other.lr, opt.lr) == (found(0), 0.3)
    assert saved["param_groups"][0]["lr"].best == inf


def test_one_object_in_several_groups_stays_one():
    plateau = ReduceOnPlateau(0.3)

    def make(first, second):
        return lrcore.SGD([
            {"params": np.zeros(2), "lr": first},
            {"params": np.zeros(2), "lr": second},
        ])  # fmt: skip

    saved = pickle.loads(pickle.dumps(make(plateau, plateau).state_dict()))
    a, b = ReduceOnPlateau(0.1), ReduceOnPlateau(0.2)
    for rates, wanted in [((0.1, 0.1), None), ((0.1, b), b), ((a, b), a), ((a, a), a)]:
        opt = make(*rates)
        opt.load_state_dict(saved)
        first, second = (group["lr"] for group in opt.param_groups)
        assert first is second
        assert wanted is None or first is wanted
        assert first(0) == 0.3

    # And two stay two, where one object stands for both.
    saved = make(ReduceOnPlateau(0.3), ReduceOnPlateau(0.4)).state_dict()
    opt = make(a, a)
    opt.load_state_dict(saved)
    first, second = (group["lr"] for group in opt.param_groups)
    assert first is a
    assert (first(0), second(0)) == (0.3, 0.4)


def test_it_may_be_one_of_betas_or_an_option():
    beta, scale = ReduceOnPlateau(0.5, patience=0), ReduceOnPlateau(1.0, patience=0)
    params = fresh()
    opt = lrcore.Adam(params, lr=0.1, betas=(beta, 0.9), clip_norm=scale)
    opt.step(draw(params, 0))
    saved = opt.state_dict()
    for plateau in (beta, scale):
        plateau.update(1.0)
        plateau.update(1.0)
        assert plateau.scale == 0.1
    assert saved["param_groups"][0]["betas"][0](0) == 0.5
    opt.load_state_dict(saved)
    assert opt.param_groups[0]["betas"] == (beta, 0.9)
    assert opt.clip_norm is scale
    assert (beta(0), scale(0)) == (0.5, 1.0)

    other = lrcore.Adam(fresh(), betas=lambda t: (0.1, 0.2))
    with pytest.warns(UserWarning, match="betas: .* takes the place of <function"):
        other.load_state_dict(saved)
    assert other.param_groups[0]["betas"][0](0) == 0.5
    opt.param_groups[0]["betas"] = (0.8, beta)
    with pytest.warns(UserWarning, match="betas: .* takes the place of"):
        opt.load_state_dict(saved)
    assert opt.param_groups[0]["betas"][0] is not beta


def test_a_load_that_is_refused_leaves_it_as_it_was():
    plateau = ReduceOnPlateau(0.3, patience=0)
    opt = lrcore.SGD(np.zeros(2), lr=plateau, momentum=0.9)
    opt.step(np.ones(2))
    saved = opt.state_dict()
    plateau.update(2.0)
    plateau.update(2.0)
    before = plateau.state_dict()
    bad_group = {**saved["param_groups"][0], "momentum": -1.0}
    for bad in (
        {**saved, "t": -1},
        {**saved, "param_groups": [bad_group]},
        {**saved, "options": {**saved["options"], "accumulate": 2}},
    ):
        with pytest.raises(ValueError, match=r"expected|found"):
            opt.load_state_dict(bad)
        assert plateau.state_dict() == before
        assert opt.param_groups[0]["lr"] is plateau


def test_pure_schedules_refuse_it():
    with pytest.raises(TypeError):
        Constant(1.0).then(5, ReduceOnPlateau(0.3))


def test_it_says_what_it_is():
    plateau = ReduceOnPlateau(Constant(0.5), patience=0)
    for _ in range(2):
        plateau.update(2.0)
    plateau.update(nan)
    assert repr(plateau) == (
        "<ReduceOnPlateau of Constant(base=0.5): scale=0.01, best=2, num_bad=0>"
    )


# --- all rates of an optimizer --------------------------------------------------------


def groups_of(rates):
    return [{"params": np.zeros(2), "lr": rate} for rate in rates]


def rates_of(opt):
    return [group.at("lr", opt.t) for group in opt.param_groups]


def test_attached_it_keeps_each_groups_rate():
    """The first group's is 0.1, the second's 0.01, as torch's keeps them."""
    opt = lrcore.SGD(groups_of([0.1, 0.01]))
    plateau = ReduceOnPlateau.attach(opt, factor=0.5, patience=0)
    assert [group["lr"](0) for group in opt.param_groups] == [0.1, 0.01]
    assert [plateau.update(loss) for loss in (1.0, 2.0, nan)] == [False, True, True]
    assert rates_of(opt) == [0.025, 0.0025]
    plateau.reset()
    assert rates_of(opt) == [0.1, 0.01]
    assert repr(plateau).startswith("<Plateaus: <ReduceOnPlateau of 0.1: scale=1,")


@pytest.mark.parametrize("min_lr", [0.0, 0.02])
def test_attached_each_rate_is_reduced_as_by_itself(min_lr):
    options = {"cooldown": 1, "smoothing": 2, "eps": 1e-3, "min_lr": min_lr}
    cosine = Cosine(0.3, total=60)
    own = [0.3, 0.01, cosine, lambda t: 0.1, 0.3]
    opt = lrcore.SGD(groups_of(own))
    plateaus = ReduceOnPlateau.attach(opt, 0.7, 1, **options)
    singles = [ReduceOnPlateau(rate, 0.7, 1, **options) for rate in own]
    for metric in METRICS[:40]:
        reduced = [single.update(metric) for single in singles]
        assert plateaus.update(metric) is any(reduced)
        opt.t += 1
        assert rates_of(opt) == [single(opt.t) for single in singles]
    assert rates_of(opt)[0] < 0.3


def test_groups_that_share_a_schedule_share_its_plateau():
    schedule = Cosine(0.3, total=60)
    opt = lrcore.SGD(groups_of([schedule, 0.5, schedule]))
    plateau = ReduceOnPlateau.attach(opt)
    first, second, third = (group["lr"] for group in opt.param_groups)
    assert first is third
    assert plateau == (first, second)
    opt.multiply_lr(0.5)
    assert rates_of(opt) == [0.15, 0.25, 0.15]


def test_attached_it_is_saved_with_the_optimizer_and_copied_with_it():
    opt = lrcore.SGD(groups_of([0.1, 0.01]))
    plateau = ReduceOnPlateau.attach(opt, factor=0.5, patience=0)
    plateau.update(1.0)
    saved = pickle.loads(pickle.dumps(opt.state_dict()))
    twins = [pickle.loads(pickle.dumps((opt, plateau))), copy.deepcopy((opt, plateau))]
    other = lrcore.SGD(groups_of([0.1, 0.01]))
    handle = ReduceOnPlateau.attach(other)
    other.load_state_dict(saved)
    for each, its in [(opt, plateau), (other, handle), *twins]:
        assert its.update(2.0)
        assert rates_of(each) == [0.05, 0.005]
        assert [group["lr"] for group in each.param_groups] == list(its)


def test_a_subclass_is_attached_as_such():
    class Own(ReduceOnPlateau):
        """A user's."""

    opt = lrcore.SGD(groups_of([0.1]))
    Own.attach(opt)
    assert type(opt.param_groups[0]["lr"]) is Own


@pytest.mark.parametrize(
    ("rates", "options", "error"),
    [
        ([0.1, 0.01], {"factor": 2.0}, r"^factor: expected"),
        ([0.1, 0.01], {"patient": 2}, r"unexpected keyword"),
        ([0.1, ReduceOnPlateau(0.1)], {}, r"^schedule: expected .* or a pure schedule"),
    ],
)
def test_what_cannot_be_attached_changes_nothing(rates, options, error):
    opt = lrcore.SGD(groups_of(rates))
    with pytest.raises((TypeError, ValueError), match=error):
        ReduceOnPlateau.attach(opt, **options)
    assert [group["lr"] for group in opt.param_groups] == rates


def test_attached_it_refuses_what_is_no_metric_before_any_is_changed():
    opt = lrcore.SGD(groups_of([0.1, 0.01]))
    plateau = ReduceOnPlateau.attach(opt, patience=0)
    before = [each.state_dict() for each in plateau]
    with pytest.raises(TypeError, match=r"^metric: expected a number"):
        plateau.update("1")
    assert [each.state_dict() for each in plateau] == before


def test_an_optimizer_is_told_how_to_attach():
    opt = lrcore.SGD(groups_of([0.1]))
    with pytest.raises(TypeError, match=r"ReduceOnPlateau\.attach\(opt, \.\.\.\)"):
        ReduceOnPlateau(opt)
    with pytest.raises(TypeError, match=r"^opt: expected an optimizer of lrcore"):
        ReduceOnPlateau.attach([opt])


def test_one_rate_for_groups_with_different_ones_gives_a_warning():
    """Once, as they are alike then."""
    opt = lrcore.SGD(groups_of([0.1, 0.01]))
    warning = (
        r"^lr: 2 groups with different rates \(0\.1, 0\.01\) now have the same one, "
        r"0\.5\..*ReduceOnPlateau\.attach\(opt\)"
    )
    with pytest.warns(UserWarning, match=warning) as caught:
        opt.lr = 0.5
    assert caught[0].filename == __file__
    assert rates_of(opt) == [0.5, 0.5]
    opt.lr = 0.25
    opt.momentum = 0.0
    alike = lrcore.SGD(groups_of([Cosine(0.1, total=9), Cosine(0.1, total=9)]))
    alike.lr = 0.1
    with pytest.raises(ValueError, match=r"^lr: expected"):  # and no warning
        lrcore.SGD(groups_of([0.1, 0.01])).lr = -1
