"""What a monitor passes to its log, and the base of the trackers.

CSV is in test_trackers_csv.py; trackers of packages are in
tests/packages/test_package_trackers.py.
"""

import math
import os
import pickle
import subprocess
import sys
import textwrap
from copy import deepcopy

import numpy as np
import pytest
from logged import Kept, run
from stopped import stops

import lrcore
from lrcore import Monitor
from lrcore.trackers import CSV, MLflow, TensorBoard, Tracker, WandB
from lrcore.trackers._tracker import NAMES

# --- what is passed -------------------------------------------------------------------


def test_a_log_is_passed_the_numbers_of_each_step():
    log = Kept()
    opt, monitor = run(3, log=log, telemetry=True)
    assert [step for step, _, _ in log] == [1, 2, 3]
    assert [values["loss"] for _, values, _ in log] == monitor.history.loss.tolist()
    report = opt.report
    assert log[-1] == (
        3,
        {
            "loss": monitor.history.loss[-1],
            "lr": 0.1,
            "grad_norm": pytest.approx(report.grad_norm, rel=1e-15),
            "update_norm": pytest.approx(report.update_norm, rel=1e-15),
            "param_norm": pytest.approx(report.param_norm, rel=1e-15),
            "update_ratio": pytest.approx(report.update_ratio, rel=1e-15),
            "nonfinite": 0.0,
        },
        [],
    )
    assert {type(x) for _, values, _ in log for x in values.values()} == {float}


def test_what_is_not_known_is_left_out():
    log = Kept()
    monitor = Monitor(log=log)
    monitor.update(2)
    monitor.update(1.5, 3, lr=0.1)
    monitor.update(1.0, math.nan)
    assert log[:2] == [
        (1, {"loss": 2.0}, []),
        (2, {"loss": 1.5, "validation": 3.0, "lr": 0.1}, []),
    ]
    assert math.isnan(log[2][1]["validation"])
    monitor.validation(4)
    assert log[-1] == (3, {"validation": 4.0}, [])


def test_numbers_that_are_not_finite_are_passed():
    log = Kept()
    w = np.ones(2)
    opt = lrcore.SGD(w, lr=0.1, telemetry=True, skip_nonfinite=True)
    monitor = Monitor(opt, log=log)
    opt.step(np.array([math.nan, 1.0]))
    monitor.update(math.nan)
    _, values, _ = log[0]
    assert set(values) == {*NAMES} - {"validation"}
    assert math.isnan(values["loss"])
    assert values["nonfinite"] == 1.0


def test_an_objective_is_passed_as_it_is():
    log = Kept()
    opt = lrcore.SGD(np.ones(2), maximize=True)
    monitor = Monitor(opt, log=log)
    monitor.update(5.0, 4.0)
    assert log[0][1]["loss"] == 5.0
    assert log[0][1]["validation"] == 4.0
    monitor.validation(3.0)
    assert log[1][1] == {"validation": 3.0}
    assert monitor.history.loss.tolist() == [-5.0]


def test_each_finding_is_passed_once():
    log = Kept()
    _, monitor = run(200, lr=0.3, log=log)
    assert [f for _, _, found in log for f in found] == monitor.findings
    assert monitor.findings
    assert all(f.step == step for step, _, found in log for f in found)


def test_a_rollback_is_passed_and_steps_go_on():
    log, w = Kept(), np.ones(2)
    opt = lrcore.SGD(w, lr=1.0)
    monitor = Monitor(opt, on_divergence="rollback", log=log)
    for k in range(70):
        opt.step(w.copy())
        monitor.update(math.inf if k > 60 else 1.0)
    assert [step for step, _, _ in log] == [*range(1, 71)]
    kinds = [f.kind for _, _, found in log for f in found]
    assert "rolled back" in kinds


# --- errors, copies, and states -------------------------------------------------------


def test_an_error_of_a_log_passes_and_the_step_is_recorded():
    def log(step, values, findings):
        raise OSError("disk full")

    monitor = Monitor(log=log)
    for _ in range(100):
        with pytest.raises(OSError, match="disk full"):
            monitor.update(1.0, lr=0.1)
    with pytest.raises(OSError, match="disk full"):
        monitor.validation(3.0)
    silent = Monitor()
    for _ in range(100):
        silent.update(1.0, lr=0.1)
    silent.validation(3.0)
    monitor.log = None
    assert pickle.dumps(monitor) == pickle.dumps(silent)
    assert monitor.update(1.0) == silent.update(1.0)


def test_the_update_is_complete_when_the_log_is_called():
    def log(step, values, findings):
        assert monitor.history.steps.sum() == step
        assert monitor.history.loss[-1] == values["loss"]
        saved.append(monitor.state_dict())

    saved, other = [], Monitor()
    monitor = Monitor(log=log)
    for k in range(70):
        monitor.update(1.0 + k)
    other.load_state_dict(saved[-1])
    assert np.array_equal(other.history.loss, monitor.history.loss)


@pytest.mark.parametrize("log", [3, "run.csv", [], Kept], ids=repr)
def test_what_is_no_function_is_refused(log):
    with pytest.raises(TypeError, match=r"^log: expected a function, found"):
        Monitor(log=log)
    monitor = Monitor()
    with pytest.raises(TypeError, match=r"^log: expected a function, found"):
        monitor.log = log
    assert monitor.log is None


def test_copies_and_pickles_have_no_log():
    log = Kept()
    monitor = Monitor(log=lambda *passed: log(*passed))
    monitor.update(1.0)
    for other in (deepcopy(monitor), pickle.loads(pickle.dumps(monitor))):
        assert other.log is None
        other.update(2.0)
    assert len(log) == 1
    restored = Monitor(log=log)
    restored.load_state_dict(monitor.state_dict())
    restored.update(3.0)
    assert log[-1] == (2, {"loss": 3.0}, [])


def test_a_step_that_was_logged_was_recorded_whenever_an_error_comes():
    def begin():
        nonlocal monitor
        monitor = Monitor(log=Kept())
        return lambda: monitor.update(1.0, lr=0.1)

    monitor, ended = Monitor(), 0
    for stopped in stops(begin, "monitor/_monitor.py", "monitor/_log.py"):
        ended += stopped
        assert monitor.history.steps.sum() >= len(monitor.log)
    assert ended > 5


# --- the base of the trackers ---------------------------------------------------------


class Steps(Tracker):
    """A tracker that keeps the numbers of the steps it writes."""

    def __init__(self, **given):
        super().__init__(**given)
        self.steps = []

    def _write(self, step, values, findings):
        self.steps.append(step)


def test_steps_between_are_left_out_but_not_findings_and_validations():
    tracker = Steps(every=10)
    monitor = Monitor(log=tracker)
    for k in range(1, 70):
        monitor.update(math.nan if k > 60 else 1.0, 2.0 if k == 33 else None)
    monitor.validation(1.0)
    told = [f.step for f in monitor.findings]
    assert told
    assert tracker.steps == sorted([10, 20, 30, 33, 40, 50, 60, 69, *told])


def test_arguments_of_trackers():
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=r"^every: expected an int >= 1"):
            Steps(every=wrong)
    with pytest.raises(TypeError, match=r"^every: expected an int >= 1"):
        Steps(every=1.5)
    with pytest.raises(TypeError, match=r"^prefix: expected a str, found 3"):
        Steps(prefix=3)


def test_after_close_nothing_is_written(tmp_path):
    for tracker in (Steps(), CSV(tmp_path / "run.csv")):
        with tracker as log:
            log(1, {"loss": 1.0}, [])
        with pytest.raises(ValueError, match=r"^log: found a step after close\(\)"):
            log(2, {"loss": 1.0}, [])
        tracker.close()


def test_a_close_that_fails_is_tried_again():
    class Sent(Steps):
        def __init__(self):
            super().__init__()
            self._ends_by(send)

    def send():
        calls.append(None)
        if len(calls) < 3:
            raise ConnectionError("no server")

    calls = []
    with pytest.raises(ConnectionError, match="no server"), Sent() as log:
        log(1, {"loss": 1.0}, [])
    with pytest.raises(ConnectionError, match="no server"):
        log.close()
    log(2, {"loss": 1.0}, [])
    assert log.steps == [1, 2]
    log.close()
    log.close()
    assert len(calls) == 3
    with pytest.raises(ValueError, match=r"^log: found a step after close\(\)"):
        log(3, {"loss": 1.0}, [])


FORKED = """
    import os, sys, lrcore

    class Told(lrcore.trackers.Tracker):
        def __init__(self):
            super().__init__()
            self._ends_by(lambda: os.write(1, b"the end "))

        def _write(self, step, values, findings):
            pass

    first, second = Told(), Told()
    if child := os.fork():
        status = os.waitpid(child, 0)[1]
        assert status == 0, status
        os.write(1, b"the parent: ")
    else:
        first.close()
"""
"""A child that closes a tracker of its parent's, and leaves another to its end."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_child_leaves_what_its_parent_has_opened_to_the_parent():
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORKED)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "the parent: the end the end ", done.stderr


@pytest.mark.parametrize(
    ("make", "module", "extra"),
    [
        (MLflow, "mlflow", "mlflow"),
        (WandB, "wandb", "wandb"),
        (lambda: TensorBoard("run"), "tensorboardX", "tensorboard"),
    ],
    ids=["mlflow", "wandb", "tensorboard"],
)
def test_a_missing_package_is_named(monkeypatch, make, module, extra):
    for missing in (module, "torch"):
        monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr("lrcore.trackers._tensorboard.find_spec", lambda name: None)
    wanted = rf'needs {module}: pip install "lrcore\[{extra}\]"'
    with pytest.raises(ImportError, match=wanted):
        make()


def test_a_writer_of_tensorboard_has_methods():
    with pytest.raises(TypeError, match=r"^writer: expected a SummaryWriter"):
        TensorBoard(3)
