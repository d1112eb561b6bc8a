"""Schedules equal those of other libraries, which golden/make_schedules.py recorded."""

import json
from pathlib import Path

import numpy as np
import pytest

from lrcore.schedules import (
    WSD,
    Constant,
    Cosine,
    CosineRestarts,
    Cyclic,
    Exponential,
    FlatCosine,
    Interpolate,
    InverseSqrt,
    InverseTime,
    Linear,
    MultiStep,
    OneCycle,
    Piecewise,
    Polynomial,
    Rex,
    StepDecay,
    Tanh,
    join,
)

with np.load(Path(__file__).parent / "golden" / "schedules.npz") as file:
    GOLDEN = dict(file)
ABOUT = json.loads(str(GOLDEN.pop("about")))
STEPS = np.arange(1000)

# rtol: torch makes each of 1,000 values from the one before, with a few roundings.
# atol: what is left of roundings of 1 where a cosine or a power falls to 0, times a
# learning rate of less than 1.
CLOSE = {"rtol": 1e-12, "atol": 1e-16}


def above_a_floor(base, floor, **restarts):
    """timm's restarts: gamma multiplies base, not its height above the floor."""
    scaled = CosineRestarts(base, **restarts)
    restarts.pop("gamma")
    return scaled + (floor - CosineRestarts(floor, **restarts))


one_cycle = OneCycle(0.1, 1000)
one_linear = OneCycle(0.3, 1000, 0.2577, 10.0, 100.0, "linear")
one_three = OneCycle(0.2, 1000, three_phase=True)
one_three_linear = OneCycle(0.2, 1000, 0.4, shape="linear", three_phase=True)
fastai = OneCycle(0.1, 800, 0.25, final_div=4000, inclusive=False)
share_of_900 = Linear(0.0, 1.0, 900)
interpolated = [0.1, 0.2, 0.02, 0.06], [0, 150, 600, 900]

ROWS = {
    # --- torch ---
    "torch.StepLR": StepDecay(0.1, 0.6, 70),
    "torch.MultiStepLR": MultiStep(0.1, [100, 250, 250, 800], 0.3),
    "torch.ConstantLR": Piecewise([0.03, 0.1], [200]),
    "torch.LinearLR": Linear(0.025, 0.075, 700),
    "torch.LinearLR.to_zero": Linear(0.1, 0.0, 900),
    "torch.ExponentialLR": Exponential(0.1, 0.99),
    "torch.PolynomialLR": Polynomial(0.1, 900),
    "torch.PolynomialLR.square": Polynomial(0.1, 700, 2.0),
    "torch.PolynomialLR.root": Polynomial(0.1, 800, 0.5),
    "torch.CosineAnnealingLR": Cosine(0.1, 40, 0.01, rises=True),
    "torch.CosineAnnealingLR.epoch": Cosine(0.1, 300, 0.002, rises=True),
    "torch.CosineAnnealingWarmRestarts": CosineRestarts(0.1, 60),
    "torch.CosineAnnealingWarmRestarts.double": CosineRestarts(0.1, 50, 2, 0.01),
    "torch.CosineAnnealingWarmRestarts.triple": CosineRestarts(0.1, 1, 3, 0.001),
    "torch.CosineAnnealingWarmRestarts.epoch": CosineRestarts(0.1, 1, 3, 0.001),
    "torch.CyclicLR.triangular": Cyclic(0.01, 0.1, 60, 90),
    "torch.CyclicLR.triangular.momentum": Cyclic(0.9, 0.8, 60, 90),
    "torch.CyclicLR.triangular2": Cyclic(0.01, 0.1, 80, mode="triangular2"),
    "torch.CyclicLR.triangular2.momentum": Cyclic(0.9, 0.8, 80, mode="triangular2"),
    "torch.CyclicLR.exp_range": Cyclic(0.01, 0.1, 75, 25, "exp_range", 0.998),
    "torch.CyclicLR.exp_range.momentum": Cyclic(0.9, 0.8, 75, 25, "exp_range", 0.998),
    "torch.OneCycleLR": one_cycle,
    "torch.OneCycleLR.momentum": one_cycle.momentum(),
    "torch.OneCycleLR.linear": one_linear,
    "torch.OneCycleLR.linear.momentum": one_linear.momentum(0.8, 0.9),
    "torch.OneCycleLR.three": one_three,
    "torch.OneCycleLR.three.momentum": one_three.momentum(),
    "torch.OneCycleLR.three.linear": one_three_linear,
    "torch.OneCycleLR.three.linear.momentum": one_three_linear.momentum(),
    "torch.LambdaLR": StepDecay(0.1, 0.95, 30),
    "torch.MultiplicativeLR": Exponential(0.1, 0.995),
    "torch.SequentialLR":
        Exponential(0.1, 0.995).warmup(50, start=0.1, first=0),
    "torch.SequentialLR.three": join(
        [Constant(0.05).then(60, Constant(0.1)), Cosine(0.1, 400, 0.02),
         StepDecay(0.1, 0.1, 100)], [90, 490]),
    "torch.ChainedScheduler": Piecewise([0.1, 1.0], [200]) * Exponential(0.1, 0.997),
    # --- Keras ---
    "keras.ExponentialDecay": Exponential(0.1, 0.7, 100),
    "keras.ExponentialDecay.staircase": StepDecay(0.1, 0.7, 90),
    "keras.PiecewiseConstantDecay":
        Piecewise([0.1, 0.05, 0.2, 0.001], [100, 350, 600], inclusive=True),
    "keras.PolynomialDecay": Polynomial(0.1, 800, end=1e-4),
    "keras.PolynomialDecay.power": Polynomial(0.1, 700, 1.5, 0.01),
    "keras.PolynomialDecay.cycle": Polynomial(0.1, 150, 0.5, 0.01, cycle=True),
    "keras.InverseTimeDecay": InverseTime(0.1, 0.5, 50),
    "keras.InverseTimeDecay.staircase": InverseTime(0.1, 0.5, 60, staircase=True),
    "keras.CosineDecay": Cosine(0.1, 800),
    "keras.CosineDecay.alpha": Cosine(0.1, 700, 0.05 * 0.1),
    "keras.CosineDecay.warmup":
        Cosine(0.2, 600, 0.1 * 0.2).warmup(150, start=0.01 / 0.2, first=0),
    "keras.CosineDecayRestarts": CosineRestarts(0.1, 60, 2),
    "keras.CosineDecayRestarts.same": CosineRestarts(0.1, 130, gamma=0.8),
    "keras.CosineDecayRestarts.alpha": CosineRestarts(0.1, 100, 2, 0.1 * 0.1, 0.7),
    "keras.CosineDecayRestarts.triple": CosineRestarts(0.1, 1, 3, gamma=0.9),
    # --- optax ---
    "optax.constant": Constant(0.1),
    "optax.linear": Linear(0.1, 0.01, 700),
    "optax.linear.begin": Constant(0.01).then(200, Linear(0.01, 0.3, 500)),
    "optax.polynomial": Polynomial(0.1, 800, 2.0, 0.001),
    "optax.polynomial.begin":
        Constant(0.1).then(150, Polynomial(0.1, 600, 0.7, 0.02)),
    "optax.cosine_decay": Cosine(0.1, 900),
    "optax.cosine_decay.alpha": Cosine(0.3, 700, 0.1 * 0.3),
    "optax.exponential_decay": Exponential(0.1, 0.8, 120),
    "optax.exponential_decay.begin":
        Constant(0.1).then(150, Exponential(0.1, 0.7, 100)),
    "optax.exponential_decay.staircase": StepDecay(0.1, 0.7, 80),
    "optax.exponential_decay.end":
        Constant(0.1).then(50, StepDecay(0.1, 0.6, 100)).clamp(low=0.004),
    "optax.exponential_decay.rising": Exponential(0.001, 1.9, 100).clamp(high=0.2),
    "optax.piecewise_constant": Piecewise([0.1, 0.05, 0.15, 0.015], [200, 450, 700]),
    "optax.piecewise_interpolate.linear": Interpolate(*interpolated),
    "optax.piecewise_interpolate.cosine": Interpolate(*interpolated, "cosine"),
    "optax.linear_onecycle":
        Interpolate([0.004, 0.1, 0.004, 4e-7], [0, 240, 680, 800]),
    "optax.linear_onecycle.three": OneCycle(
        0.1, 800, 0.375, 20.0, 500.0, "linear", three_phase=True, inclusive=False),
    "optax.cosine_onecycle": OneCycle(0.1, 900, inclusive=False),
    "optax.cosine_onecycle.div": OneCycle(0.2, 800, 0.25, 10.0, 100.0, inclusive=False),
    "optax.warmup_constant": Constant(0.1).warmup(100, start=0.1, first=0),
    "optax.warmup_cosine_decay":
        Cosine(0.1, 800, 0.005).warmup(100, start=0.2, first=0),
    "optax.warmup_exponential_decay":
        Exponential(0.1, 0.8, 70).clamp(low=0.01).warmup(90, first=0),
    "optax.warmup_exponential_decay.staircase":
        Constant(0.1).then(60, StepDecay(0.1, 0.8, 70)).warmup(90, first=0),
    "optax.sgdr": join(
        [Cosine(0.1, 260, 0.02).warmup(40, first=0),
         Cosine(0.06, 260).warmup(40, first=0),
         Cosine(0.03, 260).warmup(40, start=0.001 / 0.03, first=0)], [300, 600]),
    "optax.join": join(
        [Linear(0.01, 0.1, 120), Constant(0.1), Exponential(0.1, 0.5, 100)],
        [120, 400]),
    # --- transformers ---
    "transformers.constant": Constant(0.1),
    "transformers.constant_with_warmup": Constant(0.1).warmup(90, first=0),
    "transformers.linear": Linear(0.1, 0.0, 810).warmup(90, first=0),
    "transformers.cosine": Cosine(0.1, 700, rises=True).warmup(100, first=0),
    "transformers.cosine.waves": Cosine(0.1, 300, rises=True).warmup(60, first=0),
    "transformers.cosine_with_restarts":
        CosineRestarts(0.1, 200).warmup(100, first=0).then(900, Constant(0.0)),
    "transformers.polynomial": Polynomial(0.1, 800, end=1e-7).warmup(80, first=0),
    "transformers.polynomial.power":
        Polynomial(0.1, 720, 2.5, 0.01).warmup(80, first=0),
    "transformers.inverse_sqrt": InverseSqrt(0.1, 120).warmup(120, first=0),
    "transformers.inverse_sqrt.timescale": InverseSqrt(0.1, 200).warmup(50, first=0),
    "transformers.cosine_with_min_lr":
        Cosine(0.1, 700, 0.01, rises=True).warmup(100, first=0),
    # What follows begins with the last step of the warm-up.
    "transformers.cosine_warmup_with_min_lr":
        Cosine(0.1, 700, 0.02, rises=True).warmup(99, start=1 / 100, first=0),
    "transformers.cosine_warmup_with_min_lr.rate":
        Cosine(0.1, 700, 0.005, rises=True).warmup(99, start=0.05, first=0),
    "transformers.warmup_stable_decay.linear": WSD(0.1, 900, 80, 300, first=0),
    "transformers.warmup_stable_decay.cosine":
        WSD(0.1, 900, 80, 300, "cosine", first=0),
    "transformers.warmup_stable_decay.sqrt": WSD(0.1, 900, 80, 300, "sqrt", first=0),
    "transformers.warmup_stable_decay.min_lr":
        WSD(0.1, 800, 100, 250, "sqrt", end=0.01, start=0.1, first=0),
    # --- timm: after its last cycle it jumps to the least ---
    "timm.Tanh": Tanh(0.1, 800, low=-7.0).then(800, Constant(0.0)),
    "timm.Tanh.warmup":
        Linear(0.02, 0.1, 100)  # to 0.1, not to where the tanh begins
        .then(100, Tanh(0.1, 700, end=0.01)).then(800, Constant(0.01)),
    "timm.Cosine":
        above_a_floor(0.1, 0.01, every=250, gamma=0.6)
        .then(750, Constant(0.01)).warmup(50, start=0.005 / 0.1, first=0),
    "timm.Cosine.double":
        above_a_floor(0.1, 0.01, every=60, mult=2, gamma=0.7),
    "timm.Cosine.triple":
        above_a_floor(0.1, 0.01, every=1, mult=3, gamma=0.7),
    # --- fastai ---
    "fastai.fit_one_cycle": fastai,
    "fastai.fit_one_cycle.momentum": fastai.momentum(),
    "fastai.fit_flat_cos": FlatCosine(0.1, 800, 0.75, 0.1 / 1e5),
    "fastai.fit_sgdr": join(
        [Cosine(0.1, 100), Cosine(0.1, 200), Cosine(0.1, 500)], [100, 300]),
    "fastai.SchedLin": Linear(0.1, 0.01, 900),
    "fastai.SchedExp": Exponential(1e-7, 1e8, 900).clamp(high=10.0),
    "fastai.SchedPoly": 0.1 + 0.6 * (share_of_900 * share_of_900),
    # --- DeepSpeed ---
    "deepspeed.WarmupLR": Constant(0.1).warmup(200, start=0.01 / 0.1, shape="log"),
    "deepspeed.WarmupLR.linear": Constant(0.1).warmup(200, first=0),
    "deepspeed.WarmupDecayLR": Linear(0.1, 0.0, 750).warmup(150, shape="log"),
    "deepspeed.WarmupCosineLR":  # the cosine begins with the last step of the warm-up
        Constant(0.1).warmup(150, start=0.1, shape="log")
        .then(149, Cosine(0.1, 750, 0.01 * 0.1)),
    # --- pytorch-optimizer ---
    "pytorch_optimizer.REX": Rex(0.1, 900, 0.01),
}  # fmt: skip

each_name = pytest.mark.parametrize("name", ROWS)
# What is excluded: the first value of the cycle, and what theirs gives, the least.
RESTARTS = {
    "torch.CosineAnnealingWarmRestarts.epoch": (0.1, 0.001),
    "keras.CosineDecayRestarts.triple": (0.1 * 0.9**5, 0.0),
    "timm.Cosine.triple": (0.1 * 0.7**5, 0.01),
}


def test_the_file_holds_the_rows():
    schedules = {name for name, values in GOLDEN.items() if len(values) == len(STEPS)}
    assert schedules == ROWS.keys(), "run golden/make_schedules.py"


@each_name
def test_values_are_those_of_the_library(name):
    """As an array, and number by number."""
    kept = np.delete(STEPS, ABOUT["excluded"].get(name, []))
    want, schedule = GOLDEN[name][kept], ROWS[name]
    np.testing.assert_allclose(schedule(kept), want, **CLOSE)
    np.testing.assert_allclose([schedule(t) for t in kept.tolist()], want, **CLOSE)


@pytest.mark.parametrize("name", ABOUT["excluded"])
def test_a_restart_is_the_first_step_of_its_cycle(name):
    """Where theirs takes it for the last of the one before."""
    first, least = RESTARTS[name]
    for step in ABOUT["excluded"][name]:
        assert ROWS[name](step) == pytest.approx(first, rel=1e-15)
        assert GOLDEN[name][step] == pytest.approx(least, rel=1e-15)


@pytest.mark.parametrize("mult", [2, 3, 5, 6, 10])
def test_restarts_are_exact_in_any_cycle(mult):
    """The steps are sums of powers, which logarithms of some fall short of."""
    steps = [7 * (mult**i - 1) // (mult - 1) for i in range(15)]
    schedule = CosineRestarts(0.1, 7, mult, 0.01)
    assert [schedule(t) for t in steps] == schedule(np.array(steps)).tolist()
    assert {schedule(t) for t in steps} == {0.1}
    assert max(schedule(t - 1) for t in steps[1:]) < 0.02


def test_after_the_end_of_torchs_one_cycle_the_last_value_stays():
    """Where torch raises."""
    for name in ("torch.OneCycleLR", "torch.OneCycleLR.three.linear"):
        assert ROWS[name](len(STEPS)) == ROWS[name](10**6) == ROWS[name](STEPS[-1])
        assert ROWS[name](STEPS[-1]) == pytest.approx(GOLDEN[name][-1], rel=1e-12)


def test_a_one_cycle_may_begin_with_its_peak():
    """Where pct_start makes one step, for which torch divides by 0."""
    schedule = OneCycle(0.1, 10, 0.1)
    assert schedule(0) == 0.1
    assert schedule(9) == pytest.approx(0.1 / 25 / 1e4, rel=1e-15)
    assert schedule.momentum()(0) == 0.85
