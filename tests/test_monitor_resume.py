"""A monitor of an ascent; a monitor that is saved, and continues."""

import pickle
from copy import deepcopy

import numpy as np
import pytest

import lrcore
from lrcore import Monitor

CURVATURE = np.array([1.0, 7.0])


def ascent(lr, steps=300, top=100.0):
    """Climb from -33 or so to `top`, the maximum of a bowl upside down."""
    w, at = np.zeros(3), np.array([1.0, 2.0, 3.0])
    opt = lrcore.SGD(w, lr=lr, maximize=True, telemetry=True)
    monitor = Monitor(opt)
    for _ in range(steps):
        d = at - w
        opt.step(10 * d)
        with np.errstate(over="ignore"):
            monitor.update(top - 5 * d @ d, validation=top - 6 * d @ d)
    return monitor


def test_an_ascent_is_judged_by_its_objective():
    """It rises: the history has it with the opposite sign."""
    good, bad = ascent(0.05), ascent(0.21)
    assert good.rate() == "fine"
    assert not any(finding.severity == "error" for finding in good.findings)
    assert (good.history.loss[0], good.history.loss[-1]) == (-30.0, -100.0)
    assert good.history.validation[0] == -16.0
    assert bad.rate() == "too high"
    good.validation(7.0)
    assert good.history.validation[-1] == -7.0


def test_a_good_ascent_is_not_rolled_back():
    w = np.zeros(3)
    opt = lrcore.SGD(w, lr=0.01, maximize=True)
    monitor = Monitor(opt, on_divergence="rollback")
    for _ in range(300):
        opt.step(10 * (np.ones(3) - w))
        monitor.update(100 - 5 * ((np.ones(3) - w) ** 2).sum())
    assert (opt.t, opt.lr) == (300, 0.01)


# --- memory that was never written ----------------------------------------------------


MARK = b"\x5a\xa5\x5a\xa5\x5a\xa5\x5a\xa5"


@pytest.mark.parametrize(
    "make",
    [
        Monitor,
        lambda: lrcore.EarlyStopping(params=np.zeros(1000)),
        lambda: lrcore.GradientNoiseScale(1, 2),
        lambda: lrcore.ReduceOnPlateau(0.1),
    ],
)
def test_a_pickle_has_no_memory_that_was_never_written(monkeypatch, make):
    def marked(array):
        array.view(np.uint8).reshape(-1)[:] = np.resize([*MARK], array.nbytes)
        return array

    empty, empty_like = np.empty, np.empty_like
    monkeypatch.setattr(np, "empty", lambda *a, **k: marked(empty(*a, **k)))
    monkeypatch.setattr(np, "empty_like", lambda *a, **k: marked(empty_like(*a, **k)))
    assert MARK in pickle.dumps(np.empty(9))
    assert MARK not in pickle.dumps(make())


def test_equal_runs_have_equal_pickles():
    def pickled():
        monitor = Monitor()
        for k in range(5000):
            monitor.update(1.0 / (k + 1), lr=0.1)
        return pickle.dumps(monitor)

    assert pickled() == pickled()
    assert len(pickle.dumps(Monitor())) < 2000


# --- a run that is resumed ------------------------------------------------------------


class Run:
    """A run on a bowl, whose monitor is told its losses."""

    def __init__(self, lr, **more):
        self.w, self.mean = np.ones(2), np.zeros(2)
        self.opt = lrcore.SGD(self.w, lr=lr, momentum=0.5, telemetry=True)
        self.monitor = Monitor(self.opt, **more)
        self.told = []

    def go(self, steps, seed=0):
        rng = np.random.default_rng(seed)
        for _ in range(steps):
            loss = 0.5 * (CURVATURE * self.w**2).sum() + 1e-3 * rng.random()
            self.mean[...] = 0.9 * self.mean + self.w
            self.opt.step(CURVATURE * self.w)
            self.told.append(self.monitor.update(loss))
        return self

    def resumed(self, lr, **more):
        """Another run that continues this one."""
        run = Run(lr, **more)
        run.w[...], run.mean[...] = self.w, self.mean
        run.opt.load_state_dict(self.opt.state_dict())
        run.monitor.load_state_dict(pickle.loads(pickle.dumps(self.saved())))
        return run

    def saved(self):
        return self.monitor.state_dict()


def same_history(a, b):
    return all(np.array_equal(x, y, equal_nan=True) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("at", [0, 1, 63, 64, 255, 256, 300, 3000, 70_000])
def test_a_monitor_continues_where_the_saved_one_was(at):
    whole, before = Run(0.2).go(at).go(400, 1), Run(0.2).go(at)
    after = before.resumed(0.2).go(400, 1)
    assert same_history(after.monitor.history, whole.monitor.history)
    assert after.monitor.findings == whole.monitor.findings
    assert after.told == whole.told[at:]
    assert after.monitor.rate() == whole.monitor.rate()
    assert repr(after.monitor.state_dict()) == repr(whole.monitor.state_dict())


@pytest.mark.parametrize("at", [10, 60, 200])
def test_a_rollback_goes_back_beyond_the_save(at):
    """The rate is too high: there is a rollback before and after the save."""

    def begun():
        run = Run(0.5, on_divergence="rollback")
        run.monitor.update(25.0)
        return run.go(at)

    whole, before = begun().go(500, 1), begun()
    after = before.resumed(0.5, on_divergence="rollback").go(500, 1)
    assert "rolled back" in [f.kind for f in whole.monitor.findings]
    assert after.monitor.findings == whole.monitor.findings
    assert same_history(after.monitor.history, whole.monitor.history)
    assert after.w.tobytes() == whole.w.tobytes()
    assert (after.opt.lr, after.opt.t) == (whole.opt.lr, whole.opt.t)


def test_a_rollback_that_the_saved_monitor_had_not():
    before = Run(0.1).go(100)
    after = before.resumed(0.1, on_divergence="rollback")
    kept = after.w.copy()
    after.opt.lr = 1.5
    after.go(200)
    back = next(f for f in after.monitor.findings if f.kind == "rolled back")
    assert back.since == 100
    (state,) = after.saved()["rollback"]["kept"][:1]
    assert np.array_equal(state["params"][0], kept)
    other = Run(0.1)
    other.monitor.load_state_dict(after.saved())  # which has none: left out
    assert other.saved()["rollback"] is None


def test_a_copy_of_a_monitor_goes_its_own_way():
    monitor = Monitor()
    for k in range(300):
        monitor.update(1.0 / (k + 1), lr=0.1)
    for again in (deepcopy(monitor), pickle.loads(pickle.dumps(monitor))):
        assert same_history(again.history, monitor.history)
        again.update(0.0, lr=0.1)
        assert again.history.steps.sum() == monitor.history.steps.sum() + 1


def of_an_earlier_version(saved):
    """The same state as a monitor without series, windows and factors saved it."""
    later = ("unseen", "windows", "validated")
    saved = {name: value for name, value in saved.items() if name not in later}
    saved["findings"] = [finding[:-1] for finding in saved["findings"]]
    recorder = {k: v for k, v in saved["recorder"].items() if k != "series"}
    for name in ("rows", "pending"):
        recorder[name] = recorder[name][:, :17].copy()
    rollback = dict(saved["rollback"])
    del rollback["scale"]
    kept = [
        {k: v for k, v in each.items() if k != "scale"} for each in rollback["kept"]
    ]
    rollback |= {"halvings": 1, "kept": [{**each, "halvings": 0} for each in kept]}
    return {**saved, "recorder": recorder, "rollback": rollback}


@pytest.mark.parametrize("steps", [40, 300, 3000])
def test_a_state_of_an_earlier_version_is_loaded(steps):
    before = Run(0.1, on_divergence="rollback").go(steps)
    after = Run(0.1, on_divergence="rollback")
    after.w[...] = before.w
    after.opt.load_state_dict(before.opt.state_dict())
    after.monitor.load_state_dict(of_an_earlier_version(before.saved()))
    assert same_history(after.monitor.history, before.monitor.history)
    rates = [(f.kind, f.rate) for f in before.monitor.findings]
    assert [(f.kind, f.rate) for f in after.monitor.findings] == rates
    assert after.saved()["rollback"]["scale"] == 0.5
    after.w[...] = 1.0
    after.opt.lr = 2.0
    found = after.go(200).monitor.findings
    assert "rolled back" in [f.kind for f in found]


@pytest.mark.parametrize("at", [17, 63, 64, 300])
def test_series_windows_and_validations_continue(at):
    """To the same findings: entropy, rising, overfitting, not judged."""

    def go(monitor, steps, start=0):
        rng = np.random.default_rng(start)
        for k in range(start, start + steps):
            validation = abs(k - 200) / 100 if k % 10 == 9 else None
            loss = 1.0 + rng.normal() / 50 + 2 * np.exp(-k / 30) + (k > 400) * 1.5
            entropy = np.exp(-k / 100) if k % 3 == 0 else np.nan
            monitor.update(loss, validation, lr=0.1, entropy=entropy)
        return monitor

    whole = go(go(Monitor(total=900), at), 600, at)
    after = Monitor(total=900)
    saved = go(Monitor(total=900), at).state_dict()
    after.load_state_dict(pickle.loads(pickle.dumps(saved)))
    go(after, 600, at)
    assert same_history(after.history, whole.history)
    assert after.findings == whole.findings
    assert repr(after.state_dict()) == repr(whole.state_dict())
    found = {f.kind for f in [*whole.findings, *whole.diagnose()]}
    assert {"overfitting", "entropy collapse", "data shift"} <= found


def wrong_dicts():
    saved = Run(0.1, on_divergence="rollback").go(300).saved()
    recorder, rollback = saved["recorder"], saved["rollback"]
    (kept, *_) = rollback["kept"]

    def of(part, name, value):
        return {**saved, part: {**saved[part], name: value}}

    yield "saved: expected", {}
    yield "saved: expected", None
    yield "first: expected a number", {**saved, "first": "x"}
    yield "due: expected a number of steps", {**saved, "due": -1}
    yield "findings: expected a list", {**saved, "findings": 3}
    yield r"findings\[0\]: expected the values of kind", {**saved, "findings": [()]}
    wrong = ("flat", "loud", 9, 1, "", "", "", None)
    yield r"findings\[0\]: expected a finding", {**saved, "findings": [wrong]}
    yield "seen: expected a dict", {**saved, "seen": [1]}
    yield "told: expected a list", {**saved, "told": [1]}
    yield "recorder: expected a dict", {**saved, "recorder": {}}
    rows = recorder["rows"]
    wanted = r"recorder: rows: expected float64 of shape \(n, 20\), n <= 1024, found "
    yield rf"{wanted}float64 of shape \(\d+, 3\)$", of("recorder", "rows", rows[:, :3])
    yield f"{wanted}float32 of", of("recorder", "rows", rows.astype(np.float32))
    yield f"{wanted}3$", of("recorder", "rows", 3)
    yield "recorder: expected rows of 1", of("recorder", "rows", 0 * rows)
    yield "recorder: expected rows of 1", of("recorder", "rows", np.nan * rows)
    yield "recorder: before: expected", of("recorder", "before", np.zeros(3))
    for other in (3 * rows, rows[1:], np.concatenate([rows, 2 * rows]), 2.0**60 * rows):
        yield "recorder: expected rows of 1", of("recorder", "rows", other)
    for size in (100.0, 512.0):
        pending = np.full((1, rows.shape[1]), size)
        yield "recorder: expected rows of 1", of("recorder", "pending", pending)
    for place in (-1.0, 0.5, np.nan, len(recorder["recent"])):
        places = np.array([[place, 1.0]])
        yield "validation: expected places", of("recorder", "validation", places)
    yield "unseen: expected a number of steps", {**saved, "unseen": -1}
    for name in ("windows", "validated"):
        yield f"{name}: expected an array", {**saved, name: [1.0]}
        yield f"{name}: expected an array", {**saved, name: saved[name][:-1]}
    windows = np.where(np.arange(10) == 3, 0.5, saved["windows"])
    yield "windows: at: expected a number of steps", {**saved, "windows": windows}
    validated = np.array([1.0, 1.0, -1.0, 0.0])
    yield "validated: since: expected", {**saved, "validated": validated}
    places = np.array([[-1.0, 1.0, 1.0, 1.0]])
    yield "series: expected places", of("recorder", "series", places)
    yield "recorder: series: expected", of("recorder", "series", np.zeros((1, 3)))
    no_recent = {"recent": np.zeros((0, 6)), "validation": np.zeros((0, 2))}
    emptied = {**recorder, **no_recent, "series": np.zeros((1, 4))}
    yield "series: expected places among 0", {**saved, "recorder": emptied}
    factors = ("flat", "error", 9, 1, "", "", "", None, -1.0)
    yield r"findings\[0\]: factor: expected", {**saved, "findings": [factors]}
    yield "rollback: scale: expected", of("rollback", "scale", 2.0)
    yield "rollback: expected", {**saved, "rollback": {}}
    yield "rollback: left: expected a number of steps", of("rollback", "left", 1.5)
    yield "rollback: kept: expected", of("rollback", "kept", [])
    other = {**kept, "params": [np.zeros(3)]}
    yield r"kept\[0\]: params\[0\]: expected shape", of("rollback", "kept", [other])
    other = {**kept, "also": [np.zeros(3)]}
    yield r"kept\[0\]: also: expected a list of 0", of("rollback", "kept", [other])


@pytest.mark.parametrize(("message", "saved"), [*wrong_dicts()])
def test_another_dict_is_refused_and_changes_nothing(message, saved):
    run = Run(0.1, on_divergence="rollback").go(70)
    before = repr(run.saved())
    with pytest.raises((TypeError, ValueError), match=message):
        run.monitor.load_state_dict(saved)
    assert repr(run.saved()) == before
