"""Messages about arguments are short: each of each function, each by itself."""

from dataclasses import is_dataclass
from functools import partial
from inspect import signature

import numpy as np
import pytest
from wrong import WRONG, Unprintable, array, message, refused

import lrcore


def step(kind, **given):
    kind(**{"params": array(), **given}).step(array())


def set_option(name, value):
    setattr(lrcore.SGD(array(), accumulate=2), name, value)


def find(**given):
    own = {"loss_and_grad": lambda batch: (1.0, array()), "batches": [0]}
    lrcore.lr_find(lrcore.SGD(array()), **{**own, **given})


def find_with(loss=1.0, grads=None):
    find(loss_and_grad=lambda batch: (loss, grads))


def tune(**given):
    own = {"objective": lambda params: params["lr"], "space": {"lr": [0.1]}}
    lrcore.tune(**{**own, "method": "grid", "name": "n", **given})


def noise_of(grads, mean=None):
    lrcore.GradientNoiseScale(1, 2).update_from(grads, mean)


EVERYTHING = (*lrcore.Optimizer._fields,)
OPTIONS = (*lrcore.SGD._fields, "t")
SWEPT = lrcore.sweep(lambda lr: lr, [0.1, 0.2])
FLAT = lrcore.schedules.Constant(1.0)
# A function, what it has to be given, and the names of other arguments.
CALLS = {
    "step": (partial(step, lrcore.SGD), {}, EVERYTHING),
    "a group": (lambda **given: lrcore.SGD([{"params": array(), **given}]), {},
                EVERYTHING),
    "set_option": (set_option, {"name": "lr"}, ("value",)),
    **{f"opt.{name}": (partial(set_option, name), {}, ("value",)) for name in OPTIONS},
    "reports": (lrcore.SGD(array(), telemetry=True).reports, {"per": "group"}),
    "step_one": (lrcore.SGD([array()]).step_one, {"which": 0, "grad": array()}),
    "global_norm": (lrcore.global_norm, {"grads": array()}),
    "clip_by_value": (lrcore.clip_by_value, {"grads": array(), "clip_value": 1.0}),
    "clip_by_global_norm": (lrcore.clip_by_global_norm, {"grads": array(),
                                                         "max_norm": 1.0}),
    "kernel": (partial(lrcore.kernels.sgd, np.ones(2), np.ones(2)), {"t": 1},
               ("lr", "nesterov", "convention", "num_threads", "denormals")),
    "set_isa": (lrcore.set_isa, {"name": lrcore.get_isa()}),
    "set_num_threads": (lrcore.set_num_threads, {"n": None}),
    "show_config": (lrcore.show_config, {"mode": "dict"}),
    "scale_lr": (lrcore.scale_lr, {"lr": 1, "batch_size": 2, "base_batch_size": 1}),
    "scale_adam": (lrcore.batch_size.scale_adam, {"batch_size": 2,
                                                  "base_batch_size": 1}),
    "optimal_lr": (lrcore.batch_size.optimal_lr, {"max_lr": 1, "batch_size": 2,
                                                  "noise_scale": 1}),
    "tradeoff": (lrcore.batch_size.tradeoff, {"batch_size": 2, "noise_scale": 1}),
    "GradientNoiseScale": (lrcore.GradientNoiseScale, {"small_batch_size": 1,
                                                       "big_batch_size": 2}),
    "noise": (lrcore.GradientNoiseScale(1, 2).update, {"small_norm2": 1,
                                                       "big_norm2": 1}),
    "noise_of": (noise_of, {"grads": [array(), array()]}),
    "LossScaler": (lrcore.LossScaler, {}),
    "EarlyStopping": (lrcore.EarlyStopping, {}),
    "stopping": (lrcore.EarlyStopping().update, {"metric": 1}),
    "ReduceOnPlateau": (lrcore.ReduceOnPlateau, {"schedule": 1}),
    "plateau": (lrcore.ReduceOnPlateau(1.0).update, {"metric": 1}),
    "Monitor": (lrcore.Monitor, {}),
    "monitor": (lrcore.Monitor().update, {"loss": 1}),
    "LRSweep": (lrcore.LRSweep, {"opt": lrcore.SGD(array())}),
    "find": (find, {}, ("loss_and_grad", "batches")),
    "find_with": (find_with, {}),
    "sweep": (lrcore.sweep, {"make_run": lambda lr: lr, "lrs": [0.1]}),
    "sweep_of": (lambda value: lrcore.sweep(lambda lr: value, [0.1]), {"value": 1}),
    "swept.plot": (SWEPT.plot, {}),
    "tune": (tune, {}, ("objective", "space", "method", "mode", "seed", "min_steps",
                        "n_jobs", "storage", "name", "timeout")),
    "Real": (lrcore.space.Real, {"low": 0.1, "high": 1}),
    "Integer": (lrcore.space.Integer, {"low": 1, "high": 2}),
    "Choice": (lambda value: lrcore.space.Choice(value, value), {"value": 1}),
    "Tuple": (lambda value: lrcore.space.Tuple(value), {"value": FLAT}),
    "betas": (lrcore.space.betas, {}),
    "a name": (lambda value: lrcore.space.optimizer(value), {"value": "SGD"}),
    "plots.schedules": (lrcore.plots.schedules, {"schedules": FLAT, "steps": 2,
                                                 "path": "a.gif"}),
    "plots.compare": (lrcore.plots.compare, {"runs": {"a": [1.0]}, "path": "a.gif"}),
    "plots.compare of": (lambda run: lrcore.plots.compare({"a": run}, "a.gif"),
                         {"run": [1.0]}),
    "plots.surface": (lrcore.plots.surface, {"steps": 2, "path": "a.gif"}),
    "a schedule": (FLAT, {"t": 0}),
    "make": (lrcore.schedules.make, {"name": "Linear", "peak": 1, "total": 1,
             "warmup": 0, "end": 0}),
    "from_dict": (lrcore.schedules.Schedule.from_dict, {"saved": FLAT.to_dict()}),
}  # fmt: skip
LEFT_OUT = {
    *("title", "label"),  # which nothing checks
    *("num", "trial_steps"),  # which may be any int that the memory holds
}


def names_of(f):
    """Return the names of a function's arguments."""
    every = signature(f).parameters.values()
    named = [p.name for p in every if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return [name for name in named if name not in LEFT_OUT]


def refuses(f, given, names=()):
    """Return how many wrong arguments a function refuses, each by itself."""
    return sum(
        refused(f, **{**given, name: wrong})
        for name in names or names_of(f)
        for wrong in WRONG.values()
    )


@pytest.mark.usefixtures("restore")
@pytest.mark.parametrize("call", CALLS)
def test_messages_about_an_argument_are_short(call):
    assert refuses(*CALLS[call]) >= 10


@pytest.mark.parametrize("name", lrcore.optimizers.available())
def test_messages_about_a_hyper_parameter_are_short(name):
    """What all have in common is tried with one of them."""
    kind, common = getattr(lrcore, name), names_of(lrcore.SGD)
    own = [n for n in names_of(kind) if name == "SGD" or n not in common]
    assert refuses(partial(step, kind), {}, [*own, "lr"]) >= 5


SCHEDULES = [
    kind
    for kind in vars(lrcore.schedules).values()
    if isinstance(kind, type) and is_dataclass(kind)
]
WORKING = {
    **{"after": FLAT, "of": FLAT, "schedules": [FLAT], "terms": [FLAT], "at": [2]},
    **{"factors": [FLAT], "values": [1.0, 2.0]},
    "function": abs,
}


@pytest.mark.parametrize("kind", SCHEDULES)
def test_messages_about_a_schedule_are_short(kind):
    given = {
        name: WORKING.get(name, 1)
        for name, p in signature(kind).parameters.items()
        if p.default is p.empty
    }
    assert refuses(kind, given) >= 5
    saved = {"schedule": kind.__name__, **given}
    assert refused(lrcore.schedules.Schedule.from_dict, {**saved, "k" * 10**6: 1})


def test_messages_about_the_steps_of_a_schedule_are_short():
    falling = range(10**5, 1, -1)
    said = message(lrcore.schedules.MultiStep, 1.0, falling)
    assert said.startswith("at: expected sorted steps, found (100000, 99999, ")
    said = message(lrcore.schedules.MultiStep, 1.0, [3, 2])
    assert said == "at: expected sorted steps, found (3, 2)"


def test_messages_about_a_space_are_short():
    check = partial(lrcore.tune, lambda params: 1.0)
    for name in ("k" * 10**6, "lr"):
        for wrong in WRONG.values():
            assert refused(check, {name: wrong})
            assert refused(check, {name: [wrong, wrong]})
    for name in (Unprintable(), 10**5000, ("k",) * 10**5):
        assert refused(check, {name: [1]})
    many = {f"{i}" * 100: lrcore.space.lr() for i in range(1000)}
    assert refused(check, many, "log_sweep")
    one = {"1 - " + "k" * 10**6: [1], "k" * 10**6: lrcore.space.decay()}
    assert "rename one" in message(check, one)


@pytest.mark.parametrize("url", [
    "nosuch://me:secret@here/study", "nosuch://me:sec:ret@here:99/study",
    "nosuch://" + "a:" * 10**5, "nosuch://me:secret@" + "x" * 10**6, "no/such/" * 10**5,
])  # fmt: skip
def test_messages_about_a_storage_have_no_password(url):
    space = {"lr": lrcore.space.lr()}
    said = message(lambda: lrcore.tune(lambda p: 1.0, space, storage=url, name="n"))
    assert "cannot be opened" in said
    assert "ret@" not in said
    assert ("me:***@" in said) == ("secret" in url or "sec:ret" in url)
