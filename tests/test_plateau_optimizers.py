"""A plateau's rate in an optimizer, and plateaus of all rates of an optimizer."""

import copy
import pickle
from math import inf, nan

import numpy as np
import pytest
from helpers import all_same, bits_of, draw, fresh
from metrics import METRICS

import lrcore
from lrcore import ReduceOnPlateau
from lrcore.schedules import Constant, Cosine

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
    with pytest.warns(UserWarning, match="lr: <ReduceOnPlateau.*the place of 0.1"):
        other.load_state_dict(saved)
    found = other.param_groups[0]["lr"]
    assert found is not plateau
    assert found is not saved["param_groups"][0]["lr"]
    found.update(1.0)
    found.update(1.0)
    assert (other.lr, opt.lr) == (found(0), 0.3)
    assert saved["param_groups"][0]["lr"].best == inf


@pytest.mark.filterwarnings("ignore:load_state_dict")  # a schedule replaces a number
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
