"""The norms in the report of a step."""

import numpy as np
import pytest
from cases import cases
from composed import (
    CLIPS,
    FEATURES,
    FIRST,
    SHAPES,
    Feature,
    composed,
    gathered,
    gradients,
    merged,
    norm,
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
    each_dtype,
    each_kind,
    each_pulled,
    taken,
)

import lrcore
from lrcore.reference import measured

pytestmark = pytest.mark.isa
TELEMETRY = FEATURES["telemetry"]
ALL = merged(FEATURES)
CLIPPED = {name: merged([name, "telemetry"]) for name in CLIPS}


def check(report, *, t, lr, before, after, old, new, rel):
    """Hold a report to the gradients, and to the params before and after the step.

    Norms are good to 1e-12, which is what float64 makes of a sum of some thousands of
    squares in any order; those of float32 to 2^-20, see src_c/measured.inc.  `rel` is
    for the clip factor.  lr is None where the optimizer finds its own:
    test_learning_rate_free.py has those.
    """
    near = {"rel": 1e-12 if new[0].dtype == np.float64 else 2.0**-20, "abs": 0}
    moved = [b.astype(np.float64) - a for a, b in zip(old, new, strict=True)]
    update, size = norm(moved), norm(new)
    assert (report.t, report.lr) == (t, report.lr if lr is None else lr)
    assert report.grad_norm == pytest.approx(norm(before), **near)
    wanted = norm(after) / norm(before) if norm(before) else 1.0
    assert report.clip == pytest.approx(wanted, rel=rel, abs=0)
    assert report.update_norm == pytest.approx(update, **near)
    assert report.param_norm == pytest.approx(size, **near)
    assert report.update_ratio == report.update_norm / report.param_norm
    assert (report.nonfinite, report.applied) == (0, True)


def run(name, dtype, options, *, rel, shapes=SHAPES, steps=4, **more):
    """Check all reports of some steps."""
    params = weights(dtype, shapes)
    lrs = (0.05, 0.03)
    options = Feature(options.wide, options.first, {**options.second, "lr": lrs[1]})
    opt = optimizer(name, params, options, lr=lambda t: lrs[0] / (1 + t), **more)
    names = opt.state_dict()["names"]
    assert opt.report is None
    for t in range(steps):
        count = options.wide.get("accumulate", 1)
        calls = [gradients(params, t, k) for k in range(count)]
        own = [
            {k: v for k, v in o.items() if k != "lr"}
            for o in own_of(options, len(params))
        ]
        before, after = composed(params, calls, own, **options.wide)
        old = [p.copy() for p in params]
        assert gathered(opt, calls)
        now = [lrs[0] / (1 + t)] * FIRST + [lrs[1]] * (len(params) - FIRST)
        parts = [before, after, old, params]

        def given(at, parts=parts, now=now, t=t):
            keys = ("before", "after", "old", "new")
            some = dict(zip(keys, [part[at] for part in parts], strict=True))
            lr = None if KINDS[name]._gauge else now[at][0]
            return {"t": t + 1, "lr": lr, "rel": rel, **some}

        check(opt.report, **given(slice(None)))
        by_tensor = opt.reports("tensor")
        assert list(by_tensor) == names
        for k, report in enumerate(by_tensor.values()):
            check(report, **given(slice(k, k + 1)))
        by_group = opt.reports("group")
        assert len(by_group) == 2
        for at, report in zip(
            (slice(FIRST), slice(FIRST, None)), by_group, strict=True
        ):
            check(report, **given(at))


@each_kind
@cases("option", [*CLIPS, "all"])
def test_reports_are_of_exact_sums(name, option):
    """float64: of all, of each group and of each array."""
    options = ALL if option == "all" else CLIPPED[option]
    run(name, "float64", options, rel=1e-12, weight_decay=0.1)


@each_kind
@cases("option", CLIPS)
def test_reports_of_float32_are_too(name, option):
    """But the clip factor: each element is rounded twice, and the factor may be."""
    run(name, "float32", CLIPPED[option], rel=3 * 2.0**-24, weight_decay=0.1)


@each_dtype
def test_reports_of_long_arrays(dtype):
    shapes = [(9, 2049), (), (3, 5, 700), (9011,)]
    run("Adam", dtype, CLIPPED["clip_norm"], rel=2.0**-22, shapes=shapes, steps=2)


@each_dtype
@pytest.mark.parametrize("n", LENGTHS)
def test_sums_of_a_step_are_taken_in_the_order_of_the_reference(n, dtype):
    rng = np.random.default_rng(n)
    old, g = (rng.standard_normal(n).astype(dtype) for _ in range(2))
    for threads in (1, 2, 5):
        p = old.copy()
        opt = lrcore.SGD(p, lr=0.01, telemetry=True, num_threads=threads)
        opt._plan.parallel_from = 1
        opt.step(g)
        found = opt.report.grad_norm, opt.report.param_norm, opt.report.update_norm
        assert found == tuple(measured(x).norm() for x in (g, p, p - old))


@pytest.mark.parametrize("size", [1e-42, 1e-30, 1e-19, 1e-14, 1e15, 1e19, 1e38])
def test_sums_of_floats_out_of_range_are_taken_of_doubles(size):
    """Nor is a sum wrong where some squares vanish: the largest element is `size`."""
    spread = np.float32(size) * np.logspace(0, -9, 5000, dtype=np.float32)
    p, old = -spread, -spread
    opt = lrcore.SGD(p, lr=0.5, telemetry=True, denormals="keep")
    opt.step(spread)
    exact = norm([spread]), norm([p]), norm([p.astype(np.float64) - old])
    found = opt.report.grad_norm, opt.report.param_norm, opt.report.update_norm
    assert found == pytest.approx(exact, rel=2.0**-20, abs=0)


@each_pulled
def test_a_report_is_of_the_params_before_averages_pull(name):
    """Lookahead, in each second step; the averages are otherwise left out."""
    params, twins = weights(), weights()
    averages = {"lookahead_steps": 2, "lookahead_alpha": 0.25, "ema_decay": 0.5}
    own = {"lr": 0.05, "weight_decay": 0.1}
    opt = optimizer(name, params, TELEMETRY, **own, **averages)
    twin = optimizer(name, twins, **own)
    for t in range(6):
        for p, q in zip(params, twins, strict=True):
            q[...] = p
        old = [p.copy() for p in params]
        opt.step(split(gradients(params, t)))
        twin.step(split(gradients(params, t)))
        if t % 2 == 0:
            assert all_same(params, twins)
        moved = [b - a for a, b in zip(old, twins, strict=True)]
        assert opt.report.update_norm == pytest.approx(norm(moved), rel=1e-12, abs=0)
        assert opt.report.param_norm == pytest.approx(norm(twins), rel=1e-12, abs=0)


@each_kind
@each_dtype
def test_to_report_changes_no_bit(name, dtype):
    params, twins = weights(dtype), weights(dtype)
    own = taken(name, lr=0.05, weight_decay=0.1, lookahead_steps=2)
    opt = optimizer(name, params, TELEMETRY, **own)
    twin = optimizer(name, twins, **own)
    for t in range(3):
        assert opt.step(split(gradients(params, t)))
        assert twin.step(split(gradients(params, t)))
    assert bits_of(opt, params) == bits_of(twin, twins)
