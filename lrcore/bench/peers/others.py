"""optax, thinc and scikit-learn."""

from __future__ import annotations

import math
from functools import partial
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np

from lrcore.bench.peers.base import Arrays, Job, Peer

# The optimizers whose steps agree with lrcore's at the same hyper-parameters.
_OPTAX = frozenset(
    ("AdaBelief", "Adadelta", "Adagrad", "Adam", "Adamax", "AdamW", "LAMB", "LARS",
     "Lion", "NovoGrad", "RAdam", "SGD", "SignSGD", "Signum", "SM3", "Yogi")
)  # fmt: skip


class Optax(Peer):
    """optax: update and apply_updates in one ``jax.jit`` with donated buffers."""

    name = package = "optax"
    optimizers = _OPTAX
    takes_threads = False
    scratch = 2

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        optimizer, hyper, params, grads, _ = job
        jax, optax = import_module("jax"), import_module("optax")
        jax.config.update("jax_enable_x64", True)
        kind = getattr(optax, {"SignSGD": "sign_sgd"}.get(optimizer, optimizer.lower()))
        named = {**hyper, "learning_rate": hyper["lr"]}
        named |= {f"b{k}": beta for k, beta in enumerate(hyper.get("betas", ()), 1)}
        takes = signature(kind).parameters
        opt = kind(**{name: value for name, value in named.items() if name in takes})

        def update(params: Any, state: Any, grads: Any) -> Any:
            updates, state = opt.update(grads, state, params)
            return optax.apply_updates(params, updates), state

        jitted = jax.jit(update, donate_argnums=(0, 1))
        copied = partial(jax.numpy.array, copy=True)
        self.own = [copied(p) for p in params]
        self.own_grads = [copied(g) for g in grads]
        state = opt.init(self.own)
        wait = jax.block_until_ready

        def step() -> None:
            nonlocal state
            self.own, state = jitted(self.own, state, self.own_grads)
            wait(self.own)

        self.step = step

    def feed(self, grads: Arrays) -> None:
        """Take copies, as jax's arrays cannot be written."""
        array = import_module("jax.numpy").array
        self.own_grads = [array(g, copy=True) for g in grads]

    def results(self) -> Arrays:
        """Return copies of its params."""
        return [np.asarray(p) for p in self.own]


class Thinc(Peer):
    """thinc's ``ops.adam``, which takes a corrected rate, and zeroes the gradient."""

    name = package = "thinc"
    optimizers = frozenset({"Adam", "AdamW"})
    dtypes = ("float32",)
    decays = False
    writes_grads = True

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        _, hyper, params, grads, _ = job
        adam = import_module("thinc.api").NumpyOps().adam
        (b1, b2), lr, eps, t = hyper["betas"], hyper["lr"], hyper["eps"], 0
        flat = [
            (p.reshape(-1), g.reshape(-1), np.zeros(p.size, p.dtype),
             np.zeros(p.size, p.dtype))
            for p, g in zip(params, grads, strict=True)
        ]  # fmt: skip

        def step() -> None:
            nonlocal t
            t += 1
            rate = lr * math.sqrt(1 - b2**t) / (1 - b1**t)
            for arrays in flat:
                adam(*arrays, b1, b2, eps, rate)

        self.step = step


class ScikitLearn(Peer):
    """The optimizers of scikit-learn's multi-layer perceptron."""

    name = package = "scikit-learn"
    module = "sklearn"
    optimizers = frozenset({"Adam", "AdamW", "SGD"})
    decays = False
    scratch = 4

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        optimizer, hyper, params, grads, _ = job
        kinds = import_module("sklearn.neural_network._stochastic_optimizers")
        if optimizer == "SGD":
            opt = kinds.SGDOptimizer(
                params, hyper["lr"], momentum=hyper["momentum"], nesterov=False
            )
        else:
            opt = kinds.AdamOptimizer(
                params, hyper["lr"], *hyper["betas"], hyper["eps"]
            )
        self.step = partial(opt.update_params, list(params), list(grads))
