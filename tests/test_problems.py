"""The problems of bench/: gradients and seeds; and how their runs are judged."""

import importlib
import sys
import zlib
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from cases import cases
from helpers import same_bits

sys.path.append(str(Path(__file__).parents[1] / "bench"))
problems = importlib.import_module("problems")
runs = importlib.import_module("runs")

pairs = partial(zip, strict=True)
each_problem = pytest.mark.parametrize(
    "problem", problems.PROBLEMS, ids=lambda problem: problem.name
)


def leaves(tree):
    """The arrays of an array, a list or a dict of them."""
    if isinstance(tree, np.ndarray):
        return [tree]
    return [tree[k] for k in sorted(tree)] if isinstance(tree, dict) else list(tree)


def like(tree, arrays):
    """The structure of a tree, with other arrays."""
    if isinstance(tree, np.ndarray):
        return arrays[0]
    if isinstance(tree, dict):
        return dict(pairs(sorted(tree), arrays))
    return list(arrays)


def drawn(problem, seed, count):
    """Params, and the first losses and gradients at them."""
    params, batches = problem.start(seed)
    first = islice(batches, count)
    losses, grads = zip(*(problem.loss_and_grad(params, b) for b in first), strict=True)
    return leaves(params), np.array(losses), [leaves(g) for g in grads]


@each_problem
def test_a_gradient_is_the_slope_of_the_loss(problem):
    """By central differences in float64, in three directions a batch.

    With steps of 1e-6, their truncation is some 1e-12 of the third derivative and their
    rounding 1e-16 / 1e-6 of the loss: 1e-7 of |loss| + |slope| leaves a margin for the
    curvature of the valleys.  A kink of relu or of an absolute error between the two
    points spoils a difference: of three directions, two must agree.

    A problem without a loss of its own says what its gradient is that of.
    """
    rng = np.random.default_rng(0)
    params = problem.params(rng)
    at = [p.astype(float) for p in leaves(params)]
    held = like(params, at)

    def value(params, batch):
        if problem.surrogate:
            return problem.surrogate(params, batch, held)
        return problem.loss_and_grad(params, batch)[0]

    for batch in islice(problem.batches(rng), 2):
        loss, grads = problem.loss_and_grad(like(params, at), batch)
        assert isinstance(loss, float)
        assert loss == value(held, batch)
        assert [g.shape for g in leaves(grads)] == [p.shape for p in at]
        agree = 0
        for _ in range(3):
            way = [rng.normal(size=p.shape) for p in at]
            slope = sum(float((g * w).sum()) for g, w in pairs(leaves(grads), way))
            ahead, behind = (
                value(like(params, [p + h * w for p, w in pairs(at, way)]), batch)
                for h in (1e-6, -1e-6)
            )
            error = abs((ahead - behind) / 2e-6 - slope)
            agree += error <= 1e-7 * (abs(loss) + abs(slope))
        assert agree >= 2


@each_problem
def test_a_seed_decides_all(problem):
    params, losses, grads = drawn(problem, 0, 3)
    again, same_losses, same_grads = drawn(problem, 0, 3)
    assert all(map(same_bits, params, again))
    assert same_bits(losses, same_losses)
    for one, two in pairs(grads, same_grads):
        assert all(map(same_bits, one, two))
    others, other_losses, _ = drawn(problem, 1, 3)
    assert not all(map(same_bits, params, others))
    assert not (losses == other_losses).any()


@cases("problem", problems.PROBLEMS)
def test_params_are_fresh_and_of_the_dtype_of_their_gradients(problem):
    one, two = (leaves(problem.params(np.random.default_rng(0))) for _ in range(2))
    assert not any(np.shares_memory(a, b) for a in one for b in two)
    params, _, (grads,) = drawn(problem, 0, 1)
    assert [g.dtype for g in grads] == [p.dtype for p in params]


@cases("problem", problems.PROBLEMS)
def test_the_full_loss_has_no_noise(problem):
    params = problem.params(np.random.default_rng(0))
    assert problem.full_loss(params) == problem.full_loss(params)


@pytest.mark.parametrize(
    "problem",
    [
        p
        for p in problems.PROBLEMS
        if p.group in ("ordinary", "near the optimum") and p.name != "warm-bowl"
    ],
    ids=lambda problem: problem.name,
)
def test_the_full_loss_starts_as_the_batches_do(problem):
    """Within a factor of 3 of the mean over 50 batches: some are of a few rows.

    (In the bowl that begins near its minimum, most of a batch's loss is noise.)
    """
    params = problem.params(np.random.default_rng(0))
    full = problem.full_loss(params)
    batches = islice(problem.batches(np.random.default_rng(1)), 50)
    mean = np.mean([problem.loss_and_grad(params, batch)[0] for batch in batches])
    assert full / 3 < mean < full * 3


@pytest.mark.parametrize(
    "problem",
    [
        p
        for p in problems.PROBLEMS
        if p.group == "below 0" and p.kind != "gaussian process"
    ],
    ids=lambda problem: problem.name,
)
def test_below_0_the_full_loss_is_the_mean_of_the_batches(problem):
    """Within 5 standard errors of 50 batches.

    (Some points of a Gaussian process have another likelihood a point than all.)
    """
    params = problem.params(np.random.default_rng(0))
    full = problem.full_loss(params)
    batches = islice(problem.batches(np.random.default_rng(1)), 50)
    losses = [problem.loss_and_grad(params, batch)[0] for batch in batches]
    error = 5 * np.std(losses) / 50**0.5 + 1e-6 * abs(full)
    assert abs(np.mean(losses) - full) < error


def test_names_find_their_problems():
    names = [problem.name for problem in problems.PROBLEMS]
    assert len(set(names)) == len(names)
    for problem in problems.PROBLEMS:
        assert problems.by_name(problem.name) is problem
    with pytest.raises(ValueError, match=r"^name: expected .*, found 'none'"):
        problems.by_name("none")


def test_each_half_has_all_kinds_and_all_optimizers():
    kinds = {problem.kind for problem in problems.PROBLEMS}
    halves = runs.halves()
    for split in runs.SPLITS:
        assert {problem.kind for problem in halves[split]} == kinds
        assert {name for _, name, half in runs.pairs() if half == split} == set(
            runs.OPTIMIZERS
        )
    one, two = ({problem.name for problem in halves[split]} for split in runs.SPLITS)
    assert not one & two
    assert len(one | two) == len(problems.PROBLEMS)


def test_new_problems_leave_the_halves_and_optimizers_of_others():
    """So that what was measured with them can be measured again."""
    first = {problem.name for problem in problems.STANDARD}
    assert len(first) == 54
    told = [pair for pair in runs.pairs() if pair[0] in first]
    assert len(told) == 162
    assert zlib.crc32(repr(told).encode()) == 3822308560


def test_each_group_is_in_both_halves():
    for these in runs.halves().values():
        assert {problem.group for problem in these} == set(problems.GROUPS)


def test_the_rates_of_sgd_follow_the_scale_of_the_loss():
    problem = problems.by_name("bowl-1")._replace(scale=1e6)
    assert runs.rates_of(problem, "SGD", [1.0, 10.0]) == [1e-6, 1e-5]
    assert runs.rates_of(problem, "AdamW", [1.0, 10.0]) == [1.0, 10.0]


def test_labels_are_by_the_share_of_the_best_decrease():
    rates = len(runs.RATES)
    last = np.full((1, rates), 10.0)
    last[0, 3:12] = 9.0, 5.1, 5.0, 1.1, 1.0, 0.0, 0.9, 4.9, 20.0
    last[0, 12:14] = np.nan, np.inf
    q, labels = runs.judged(np.full((1, rates), 10.0), last)
    assert q[0, 8] == 1
    assert (q[0, 12:14] == -np.inf).all()
    told = "".join(runs.LETTERS[label] for label in labels[0])
    assert told == "lllll--" + "ggg" + "+" + "hhhhhh"


def test_the_best_rate_is_that_of_all_seeds():
    """One seed alone does better at rate 9, where the other is lost."""
    last = np.full((2, len(runs.RATES)), 10.0)
    last[:, 5] = 2.0
    last[:, 9] = 0.0, np.nan
    q, labels = runs.judged(np.full_like(last, 10.0), last)
    assert list(q[:, 5]) == [1, 1]
    assert list(labels[:, 9]) == ["good", "too high"]
    assert labels[0, 4] == "too low"


def test_a_problem_in_which_no_rate_helps_cannot_be_judged():
    last = np.full((1, len(runs.RATES)), 11.0)
    with pytest.raises(ValueError, match=r"^last: expected .* first, found \[11\.0\]"):
        runs.judged(np.full_like(last, 10.0), last)


def test_losses_below_0_are_judged_alike():
    rng = np.random.default_rng(0)
    first = np.full((2, len(runs.RATES)), 10.0)
    last = rng.uniform(2, 9, first.shape)
    q, labels = runs.judged(first, last)
    lower, same = runs.judged(first - 1e3, last - 1e3)
    np.testing.assert_allclose(lower, q, rtol=1e-12)
    assert (same == labels).all()


def test_a_run_records_each_step_to_its_end():
    """Whatever becomes of the numbers."""
    problem = problems.by_name("valley-2")._replace(steps=20)
    first, last, rows = runs.train(problem, "SGD", 0, 100.0)
    assert np.isfinite(first)
    assert not np.isfinite(last)
    found = dict(zip(runs.FIELDS, rows, strict=True))
    assert rows.shape == (len(runs.FIELDS), 20)
    assert (found["lr"] == 100).all()
    assert np.isfinite(found["loss"][0])
    assert not np.isfinite(found["loss"][-1])
    assert found["nonfinite"][0] == 0 < found["nonfinite"][-1]
    assert np.isnan(found["param_norm"][-1])


def test_a_run_follows_its_schedule():
    problem = problems.by_name("jump-digits")._replace(steps=20)
    _, _, rows = runs.train(problem, "SGD", 0, 0.01)
    lr = rows[runs.FIELDS.index("lr")]
    np.testing.assert_allclose(lr, 0.01 * np.where(np.arange(20) < 14, 1, 30))


def test_a_run_records_validations():
    problem = problems.by_name("few-digits")._replace(steps=20)
    _, _, rows = runs.train(problem, "SGD", 0, 0.01)
    found = rows[runs.FIELDS.index("validation")]
    assert (np.flatnonzero(np.isfinite(found)) == [9, 19]).all()


def test_a_batch_of_nan_is_skipped():
    problem = problems.by_name("nan-digits")
    first, last, rows = runs.train(problem, "SGD", 0, 0.01)
    found = dict(zip(runs.FIELDS, rows, strict=True))
    bad = np.isnan(found["loss"])
    assert 0 < bad.sum() < problem.steps / 30
    assert (bad == (found["applied"] == 0)).all()
    assert last < first
