"""What a problem is, and how it is made of a model and data."""

from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from types import MappingProxyType
from typing import Any, Literal, NamedTuple
from zlib import crc32

import numpy as np

GROUPS = (
    "ordinary",
    "below 0",
    "near the optimum",
    "heavy-tailed",
    "disturbed",
    "without a meaning",
)
"""What problems are reported by.

ordinary : a loss that is at least 0 and falls far, with ordinary noise.
below 0 : a likelihood of densities, or one without its constant.
near the optimum : the params have been trained before, or most of the loss stays.
heavy-tailed : gradients whose noise has no finite variance.
disturbed : batches, data or rates that change in the run; or too few data.
without a meaning : the loss does not tell how good the params are.
"""


class Problem(NamedTuple):
    """A problem to train on.

    name : unique.
    kind : its family; each family is in both halves of the runs.
    steps : the number of training steps.
    params : (generator) -> new arrays.
    batches : (generator) -> endless iterator of batches.
    loss_and_grad : (params, batch) -> the loss, and gradients in the params' structure;
        it depends on nothing else, so a batch can be had again.
    full_loss : (params) -> what a training is to make small, without noise: the loss on
        all data; without a meaning, a measure of how good the params are.
    group : one of GROUPS.
    loss : what the loss of a batch is: "loss", or of what it only makes gradients.
    scale : about how large losses are.  The rates of SGD, whose updates are
        proportional to gradients, are divided by it.
    options : of the optimizer.
    schedule : (share of the run) -> factor of the rate; None: the rate is constant.
    validate : (params) -> the loss on other data; None: there are none.
    surrogate : (params, batch, held) -> a loss of which loss_and_grad returns value and
        gradient at params = held, if its gradient is not that of its own loss.
    """

    name: str
    kind: str
    steps: int
    params: Callable[[np.random.Generator], Any]
    batches: Callable[[np.random.Generator], Iterator[Any]]
    loss_and_grad: Callable[[Any, Any], tuple[float, Any]]
    full_loss: Callable[[Any], float]
    group: str = "ordinary"
    loss: Literal["loss", "adversarial", "policy"] = "loss"
    scale: float = 1.0
    options: Mapping[str, Any] = MappingProxyType({})
    schedule: Callable[[float], float] | None = None
    validate: Callable[[Any], float] | None = None
    surrogate: Callable[[Any, Any, Any], float] | None = None

    def start(self, seed):
        """Return the params and batches with which a training of this seed begins."""
        params = self.params(np.random.default_rng([seed, 0]))
        return params, self.batches(np.random.default_rng([seed, 1]))

    def rate(self, lr, step):
        """Return the rate of a step: lr, multiplied by the schedule if there is one."""
        return lr * self.schedule(step / self.steps) if self.schedule else lr


def generator(name):
    """Return the random generator of a problem's data."""
    return np.random.default_rng(crc32(name.encode()))


def supervised(name, kind, model, params, x, y, batch=None, steps=300, **more):
    """Return a problem of a model on data; batch=None: each batch is all data.

    more : other fields of Problem.
    """
    data = x, y

    def batches(rng):
        if batch is None:
            yield from repeat(data)
        while True:
            order = rng.permutation(len(x))
            for start in range(0, len(x) - batch + 1, batch):
                rows = order[start : start + batch]
                yield x[rows], y[rows]

    def full_loss(p):
        return model(p, data)[0]

    return Problem(name, kind, steps, params, batches, model, full_loss, **more)
