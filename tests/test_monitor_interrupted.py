"""Updates of a monitor that an error ends: the step is recorded and judged, or not."""

from copy import deepcopy

import numpy as np
import pytest
from helpers import plain
from stopped import stops

import lrcore
from lrcore.monitor._blocks import CHUNK

FILES = [
    f"monitor/{name}.py"
    for name in ("_monitor", "_looks", "_blocks", "_history", "_resume", "_rollback")
]
CURVATURE = np.array([1.0, 7.0])


class Run:
    """A monitor after some steps, and the loss of the next one."""

    def __init__(self, steps, loss, **options):
        self.w, self.loss = np.ones(2), loss
        self.opt = lrcore.SGD(self.w, lr=0.1, telemetry=True)
        self.monitor = lrcore.Monitor(self.opt, **options)
        for _ in range(steps):
            self.opt.step(CURVATURE * self.w)
            self.monitor.update(0.5 * float((CURVATURE * self.w**2).sum()))
        self.opt.step(CURVATURE * self.w)

    def call(self):
        self.monitor.update(self.loss, 0.25)

    def seen(self):
        states = self.monitor.state_dict(), self.opt.state_dict()
        return plain([self.w, *states]), self.monitor._room


class Loaded(Run):
    """A monitor that takes the state of another one."""

    def __init__(self):
        super().__init__(10, 1.0, on_divergence="rollback")
        other = Run(100, 1.0, on_divergence="rollback")
        self.saved = other.monitor.state_dict()

    def call(self):
        self.monitor.load_state_dict(self.saved)


CASES = {
    "the first loss": lambda: Run(0, 0.5),
    "a first loss that is not finite": lambda: Run(0, np.inf),
    "steps that are taken up": lambda: Run(3 * CHUNK - 1, 1e-3),
    "and diagnosed": lambda: Run(CHUNK - 1, 1e-3),
    "a good run is kept": lambda: Run(63, 1e-3, on_divergence="rollback"),
    "a loss that is not finite": lambda: Run(30, np.nan),
    "a rollback": lambda: Run(30, np.nan, on_divergence="rollback"),
    "a state is loaded": Loaded,
}


@pytest.mark.parametrize("case", CASES)
def test_an_error_leaves_all_of_an_update_or_nothing(case):
    first = CASES[case]()
    whole = deepcopy(first)
    before = whole.seen()
    whole.call()
    after = whole.seen()
    assert before != after
    current, ended = None, 0

    def begin():
        nonlocal current
        current = deepcopy(first)
        return current.call

    for stopped in stops(begin, *FILES):
        ended += stopped
        seen = current.seen()
        assert seen in (before, after)
        if seen == before:  # as if it had not been tried
            current.call()
            assert current.seen() == after
    assert ended > 20


def test_a_run_goes_on_after_errors_at_a_full_chunk():
    """It keeps the memory that it had: recent steps are taken up all the same."""
    monitor = lrcore.Monitor()
    for _ in range(CHUNK - 1):
        monitor.update(1.0, lr=0.1)
    loss = 1.0
    for _ in stops(lambda: lambda: monitor.update(loss, lr=0.1), *FILES):
        assert len(monitor._recorder.recent) < CHUNK
    count = monitor._recorder.steps
    for _ in range(3 * CHUNK):
        monitor.update(1.0, lr=0.1)
        assert len(monitor._recorder.recent) < CHUNK
    history = monitor.history
    assert history.steps.sum() == count + 3 * CHUNK
    assert (history.step[1:] == 1 + history.steps.cumsum()[:-1]).all()
