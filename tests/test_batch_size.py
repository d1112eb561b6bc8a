"""Rules for other batch sizes, and the gradient noise scale."""

import pickle
from math import inf, isnan, nan, sqrt

import numpy as np
import pytest

import lrcore
from lrcore import GradientNoiseScale, scale_lr
from lrcore.batch_size import optimal_lr, scale_adam, tradeoff
from lrcore.schedules import Constant

LATER = ("calls", "small_norm2")
"""Entries that dicts of older versions lack."""


@pytest.mark.parametrize("ratio", [0.25, 1.0, 4.0, 31.25])
def test_the_rules_for_a_rate(ratio):
    assert scale_lr(0.5, 32 * ratio, 32) == 0.5 * ratio
    assert scale_lr(0.5, 32 * ratio, 32, rule="sqrt") == 0.5 * sqrt(ratio)
    assert type(scale_lr(np.float32(1), np.int64(8), 4)) is float


def test_goyals_rate():
    """0.1 for 256 images becomes 3.2 for 8192 (section 5.1)."""
    assert scale_lr(0.1, 8192, 256) == pytest.approx(3.2, rel=1e-15)


@pytest.mark.parametrize("ratio", [0.25, 1.0, 4.0, 9.0])
def test_the_rule_for_adam(ratio):
    lr, betas, eps = scale_adam(64 * ratio, 64, 0.01, (0.9, 0.999), 1e-6)
    assert lr == 0.01 * sqrt(ratio)
    # 1 - beta loses the last bits of beta.
    np.testing.assert_allclose(
        betas, [1 - ratio * 0.1, 1 - ratio * 0.001], rtol=0, atol=1e-15 * ratio
    )
    assert eps == pytest.approx(1e-6 / sqrt(ratio), rel=1e-15)
    group = lrcore.Adam(np.ones(1)).param_groups[0]
    same = scale_adam(64, 64)
    assert (same.lr, same.eps) == (group["lr"], group["eps"])
    np.testing.assert_allclose(same.betas, group["betas"], rtol=1e-15)


def test_adams_noise_is_that_of_small_batches():
    """What the rule is for: on pure noise, of which k times the batch has 1 / k of the
    variance, a large step moves p as far as k small ones do."""
    rng = np.random.default_rng(0)
    k, steps, n = 4, 2000, 2000
    small = {"lr": 1e-3, "betas": (0.95, 0.999), "eps": 1e-8}
    large = scale_adam(k, 1, **small)._asdict()
    moved = []
    for numbers, count, deviation in ((small, steps * k, 1.0), (large, steps, k**-0.5)):
        p = np.zeros(n)
        opt = lrcore.Adam(p, **numbers)
        for _ in range(count // 8):
            opt.step(deviation * rng.standard_normal(n))
        moved.append(np.mean(p**2))
    # Each mean of n squares is within 4 standard errors, sqrt(2 / n) of it; the ends of
    # the averages of m and v add less than a twentieth.
    assert moved[1] / moved[0] == pytest.approx(1, rel=4 * sqrt(4 / n) + 0.05)


def test_a_beta_cannot_fall_below_0():
    with pytest.raises(ValueError, match=r"^betas\[0\]: expected at least 0.95 at 20 "):
        scale_adam(20, 1)
    assert scale_adam(8, 1, betas=(0.875, 0.999)).betas[0] == 0.0


def test_the_model_of_large_batches():
    assert optimal_lr(0.6, 50, 100) == pytest.approx(0.2, rel=1e-15)
    assert optimal_lr(0.6, 50, 0.0) == 0.6
    assert optimal_lr(0.6, 50, inf) == 0.0
    for batch_size in (1.0, 20.0, 4000.0):
        steps, examples = tradeoff(batch_size, 20.0)
        assert (steps - 1) * (examples - 1) == pytest.approx(1, rel=1e-12)
        # Examples are steps times the batch size, in units of the critical batch size.
        assert steps * batch_size / 20 == pytest.approx(examples, rel=1e-12)
    assert tradeoff(20.0, 20.0) == (2.0, 2.0)


def norms(rng, mean, deviation, small, count):
    """Squared norms of gradients of small batches, on average, and of their mean."""
    noise = rng.standard_normal((count, mean.size)) * deviation / sqrt(small)
    grads = mean + noise
    return np.mean(np.sum(grads**2, axis=1)), np.sum(grads.mean(axis=0) ** 2)


@pytest.mark.parametrize(("small", "count"), [(1, 2), (4, 8), (16, 64)])
@pytest.mark.parametrize("size", [0.7, 2.0])
def test_the_estimate_converges_to_the_noise_scale(small, count, size):
    rng = np.random.default_rng(small)
    mean = rng.standard_normal(20) * size
    deviation = rng.uniform(0.5, 2, 20)
    g2, trace = np.sum(mean**2), np.sum(deviation**2)
    noise = GradientNoiseScale(small, small * count, decay=None)
    pairs, n = [], 4000
    for _ in range(n):
        pair = norms(rng, mean, deviation, small, count)
        pairs.append(pair)
        assert noise.update(*pair)
    a, b = np.transpose(pairs)
    big = small * count
    g2s = (big * b - small * a) / (big - small)
    traces = (a - b) / (1 / small - 1 / big)
    # Four standard errors; that of the ratio by the delta method.
    assert abs(noise.grad_norm2 - g2) < 4 * np.std(g2s) / sqrt(n)
    assert abs(noise.trace - trace) < 4 * np.std(traces) / sqrt(n)
    error = np.std(traces / g2 - g2s * trace / g2**2) / sqrt(n)
    assert abs(noise.noise_scale - trace / g2) < 4 * error
    assert error < 0.1 * trace / g2, "so that the bound says something"
    assert noise.updates == n


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99, None])
def test_averages_are_without_bias(decay):
    """By their weights, which add up to 1."""
    rng = np.random.default_rng(1)
    pairs = rng.uniform(1, 2, (30, 2))
    noise = GradientNoiseScale(2, 8, decay)
    for i, pair in enumerate(pairs):
        noise.update(*pair)
        ages = np.arange(i, -1, -1)
        weights = np.ones(i + 1) if decay is None else np.power(decay, ages)
        small, big = np.average(pairs[: i + 1], axis=0, weights=weights)
        # A few roundings of numbers below 8 an update.
        bound = {"rtol": 0, "atol": 1e-13}
        np.testing.assert_allclose(noise.grad_norm2, (8 * big - 2 * small) / 6, **bound)
        np.testing.assert_allclose(noise.trace, (small - big) / (3 / 8), **bound)
        if noise.grad_norm2 > 0:
            assert noise.noise_scale == max(noise.trace / noise.grad_norm2, 0)


def test_from_the_gradients_of_micro_batches():
    rng = np.random.default_rng(2)
    grads = [
        {"w": rng.standard_normal((4, 3)), "b": [rng.standard_normal(5).astype("f4")]}
        for _ in range(4)
    ]
    flat = np.array([np.r_[g["w"].ravel(), g["b"][0]] for g in grads], float)
    small, big = np.mean(np.sum(flat**2, 1)), np.sum(flat.mean(0) ** 2)
    computed, told, by_hand = (GradientNoiseScale(8, 32) for _ in range(3))
    assert computed.update_from(grads)
    mean = {
        "w": np.mean([g["w"] for g in grads], axis=0),
        "b": [np.mean([g["b"][0] for g in grads], axis=0)],
    }
    assert told.update_from(tuple(grads), mean=mean)
    assert by_hand.update(small, big)
    # Sums of 17 squares in float64; a mean in float32 is within 1e-7.
    assert computed.noise_scale == pytest.approx(by_hand.noise_scale, rel=1e-13)
    assert told.noise_scale == pytest.approx(by_hand.noise_scale, rel=1e-6)


@pytest.mark.parametrize("grad_scale", [1.0, 0.25])
def test_gathered_micro_batches_are_as_all_at_once(grad_scale):
    rng = np.random.default_rng(4)
    p = [np.zeros(7), np.zeros((2, 3))]
    opt = lrcore.SGD(p, accumulate=3, telemetry=True, grad_scale=grad_scale)
    one, other = GradientNoiseScale(8, 24), GradientNoiseScale(8, 24)
    for _ in range(4):
        calls = [[rng.normal(1, 1, a.shape) for a in p] for _ in range(3)]
        for grads in calls:
            one.gather(grads)
            if opt.step(grads):
                assert one.update_gathered(opt.report.grad_norm / grad_scale)
        assert other.update_from(calls)
    assert one.noise_scale == pytest.approx(other.noise_scale, rel=1e-12)
    assert one.grad_norm2 == pytest.approx(other.grad_norm2, rel=1e-12)


def test_a_shorter_batch_counts_as_such():
    """At the end of an epoch: two micro-batches instead of four."""
    grads = [np.array([4.0, 3.0]), np.array([4.0, -3.0])]
    short, full = GradientNoiseScale(8, 32), GradientNoiseScale(8, 16)
    for g in grads:
        short.gather(g)
    assert short.update_gathered(4.0)
    assert full.update_from(grads)
    assert (short.trace, short.grad_norm2) == (full.trace, full.grad_norm2)
    short.gather(grads[0])
    assert not short.update_gathered(5.0)  # one is no pair
    assert not short.update_gathered(5.0)
    assert short.updates == 1


def test_gathering_continues_from_its_state():
    first, second = GradientNoiseScale(1, 2), GradientNoiseScale(1, 2)
    first.gather(np.ones(2))
    second.load_state_dict(pickle.loads(pickle.dumps(first.state_dict())))
    for noise in (first, second):
        noise.gather(np.array([1.0, -1.0]))
        assert noise.update_gathered(1.0)
    assert first.state_dict() == second.state_dict()
    older = {k: v for k, v in first.state_dict().items() if k not in LATER}
    third = GradientNoiseScale(1, 2)
    third.load_state_dict(older)
    assert third.state_dict() == first.state_dict()


def test_where_an_estimate_is_not_positive():
    noise = GradientNoiseScale(1, 2, decay=None)
    assert isnan(noise.noise_scale)
    assert isnan(noise.grad_norm2)
    assert isnan(noise.trace)
    noise.update(3.0, 1.0)
    assert (noise.grad_norm2, noise.trace, noise.noise_scale) == (-1.0, 4.0, inf)
    noise.update(1.0, 3.0)
    assert (noise.grad_norm2, noise.trace, noise.noise_scale) == (2.0, 0.0, 0.0)
    noise.update(1.0, 3.0)
    assert noise.trace < 0
    assert noise.noise_scale == 0.0
    noise.reset()
    noise.update(0.0, 0.0)
    assert isnan(noise.noise_scale)


@pytest.mark.parametrize("bad", [nan, inf])
def test_what_is_not_finite_changes_nothing(bad):
    noise = GradientNoiseScale(1, 4)
    noise.update(2.0, 1.0)
    before = noise.state_dict()
    assert not noise.update(bad, 1.0)
    assert not noise.update(1.0, bad)
    assert not noise.update_from([np.full(2, sqrt(bad))] * 4)
    assert noise.state_dict() == before


def test_it_continues_from_its_state():
    rng = np.random.default_rng(4)
    pairs = rng.uniform(1, 2, (20, 2)) + np.array([1, 0])
    first = GradientNoiseScale(2, 8, 0.9)
    for pair in pairs[:10]:
        first.update(*pair)
    saved = pickle.loads(pickle.dumps(first.state_dict()))
    second = GradientNoiseScale(1, 2)
    second.load_state_dict(saved)
    for pair in pairs[10:]:
        assert first.update(*pair)
        assert second.update(*pair)
        assert first.state_dict() == second.state_dict()
        assert first.noise_scale == second.noise_scale
    now = first.state_dict()
    for bad in ({}, None, {**saved, "trace": nan}, {**saved, "updates": -1},
                {**saved, "decay": 1.0}, {**saved, "big_batch_size": 1}):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match="expected"):
            first.load_state_dict(bad)
        assert first.state_dict() == now


def size(**kwargs):
    return scale_lr(**{"lr": 0.1, "batch_size": 8, "base_batch_size": 4, **kwargs})


def adam(**kwargs):
    return scale_adam(**{"batch_size": 8, "base_batch_size": 4, **kwargs})


def optimal(**kwargs):
    return optimal_lr(**{"max_lr": 0.1, "batch_size": 8, "noise_scale": 4, **kwargs})


def trade(**kwargs):
    return tradeoff(**{"batch_size": 8, "noise_scale": 4, **kwargs})


def scale(**kwargs):
    return GradientNoiseScale(**{"small_batch_size": 2, "big_batch_size": 8, **kwargs})


def updated(**kwargs):
    return scale().update(**{"small_norm2": 2.0, "big_norm2": 1.0, **kwargs})


NO_SIZE = [0, -1, inf, nan, "8", None]


@pytest.mark.parametrize(
    ("call", "argument", "values"),
    [
        (size, "lr", [-0.1, inf, nan, "0.1", None, Constant(0.1)]),
        (size, "batch_size", NO_SIZE),
        (size, "base_batch_size", NO_SIZE),
        (size, "rule", ["cube", None]),
        (adam, "lr", [-0.1, nan, None]),
        (adam, "betas", [0.9, (0.9,), None, (0.9, 0.99, 0.999)]),
        (adam, r"betas\[1\]", [None]),
        (adam, "eps", [-1e-8, None]),
        (optimal, "max_lr", [-0.1, inf, None]),
        (optimal, "batch_size", NO_SIZE),
        (optimal, "noise_scale", [-1, nan, None]),
        (trade, "noise_scale", NO_SIZE),
        (scale, "small_batch_size", NO_SIZE),
        (scale, "big_batch_size", [*NO_SIZE, 2, 1]),
        (scale, "decay", [1.0, -0.1, nan, "0.9"]),
        (updated, "small_norm2", [-1.0, "1", None]),
        (updated, "big_norm2", [-1.0, "1", None]),
    ],
)
def test_bad_arguments_are_refused_by_name(call, argument, values):
    for value in values:
        kwargs = {argument: value}
        if argument.endswith("]"):
            kwargs = {"betas": (0.9, 1.0)}
        with pytest.raises((TypeError, ValueError), match=rf"^{argument}: expected"):
            call(**kwargs)


def test_bad_gradients_are_refused():
    noise, g = scale(), np.ones(3)
    for bad, words in [
        ([g] * 3, r"^grads: expected a list of 4 gradients of 2 examples, found 3"),
        (g, r"^grads: expected a list of 4"),
        ([g, g, g, np.ones(4)], r"^grads\[3\]: expected arrays of shapes"),
        ([g, g, [g, g], g], r"^grads\[2\]: expected arrays of shapes"),
        ([g, g, g, 1.0], r"^grads\[3\]: expected"),
    ]:
        with pytest.raises((TypeError, ValueError), match=words):
            noise.update_from(bad)
    assert noise.updates == 0


def test_it_says_what_it_is():
    noise = scale()
    noise.update(3.0, 2.0)
    assert repr(noise) == "<GradientNoiseScale 1.6 from 1 pairs of 2 and 8>"


def test_norms_are_added_in_order():
    norms = [1.0, 1e-8, 1e-8]  # their squares: the small ones are rounded away
    noise, twin = (GradientNoiseScale(1, 3, decay=None) for _ in range(2))
    assert noise.update_from([np.array([x]) for x in norms], mean=np.ones(1))
    assert twin.update(1.0 / 3, 1.0)
    assert noise.state_dict() == twin.state_dict()
