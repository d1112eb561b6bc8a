"""Errors of signal handlers at random moments: a change is made whole, or not at all.

LRCORE_TRIALS=10000 python -m pytest tests/test_interrupted.py
"""

import gc
import random

import numpy as np
import pytest
from interrupted import interruptions

import lrcore
from lrcore._shared.also import Also
from lrcore.batch_size import GradientNoiseScale
from lrcore.finder._kept import Kept
from lrcore.schedules import Cosine


@pytest.fixture(autouse=True)
def _no_collector():
    """An error that a handler raises in a callback of the collector is lost.

    Hypothesis has one, once a test of the same process has used it.
    """
    gc.disable()
    yield
    gc.enable()


def plain(value):
    """Return a value with the bits of its arrays, to be compared."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value if isinstance(value, (str, int, float, type(None))) else repr(value)


def arrays(value, count=12):
    return [np.full(50, value + k / 100) for k in range(count)]


class Loading:
    """An optimizer loads the state of another one, hyper-parameters included."""

    def __init__(self):
        self.params = arrays(1.0)
        self.opt = self.made(self.params, 0.1)
        self.opt.step(arrays(0.5))
        other = self.made(arrays(1.0), 0.2, beta2=0.9, grad_scale=0.5)
        for g in (0.1, 0.2, 0.3):
            other.step(arrays(g))
        other.step([None, *arrays(0.4)[1:]])
        other.param_groups[0]["lr"].update(1.0)
        self.saved = other.state_dict()
        self.call = lambda: self.opt.load_state_dict(self.saved, hyper="saved")

    def made(self, params, lr, beta2=0.99, **options):
        return lrcore.AdamW(
            params, lr=lrcore.ReduceOnPlateau(lr), betas=(0.9, beta2), accumulate=2,
            ema_decay=0.9, **options,
        )  # fmt: skip

    def seen(self):
        return plain(self.opt.state_dict()), self.opt._plan.lock.busy


class Averages:
    """An average is in the params for a moment."""

    def __init__(self):
        self.params = arrays(1.0)
        self.opt = lrcore.SGD(self.params, lr=0.1, ema_decay=0.5)
        for _ in range(3):
            self.opt.step(arrays(0.5))

    def call(self):
        with self.opt.averaged():
            pass

    def seen(self):
        return plain(self.params), plain(self.opt.state_dict()), self.busy

    @property
    def busy(self):
        return self.opt._plan.lock.busy


class DerivedAverages(Averages):
    """As `Averages`, of an average that is computed."""

    def __init__(self):
        self.params = arrays(1.0)
        self.opt = lrcore.AdamWScheduleFree(self.params)
        for _ in range(3):
            self.opt.step(arrays(0.5))


class Keeping:
    """The best params are kept; another epoch's follow."""

    def __init__(self):
        self.params = arrays(1.0)
        self.stopping = lrcore.EarlyStopping(params=self.params, smoothing=2)
        for loss in (5.0, 4.0, 3.0):
            self.stopping.update(loss)
        for p in self.params:
            p += 1
        self.call = lambda: self.stopping.update(1.0)

    def seen(self):
        return plain(self.params), plain(self.stopping.state_dict())


class Restoring(Keeping):
    """The best params are put back."""

    def __init__(self):
        super().__init__()
        self.call = self.stopping.restore


class Beginning(Keeping):
    """An early stopping begins anew."""

    def __init__(self):
        super().__init__()
        self.call = self.stopping.reset


class LoadingKept(Keeping):
    """A saved `EarlyStopping` is loaded."""

    def __init__(self):
        super().__init__()
        saved = self.stopping.state_dict()
        self.stopping.update(1.0)
        self.call = lambda: self.stopping.load_state_dict(saved)


class Plateau:
    """A plateau's rate is reduced, of each group."""

    def __init__(self):
        groups = [{"params": arrays(1.0), "lr": rate} for rate in (0.1, 0.2, Cosine)]
        groups[2]["lr"] = Cosine(0.3, total=100)
        self.opt = lrcore.SGD(groups)
        self.plateaus = lrcore.ReduceOnPlateau.attach(
            self.opt, patience=0, cooldown=3, factor=0.5
        )
        self.plateaus.update(1.0)
        self.call = lambda: self.plateaus.update(2.0)

    def seen(self):
        return plain(self.opt.state_dict())


class Reset(Plateau):
    """The plateaus begin anew."""

    def __init__(self):
        super().__init__()
        self.plateaus.update(2.0)
        self.call = self.plateaus.reset


class Multiplied(Plateau):
    """The rates of all groups are multiplied."""

    def __init__(self):
        super().__init__()
        self.call = lambda: self.opt.multiply_lr(0.5)


class Attached:
    """Plateaus take the places of all rates."""

    def __init__(self):
        self.opt = lrcore.Adam([{"params": [p]} for p in arrays(1.0)])
        self.call = lambda: lrcore.ReduceOnPlateau.attach(self.opt)

    def seen(self):
        folded = [type(group.now) for group in self.opt.param_groups]
        return plain(self.opt.state_dict()), folded


class RatesOfAll(Attached):
    """A hyper-parameter of all groups is set."""

    def __init__(self):
        super().__init__()
        self.call = self.set

    def set(self):
        self.opt.lr = 0.5

    def seen(self):
        folded = [part.folded.lr for g in self.opt.param_groups for part in g.parts]
        return plain(self.opt.state_dict()), folded


class Growing(Attached):
    """A group is added."""

    def __init__(self):
        super().__init__()
        self.fresh = arrays(2.0)
        self.opt.step([[np.ones(50)] for _ in self.opt.param_groups])
        self.call = lambda: self.opt.add_group(self.fresh, lr=0.3)

    def seen(self):
        paths = [group.paths for group in self.opt.param_groups]
        return plain(self.opt.state_dict()), paths


class ScaleWhileGathering:
    """The scale of gradients is set after some were gathered by another one."""

    def __init__(self):
        self.opt = lrcore.SGD(arrays(1.0), accumulate=4, grad_scale=0.5)
        self.opt.step(arrays(0.5))
        self.call = self.set

    def set(self):
        self.opt.grad_scale = 0.25

    def seen(self):
        return plain(self.opt.state_dict())


class ScaledWhileGathering(ScaleWhileGathering):
    """Gradients of another loss scale are gathered."""

    def __init__(self):
        super().__init__()
        grads, scaler = arrays(0.5), lrcore.LossScaler(4.0)
        self.call = lambda: scaler.step(self.opt, grads)


class Counted:
    """The count is set, which the counts of arrays that rested follow."""

    def __init__(self):
        self.opt = lrcore.Adam(arrays(1.0))
        self.opt.step([None, *arrays(0.5)[1:]])
        self.opt.step(arrays(0.5))
        self.call = self.set

    def set(self):
        self.opt.t = 7

    def seen(self):
        return plain(self.opt.state_dict())


class SteppedOne:
    """The last array of a step by arrays, of which another one rested."""

    def __init__(self):
        self.params = arrays(1.0, 3)
        self.opt = lrcore.Adam(self.params, ema_decay=0.9)
        self.opt.step(arrays(0.5, 3))
        self.opt.step_one(1, None)
        self.opt.step_one(0, self.params[0] / 2)
        self.call = lambda: self.opt.step_one(2, self.params[2] / 2)

    def seen(self):
        plan = self.opt._plan
        counts = self.opt.t, plan.steps, sorted(plan.to_come), plan.lock.busy
        return plain(self.params), plain(self.opt.state), counts


class Swept:
    """A range test, in a loop of the user's own; afterwards all is as before."""

    def __init__(self):
        self.params, self.mean = arrays(1.0, 4), np.zeros((6, 3))[:, ::2]
        self.rngs = [np.random.default_rng(1), np.random.RandomState(2)]
        self.plateau = lrcore.ReduceOnPlateau(0.1)
        groups = [{"params": p, "lr": self.plateau} for p in self.params]
        self.opt = lrcore.SGD(groups, momentum=0.9, ema_decay=0.9, accumulate=2)
        for k in range(3):
            self.opt.step(arrays(k / 8, 4))

    def call(self):
        with self.sweep() as sweep:
            for _ in sweep:
                self.change()
                sweep.record(1.0)

    def sweep(self):
        return lrcore.LRSweep(
            self.opt, num=20, trial_steps=0, rng=self.rngs, also=self.mean
        )

    def change(self):
        self.opt.step([g * random.random() for g in arrays(0.5, 4)])
        self.mean += np.random.normal()  # noqa: NPY002 # it is put back, too
        self.rngs[0].normal()
        self.rngs[1].normal()
        self.plateau.update(1.0)

    def seen(self):
        generators = (
            self.rngs[0].bit_generator.state,
            self.rngs[1].get_state(legacy=False),
            random.getstate(),
            np.random.get_state(legacy=False),  # noqa: NPY002
        )
        own = plain([self.params, self.mean]), plain(self.opt.state_dict())
        same = [group["lr"] is self.plateau for group in self.opt.param_groups]
        return own, plain(generators), same, np.geterr(), self.opt._plan.lock.busy


class PutBack(Swept):
    """What a range test has changed is put back."""

    def __init__(self):
        super().__init__()
        random.seed(3)
        np.random.seed(4)  # noqa: NPY002
        kept = Kept(self.opt, self.rngs, Also(self.mean))
        kept.begin()
        kept.set_rate(0.5)
        self.change()
        self.call = kept.put_back


class RolledBack:
    """A monitor rolls the run back."""

    def __init__(self):
        self.params, self.mean = arrays(1.0, 4), np.zeros(3, np.int64)
        rates = lrcore.ReduceOnPlateau(0.1), 0.1, Cosine(0.1, total=100), 0.1
        groups = [
            {"params": p, "lr": rate}
            for p, rate in zip(self.params, rates, strict=True)
        ]
        self.opt = lrcore.Adam(groups, ema_decay=0.9)
        self.monitor = lrcore.Monitor(
            self.opt, on_divergence="rollback", also=self.mean
        )
        for k in range(20):
            self.mean += 1
            self.opt.step(arrays(k / 64, 4))
            self.monitor.update(1.0)
        rates[0].update(1.0)

    def call(self):
        while self.monitor.update(np.nan) is None:
            pass

    def seen(self):
        own = plain([self.params, self.mean]), plain(self.opt.state_dict())
        return own, plain(self.monitor._rollback.state_dict()), self.monitor._begin


class Noise:
    """Squared norms are added to the estimates of a gradient's noise."""

    def __init__(self):
        self.noise = GradientNoiseScale(8, 64)
        self.noise.update(4.0, 2.0)
        self.call = lambda: self.noise.update(3.0, 1.0)

    def seen(self):
        return self.noise.state_dict()


class File:
    """A file is loaded, with the params."""

    def __init__(self, path):
        self.params = arrays(1.0)
        self.opt = lrcore.AdamW(self.params, lr=lrcore.ReduceOnPlateau(0.1))
        self.opt.step(arrays(0.5))
        if not path.exists():
            self.opt.save(path)
        self.opt.step(arrays(0.25))
        self.opt.param_groups[0]["lr"].update(1.0)
        self.call = lambda: self.opt.load(path)

    def seen(self):
        return plain(self.params), plain(self.opt.state_dict())


class Scaler:
    """A loss scale shrinks, and its count begins anew."""

    def __init__(self):
        self.scaler = lrcore.LossScaler(4.0)
        opt = lrcore.SGD(np.ones(1))
        self.scaler.step(opt, np.ones(1))
        self.call = lambda: self.scaler.step(opt, np.array([np.inf]))

    def seen(self):
        return self.scaler.state_dict()


CASES = [
    Loading, Averages, DerivedAverages, Keeping, Restoring, LoadingKept, Plateau, Reset,
    Multiplied, Attached, RatesOfAll, Growing, ScaleWhileGathering,
    ScaledWhileGathering, Counted, Noise, Scaler, Beginning, SteppedOne, Swept, PutBack,
    RolledBack,
]  # fmt: skip

UNCHANGED = [Averages, DerivedAverages, Swept]
"""Those that leave everything as it was."""


@pytest.mark.parametrize("case", CASES)
def test_a_raising_handler_tears_nothing(case):
    check(case, changes=case not in UNCHANGED)


# The garbage collector closes a file that was opened at the moment of the error.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_does_not_tear_what_a_file_is_loaded_into(tmp_path):
    check(lambda: File(tmp_path / "run.safetensors"))


def check(case, *, changes=True):
    """After an error of a handler all is as before the call, or as after it."""
    whole = case()
    before = whole.seen()
    whole.call()
    after = whole.seen()
    assert (before != after) == changes
    current = None

    def begin():
        nonlocal current
        current = case()
        return current.call

    found = [(ended, current.seen()) for ended in interruptions(begin)]
    assert any(ended for ended, _ in found)
    torn = sum(seen not in (before, after) for _, seen in found)
    assert torn == 0


def test_what_was_kept_is_of_one_epoch():
    """EarlyStopping.update is interrupted; restore() then gives the best epoch."""
    params = arrays(0.0)
    stopping = lrcore.EarlyStopping(params=params)
    loss, epoch = 0.0, 0

    def update():
        nonlocal loss, epoch
        loss, epoch = loss - 1, epoch + 1
        for p in params:
            p[...] = epoch
        return lambda: stopping.update(loss)

    update()()
    stopping.restore()
    for _ in interruptions(update):
        stopping.restore()
        assert {x for p in params for x in p} == {-stopping.best}
