"""The range test: nothing is left behind, rules as defined, and bad input refused."""

import itertools
import math
import pickle
import random
import re
import signal
from functools import partial

import numpy as np
import pytest
from helpers import all_same, same_states

import lrcore
from lrcore import LRSweep, cli, lr_find
from lrcore.cli import demo
from lrcore.finder import _curve, _kept, _rules, _trials, _verdict
from lrcore.schedules import Cosine


class Task:
    """Noisy linear regression, with params of two groups, and every generator used."""

    def __init__(self, build, seed=0):
        draw = np.random.default_rng(seed)
        self.x = draw.normal(size=(64, 6)).astype(np.float32)
        self.y = self.x @ draw.normal(size=(6, 2)).astype(np.float32) + 1
        self.body = {"W": np.zeros((6, 2), np.float32)}
        self.head = np.zeros(2, np.float32)
        self.rng = np.random.default_rng(5)
        self.legacy = np.random.RandomState(6)
        self.opt = build([{"params": self.body}, {"params": self.head, "lr": 0.003}])
        self.calls = 0

    def loss_and_grad(self, rows):
        self.calls += 1
        noise = np.random.normal() + random.random() + self.rng.normal()  # noqa: NPY002
        noise += self.legacy.normal()
        x = self.x[rows]
        error = x @ self.body["W"] + self.head - self.y[rows] + np.float32(noise / 50)
        loss = 0.5 * (error * error).sum() / len(x)
        error = error / np.float32(len(x))
        return loss, [{"W": x.T @ error}, error.sum(axis=0)]

    def batches(self):
        return np.arange(64).reshape(8, 8)

    def train(self, steps):
        for rows in itertools.islice(itertools.cycle(self.batches()), steps):
            self.opt.step(self.loss_and_grad(rows)[1])

    def everything(self):
        """Copies of all that the test has to put back."""
        saved = pickle.loads(pickle.dumps(self.opt.state_dict()))
        generators = (self.rng.bit_generator.state, self.legacy.get_state(legacy=False),
                      random.getstate(), np.random.get_state(legacy=False))  # fmt: skip  # noqa: NPY002
        return [self.body["W"].copy(), self.head.copy()], saved, generators


def assert_same(before, after):
    assert all_same(after[0], before[0])
    assert same_states(after[1].pop("state"), before[1].pop("state"))
    assert repr(after[1]) == repr(before[1])  # floats are told exactly
    assert repr(after[2]) == repr(before[2])


def plateau(params):
    schedule = lrcore.ReduceOnPlateau(Cosine(0.1, total=50), patience=1)
    opt = lrcore.AdamW(params, lr=0.1)
    opt.lr = schedule
    schedule.update(1.0)
    schedule.update(2.0)
    return opt


BUILDS = {
    "SGD": partial(lrcore.SGD, lr=0.01),
    "averages": partial(
        lrcore.Adam, lr=0.01, amsgrad=True, ema_decay=0.9, swa_start=2, swa_every=2,
        lookahead_steps=3,
    ),
    "clipped": partial(
        lrcore.SGD, lr=0.01, momentum=0.9, clip_norm=1.0, skip_nonfinite=True,
        zero_grads=True, telemetry=True,
    ),
    "accumulate": partial(lrcore.AdamW, lr=0.01, accumulate=3),
    "scheduled": partial(
        lrcore.RMSprop, lr=Cosine(0.01, total=50).warmup(5), centered=True,
        momentum=Cosine(0.9, total=50),
    ),
    "plateau": plateau,
    "factored": partial(lrcore.Adafactor, lr=0.01),
    "scaled": partial(lrcore.LAMB, lr=0.01),
    "Muon": partial(lrcore.Muon, lr=0.01),
}  # fmt: skip
each_build = pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)


@pytest.fixture
def task():
    return Task(BUILDS["averages"])


def find(task, **more):
    given = {"rng": [task.rng, task.legacy], "trial_steps": 20, **more}
    return lr_find(task.opt, task.loss_and_grad, task.batches(), **given)


# --- nothing is left behind -----------------------------------------------------------


@each_build
def test_all_is_put_back_and_the_training_is_the_same(build):
    plain, tested = Task(build), Task(build)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    plain.train(7)
    plain.train(10)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    tested.train(7)  # of accumulate=3, one more is gathered
    before = tested.everything()
    found = find(tested)
    assert len(found.losses) > 50
    assert len(found.trial_lrs) > 2
    assert_same(before, tested.everything())
    tested.train(10)
    assert_same(plain.everything(), tested.everything())


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("call", [1, 2, 50, 115])
def test_all_is_put_back_after_an_exception(task, error, call):
    task.train(5)
    before = task.everything()

    def fails(rows):
        if task.calls == 5 + call - 1:
            raise error("here")
        return task.loss_and_grad(rows)

    with pytest.raises(error, match="here"):
        lr_find(
            task.opt, fails, task.batches(), rng=[task.rng, task.legacy], trial_steps=20
        )
    assert task.calls == 5 + call - 1
    assert_same(before, task.everything())


@pytest.fixture
def ctrl_c():
    """SIGINT interrupts, also where the tests were started with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_all_is_put_back_after_ctrl_c(task):
    before = task.everything()

    def interrupted(rows):
        if task.calls == 30:
            signal.raise_signal(signal.SIGINT)
        return task.loss_and_grad(rows)

    with pytest.raises(KeyboardInterrupt):
        lr_find(task.opt, interrupted, task.batches(), rng=[task.rng, task.legacy])
    assert_same(before, task.everything())


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_while_it_is_put_back_waits_until_it_is(task, monkeypatch):
    before = task.everything()
    load, times = lrcore.Adam.load_state_dict, itertools.count()

    def interrupted(opt, saved):
        if next(times) == 0:
            signal.raise_signal(signal.SIGINT)
        load(opt, saved)

    monkeypatch.setattr(lrcore.Adam, "load_state_dict", interrupted)
    with pytest.raises(KeyboardInterrupt):
        find(task, trial_steps=0)
    assert next(times) == 2
    assert_same(before, task.everything())


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_before_it_is_put_back_waits_too(task, monkeypatch):
    before = task.everything()
    put_back, times = _kept.Kept.put_back, itertools.count()

    def interrupted(kept):
        if next(times) == 0:
            signal.raise_signal(signal.SIGINT)
        put_back(kept)

    monkeypatch.setattr(_kept.Kept, "put_back", interrupted)
    with np.errstate(over="raise"):
        with pytest.raises(KeyboardInterrupt):
            find(task, trial_steps=0)
        assert np.geterr()["over"] == "raise"
    assert next(times) == 2
    assert_same(before, task.everything())


def test_what_can_be_is_put_back_where_an_array_is_read_only_by_then(task):
    before = task.everything()

    def freezes(rows):
        if task.calls == 10:
            task.body["W"].flags.writeable = False
        return task.loss_and_grad(rows)

    with pytest.raises(
        ValueError, match=r"params\[0\]\['W'\]: found a read-only array"
    ):
        lr_find(task.opt, freezes, task.batches(), rng=[task.rng, task.legacy])
    after = task.everything()
    assert (after[0][0] != before[0][0]).any()
    before[0][0] = after[0][0]
    assert_same(before, after)


def test_a_stateful_schedule_stays_the_users_object():
    task = Task(plateau)
    schedule = task.opt.param_groups[0]["lr"]
    with LRSweep(task.opt, trial_steps=0) as sweep:
        for lr in sweep:
            assert task.opt.lr == lr
            schedule.update(1e9)  # as a user's loop may
            sweep.record(1.0)
    assert all(group["lr"] is schedule for group in task.opt.param_groups)
    assert schedule.scale == 1.0
    assert schedule.num_bad == 1


# --- what is handed out ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "spaced"), [("exponential", np.geomspace), ("linear", np.linspace)]
)
def test_rates_are_spread_and_groups_keep_their_ratio(schedule, spaced):
    task = Task(BUILDS["SGD"])
    seen = []
    with LRSweep(
        task.opt, 1e-4, 1e-2, 30, schedule=schedule, trial_steps=0
    ) as sweep:  # fmt: skip
        for lr in sweep:
            seen.append([group["lr"] for group in task.opt.param_groups])
            assert lr == seen[-1][0]
            sweep.record(1.0)
    np.testing.assert_array_equal([a for a, _ in seen], spaced(1e-4, 1e-2, 30))
    # A quotient and a product, each rounded.
    np.testing.assert_allclose([b / a for a, b in seen], 0.003 / 0.01, rtol=1e-15)


def test_losses_are_those_before_the_step_at_each_rate():
    w = np.array([8.0])
    opt = lrcore.SGD(w, lr=1.0)
    found = lr_find(
        opt, lambda _: (w[0], np.ones(1)), [0], 0.01, 0.1, 20, trial_steps=0
    )  # fmt: skip
    expected = 8 - np.concatenate([[0], np.cumsum(found.lrs)[:-1]])
    np.testing.assert_allclose(found.losses, expected, rtol=1e-14)  # 20 roundings


def test_gradients_are_gathered_at_each_rate():
    task = Task(BUILDS["accumulate"])
    found = find(task, num=20, trial_steps=0, end=1e-3)
    assert task.calls == 3 * 20
    assert len(found.losses) == 20


def test_what_was_gathered_before_is_left_out():
    """Each rate's loss is of the params before all of its own calls."""
    w = np.array([8.0])
    opt = lrcore.SGD(w, lr=1.0, accumulate=2)
    opt.step(np.array([100.0]))
    seen = []

    def loss_and_grad(_):
        seen.append(w[0])
        return w[0], np.ones(1)

    lr_find(opt, loss_and_grad, [0], 0.01, 0.1, 20, trial_steps=0)
    assert len(seen) == 40
    assert seen[::2] == seen[1::2]
    opt.step(np.array([102.0]))
    assert w[0] == 8 - 101  # it was put back


def test_trials_start_from_the_same_params_and_batches():
    task = Task(BUILDS["SGD"])
    seen, begun = [], []
    with LRSweep(task.opt, rng=task.rng, trial_steps=20) as sweep:
        for lr in sweep:
            if sweep.begins:
                batches = itertools.cycle(task.batches())
                begun.append((lr, task.head.copy(), task.rng.random()))
            loss, grads = task.loss_and_grad(next(batches))
            seen.append(lr)
            task.opt.step(grads)
            sweep.record(loss)
    found = sweep.result
    assert len(begun) == 2 + len(found.trial_lrs) >= 5
    assert all((head == 0).all() and x == begun[0][2] for _, head, x in begun)
    *short, (held, *_) = begun[1:]  # what is suggested was tried for longer too
    assert held == found.suggestion
    assert sorted(lr for lr, *_ in short) == found.trial_lrs.tolist()
    whole = np.isfinite(found.trial_losses)
    for lr, finite in zip(found.trial_lrs, whole, strict=True):
        steps = 20 + 60 * (lr == held)
        assert seen.count(lr) == steps if finite else seen.count(lr) <= steps


# --- batches --------------------------------------------------------------------------


def counted(task, batches, **more):
    """Return the batches that were seen, in a test without trials."""
    seen = []

    def loss_and_grad(batch):
        seen.append(batch)
        return task.loss_and_grad(np.arange(4))

    lr_find(task.opt, loss_and_grad, batches, num=20, trial_steps=0, **more)
    return seen


def test_a_sequence_starts_again_at_its_end(task):
    assert counted(task, [7, 8, 9]) == [7, 8, 9] * 6 + [7, 8]


def test_a_function_makes_batches_anew(task):
    assert counted(task, lambda: iter(range(12))) == [*range(12), *range(8)]


def test_an_iterator_is_used_up_as_far_as_it_was_read(task):
    batches = iter(range(50))
    assert counted(task, batches) == list(range(20))
    assert next(batches) == 20


CUT = "; the batches ended: hand in a list, or a function that returns an iterator"


def noisy_line(sign=1.0, offset=0.0):
    """SGD on a linear regression, its loss and gradient, and 10 batches."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3))
    y = x @ [1.0, -2.0, 3.0] + rng.normal(0, 0.3, 100)
    w = np.zeros(3)

    def loss_and_grad(rows):
        error = x[rows] @ w - y[rows]
        return error @ error / 20 + offset, sign * (x[rows].T @ error) / 10

    return lrcore.SGD(w), loss_and_grad, list(np.arange(100).reshape(10, 10))


def used_up(number):
    """The test of `noisy_line` by an iterator of so many batches."""
    opt, loss_and_grad, batches = noisy_line()
    return lr_find(
        opt, loss_and_grad, itertools.islice(itertools.cycle(batches), number), end=1.0
    )


@pytest.mark.parametrize("number", [100, 300, 500])
def test_as_many_batches_as_steps_of_the_sweep_or_of_a_trial_are_no_mistake(number):
    """Where the next part has none: it is not that there were none at all."""
    found = used_up(number)
    assert len(found.losses) == 100
    assert len(found.trial_lrs) == (number - 100) // 200
    assert found.suggestion > 0
    assert found.reason.endswith(CUT)


@pytest.mark.parametrize("number", [60, 99, 100, 310, 710])
def test_nothing_is_blamed_on_the_rates_where_the_batches_ended(number):
    found = used_up(number)
    assert found.reason.endswith(CUT)
    assert "raise end" not in found.reason
    if number == 60:
        assert found.reason.startswith("flat: look at the gradients; no divergence")


def test_an_iterator_that_ends_ends_the_test(task):
    before = task.everything()
    found = lr_find(task.opt, task.loss_and_grad, iter(task.batches()))
    assert len(found.losses) == 8
    assert found.reason.startswith("too few points (8)")
    assert found.reason.endswith(CUT)
    assert math.isnan(found.suggestion)
    after = task.everything()
    assert all_same(before[0], after[0])
    assert after[1]["t"] == 0


def assert_same_position(loader, task):
    assert counted(task, loader) == list(range(3, 23))
    assert next(loader) == 3


class Loader:
    """An iterator that can be put back, as torchdata's."""

    def __init__(self):
        self.at = 3

    def __iter__(self):
        return self

    def __next__(self):
        self.at += 1
        return self.at - 1

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, saved):
        self.at = saved["at"]


class LentLoader(Loader):
    """One that hands out its state itself, and takes over what it is given."""

    def __init__(self):
        self.own = {"at": 3}

    def __next__(self):
        self.own["at"] += 1
        return self.own["at"] - 1

    def state_dict(self):
        return self.own

    def load_state_dict(self, saved):
        self.own = saved


@pytest.mark.parametrize("kind", [Loader, LentLoader])
def test_a_loader_with_a_state_is_put_back(task, kind):
    assert_same_position(kind(), task)


class Items:
    """A sequence by its items alone, as torch's data sets."""

    def __len__(self):
        return 3

    def __getitem__(self, k):
        return [7, 8, 9][k]


def test_a_sequence_need_not_have_an_iterator(task):
    assert counted(task, Items()) == [7, 8, 9] * 6 + [7, 8]
    assert counted(task, Items) == [7, 8, 9] * 6 + [7, 8]


# --- the end of a sweep ---------------------------------------------------------------


def swept(losses, **more):
    """The result of a sweep in which these are the losses; the last stays."""
    opt = lrcore.SGD(np.zeros(1))
    given = {"trial_steps": 0, **more}
    with LRSweep(opt, **given) as sweep:
        for k, _ in enumerate(sweep):
            sweep.record(losses[min(k, len(losses) - 1)])
    return sweep.result


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_ends_the_sweep(bad):
    found = swept([*np.linspace(3, 1, 60), bad])
    assert len(found.losses) == 61
    assert found.reason.startswith(f"loss not finite at {found.lrs[-1]:.2g}")
    assert found.suggestion == found.lrs[54] / 10  # the last 5 are not looked at
    assert 0 < found.confidence < 1


@pytest.mark.parametrize("offset", [0.0, -10.0])
def test_a_loss_above_several_times_the_best_ends_the_sweep(offset):
    """Where losses are negative too: the distance is of the best's size."""
    falling = np.linspace(4, 1, 50) + offset
    found = swept([*falling, 1e3, 1e6], smoothing=0.0)
    assert len(found.losses) == 51
    assert found.reason.startswith(f"diverged at {found.lrs[-1]:.2g}")
    assert len(swept([*falling, 1e3], stop=math.inf, smoothing=0.0).losses) == 100


def test_no_loss_is_too_high_where_stop_is_inf():
    assert len(swept([*[0.0] * 50, 1.0, 1e9], stop=math.inf).losses) == 100


def test_losses_that_diverge_before_their_average_are_told():
    """The average lags: of smoothing 0.98, by a decade."""
    losses = [*np.linspace(2.3, 0.4, 80), *np.geomspace(2.5, 10, 20)]
    found = swept(losses)
    assert len(found.losses) == 100
    assert found.reason.startswith(
        f"loss diverged at {found.lrs[80]:.2g}, its average not up to 10; "
    )
    losses[-10:] = [0.4] * 10  # those that come back did not diverge
    assert swept(losses).reason.startswith("no divergence up to 10")
    losses[-4:] = [9.0] * 4  # nor did so few
    assert swept(losses).reason.startswith("no divergence up to 10")


def test_a_noisy_start_does_not_end_the_sweep():
    """Only what is above the first loss, and not for a loss near 0, diverges."""
    found = swept([1.0, *np.geomspace(1, 1e-9, 50), 1e-7, 1e-4], smoothing=0.0)
    assert len(found.losses) == 100


def diverging(task, rows):
    """Overflows in float32, as a training does."""
    loss, grads = task.loss_and_grad(rows)
    return np.float32(loss) * np.float32(1e38), grads


def test_a_training_that_overflows_neither_raises_nor_warns(task):
    before = task.everything()
    with np.errstate(all="raise"):
        found = lr_find(task.opt, partial(diverging, task), task.batches(),
                        end=1e6, rng=[task.rng, task.legacy])  # fmt: skip
        assert np.geterr()["over"] == "raise"
    assert "not finite" in found.reason
    assert_same(before, task.everything())


def test_pythons_overflow_is_a_loss_that_is_not_finite():
    w = np.ones(1)
    opt = lrcore.SGD(w)
    found = lr_find(
        opt, lambda _: (math.exp(w[0]), -np.exp(w)), [0], trial_steps=0, stop=math.inf
    )
    assert found.losses[-1] == math.inf
    with pytest.raises(OverflowError):  # before a rate was tried, it is a mistake
        lr_find(opt, lambda _: (math.exp(1e9), w), [0])


def test_gradients_that_are_not_finite_are_skipped_where_asked():
    w = np.ones(3)

    def loss_and_grad(k):
        return w @ w, 2 * w if k % 2 else np.full(3, np.nan)

    with_skip = lrcore.SGD(w, skip_nonfinite=True)
    assert len(lr_find(with_skip, loss_and_grad, [0, 1], trial_steps=0).losses) > 70
    without = lrcore.SGD(w)
    assert len(lr_find(without, loss_and_grad, [0, 1], trial_steps=0).losses) == 2
    assert (w == 1).all()


def test_the_reasons():
    falls = np.linspace(3, 1, 100)
    noise = np.random.default_rng(0).normal(2, 0.1, 100)
    assert swept([2.0]).reason == (
        "flat: raise end, or look at the gradients; no divergence up to 10"
    )
    assert swept(noise).reason.startswith("flat")
    assert math.isnan(swept(noise).suggestion)
    assert "still falling there: raise end" in swept(falls).reason
    assert swept([math.nan]).reason == (
        "the loss is not finite before the first step: look at the data, the params "
        "or loss_and_grad"
    )
    assert swept([1.0, math.nan]).reason == (
        f"too few points (1); loss not finite at {np.geomspace(1e-7, 10, 100)[1]:.2g}; "
        "look at the gradients, lower start, or raise num"
    )
    early = swept([*falls[:15], 1e9], num=20)
    assert early.reason.startswith("too few points (16); diverged at ")
    assert "lower start" in early.reason
    assert early.suggestions == {}
    assert early.confidence == 0
    v = np.concatenate([falls[:70], np.linspace(1.6, 4, 30)])
    assert swept(v, smoothing=0.5).reason.endswith("of the least loss")


@pytest.mark.parametrize("trial_steps", [0, 20])
def test_gradients_of_the_wrong_sign_are_told(trial_steps):
    opt, loss_and_grad, batches = noisy_line(sign=-1.0)
    if not trial_steps:  # the sweep alone cannot tell it from noise
        batches = batches[:1]
    found = lr_find(opt, loss_and_grad, batches, trial_steps=trial_steps)
    assert math.isnan(found.suggestion)
    assert found.confidence == 0
    assert found.reason.endswith(
        "no rate descends: look at the gradients and their sign"
    )


@pytest.mark.parametrize("offset", [-100.0, 1e4])
def test_what_is_added_to_the_loss_changes_nothing(offset):
    """As the constants of a likelihood; to the bits, only its rounding differs."""
    plain, shifted = (lr_find(*noisy_line(offset=c), end=0.5) for c in (0.0, offset))
    assert plain.confidence > 0.5
    assert shifted.suggestion == pytest.approx(plain.suggestion, rel=1e-9)
    assert shifted.confidence == pytest.approx(plain.confidence, rel=1e-3)


# --- rules ----------------------------------------------------------------------------


def curve(shift=0.0, noise=0.0, n=85):
    """A smooth fall about 1e-3 and a rise at 0.3."""
    lrs = np.geomspace(1e-6, 1.0, n)
    x = np.log10(lrs) - shift
    losses = 2.3 - 1.8 / (1 + np.exp(-3 * (x + 3))) + 3 * np.exp(4 * (x + 0.2))
    return lrs, losses + noise * np.random.default_rng(0).normal(size=n)


def slid(lrs, losses):
    """As fastai tells it, from the right."""
    slope, right = np.gradient(losses), len(losses) - 1
    rate = lrs[right - 15]
    while right - 15 >= 0 and abs(slope[right] - slope[right - 15]) > 0.005:
        rate = lrs[right - 15]
        right -= 1
    return rate


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
@pytest.mark.parametrize("n", [17, 40, 85])
def test_slide_is_fastais(noise, n):
    lrs, losses = curve(noise=noise, n=n)
    assert _rules.slide(lrs, losses) == slid(lrs, losses)


def longest_fall(losses):
    """The length of the longest decreasing subsequence, and the first end of one."""
    best = [1] * len(losses)
    for i, j in itertools.combinations(range(len(losses)), 2):
        if losses[j] < losses[i]:
            best[j] = max(best[j], best[i] + 1)
    return max(best), best.index(max(best))


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_valley_is_half_way_down_the_longest_fall(noise):
    lrs, losses = curve(noise=noise)
    length, end = longest_fall(losses)
    third = length / 3
    at = end - length + int(third) + int(third / 2)
    assert _rules.valley(lrs, losses) == lrs[at]


def test_minimum_and_steep_of_a_smooth_curve():
    lrs, losses = curve()
    assert _rules.minimum(lrs, losses) == lrs[losses.argmin()] / 10
    # The logistic's own steepest point, to the spacing of the rates.
    assert abs(np.log10(_rules.steep(lrs, losses)) + 3) < 6 / 84


def test_slopes_are_by_log_lr():
    """Rates spread linearly have the steepest point at the same rate, not lower."""
    x = np.linspace(1e-3, 1, 400)
    losses = 1 / (1 + np.exp(4 * (np.log10(x) + 1)))
    assert abs(np.log10(_rules.steep(x, losses)) + 1) < 0.02
    assert x[np.gradient(losses, x).argmin()] < 0.08  # by lr it is lower


def test_rules_move_with_the_curve():
    """A curve at twice the rates, or of other units of loss, for those without any."""
    lrs, losses = curve()
    for rule in _rules._RULES:
        assert rule(2 * lrs, losses) == pytest.approx(2 * rule(lrs, losses), rel=1e-12)
    for rule in (_rules.valley, _rules.minimum, _rules.steep):
        assert rule(lrs, 1000 * losses) == rule(lrs, losses)


@pytest.mark.parametrize("schedule", ["exponential", "linear"])
def test_the_average_is_debiased_and_by_log_lr(schedule):
    losses = np.random.default_rng(0).normal(3, 1, 50)
    found = swept(losses, num=50, schedule=schedule, smoothing=0.9, stop=math.inf)
    x = np.log(found.lrs)
    spacing = (x[-1] - x[0]) / 49
    for i in range(50):
        weights = 0.9 ** ((x[i] - x[: i + 1]) / spacing)
        # A running sum beside a sum: 50 roundings.
        np.testing.assert_allclose(
            found.smoothed[i], weights @ losses[: i + 1] / weights.sum(), rtol=1e-13
        )
    assert (found.losses == losses).all()


def test_the_first_tenth_and_the_last_5_are_not_looked_at():
    lrs, losses = curve()
    changed = losses.copy()
    changed[:8], changed[-5:] = 100, -100
    assert _rules.rules(lrs, changed) == _rules.rules(lrs, losses)


# --- trials ---------------------------------------------------------------------------


def tried(losses_of, guess=1e-3, start=1e-7, end=10.0):
    """The rates of the trials of 10 steps, and the choice.

    losses_of : the loss of a rate, in step k.
    """
    trials = _trials.Trials(start, end, 10)
    sweep = _curve.Curve(np.geomspace(start, 1.0, 100), 0.0, math.inf)
    for lr in sweep.lrs:
        sweep.add(abs(math.log10(lr / (10 * guess))) + 1)
    trials.begin(sweep)
    rates = []
    while (trial := trials.next()) is not None:
        lr, steps = trial
        rates += [lr] if steps == 10 else []
        curve = _curve.Curve(np.full(steps, lr), 0.9, 4.0)
        for k in range(steps):
            curve.add(losses_of(lr, k))
        trials.add(curve)
        assert len(rates) < 99
    return rates, trials.rate(trials.chosen)


@pytest.mark.parametrize("best", [1e-6, 3e-4, 1e-3, 0.05, 2.0])
def test_trials_end_a_quarter_decade_from_the_best(best):
    rates, choice = tried(lambda lr, _: 1 + math.log10(lr / best) ** 2)
    assert len(rates) == len(set(rates))
    # The nearest place of the lattice, or the next lower: 2 % of 9 are 0.4 decades.
    assert -0.7 < math.log10(choice / best) < 0.13
    assert all(
        min(abs(math.log10(near * choice / lr)) for lr in rates) < 1e-9
        for near in (10**-0.5, 10**0.5)
        if choice == min(rates, key=lambda lr: abs(math.log10(lr / best)))
    )


def test_trials_that_diverge_lead_to_lower_rates():
    _, choice = tried(lambda lr, _: math.inf if lr > 1e-5 else 1 / (1 + lr * 1e6))
    assert choice <= 1e-5
    assert choice * 10**0.5 > 1e-5


def test_trials_stay_within_start_and_end():
    rates, choice = tried(lambda lr, _: 2 - math.log10(lr), end=0.05)
    assert max(rates) <= 0.05 < max(rates) * 10**0.5
    assert choice == max(rates)


def test_what_does_not_hold_for_longer_is_left_for_a_lower_rate():
    """Rates above 1e-4 rise in step 20; in the 10 of a trial they are the better."""

    def loss(lr, k):
        return 100.0 if lr > 1e-4 and k >= 20 else 1 + abs(math.log10(lr / 1e-3))

    assert tried(loss)[1] <= 1e-4 < 10**0.25 * tried(loss)[1]


@pytest.mark.parametrize("seed", range(5))
def test_noise_without_descent_is_told_with_little_confidence(seed):
    """The sweep diverges, so that there is a rate to tell; the trials ascend."""
    rng = np.random.default_rng(seed)
    opt = lrcore.SGD(np.zeros(1))
    parts = 0
    with LRSweep(opt, trial_steps=20) as sweep:
        for lr in sweep:
            parts += sweep.begins
            rising = 100.0 if lr > 1 else 0.5 if parts > 1 else 0.0
            sweep.record(2 + rising + rng.normal(0, 0.3))
    found = sweep.result
    assert found.reason.startswith("diverged at 1")
    assert "no clear descent" in found.reason
    assert 0 <= found.confidence < 0.5
    assert 1e-7 <= found.suggestion <= 1


def test_where_every_trial_diverges_start_is_too_high():
    """A sweep that diverges late, as each of its rates is taken only once."""
    opt = lrcore.SGD(np.zeros(1))
    with LRSweep(opt, 0.1, 1.0, trial_steps=20) as sweep:
        falling = iter(np.linspace(3, 1, 100))
        for _ in sweep:
            sweep.record(next(falling, math.nan))
    assert math.isnan(sweep.result.suggestion)
    assert sweep.result.reason == "no divergence up to 1; no trial held: lower start"


def after_trials(scores, first):
    """The result after trials of these losses, at rising rates."""
    trials = _trials.Trials(1e-7, 10.0, 20)
    sweep = _curve.Curve(np.geomspace(1e-7, 1.0, 100), 0.0, math.inf)
    for loss in [*[first] * 5, 100.0, *np.linspace(first, 1, 53), math.nan]:
        sweep.add(loss)
    trials.begin(sweep)
    trials.scores = dict(enumerate(scores))
    return _verdict.conclude(sweep, trials), trials


@pytest.mark.parametrize(
    ("scores", "chosen", "words"),
    [
        ([2.0, 1.0, 3.0], 1, "best of 3 trials of 20 steps"),
        ([1.01, 1.0, 3.0], 0,
         "lowest rate within 2 % of the best of 3 trials of 20 steps"),
        ([1.0], 0, "best of 1 trial of 20 steps; the highest is the best: raise end"),
    ],
)  # fmt: skip
def test_the_trial_that_is_suggested_is_named_for_what_it_is(scores, chosen, words):
    result, trials = after_trials(scores, first=4.0)
    assert result.suggestion == trials.rate(chosen)
    assert result.reason.split("; ", 1)[1].endswith(words)


def test_what_is_suggested_is_what_was_held():
    """Of 60 losses, the last not finite: their first tenth is 6, of 59 it is 5."""
    result, trials = after_trials([1.3, 1.0, 3.0], first=4.0)
    assert trials.first == 20.0  # 5 losses of 4 and one of 100
    assert result.suggestion == trials.rate(trials.chosen) == trials.rate(0)


def test_an_optimizer_that_maximizes_ascends():
    w, target = np.zeros(3), np.array([1.0, -2.0, 3.0])
    opt = lrcore.SGD(w, maximize=True)

    def objective(_):
        return 9 - 0.5 * ((w - target) ** 2).sum(), target - w

    found = lr_find(opt, objective, [0])
    assert found.losses[0] == -2.0
    assert 0.01 < found.suggestion < 2  # with a curvature of 1 all below 2 converge


def test_of_rates_as_good_the_lowest_is_chosen():
    _, choice = tried(lambda lr, _: 1.0 if 9e-5 < lr < 1.1e-2 else 5.0)
    assert choice < 1e-3


def noisy_quadratic():
    """Curvatures from 1 to 30, noise in the gradient."""
    h = np.geomspace(1, 30, 8)
    w = np.ones(8)
    noise = np.random.default_rng(2).normal(0, 0.05, (300, 8))
    return w, (lambda z: (0.5 * w @ (h * w) + w @ z, h * w + z)), noise


@pytest.mark.parametrize("kind", ["SGD", "Adam", "Lion"])
def test_the_suggestion_trains_about_as_well_as_the_best_of_a_grid(kind):
    """By 95 % of the descent of the best of 13 rates, which is what the bench asks."""

    def descent(lr):
        w, loss_and_grad, noise = noisy_quadratic()
        opt = getattr(lrcore, kind)(w, lr=lr)
        first = loss_and_grad(0 * noise[0])[0]
        with np.errstate(all="ignore"):
            for z in noise:
                opt.step(loss_and_grad(z)[1])
            last = loss_and_grad(0 * noise[0])[0]
        return first - last if np.isfinite(last) else -np.inf

    w, loss_and_grad, noise = noisy_quadratic()
    found = lr_find(getattr(lrcore, kind)(w), loss_and_grad, noise[::-1])
    best = max(map(descent, np.geomspace(1e-5, 10, 13)))
    assert descent(found.suggestion) >= 0.95 * best
    assert found.confidence > 0.5


# --- what is told ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def found():
    return find(Task(BUILDS["SGD"]), trial_steps=40)


def test_numbers_are_plain(found):
    assert [type(x) for x in found.suggestions.values()] == [float] * 4
    assert list(found.suggestions) == ["valley", "slide", "minimum", "steep"]
    assert type(found.suggestion) is type(found.confidence) is float
    for array in (found.lrs, found.losses, found.smoothed, found.trial_lrs,
                  found.trial_losses):  # fmt: skip
        assert array.dtype == np.float64
    assert 0 <= found.confidence <= 1


def test_the_text(found):
    text = str(found)
    assert f"suggestion {found.suggestion:.3g}" in text
    assert " ".join(found.reason.split()) in " ".join(text.split())
    assert all(name in text for name in found.suggestions)
    assert max(map(len, text.splitlines())) <= 80
    assert len(found.reason) > 50  # the last line is wrapped
    rows = [line.split() for line in text.splitlines() if "#" in line]
    assert len(rows) == 16
    assert len(rows[0][-1]) > len(min(rows, key=lambda row: len(row[-1]))[-1])


def test_a_result_is_a_value_of_its_own(found):
    assert repr(found) == str(found)
    assert found == found  # a comparison of arrays would raise
    assert found != find(Task(BUILDS["SGD"]), trial_steps=0)
    assert {found: 1}[found] == 1
    assert str(pickle.loads(pickle.dumps(found))) == str(found)


@pytest.mark.parametrize("losses", [[math.nan], [1.0, math.inf], [2.0], [0.0]])
def test_the_text_and_picture_of_what_has_no_curve(losses):
    found = swept(losses)
    assert "suggestion nan" in str(found)
    figure = found.plot()
    figure._repr_png_()  # drawn, where a warning is an error
    (axes,) = figure.axes
    told = [text.get_text() for text in axes.texts]
    assert told == (["no finite loss"] if math.isnan(losses[0]) else [])
    assert bool(axes.lines) == (not told)


def test_the_text_and_picture_of_nothing():
    with LRSweep(lrcore.SGD(np.zeros(1))) as sweep:
        pass
    assert "too few points (0)" in str(sweep.result)
    assert sweep.result.plot().axes


def test_the_picture(found, tmp_path):
    figure = found.plot(tmp_path / "x.png")
    (axes,) = figure.axes
    labels = [line.get_label() for line in axes.lines]
    assert labels[:3] == ["loss", "smoothed", "trials, at their ends"]
    assert {*found.suggestions, "suggestion"} <= set(labels)
    marked = axes.lines[labels.index("suggestion")].get_xdata()[0]
    assert marked == found.suggestion
    assert axes.get_xscale() == "log"
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), found.smoothed)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_progress_is_shown_on_request(capsys):
    task = Task(BUILDS["SGD"])
    find(task, num=20, trial_steps=0)
    assert capsys.readouterr().err == ""
    find(task, num=20, trial_steps=0, progress=True)
    shown = capsys.readouterr().err
    assert "range test" in shown
    assert "/20 [" in shown
    assert "? steps" not in re.sub(r"\b0/20.*", "", shown)


# --- the rate is set ------------------------------------------------------------------


def test_groups_keep_their_ratio_at_the_rate_found(found):
    opt = Task(BUILDS["SGD"]).opt
    found.apply(opt)
    rates = [group["lr"] for group in opt.param_groups]
    assert rates == [found.suggestion, found.suggestion * (0.003 / 0.01)]


def test_a_rate_that_cannot_be_set_is_refused(found):
    def refused(test, lrs, words):
        groups = [{"params": np.zeros(1), "lr": lr} for lr in lrs]
        opt = lrcore.SGD(groups)
        with pytest.raises(ValueError, match=words):
            test.apply(opt)
        assert [group["lr"] for group in opt.param_groups] == lrs

    refused(swept([2.0]), [0.1], "suggestion: expected a rate, found nan: flat")
    refused(found, [0.1, Cosine(0.1, total=9)], r"param_groups\[1\], found Cosine")
    refused(found, [0.0, 0.1], r"the first group's lr > 0 .*, found \[0.0, 0.1\]")
    with pytest.raises(TypeError, match="opt: expected an optimizer"):
        found.apply(0.1)


@pytest.mark.parametrize("lr", [0.0, Cosine(0.1, total=9).warmup(3, first=0)])
def test_a_first_group_without_a_rate_has_no_ratio_to_keep(lr):
    w, b = np.zeros(1), np.zeros(1)
    opt = lrcore.SGD([{"params": w, "lr": lr}, {"params": b, "lr": 0.1}])
    with pytest.raises(ValueError, match="opt: expected the first group's lr > 0"):
        lr_find(opt, lambda _: (1.0, [w, b]), [0])
    assert opt.param_groups[0]["lr"] is lr
    alone = lrcore.SGD(w, lr=lr)  # its rate needs no ratio
    with LRSweep(alone, trial_steps=0) as sweep:
        assert next(iter(sweep)) == alone.lr == pytest.approx(1e-7)
    assert alone.param_groups[0]["lr"] is lr


# --- bad input ------------------------------------------------------------------------

BAD = [
    ({"start": 0}, "start: expected a number from 1e-100 to 1e100, found 0"),
    ({"start": "1"}, "start: expected a number from 1e-100 to 1e100"),
    ({"start": 5e-324}, "start: expected a number from 1e-100 to 1e100, found 5e-324"),
    ({"start": 1.0, "end": 1.0},
     "end: expected at least 1.1 times start = 1.0, found 1.0"),
    ({"start": 1e-3, "end": 1e-3 * (1 + 1e-15)}, "end: expected at least 1.1 times"),
    ({"end": math.inf}, "end: expected a number from 1e-100 to 1e100, found inf"),
    ({"num": 19}, "num: expected an int >= 20, found 19"),
    ({"num": 20.0}, "num: expected an int >= 20, found 20.0"),
    ({"schedule": "log"}, "schedule: expected one of 'exponential', 'linear', found"),
    ({"smoothing": 1}, r"smoothing: expected a number in \[0, 1\), found 1"),
    ({"stop": 1}, "stop: expected a number > 1, found 1"),
    ({"stop": math.nan}, "stop: expected a number > 1, found nan"),
    ({"trial_steps": -1}, "trial_steps: expected 0, or an int >= 20, found -1"),
    ({"trial_steps": 19}, "trial_steps: expected 0, or an int >= 20, found 19"),
    ({"rng": 3}, "rng: expected a numpy.random.Generator, or several, found 3"),
    ({"rng": [None]}, "rng: expected a numpy.random.Generator, or several, found None"),
    ({"batches": 3}, "batches: expected an iterable of batches, or a function"),
    ({"batches": []}, "batches: expected at least one batch, found none"),
    ({"batches": lambda: iter([])}, "batches: expected at least one batch, found none"),
    ({"batches": lambda: 3}, "batches: expected it to return an iterable"),
    ({"loss_and_grad": 3}, "loss_and_grad: expected a function of a batch"),
    ({"loss_and_grad": lambda _: 1.0}, "loss_and_grad: expected it to return a pair"),
    ({"loss_and_grad": lambda _: (np.ones(3), 0)},
     r"loss: expected a scalar, found an array of shape \(3,\); take its mean"),
    ({"loss_and_grad": lambda _: ("1", 0)}, "loss: expected a scalar, found '1'"),
    ({"loss_and_grad": lambda _: ([1.0, 2.0], 0)},
     r"loss: expected a scalar, found \[1.0, 2.0\]"),
    ({"loss_and_grad": lambda _: (1.0, [1])}, "grads"),
    ({"opt": np.ones(3)}, "opt: expected an optimizer of lrcore, found"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "words"), BAD)
def test_bad_input_is_refused_and_all_is_as_it_was(task, wrong, words):
    task.train(2)
    before = task.everything()
    given = {"opt": task.opt, "loss_and_grad": task.loss_and_grad,
             "batches": task.batches(), **wrong}  # fmt: skip
    with pytest.raises((TypeError, ValueError), match=words):
        lr_find(**given)
    assert_same(before, task.everything())


def test_a_loop_without_its_block_or_losses_is_refused(task):
    sweep = LRSweep(task.opt)
    with pytest.raises(RuntimeError, match="with LRSweep"):
        iter(sweep)
    with pytest.raises(RuntimeError, match="with LRSweep"):
        sweep.record(1.0)
    before = task.everything()
    with pytest.raises(RuntimeError, match="expected a loss at the rate 1e-07"), sweep:
        for _ in sweep:
            pass
    with pytest.raises(RuntimeError, match="make another"), sweep:
        pass
    with LRSweep(task.opt) as twice:
        loop = iter(twice)
        next(loop)
        with pytest.raises(RuntimeError, match="one loop"):
            iter(twice)
        twice.record(1.0)
        with pytest.raises(RuntimeError, match="one loss for each rate"):
            twice.record(1.0)
    with pytest.raises(RuntimeError, match="with LRSweep"):
        next(loop)
    assert_same(before, task.everything())


def test_a_loop_may_be_left_early(task):
    before = task.everything()
    with LRSweep(task.opt) as sweep:
        for k, _ in enumerate(sweep):
            sweep.record(1.0)
            if k == 9:
                break
    assert len(sweep.result.losses) == 10
    assert sweep.result.reason.endswith("; the loop has not come to its end")
    assert_same(before, task.everything())


def test_an_optimizer_in_the_middle_of_a_step_is_refused():
    params = {"a": np.ones(2), "b": np.ones(2)}
    opt = lrcore.SGD(params)
    opt.step_one("a", np.ones(2))
    with pytest.raises(RuntimeError, match="params"):
        lr_find(opt, lambda _: (1.0, params), [0])


# --- the demo -------------------------------------------------------------------------


def test_the_demo_finds_a_rate_first(capsys, monkeypatch):
    monkeypatch.setattr(demo, "time_steps", lambda _: "")
    assert cli.main(["demo", "--find", "--optimizer", "SGD", "--epochs", "4"]) == 0
    out = capsys.readouterr().out
    assert "trials of 200 steps" in out
    (share,) = re.findall(r"SGD reads ([\d.]+)% ", out)
    assert float(share) > 90  # at its default, 0.001, it reads a tenth


def test_the_demo_finds_a_rate_or_takes_one(capsys):
    with pytest.raises(SystemExit):
        cli.main(["demo", "--find", "--lr", "0.1"])
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize("takes_loss", [False, True])
def test_an_override_of_step_runs(takes_loss):
    """It gets the loss if it can take one."""
    seen = []

    class Own(lrcore.SGD):
        __slots__ = ()

        if takes_loss:

            def step(self, grads, loss=None):
                seen.append(loss)
                return super().step(grads, loss)

        else:

            def step(self, grads):
                seen.append(None)
                return super().step(grads)

    w = np.ones(2)
    opt = Own(w, lr=0.1)
    lrcore.lr_find(opt, lambda _: (w @ w / 2, w.copy()), [0], num=20, trial_steps=0)
    assert len(seen) >= 20 - 1
    assert all((loss is not None) is takes_loss for loss in seen)
