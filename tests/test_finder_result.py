"""The result of a range test: what it tells, the rate that it sets; `demo --find`."""

import math
import pickle
import re

import numpy as np
import pytest
from range_tests import BUILDS, Task, find, swept

import lrcore
from lrcore import LRSweep, cli, lr_find
from lrcore.cli import demo
from lrcore.schedules import Cosine

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
    found = swept(losses, start=1e-7)
    assert "suggestion nan" in str(found)
    figure = found.plot()
    figure._repr_png_()  # drawn, where a warning is an error
    (axes,) = figure.axes
    told = [text.get_text() for text in axes.texts]
    assert told == (["no finite loss"] if math.isnan(losses[0]) else [])
    assert bool(axes.lines) == (not told)


def of_size(size):
    w = np.ones(3)
    opt = lrcore.SGD(w)

    def loss_and_grad(noise):
        with np.errstate(all="ignore"):
            return size * (w @ w + 3 + noise), w.copy()

    noise = np.random.default_rng(0).normal(0, 0.1, 50)
    return lrcore.lr_find(opt, loss_and_grad, noise, trial_steps=60)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [2.0**516, 2.0**700, 2.0**1016])
def test_losses_whose_squares_overflow(size):
    """The picture leaves them out, as it has no room for them."""
    found, usual = of_size(size), of_size(1.0)
    assert found.suggestion == usual.suggestion
    assert found.confidence == usual.confidence > 0.5
    found.plot()


@pytest.mark.filterwarnings("error")
def test_losses_whose_sums_overflow():
    found = of_size(1e307)
    assert 0 <= found.confidence <= 1
    assert "suggestion" in str(found)
    found.plot()


def test_the_text_and_picture_of_nothing():
    with LRSweep(lrcore.SGD(np.zeros(1))) as sweep:
        pass
    assert "too few points (0)" in str(sweep.result)
    (axes,) = sweep.result.plot().axes
    assert [text.get_text() for text in axes.texts] == ["no step yet"]


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


class Shown:
    """Takes the place of tqdm's bar, and keeps what it is told."""

    def __init__(self, total, desc, unit, leave):
        self.n, self.total, self.names = 0, total, [desc]

    def set_description(self, name, refresh):
        self.names.append(name)
        assert self.n <= self.total

    def update(self):
        self.n += 1
        assert self.n <= self.total

    def refresh(self):
        assert self.n == self.total

    def close(self):
        self.closed = True


@pytest.mark.parametrize("end", [10.0, 1e4])  # which is not reached
def test_one_bar_shows_the_whole_test(monkeypatch, end):
    bars = []

    def shown(**given):
        bars.append(Shown(**given))
        return bars[-1]

    monkeypatch.setattr("tqdm.auto.tqdm", shown)
    found = find(Task(BUILDS["SGD"]), end=end, trial_steps=40, progress=True)
    (bar,) = bars
    assert bar.closed
    assert bar.n == bar.total == found.evaluations
    assert bar.n > len(found.losses) + 40
    trials = {f"trial of {lr:.2g}" for lr in found.trial_lrs}
    assert {*bar.names} == {"range test", "first loss", *trials}


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


# --- the demo -------------------------------------------------------------------------


def test_the_demo_finds_a_rate_first(capsys, monkeypatch):
    monkeypatch.setattr(demo, "time_steps", lambda _: "")
    assert cli.main(["demo", "--find", "--optimizer", "SGD", "--epochs", "4"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"rates in [23]\d\d steps", out)
    (share,) = re.findall(r"SGD reads ([\d.]+)% ", out)
    assert float(share) > 90  # at its default, 0.001, it reads a tenth


def test_the_demo_finds_a_rate_or_takes_one(capsys):
    with pytest.raises(SystemExit):
        cli.main(["demo", "--find", "--lr", "0.1"])
    assert "not allowed with" in capsys.readouterr().err


# --- an optimizer with a step of its own ----------------------------------------------


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
