"""The loop that one writes in NumPy, and the same in numba."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from importlib import import_module
from typing import Any

import numpy as np

from lrcore._shared.types import Array
from lrcore.bench.peers.base import Job, Peer
from lrcore.bench.textbook import TextbookAdamW


def _sgd(h: Mapping[str, Any], t: int, p: Array, g: Array, s: dict[str, Any]) -> None:
    s["m"] = h["momentum"] * s["m"] + g
    p -= h["lr"] * s["m"]


def _adam(h: Mapping[str, Any], t: int, p: Array, g: Array, s: dict[str, Any]) -> None:
    b1, b2 = h["betas"]
    s["m"] = b1 * s["m"] + (1 - b1) * g
    s["v"] = b2 * s["v"] + (1 - b2) * g**2
    p -= h["lr"] * (s["m"] / (1 - b1**t)) / (np.sqrt(s["v"] / (1 - b2**t)) + h["eps"])


def _rmsprop(
    h: Mapping[str, Any], t: int, p: Array, g: Array, s: dict[str, Any]
) -> None:
    s["v"] = h["alpha"] * s["v"] + (1 - h["alpha"]) * g**2
    p -= h["lr"] * g / (np.sqrt(s["v"]) + h["eps"])


def _adagrad(
    h: Mapping[str, Any], t: int, p: Array, g: Array, s: dict[str, Any]
) -> None:
    s["v"] = s["v"] + g**2
    p -= h["lr"] * g / (np.sqrt(s["v"]) + h["eps"])


_TEXTBOOK = {"SGD": _sgd, "Adam": _adam, "RMSprop": _rmsprop, "Adagrad": _adagrad}


class Textbook(Peer):
    """The loop that one writes in NumPy."""

    name = "NumPy textbook"
    package = "numpy"
    optimizers = frozenset({"AdamW", *_TEXTBOOK})
    scratch = 4

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        optimizer, hyper, params, grads, _ = job
        named = {str(k): p for k, p in enumerate(params)}
        named_grads = {str(k): g for k, g in enumerate(grads)}
        if optimizer == "AdamW":
            opt = TextbookAdamW(named, hyper["lr"], hyper["weight_decay"])
            self.step = partial(opt.step, named_grads)
            return
        update = _TEXTBOOK[optimizer]
        states = [{k: np.zeros_like(p) for k in "mv"} for p in params]
        t = 0

        def step() -> None:
            nonlocal t
            t += 1
            for p, g, state in zip(params, grads, states, strict=True):
                update(hyper, t, p, g, state)

        self.step = step


class Numba(Peer):
    """The same loop in numba, its bias corrections folded as in lrcore's kernel."""

    name = package = "numba"
    optimizers = frozenset({"Adam", "AdamW"})

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        optimizer, hyper, params, grads, _ = job
        f, (b1, b2), t = params[0].dtype.type, hyper["betas"], 0
        decayed = optimizer == "AdamW"
        decay = f(1 - hyper["lr"] * hyper["weight_decay"] if decayed else 1)
        update = self.updater(
            [
                (p.reshape(-1), g.reshape(-1), np.zeros(p.size, f), np.zeros(p.size, f))
                for p, g in zip(params, grads, strict=True)
            ]
        )

        def step() -> None:
            nonlocal t
            t += 1
            lr, r = f(hyper["lr"] / (1 - b1**t)), f(1 / math.sqrt(1 - b2**t))
            update(decay, lr, f(1 - b1), f(1 - b2), r, f(hyper["eps"]))

        self.step = step

    def updater(self, tensors: Sequence[tuple[Array, ...]]) -> Callable[..., None]:
        """Return a function of the step's numbers that updates (p, g, m, v) of each."""
        loop = _numba_adam(self.threads > 1)

        def update(*numbers: Any) -> None:
            for arrays in tensors:
                loop(*arrays, *numbers)

        return update

    def enter(self) -> None:
        """Set numba's number of threads."""
        import_module("numba").set_num_threads(self.threads)


class NumbaMulti(Numba):
    """One numba call for all tensors, of the shape of prime-rl's CPU AdamW.

    The elements of all tensors are one range, of which each thread has one part, with
    `GRAIN` elements at least; it walks through the tensors of its part.
    """

    name = "numba, multi-tensor"
    module = "numba"
    GRAIN = 32_768

    def updater(self, tensors: Sequence[tuple[Array, ...]]) -> Callable[..., None]:
        """Return a function of the step's numbers that updates (p, g, m, v) of each."""
        typed: Any = import_module("numba.typed")
        lists = [typed.List(arrays) for arrays in zip(*tensors, strict=True)]
        begins = np.cumsum([0, *(p.size for p, *_ in tensors)])
        parts = min(self.threads, math.ceil(begins[-1] / self.GRAIN))
        return partial(_numba_multi(parts > 1), parts, begins, *lists)


@cache
def _numba_multi(parallel: bool) -> Any:
    numba: Any = import_module("numba")
    prange, update = numba.prange, _numba_adam(False)

    def loop(
        parts: Any, begins: Any, ps: Any, gs: Any, ms: Any, vs: Any,
        decay: Any, lr: Any, w1: Any, w2: Any, r: Any, eps: Any,
    ) -> None:  # fmt: skip
        for k in prange(parts):
            at, end = begins[-1] * k // parts, begins[-1] * (k + 1) // parts
            tensor = np.searchsorted(begins, at, side="right") - 1
            while at < end:
                last = min(end, begins[tensor + 1])
                span = slice(at - begins[tensor], last - begins[tensor])
                update(
                    ps[tensor][span], gs[tensor][span], ms[tensor][span],
                    vs[tensor][span], decay, lr, w1, w2, r, eps,
                )  # fmt: skip
                at = last
                tensor += 1

    return numba.njit(parallel=parallel, error_model="numpy")(loop)


@cache
def _numba_adam(parallel: bool) -> Any:
    numba: Any = import_module("numba")
    prange = numba.prange

    def loop(
        p: Any, g: Any, m: Any, v: Any,
        decay: Any, lr: Any, w1: Any, w2: Any, r: Any, eps: Any,
    ) -> None:  # fmt: skip
        for i in prange(len(p)):
            m[i] += w1 * (g[i] - m[i])
            v[i] += w2 * (g[i] * g[i] - v[i])
            p[i] = decay * p[i] - lr * (m[i] / (np.sqrt(v[i]) * r + eps))

    return numba.njit(parallel=parallel, error_model="numpy")(loop)
