"""Loads of a file that an error ends: optimizer and `extra` are of one run."""

import sys
import textwrap

import numpy as np
import pytest
from hanging import printed
from helpers import plain
from stopped import stops

import lrcore
from lrcore.checkpoint import _random

FILES = ["checkpoint/_load.py", "checkpoint/_extra.py", "optimizers/base/checkpoint.py"]


class Own:
    """An object of a user's, which changes in two steps."""

    def __init__(self):
        self.a = self.b = 0

    def state_dict(self):
        return {"a": self.a, "b": self.b}

    def load_state_dict(self, saved):
        self.a = saved["a"]
        self.b = saved["b"]


class Run:
    """An optimizer and all that can be saved beside it, after some steps."""

    def __init__(self, steps, rollback=True):
        self.w, self.wide = np.ones(3), np.zeros((2, 6))
        self.opt = lrcore.Adam(self.w, lr=lrcore.ReduceOnPlateau(0.1))
        self.extra = {
            "view": self.wide[::-1, ::2],
            "turned": np.zeros((2, 3), order="F"),
            "number": np.zeros(()),
            "rng": np.random.default_rng(0),
            "old": np.random.RandomState(0),
            "stopping": lrcore.EarlyStopping(params=self.w),
            "scaler": lrcore.LossScaler(8.0, growth_interval=2),
            "monitor": lrcore.Monitor(
                self.opt, on_divergence="rollback" if rollback else None
            ),
            "own": Own(),
        }
        for _ in range(steps):
            self.step()

    def step(self):
        its = self.extra
        its["scaler"].step(self.opt, its["scaler"].scale * its["rng"].normal(size=3))
        its["stopping"].update(-self.opt.t)
        its["monitor"].update(1.0)
        its["old"].normal()
        its["own"].a += 1
        its["own"].b += 1
        for name in ("view", "turned", "number"):
            its[name] += 1

    def seen(self):
        its = self.extra
        generators = its["rng"].bit_generator.state, its["old"].get_state()
        arrays = self.w, self.wide, its["turned"], its["number"]
        objects = (its[name] for name in ("stopping", "scaler", "monitor", "own"))
        states = [each.state_dict() for each in (self.opt, *objects)]
        return plain([*arrays, *generators, *states])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


# The garbage collector closes a file that was opened at the moment of the error.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_error_leaves_all_of_a_load_or_nothing(path):
    saved = Run(5)
    saved.opt.save(path, extra=saved.extra)
    before, after, current = Run(3).seen(), saved.seen(), None

    def begin():
        nonlocal current
        current = Run(3)
        return lambda: current.opt.load(path, extra=current.extra)

    found = [(current.seen(), stopped) for stopped in stops(begin, *FILES)]
    assert {stopped for _, stopped in found} == {True}
    assert [seen for seen, _ in found if seen not in (before, after)] == []
    assert after in [seen for seen, _ in found]
    assert before in [seen for seen, _ in found]


def test_a_rollback_that_was_not_saved_goes_back_to_the_loaded_params_or_nowhere(path):
    saved = Run(5, rollback=False)
    saved.opt.save(path, extra=saved.extra)
    wanted, current = saved.w.tolist(), None

    def begin():
        nonlocal current
        current = Run(3)
        return lambda: current.opt.load(path, extra=current.extra)

    found = []
    for _ in stops(begin, "checkpoint/_extra.py", "monitor/_resume.py"):
        kept = current.extra["monitor"]._rollback._kept
        is_loaded = current.opt.t == saved.opt.t
        assert all((one.params[0].tolist() == wanted) == is_loaded for one in kept)
        found.append(len(kept))
    assert {0, 1} == {*found}


def fixed(run):
    """An array becomes read-only after all checks."""
    load = run.extra["own"].load_state_dict

    def fixing(saved):
        load(saved)
        run.extra["view"].flags.writeable = False

    run.extra["own"].load_state_dict = fixing


def halved(run):
    """An object takes a half of its state."""

    def half(saved):
        run.extra["own"].a = saved["a"]
        if saved["a"] == 5:
            raise ValueError("half of it")

    run.extra["own"].load_state_dict = half


@pytest.mark.parametrize("spoil", [fixed, halved])
def test_what_cannot_be_loaded_leaves_all_as_it_was(spoil, path):
    """Whatever was loaded before it."""
    saved, run = Run(5), Run(3)
    saved.opt.save(path, extra=saved.extra)
    before = run.seen()
    spoil(run)
    with pytest.raises(ValueError, match=r"half of it|can be written"):
        run.opt.load(path, extra=run.extra)
    assert run.seen() == before


def test_a_state_that_a_generator_refuses_leaves_all_as_it_was(path, monkeypatch):
    saved, run = Run(5), Run(3)
    refused = r"^extra\['rng'\]: expected the state of a PCG64, found"
    whole = _random.state
    monkeypatch.setattr(
        _random,
        "state",
        lambda rng: {
            "kind": whole(rng)["kind"],
            "state": {"bit_generator": whole(rng)["state"]["bit_generator"]},
        },
    )
    saved.opt.save(path, extra=saved.extra)
    before = run.seen()
    with pytest.raises(ValueError, match=refused):
        run.opt.load(path, extra=run.extra)
    with pytest.raises(ValueError, match=refused):
        lrcore.checkpoint.read(path)
    assert run.seen() == before


FIRST = """
    import os, signal, sys, threading, time
    import numpy as np, lrcore

    class Signals:
        def find_spec(name, path, target=None):
            if name == "lrcore.checkpoint._layout":
                try:
                    os.kill(os.getpid(), signal.SIGUSR1)
                    time.sleep(0.2)
                except BaseException:
                    print("the import ends")
                    raise

    def interrupt(*_):
        raise KeyboardInterrupt

    assert "lrcore.checkpoint" not in sys.modules
    sys.meta_path.insert(0, Signals)
    signal.signal(signal.SIGUSR1, interrupt)
    path, opt = sys.argv[1], lrcore.SGD(np.ones(3))
    try:
        getattr(opt, sys.argv[2])(path)
    except KeyboardInterrupt:
        print("the call ends")
    save = lambda: (opt.save_async(path).wait(), print(opt.load(path).step))
    thread = threading.Thread(target=save)
    thread.start()
    thread.join()
"""
"""A signal comes while the first call imports what saves."""


@pytest.mark.parametrize("call", ["save", "save_async", "load"])
def test_an_error_in_the_first_call_does_not_end_what_it_imports(call, path):
    """It would leave the lock of a module taken, for which other threads wait."""
    script = textwrap.dedent(FIRST)
    command = [sys.executable, "-W", "ignore", "-c", script, path, call]
    assert printed(command) == "the call ends\n0"
