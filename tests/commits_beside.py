"""Calls that change several things together, beside an optimizer: see commits.py."""

import random
import threading
import time

import numpy as np
from commits import arrays
from helpers import plain
from saves import begun, bits, loaded, stepped, unfinished

import lrcore
from lrcore._shared.also import Also
from lrcore.batch_size import GradientNoiseScale
from lrcore.finder._kept import Kept
from lrcore.schedules import Cosine


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


class Scaler:
    """A loss scale shrinks, and its count begins anew."""

    def __init__(self):
        self.scaler = lrcore.LossScaler(4.0)
        opt = lrcore.SGD(np.ones(1))
        self.scaler.step(opt, np.ones(1))
        self.call = lambda: self.scaler.step(opt, np.array([np.inf]))

    def seen(self):
        return self.scaler.state_dict()


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


class Saving:
    """A file is saved in the place of an older one."""

    def __init__(self, path):
        self.path, self.opt = path, stepped(begun())
        self.opt.save(path)
        stepped(self.opt)
        self.others = {*threading.enumerate()}
        self.call = lambda: self.opt.save(path)

    def seen(self):
        """What the file was is the one before, once a newer one is there to stay."""
        stepped(self.opt).save(self.path)
        for thread in {*threading.enumerate()} - self.others:
            while thread.ident is None:  # it is about to begin
                time.sleep(1e-4)
            thread.join()
        files = self.path, f"{self.path}.prev"
        return [bits(loaded(file)) for file in files], unfinished(self.path.parent)


class SavingBeside(Saving):
    """A file is saved in the background."""

    def __init__(self, path):
        super().__init__(path)
        self.call = lambda: self.opt.save_async(path)
