"""Calls that change several things of an optimizer together: all of them or none.

Each class makes what changes, has `call`, which changes it, and `seen`, which returns
all that is to change together.
"""

import numpy as np
from helpers import plain

import lrcore


def arrays(value, count=12):
    return [np.full(50, value + k / 100) for k in range(count)]


class Stepped:
    """A step by two threads."""

    def __init__(self):
        self.params = [np.full((100, 250), k, np.float32) for k in range(4)]
        self.opt = lrcore.AdamW(
            self.params, num_threads=2, clip_norm=1.0, ema_decay=0.9
        )
        self.opt.step([p / 2 for p in self.params])
        grads = [p / 4 for p in self.params]
        self.call = lambda: self.opt.step(grads)

    def seen(self):
        state = self.opt.state_dict()
        return plain(self.params), plain(state), self.opt._plan.lock.busy


class Reported:
    """A step with a report."""

    def __init__(self):
        self.params = arrays(1.0)
        self.opt = lrcore.LAMB(self.params, telemetry=True)
        self.opt.step(arrays(0.5))
        self.call = lambda: self.opt.step(arrays(0.25))

    def seen(self):
        reports = self.opt.report, self.opt.reports("tensor")
        return plain(self.params), plain(self.opt.state_dict()), plain(reports)


class Constructed:
    """An optimizer is made, which changes no params and keeps none from the next."""

    def __init__(self):
        self.params = arrays(1.0)

    def call(self):
        return lrcore.AdamW(
            [{"params": p, "lr": lrcore.ReduceOnPlateau(0.1)} for p in self.params],
            ema_decay=0.9, accumulate=2, mechanic=True,
        )  # fmt: skip

    def seen(self):
        before, opt = plain(self.params), self.call()
        for _ in range(2):
            opt.step(arrays(0.5))
        return before, plain(self.params), plain(opt.state_dict())


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


class Entering(Averages):
    """An average is put into the params, which takes most of the time."""

    def __init__(self):
        self.params = [np.full(20_000, k / 8) for k in range(4)]
        self.opt = lrcore.SGD(self.params, lr=0.1, ema_decay=0.5)
        self.opt.step([p + 1 for p in self.params])
        self.opt.step([p - 1 for p in self.params])
        self.block = self.opt.averaged()
        self.call = self.block.__enter__

    def seen(self):
        params, busy = plain(self.params), self.busy
        if busy:
            self.block.__exit__(None, None, None)
        return params, busy, super().seen()


class Leaving(Entering):
    """The params are put back."""

    def __init__(self):
        super().__init__()
        self.block.__enter__()
        self.call = lambda: self.block.__exit__(None, None, None)


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
