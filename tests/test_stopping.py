"""When to stop, and the best params."""

import pickle
from math import inf, nan

import numpy as np
import pytest
from helpers import all_same, snapshot, wild
from metrics import METRICS

from lrcore import EarlyStopping

LOSSES = METRICS[1:]

# Of Keras 3.15's EarlyStopping: the epoch in which it stopped, its best and when.  With
# mode "max" the metrics are negated.
KERAS = [
    ({"patience": 3}, 4, 3.125, 1),
    ({"patience": 0}, 2, 3.125, 1),
    ({"patience": 5, "min_delta": 0.5}, 16, 1.25, 11),
    ({"patience": 2, "start_from_epoch": 10}, 13, 1.25, 11),
    ({"patience": 4, "mode": "max"}, 19, -0.75, 15),
    ({"patience": 1, "start_from_epoch": 3, "min_delta": 0.25}, 4, 3.25, 3),
    ({"patience": 60}, None, 0.25, 42),
]


def first_stop(stopping, metrics):
    return next((k for k, m in enumerate(metrics) if stopping.update(m)), None)


@pytest.mark.parametrize(("kwargs", "stop", "best", "when"), KERAS)
def test_it_stops_where_keras_does(kwargs, stop, best, when):
    own = {k: v for k, v in kwargs.items() if k != "start_from_epoch"}
    stopping = EarlyStopping(**own, warmup=kwargs.get("start_from_epoch", 0))
    sign = -1 if stopping.mode == "max" else 1
    assert first_stop(stopping, [sign * loss for loss in LOSSES]) == stop
    assert (stopping.best, stopping.best_update) == (best, when)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("offset", [4.0, -4.0])
@pytest.mark.parametrize("delta", [0.0, 0.25])
def test_it_stops_after_patience_updates_without_an_improvement(
    mode, relative, offset, delta
):
    """By the definition, over what has been seen so far; below 0 too."""
    rng = np.random.default_rng(3)
    metrics = (offset + rng.integers(-8, 9, 40) / 4).tolist()
    stopping = EarlyStopping(5, delta, relative=relative, mode=mode)
    best, when, sign = None, None, 1 if mode == "min" else -1
    for k, metric in enumerate(metrics):
        if best is None or sign * (best - metric) > delta * (
            abs(best) if relative else 1
        ):
            best, when = metric, k
        assert stopping.update(metric) is (k - when >= 5)
        assert (stopping.best, stopping.best_update) == (best, when)
        assert (stopping.num_bad, stopping.num_updates) == (k - when, k + 1)


def test_nan_is_no_improvement():
    stopping = EarlyStopping(patience=2)
    assert [stopping.update(x) for x in (nan, np.float32(nan), 1.0, nan)] == [
        *(False, True, False, False)
    ]
    assert (stopping.best, stopping.best_update, stopping.num_bad) == (1.0, 2, 1)


def test_only_what_beats_the_baseline_ends_a_bad_row():
    stopping = EarlyStopping(patience=3, min_delta=0.5, baseline=2.0)
    seen = [
        (stopping.update(metric), stopping.best, stopping.num_bad)
        for metric in (4.0, 3.0, 1.25, 1.0, 0.5, 0.5, nan)
    ]
    assert seen == [
        *((False, 4.0, 1), (False, 3.0, 2), (False, 1.25, 0), (False, 1.25, 1)),
        *((False, 0.5, 0), (False, 0.5, 1), (False, 0.5, 2)),
    ]
    stopping.reset()
    assert [stopping.update(m) for m in (4.0, 3.0, 2.0)] == [False, False, True]


@pytest.mark.parametrize("bad", [nan, inf, -inf])
@pytest.mark.parametrize("warmup", [0, 5])
def test_it_stops_at_nan_where_it_is_told_to(bad, warmup):
    options = {"patience": 2, "warmup": warmup}
    stopping = EarlyStopping(**options, stop_at_nan=True, smoothing=2)
    assert [stopping.update(x) for x in (3.0, 2.0, bad)] == [False, False, True]
    assert stopping.best == (inf if warmup else 2.5)
    assert stopping.num_updates == 3
    assert not any(EarlyStopping(**options).update(x) for x in (3.0, 2.0, nan))


@pytest.mark.parametrize("warmup", [0, 3])
def test_smoothing_takes_means_for_metrics(warmup):
    """And keeps the params of the last metric in the best mean."""
    n, p = 4, np.zeros(1)
    metrics = LOSSES[:warmup] + [m for m in LOSSES[warmup:] if m == m][:36]
    rest = metrics[warmup:]
    means = [sum(rest[k : k + n]) / n for k in range(0, len(rest), n)]
    plain = EarlyStopping(3)
    stopping = EarlyStopping(3, smoothing=n, warmup=warmup, params=p)
    for k, metric in enumerate(metrics):
        p[0] = k
        full = k >= warmup and (k - warmup) % n == n - 1
        stop = plain.update(means[(k - warmup) // n]) if full else plain.num_bad >= 3
        assert stopping.update(metric) is stop
        assert (stopping.best, stopping.num_bad) == (plain.best, plain.num_bad)
    stopping.restore()
    assert p[0] == stopping.best_update == warmup + n * plain.best_update + n - 1


def nested(rng):
    return {
        "a": wild(rng, (5, 3), "float32"),
        "b": [np.asfortranarray(wild(rng, (4, 2), "float64")), np.array(1.5)],
        "c": (np.zeros((0, 3)),),
    }


def leaves(params):
    return [params["a"], *params["b"], *params["c"]]


def test_the_best_params_come_back_in_place_to_the_bit():
    rng = np.random.default_rng(0)
    params = nested(rng)
    stopping = EarlyStopping(patience=2, params=params, warmup=1)
    arrays, best = leaves(params), None
    for metric in (0.5, 3.0, 1.0, nan, 2.0):
        for a in arrays:
            a[...] = wild(rng, a.shape, a.dtype)
        if metric == 1.0:
            best = [a.copy("A") for a in arrays]
        stop = stopping.update(metric)
    assert stop
    stopping.restore()
    assert snapshot(arrays) == snapshot(best)
    assert all(a is b for a, b in zip(arrays, leaves(params), strict=True))
    arrays[0][...] = 0
    stopping.restore()
    assert snapshot(arrays) == snapshot(best), "as often as asked"


def test_where_nothing_is_kept_there_is_nothing_to_restore():
    with pytest.raises(RuntimeError, match=r"^restore: found no params; construct"):
        EarlyStopping().restore()
    p = np.ones(3)
    stopping = EarlyStopping(params=p, warmup=1)
    for metric in (1.0, nan, inf):
        stopping.update(metric)
        with pytest.raises(
            RuntimeError, match=r"^restore: found nothing kept; none of"
        ):
            stopping.restore()
    assert p.tolist() == [1, 1, 1]
    stopping.update(5.0)
    stopping.reset()
    with pytest.raises(RuntimeError, match="none of 0 updates"):
        stopping.restore()


def test_a_replaced_array_is_found():
    params = {"layers": [np.ones(2), np.ones(3)], "b": np.ones(1)}
    stopping = EarlyStopping(params=params)
    stopping.update(2.0)
    before = stopping.state_dict()
    kept = params["layers"]
    for replace in (
        lambda: params.update(b=np.ones(1)),
        lambda: params.update(layers=[*kept]),
        lambda: kept.pop(),
    ):
        saved = {**params}, [*kept]
        replace()
        for call in (lambda: stopping.update(1.0), stopping.restore):
            with pytest.raises(ValueError, match=r"^params\['.*expected the object"):
                call()
        params.update(saved[0])
        kept[:] = saved[1]
    now = stopping.state_dict()
    assert all_same(now.pop("weights"), before.pop("weights"))
    assert now == before
    params["b"].flags.writeable = False
    params["layers"][0][...] = 7
    with pytest.raises(ValueError, match=r"^params\['b'\]: found a read-only array"):
        stopping.restore()
    assert params["layers"][0].tolist() == [7, 7]


@pytest.mark.parametrize("at", [0, 1, 3, 11])
def test_it_continues_from_its_state(at):
    def go(stopping, p, metrics):
        for metric in metrics:
            p += 1
            yield stopping.update(metric), stopping.best, stopping.best_update

    p, q = np.zeros(3), np.zeros(3)
    options = {"baseline": 1.0, "smoothing": 2, "stop_at_nan": True}
    first = EarlyStopping(4, 0.25, relative=True, warmup=2, params=[p], **options)
    list(go(first, p, LOSSES[:at]))
    saved = pickle.loads(pickle.dumps(first.state_dict()))
    q[...] = p
    second = EarlyStopping(mode="max", params=[q])
    second.update(3.0)
    second.load_state_dict(saved)
    assert list(go(first, p, LOSSES[at:])) == list(go(second, q, LOSSES[at:]))
    for stopping in (first, second):
        stopping.restore()
    assert p.tolist() == q.tolist() == [first.best_update + 1] * 3


def test_what_was_saved_is_a_copy():
    p = np.ones(2)
    stopping = EarlyStopping(params=p)
    stopping.update(1.0)
    saved = stopping.state_dict()
    p[...] = 5
    stopping.update(0.5)
    assert saved["weights"][0].tolist() == [1, 1]
    stopping.load_state_dict(saved)
    saved["weights"][0][...] = 9
    stopping.restore()
    assert p.tolist() == [1, 1]


def test_what_is_no_state_of_it_is_refused_and_changes_nothing():
    p = np.ones(2)
    stopping = EarlyStopping(params={"w": p})
    stopping.update(1.0)
    saved = stopping.state_dict()
    with_none = EarlyStopping().state_dict()
    bads = [{}, None, {"best": 1.0}, with_none, {**saved, "more": 1}]
    bads += [{**saved, "patience": -1}, {**saved, "best": None}]
    bads += [{**saved, "num_bad": 0.5}, {**saved, "best_update": -1}]
    bads += [{**saved, "weights": []}, {**saved, "weights": [np.ones(3)]}]
    bads += [{**saved, "weights": [np.ones(2, np.float32)]}]
    for bad in bads:
        with pytest.raises((TypeError, ValueError), match="expected"):
            stopping.load_state_dict(bad)
        now = stopping.state_dict()
        assert all_same(now["weights"], saved["weights"])
        assert {**now, "weights": 0} == {**saved, "weights": 0}


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("patience", [-1, 1.5, None, True]),
        ("min_delta", [-0.1, inf, nan, "0", None, lambda t: 0.1]),
        ("relative", [2, None, "yes", np.ones(2)]),
        ("baseline", [nan, inf, "0"]),
        ("stop_at_nan", [1, None, np.ones(2)]),
        ("smoothing", [0, 1.5, None, True]),
        ("mode", ["auto", None]),
        ("warmup", [-1, 0.5, None]),
        ("metric", ["1", None, [1.0, 2.0], True]),
    ],
)
def test_bad_arguments_are_refused_by_name(argument, values):
    stopping = EarlyStopping()
    for value in values:
        call = stopping.update if argument == "metric" else EarlyStopping
        with pytest.raises((TypeError, ValueError), match=rf"^{argument}: expected"):
            call(**{argument: value})
    assert stopping.num_updates == 0


@pytest.mark.parametrize(
    "params", [[], [[1.0, 2.0]], np.ones(3, int), {"a": np.ones(4)[::2]}]
)
def test_params_are_those_of_an_optimizer(params):
    with pytest.raises((TypeError, ValueError), match=r"^params"):
        EarlyStopping(params=params)


def test_it_says_what_it_is():
    stopping = EarlyStopping(patience=3)
    for metric in (2.0, 1.5, 1.75):
        stopping.update(metric)
    assert repr(stopping) == (
        "<EarlyStopping best=1.5 in update 1 of 3, 1 of 3 without>"
    )
