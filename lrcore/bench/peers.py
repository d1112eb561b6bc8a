"""A step by lrcore and by others, each with arrays of its own.

To add a library: a class here, and its place in PEERS.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from inspect import signature
from typing import Any, ClassVar, NamedTuple

import numpy as np

import lrcore
from lrcore import _core
from lrcore._timing import TextbookAdamW
from lrcore._typing import Array
from lrcore.optimizers.base.memory import state_like

Arrays = Sequence[Array]

ALL_THREADS = lrcore.get_num_threads()
"""As it was at first: torch sets OpenMP's default for the whole process."""

# What makes an optimizer worth timing where its defaults leave out the state.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "SGD": {"momentum": 0.9},
    "SGDW": {"momentum": 0.9},
    "LARS": {"momentum": 0.9},
}


def settings(optimizer: str) -> dict[str, Any]:
    """Return the hyper-parameters that all peers are given: the defaults of lrcore's.

    >>> settings("AdamW")
    {'lr': 0.001, 'betas': (0.9, 0.999), 'eps': 1e-08, 'weight_decay': 0.01, \
'amsgrad': False}
    """
    _, *given = signature(getattr(lrcore, optimizer)).parameters.values()
    defaults = {p.name: p.default for p in given if p.kind is not p.KEYWORD_ONLY}
    return {**defaults, **OPTIONS.get(optimizer, {})}


class Job(NamedTuple):
    """What a peer is made for.

    optimizer : the name of lrcore's.
    hyper : its hyper-parameters.
    params : arrays that are the peer's own to update.
    grads : arrays of the same shapes.
    threads : at most so many.
    """

    optimizer: str
    hyper: Mapping[str, Any]
    params: Arrays
    grads: Arrays
    threads: int


class Peer:
    """One library's optimizer at a job."""

    name: ClassVar[str]
    package: ClassVar[str] = "lrcore"
    """What has to be installed."""

    module: ClassVar[str | None] = None
    """The name to import it by, where that is another."""

    optimizers: ClassVar[frozenset[str] | None] = None
    """Those it has, by lrcore's names; None: any, or it says so when it is made."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    decays: ClassVar[bool] = True
    """Whether it has AdamW's decay.  If not it does less, and is checked without."""

    takes_threads: ClassVar[bool] = True
    """Whether it can be held to fewer threads than there are."""

    also_one_thread: ClassVar[bool] = False
    """Whether to enter it at one thread as well, which may be its better number."""

    writes_grads: ClassVar[bool] = False
    """Whether a step changes the gradients, so that they are given anew, untimed."""

    checked: ClassVar[bool] = True
    """Whether its update has to be that of the first of its contest."""

    scratch: ClassVar[int] = 0
    """Arrays like the params that a step makes and drops, at most."""

    step: Callable[[], object]

    def __init__(self, job: Job) -> None:
        self.params, self.grads, self.threads = job.params, job.grads, job.threads

    @classmethod
    def why_not(cls, optimizer: str, dtype: str, threads: int) -> str | None:
        """Return why it cannot take this step, or None."""
        if not installed(cls.module or cls.package):
            return f"{cls.package} is not installed"
        if cls.optimizers is not None and optimizer not in cls.optimizers:
            return f"no {optimizer}"
        if dtype not in cls.dtypes:
            return f"no {dtype}"
        if not cls.takes_threads and threads != ALL_THREADS:
            return "its number of threads cannot be set"
        return None

    def enter(self) -> None:
        """Set the number of threads, before a turn."""

    def feed(self, grads: Arrays) -> None:
        """Take the values of these gradients for the next steps."""
        for own, g in zip(self.grads, grads, strict=True):
            own[...] = g

    def results(self) -> Arrays:
        """Return what has to agree: the params, and averages if there are any."""
        return self.params


@cache
def installed(module: str) -> bool:
    """Whether a package can be found; it is not imported."""
    return find_spec(module) is not None


class Lrcore(Peer):
    """Ours; a subclass adds options."""

    name = "lrcore"
    options: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        optimizer, hyper, params, grads, threads = job
        one = len(params) == 1
        kind = getattr(lrcore, optimizer)
        options = {**hyper, **self.options, "num_threads": threads}
        self.opt = kind(params[0] if one else list(params), **options)
        told = [1.0] if "loss" in signature(kind.step).parameters else []
        self.step = partial(self.opt.step, grads[0] if one else list(grads), *told)


class LrcoreOneThread(Lrcore):
    """Ours, held to one thread."""

    name = "lrcore, 1 thread"

    def __init__(self, job: Job) -> None:
        super().__init__(job._replace(threads=1))


def moved(params: Arrays, states: Sequence[Mapping[str, Array]]) -> int:
    """Return how many bytes a step reads and writes: p, g and the states like p.

    What is smaller than p (a matrix's sides, a norm) is left out, and so is ASGD's
    average, which is kept from t0 on.
    """
    return sum(
        p.nbytes * (3 + 2 * len(like_p(p, state)))
        for p, state in zip(params, states, strict=True)
    )


def like_p(p: Array, state: Mapping[str, Array]) -> list[str]:
    """Return the names of the states of p's shape that a step reads and writes."""
    return [k for k, a in state.items() if a.shape == p.shape and k != "ax"]


class Traffic(Peer):
    """The limit: a C loop that moves the bytes of the step, one addition an array.

    Arrays of the total size, whatever the number of params, placed as lrcore places
    them.  Float64 is taken for twice as many float32.
    """

    name = "traffic only"
    also_one_thread = True
    checked = False

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        optimizer, hyper, params, _, threads = job
        opt = getattr(lrcore, optimizer)(params[0].copy(), **hyper)
        words = sum(p.nbytes for p in params) // 4
        g = np.full(words, 1e-3, np.float32)  # zeros would be one page of memory
        p = np.ones(words, np.float32)
        states = [
            state_like(p, k, 0.0) for k, _ in enumerate(like_p(params[0], opt.state[0]))
        ]
        self.step = partial(_core.traffic, g, [p, *states], threads)


# --- NumPy ----------------------------------------------------------------------------


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


# --- numba ----------------------------------------------------------------------------


class Numba(Peer):
    """The same loop in numba, its bias corrections folded as in lrcore's kernel."""

    name = package = "numba"
    optimizers = frozenset({"Adam", "AdamW"})

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        optimizer, hyper, params, grads, threads = job
        loop = _numba_adam(threads > 1)
        f, (b1, b2), t = params[0].dtype.type, hyper["betas"], 0
        decayed = optimizer == "AdamW"
        decay = f(1 - hyper["lr"] * hyper["weight_decay"] if decayed else 1)
        flat = [
            (p.reshape(-1), g.reshape(-1), np.zeros(p.size, f), np.zeros(p.size, f))
            for p, g in zip(params, grads, strict=True)
        ]

        def step() -> None:
            nonlocal t
            t += 1
            lr, r = f(hyper["lr"] / (1 - b1**t)), f(1 / math.sqrt(1 - b2**t))
            numbers = (decay, lr, f(1 - b1), f(1 - b2), r, f(hyper["eps"]))
            for arrays in flat:
                loop(*arrays, *numbers)

        self.step = step

    def enter(self) -> None:
        """Set numba's number of threads."""
        import_module("numba").set_num_threads(self.threads)


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


# --- torch and what stands on it ------------------------------------------------------


class Torch(Peer):
    """``torch.optim`` on tensors that share the arrays' memory; a subclass: a path."""

    package = "torch"
    path: ClassVar[Mapping[str, bool]]

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        optimizer, hyper, params, grads, _ = job
        self.enter()
        self.tensors = torch_params(params, grads)
        kind = self._kind(optimizer)
        takes = signature(kind).parameters
        options = {k: v for k, v in hyper.items() if k in takes}
        path = {k: v for k, v in self.path.items() if k in takes}
        self.opt = kind(self.tensors, **options, **path)
        self.step = self.opt.step

    def _kind(self, optimizer: str) -> Any:
        return getattr(import_module("torch.optim"), optimizer)

    @classmethod
    def why_not(cls, optimizer: str, dtype: str, threads: int) -> str | None:
        """Return why not: torch may lack the optimizer, or this path of it."""
        if reason := super().why_not(optimizer, dtype, threads):
            return reason
        kind = getattr(import_module("torch.optim"), optimizer, None)
        if kind is None:
            return f"no {optimizer}"
        chosen = [name for name, on in cls.path.items() if on]
        if missing := [
            name for name in chosen if name not in signature(kind).parameters
        ]:
            return f"no {missing[0]} path of {optimizer}"
        return None

    def enter(self) -> None:
        """Set torch's number of threads."""
        import_module("torch").set_num_threads(self.threads)


def torch_params(params: Arrays, grads: Arrays) -> list[Any]:
    """Return tensors that share the memory of params, their .grad that of grads."""
    torch: Any = import_module("torch")
    tensors = [torch.from_numpy(p).requires_grad_() for p in params]
    for tensor, g in zip(tensors, grads, strict=True):
        tensor.grad = torch.from_numpy(g)
    return tensors


class TorchLoop(Torch):
    """A loop over the tensors, several operations each."""

    name = "torch loop"
    path: ClassVar = {"foreach": False}
    scratch = 2


class TorchForeach(Torch):
    """An operation at a time over all tensors."""

    name = "torch foreach"
    path: ClassVar = {"foreach": True}
    scratch = 4


class TorchFused(Torch):
    """One kernel a tensor, where torch has one for the CPU."""

    name = "torch fused"
    path: ClassVar = {"fused": True}
    also_one_thread = True


class DeepSpeed(Torch):
    """DeepSpeed's CPUAdam; its first use on a machine compiles for a minute."""

    name = "DeepSpeed CPUAdam"
    package = "deepspeed"
    optimizers = frozenset({"Adam", "AdamW"})
    dtypes = ("float32",)
    path: ClassVar = {}

    @classmethod
    def why_not(cls, optimizer: str, dtype: str, threads: int) -> str | None:
        """Return why not."""
        return super(Torch, cls).why_not(optimizer, dtype, threads)

    def _kind(self, optimizer: str) -> Any:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # or it warns of having no other
        kind = import_module("deepspeed.ops.adam").DeepSpeedCPUAdam

        def make(
            params: Any, lr: float, betas: Any, eps: float, weight_decay: float
        ) -> Any:
            return kind(
                params, lr, betas=betas, eps=eps, weight_decay=weight_decay,
                adamw_mode=optimizer == "AdamW",
            )  # fmt: skip

        return make


# --- optax ----------------------------------------------------------------------------

# Those that take lrcore's steps when they are given its hyper-parameters.
_OPTAX = frozenset(
    ("AdaBelief", "Adadelta", "Adagrad", "Adam", "Adamax", "AdamW", "LAMB", "LARS",
     "Lion", "NovoGrad", "RAdam", "SGD", "SignSGD", "Signum", "SM3", "Yogi")
)  # fmt: skip


class Optax(Peer):
    """optax: update and apply_updates in one ``jax.jit``, its buffers donated."""

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
        """Take copies: jax's arrays cannot be written."""
        array = import_module("jax.numpy").array
        self.own_grads = [array(g, copy=True) for g in grads]

    def results(self) -> Arrays:
        """Return copies of its params."""
        return [np.asarray(p) for p in self.own]


# --- thinc, scikit-learn --------------------------------------------------------------


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


PEERS: tuple[type[Peer], ...] = (
    Textbook,
    Numba,
    TorchLoop,
    TorchForeach,
    TorchFused,
    Optax,
    Thinc,
    ScikitLearn,
    DeepSpeed,
)


def versions() -> dict[str, str]:
    """Return the versions of the peers' packages that are installed."""
    packages = {peer.package: peer.module or peer.package for peer in PEERS}
    return {name: version(name) for name, at in packages.items() if installed(at)}
