"""The report of a step: its fields, when there is one, what is not finite."""

from math import inf, isnan, nan

import numpy as np
import pytest
from composed import CLIPS, FEATURES, gradients, merged, norm, optimizer, split, weights
from helpers import KINDS, LENGTHS, each_dtype, each_kind, wild

import lrcore
from lrcore._shared.sums import in_order

pytestmark = pytest.mark.isa

FIELDS = ("t", "lr", "grad_norm", "clip", "update_norm", "param_norm")
FIELDS += ("update_ratio", "nonfinite", "applied", "sharpness", "edge")
TELEMETRY = FEATURES["telemetry"]


def test_a_report_is_a_tuple_with_names():
    assert lrcore.Report._fields == FIELDS
    p = np.full(4, 3.0)
    opt = lrcore.SGD(p, lr=0.5, clip_norm=1.0, telemetry=True)
    assert opt.report is None
    opt.step(np.full(4, 2.0))
    assert opt.report[:9] == (1, 0.5, 4.0, 0.25, 0.5, 5.5, 0.5 / 5.5, 0, True)
    assert opt.report[9:] == (None, None)
    assert isinstance(opt.report, lrcore.Report)
    kinds = [type(value) for value in opt.report[:9]]
    assert kinds == [int, *[float] * 6, int, bool]
    assert opt.reports("tensor") == {"": opt.report}
    assert opt.reports("group") == (opt.report,)


def test_without_telemetry_it_says_how_to_have_one():
    opt = lrcore.SGD(np.ones(2))
    opt.step(np.ones(2))
    with pytest.raises(AttributeError, match="telemetry=True"):
        _ = opt.report
    for by in ("tensor", "group"):
        with pytest.raises(AttributeError, match="telemetry=True"):
            opt.reports(by)


def test_telemetry_can_be_switched_on_and_off():
    opt = lrcore.SGD(np.zeros(4), lr=0.5)
    opt.step(np.ones(4))
    opt.telemetry = True
    opt.step(np.ones(4))
    assert opt.report == (2, 0.5, 2.0, 1.0, 1.0, 2.0, 0.5, 0, True, None, None)
    opt.telemetry = False
    opt.step(np.ones(4))
    with pytest.raises(AttributeError, match="telemetry=True"):
        _ = opt.report


def test_reports_are_by_tensor_or_by_group():
    opt = lrcore.SGD(np.ones(2), telemetry=True)
    opt.step(np.ones(2))
    with pytest.raises(ValueError, match=r"expected .*tensor.*, found 'array'"):
        opt.reports("array")


# --- what is not finite ---------------------------------------------------------------


@each_kind
def test_a_skipped_step_is_reported_as_that(name):
    params = weights()
    opt = optimizer(name, params, TELEMETRY, lr=0.05, skip_nonfinite=True)
    assert opt.step(split(gradients(params, 0)))
    lr = opt.report.lr if KINDS[name]._gauge else 0.05
    grads = gradients(params, 1)
    grads[0][0, :2] = nan, inf
    grads[2][1, 1, 1] = -inf
    assert not opt.step(split(grads))
    report = opt.report
    assert (report.t, report.lr, report.nonfinite) == (1, lr, 3)
    assert report.applied is False
    assert (report.update_norm, report.update_ratio) == (0, 0)
    assert report.param_norm == pytest.approx(norm(params), rel=1e-12)
    assert isnan(report.grad_norm)
    by_tensor = opt.reports("tensor").values()
    assert [r.nonfinite for r in by_tensor] == [2, 0, 1, 0]
    assert [r.applied for r in by_tensor] == [False] * 4
    assert [r.update_norm for r in by_tensor] == [0] * 4
    assert [r.nonfinite for r in opt.reports("group")] == [2, 1]
    assert opt.step(split(gradients(params, 1)))
    assert (opt.report.t, opt.report.nonfinite, opt.report.applied) == (2, 0, True)


@each_kind
def test_what_is_not_finite_is_counted_where_it_is_stepped(name):
    params = weights()
    opt = optimizer(name, params, TELEMETRY, lr=0.05)
    grads = gradients(params, 0)
    grads[0][0, :2] = nan, inf
    assert opt.step(split(grads))
    assert (opt.report.nonfinite, opt.report.applied, opt.report.t) == (2, True, 1)
    assert isnan(opt.report.grad_norm)


@each_dtype
@pytest.mark.parametrize("n", LENGTHS)
def test_all_that_is_not_finite_is_counted(n, dtype):
    """Among numbers of every magnitude."""
    g = wild(np.random.default_rng(n), n, dtype)
    for threads in (1, 2, 5):
        p = np.zeros(n, dtype)
        opt = lrcore.SGD(p, telemetry=True, skip_nonfinite=True, num_threads=threads)
        opt._plan.parallel_from = 1
        count = int((~np.isfinite(g)).sum())
        assert opt.step(g) is (count == 0)
        assert opt.report.nonfinite == count


# --- quotients, paths, rates ----------------------------------------------------------


def test_a_quotient_of_nothing():
    """0 / 0 is nan as a ratio and 1 as a clip factor; x / 0 is inf."""
    p = [np.zeros(2), np.ones(2), np.zeros(0)]
    opt = lrcore.SGD(p, lr=1.0, clip_norm=9.0, telemetry=True)
    opt.step([np.zeros(2), np.ones(2), np.zeros(0)])
    nothing, gone, empty = opt.reports("tensor").values()
    assert (nothing.grad_norm, nothing.clip, nothing.update_norm) == (0, 1, 0)
    assert isnan(nothing.update_ratio)
    assert (gone.param_norm, gone.update_ratio, gone.clip) == (0, inf, 1)
    assert (empty.grad_norm, empty.clip, empty.param_norm) == (0, 1, 0)
    assert isnan(empty.update_ratio)
    assert opt.report.update_ratio == inf


@each_dtype
def test_where_nothing_is_clipped_the_factor_is_1(dtype):
    params = weights(dtype)
    options = merged(["grad_scale", "telemetry"])
    bounds = dict.fromkeys(CLIPS, 1e9) | {"agc_axis": 0}
    opt = optimizer("Adam", params, options, **bounds)
    for t in range(9):
        opt.step(split(gradients(params, t)))
        reports = [*opt.reports("tensor").values(), *opt.reports("group"), opt.report]
        assert [report.clip for report in reports] == [1.0] * 7


def test_paths_are_those_of_state_dict():
    params = {"W": np.ones((2, 2)), "layers": [np.ones(3), {"b": np.ones(1)}]}
    opt = lrcore.Adam(params, telemetry=True)
    opt.step({"W": np.ones((2, 2)), "layers": [np.ones(3), {"b": np.ones(1)}]})
    wanted = ["['W']", "['layers'][0]", "['layers'][1]['b']"]
    assert list(opt.reports("tensor")) == opt.state_dict()["names"] == wanted


def test_a_report_stays_what_it_was():
    p = np.ones(2)
    opt = lrcore.SGD(p, lr=0.1, telemetry=True)
    opt.step(np.ones(2))
    first, by_tensor = opt.report, opt.reports("tensor")
    held = tuple(first)
    opt.step(np.full(2, 5.0))
    assert tuple(first) == held == tuple(by_tensor[""])
    assert opt.report.t == 2
    with pytest.raises(ValueError, match=r"^grads: "):
        opt.step(np.ones(3))
    assert opt.report.t == 2


@each_dtype
def test_norms_of_float32_do_not_overflow(dtype):
    g = np.full(100, 1e30, dtype)
    opt = lrcore.SGD(np.zeros_like(g), lr=1e-30, telemetry=True, clip_norm=1.0)
    opt.step(g)
    assert opt.report.grad_norm == pytest.approx(norm([g]), rel=1e-12)
    assert opt.report.clip == pytest.approx(1 / norm([g]), rel=3 * 2.0**-24)


def test_a_group_without_arrays_has_a_report_too():
    p = np.ones(2)
    opt = lrcore.SGD([{"params": []}, {"params": [p]}], lr=0.5, telemetry=True)
    opt.step([[], [np.array([3.0, 4.0])]])
    empty, full = opt.reports("group")
    assert (empty.grad_norm, empty.lr, full.grad_norm) == (0.0, 0.5, 5.0)


@pytest.mark.parametrize("name", ["SGD", "LAMB", "DoG", "Muon"])
def test_the_rate_of_a_first_group_without_arrays_follows_its_schedule(name):
    """Of DoG, which finds rates from arrays, it is what they would be multiplied by."""
    params = [{"params": []}, {"params": [np.ones((2, 3)), np.ones(2)]}]
    opt = KINDS[name](params, lr=lambda t: 0.5 / (1 + t), telemetry=True)
    for t in range(3):
        assert opt.step([[], [np.ones((2, 3)), np.ones(2)]])
        assert opt.report.lr == opt.reports("group")[0].lr == 0.5 / (1 + t)


@pytest.mark.parametrize("mechanic", [False, True])
def test_the_rate_of_a_group_whose_first_part_has_no_arrays(mechanic):
    """Muon's matrices are a part, and there are none: it is that of the other part."""
    opt = lrcore.Muon(
        [np.ones(2)], lr=lambda t: 0.5 / (1 + t), telemetry=True, mechanic=mechanic
    )
    rates = []
    for t in range(3):
        assert opt.step([np.ones(2)])
        rates.append(opt.report.lr)
        s = in_order(opt.state[0]["mechanic"][0]) if mechanic else 1.0
        assert rates[t] == 0.5 / (1 + t) * s
    assert len(set(rates)) == 3


def test_a_round_of_step_one_reports_what_it_did_and_nothing_older():
    params = [np.ones(2), np.ones(2)]
    opt = lrcore.SGD(params, lr=0.1, telemetry=True, skip_nonfinite=True)
    opt.step([np.full(2, 1e3), np.ones(2)])
    opt.step_one(0, None)
    opt.step_one(1, np.array([3.0, 4.0]))
    report = opt.report
    assert (report.t, report.grad_norm, report.applied) == (2, 5.0, True)
    assert report.update_norm == pytest.approx(0.5, rel=1e-14)  # p's two roundings
    opt.step_one(1, np.ones(2))
    opt.step_one(0, np.array([np.nan, 1.0]))
    assert (opt.report.nonfinite, opt.report.applied) == (1, True)


def test_no_report_of_a_step_before_it_was_asked_for_or_before_a_load():
    p = np.ones(2)
    opt = lrcore.SGD(p, lr=0.1)
    opt.step(np.ones(2))
    opt.telemetry = True
    assert opt.report is None
    opt.step(np.ones(2))
    saved, rates = opt.state_dict(), opt.report.lr
    opt.lr = 0.2
    with pytest.raises(ValueError, match="grads"):
        opt.step(np.ones(3))
    assert opt.report.lr == rates
    opt.load_state_dict(saved)
    assert opt.report is None
