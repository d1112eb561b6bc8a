"""Reduction on a plateau, beside the sequences of other libraries."""

import copy
import pickle
from math import inf, nan

import numpy as np
import pytest
from metrics import METRICS

import lrcore
from lrcore import ReduceOnPlateau
from lrcore.schedules import Constant, Cosine

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
