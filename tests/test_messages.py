"""Errors: short, and made in linear time, whatever the user passed."""

import sys
from dataclasses import is_dataclass
from functools import partial
from inspect import signature

import numpy as np
import pytest

import lrcore
from lrcore._shared import arrays, containers
from lrcore._shared import trees as _tree
from lrcore._shared import words as _words
from lrcore.optimizers.base import stateful

LONGEST = 2048
f4 = np.float32


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no repr")


def message(f, *args, error=(TypeError, ValueError, RuntimeError, AttributeError)):
    with pytest.raises(error) as raised:
        f(*args)
    assert len(str(raised.value)) <= LONGEST
    return str(raised.value)


# --- words ----------------------------------------------------------------------------


def test_a_long_text_loses_its_middle():
    assert _words.shortened("a" * _words.MOST) == "a" * _words.MOST
    short = _words.shortened("begin" + "." * 10**6 + "end")
    assert len(short) <= _words.MOST
    assert (short[:5], short[-3:]) == ("begin", "end")
    assert " ... " in short


deep = []
for _ in range(100_000):
    deep = [deep]
itself = []
itself.append(itself)


SHOWN = [
    (1.5, "1.5"),
    ("it's", '"it\'s"'),
    ((1,), "(1,)"),
    ({"b": 1, "a": [2, None]}, "{'b': 1, 'a': [2, None]}"),
    ({}, "{}"),
    (np.float32(0.5), repr(np.float32(0.5))),
    ([[[[1]]]], "[[[[...]]]]"),
    (10**5000, "<int>"),
    ([10**5000], "<list>"),
]
LONG = {
    "str": "x" * 10**6,
    "bytes": b"x" * 10**6,
    "list": [0] * 10**6,
    "dict": dict.fromkeys(range(10**5)),
    "set": {*range(10**5)},
    "deep": deep,
    "cycle": itself,
    "unprintable": Unprintable(),
    "unprintables": [Unprintable()],
    "array": np.zeros(10**6),
    "all": {(i, "y" * 10**4): deep for i in range(9)},
    "object of a long type": type("n" * 10**6, (), {})(),
}


def test_what_is_shown():
    for value, wanted in SHOWN:
        assert _words.shown(value) == wanted


@pytest.mark.parametrize("name", LONG)
def test_whatever_is_shown_is_short(name):
    assert 0 < len(_words.shown(LONG[name])) <= _words.MOST
    assert 0 < len(_words.kind(LONG[name])) <= _words.MOST


def test_a_large_container_is_not_looked_at_as_a_whole():
    looks = []

    class Counted:
        def __repr__(self):
            looks.append(self)
            return "c"

    for container in ([Counted()] * 10**5, dict.fromkeys(range(10**5), Counted())):
        looks.clear()
        _words.shown(container)
        assert len(looks) < 100


def test_a_list_says_how_many_more_there_are():
    assert _words.listed([]) == ""
    assert _words.listed(["a", 1]) == "'a', 1"
    words = _words.listed(range(16_000)).split(", ")
    assert words[:3] == ["0", "1", "2"]
    assert words[-1] == f"... and {16_000 - len(words) + 1} more"
    assert len(_words.listed(["x" * 10**6] * 10**4)) < 600
    assert _words.listed([0.25, 0.5], lambda x: f"{x:.1f}") == "0.2, 0.5"


# --- messages of at most 2,048 characters ---------------------------------------------

KEYS = {
    "long": "k" * 475_000,
    "of emoji": "\N{GRINNING FACE}" * 10_000,
    "quoted": "'\"\n\\" * 10_000,
    "a tuple": tuple(range(10**5)),
    "nested": ("n", (("x" * 10**3,),) * 10**2),
    "a large int": 10**5000,
    "unprintable": Unprintable(),
}
STRUCTURED = np.zeros(3, [(f"f{i}" * 50, f4) for i in range(1000)])
BAD = {
    "None": None,
    "of a long type": LONG["object of a long type"],
    "structured": STRUCTURED,
    "of 64 dimensions": np.ones((1,) * 64, f4),
    "strided": np.broadcast_to(f4(1), (2**20, *(1,) * 60, 2**20)),
    "another dtype": np.ones(3),
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("bad", BAD)
def test_messages_about_a_gradient_are_short(key, bad):
    key, bad = KEYS[key], BAD[bad]
    opt = lrcore.SGD({key: {key: [np.ones(3, f4), np.ones(3, f4)]}})
    said = message(opt.step, {key: {key: [np.ones(3, f4), bad]}})
    assert said.startswith("grads[")
    assert "[1]: " in said
    if bad is not None:  # which is no gradient there
        message(opt.step_one, 1, bad)


@pytest.mark.parametrize("key", KEYS)
def test_messages_about_shared_memory_are_short(key):
    key = KEYS[key]
    params = {key: {key: [np.ones(3, f4), np.ones(3, f4)]}}
    opt = lrcore.SGD(params, momentum=0.9, zero_grads=True)
    a, b = params[key][key]
    message(opt.step, params)
    message(opt.step, {key: {key: [b, b]}})
    message(opt.step, {key: {key: [a.copy(), opt.state[0]["m"]]}})
    g = np.ones(3, f4)
    message(opt.step, {key: {key: [g, g]}})
    fixed = g.copy()
    fixed.flags.writeable = False
    message(opt.step, {key: {key: [g, fixed]}})


@pytest.mark.parametrize("key", KEYS)
def test_messages_about_containers_are_short(key):
    key = KEYS[key]

    def tree():
        return {key: {key: [np.ones(3, f4)]}}

    opt = lrcore.SGD(tree())
    message(opt.step, {})
    message(opt.step, {key: {}})
    message(opt.step, {key: {key: ()}})
    message(opt.step, {key: {key: np.ones(3, f4)}})
    message(opt.step, {key: {key: [np.ones(3, f4)] * 10**5}})
    message(opt.step, {key: tree()[key] | {(key, i): 1 for i in range(99)}})
    message(opt.step, {key: tree()[key] | {f"{i}" * 10**4: 1 for i in range(99)}})
    params = tree()
    opt = lrcore.SGD(params)
    params[key][key][0] = np.ones(3, f4)
    message(opt.step, tree())
    params[key][key] = [params[key][key][0]]
    message(opt.step, tree())
    del params[key][key]
    message(opt.step, tree())


@pytest.mark.parametrize("key", KEYS)
def test_messages_about_params_are_short(key):
    key = KEYS[key]
    a = np.ones(3, f4)
    inside: dict = {key: {}}
    inside[key][key] = inside
    for wrong in (a.astype(int), [a, a], a[::2], iter(()), inside, STRUCTURED):
        message(lrcore.SGD, {key: wrong})
    fixed = np.ones(3, f4)
    fixed.flags.writeable = False
    message(lrcore.SGD, {key: fixed})
    message(lrcore.clip_by_global_norm, {key: fixed}, 1.0)
    message(lrcore.global_norm, {key: {key: [a, None]}})
    message(arrays.units, LONG["str"], np.ones((2, 2)), [7] * 10**5)
    message(arrays.units, LONG["str"], np.ones((2, 2)), [1] * 10**5)
    message(arrays.state, LONG["str"], np.ones((1,) * 64), a)
    message(arrays.state, LONG["str"], STRUCTURED, a)
    message(arrays.state, LONG["str"], deep, a)


def test_messages_about_a_round_of_arrays_are_short():
    params = {f"layer {i}" * 100: np.ones(2, f4) for i in range(3000)}
    opt = lrcore.SGD(params)
    opt.step_one(0, np.ones(2, f4))
    said = message(opt.step_one, 0, np.ones(2, f4))
    assert "more not yet" in said
    assert "more; pass it None" in message(opt.step, params)
    few = lrcore.SGD([np.ones(2) for _ in range(4)])
    few.step_one(1, np.ones(2))
    assert "has yet to step params[0], params[2], params[3]; " in message(few.step, 0)


def test_messages_of_the_kernels_are_short():
    p, g = np.ones(2), np.ones(2)
    long = "k" * 10**6
    said = message(lambda: lrcore.kernels.sgd(p, g, t=1, **{long: 1}))
    assert "unexpected keyword 'kkk" in said
    message(getattr, lrcore.kernels, long)
    message(lambda: lrcore.kernels.sgd(p, np.ones((1,) * 64), t=1))
    message(lambda: lrcore.kernels.sgd(p, g, *[g] * 10**5, t=1))


# --- messages about numbers, options and saved dicts ----------------------------------


def nested(depth, leaf, kind="list"):
    tree = leaf
    for _ in range(depth):
        tree = {"k": tree} if kind == "dict" else [tree]
    return tree


class Wordy:
    """Has a long repr, and can be called: it returns itself."""

    def __repr__(self):
        return "wordy " * 10**5

    def __call__(self, t):
        return self


class Wordless(Wordy):
    def __repr__(self):
        raise RuntimeError("no repr")


WRONG = {
    **{name: LONG[name] for name in ("str", "bytes", "dict", "cycle")},
    **{name: LONG[name] for name in ("unprintable", "unprintables")},
    "deep": nested(2000, [()] * 1000),
    "of a long type": LONG["object of a long type"],
    "list": ["x" * 10**4] * 10**4,
    "tuple": (None,) * 10**4,
    "function of a long repr": Wordy(),
    "function of no repr": Wordless(),
    "long int": 10**4000,
    "longer int": 10**5000,
    "negative int": -(10**4000),
    "array": np.zeros((1,) * 64),
    "structured": STRUCTURED,
}


def refused(f, *args, **kwargs):
    """Whether a call raises: then with a short message, which is not the object's."""
    try:
        f(*args, **kwargs)
    except Exception as error:
        said = str(error)
    else:
        return False
    assert 0 < len(said) <= LONGEST
    assert "no repr" not in said
    return True


def array():
    return np.ones(3, f4)


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
    "plots.surface": (lrcore.plots.surface, {"steps": 2, "path": "a.gif"}),
    "a schedule": (FLAT, {"t": 0}),
    "from_dict": (lrcore.schedules.Schedule.from_dict, {"saved": FLAT.to_dict()}),
}  # fmt: skip
LEFT_OUT = {
    *("progress", "title", "label", "log"),  # which nothing checks
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


@pytest.fixture
def restore_threads():
    yield
    lrcore.set_num_threads(None)


@pytest.mark.usefixtures("restore_threads")
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
    **{"factors": [FLAT], "milestones": [2], "values": [1.0, 2.0], "boundaries": [2]},
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
    assert said.startswith("milestones: expected sorted steps, found (100000, 99999, ")
    said = message(lrcore.schedules.MultiStep, 1.0, [3, 2])
    assert said == "milestones: expected sorted steps, found (3, 2)"


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


def test_messages_about_keywords_are_short():
    long = "k" * 10**6
    for kind in (lrcore.SGD, lrcore.AdamWScheduleFree):
        said = message(partial(kind, array(), **{long: 1}))
        assert said.startswith(f"{kind.__name__}: unexpected keyword 'kkk")
    group = {"params": array(), long: 1, Unprintable(): 2, 3: 4}
    assert refused(lrcore.SGD, [group])
    own = lrcore.SGD(array()).param_groups[0]
    for name in (long, Unprintable(), 10**5000, ("k",) * 10**5):
        assert refused(own.__setitem__, name, 1)
    with pytest.raises(AttributeError) as raised, lrcore.SGD(array()).averaged(long):
        pass
    assert len(str(raised.value)) <= LONGEST


def test_messages_about_a_class_of_a_long_name_are_short():
    kind = type("n" * 10**6, (lrcore.SGD,), {"__doc__": "One."})
    opt = kind(array())
    assert refused(kind, array(), unknown=1)
    assert refused(kind, array(), convention="unknown")
    assert refused(getattr, opt, "report")
    assert refused(getattr, opt, "ema")
    assert refused(opt.load_state_dict, lrcore.SGD(array()).state_dict())
    assert refused(lrcore.SGD(array()).load_state_dict, opt.state_dict())


def test_messages_about_what_was_asked_for_before_are_short():
    many = 10**4000
    assert refused(lrcore.SGDScheduleFree, array(), lookahead_steps=many)
    opt = lrcore.SGD(array(), accumulate=many)
    opt.step(array())
    assert refused(setattr, opt, "accumulate", 2)
    opt.load_state_dict(opt.state_dict())
    gathered = {**opt.state_dict(), "gathered": many}
    assert refused(opt.load_state_dict, gathered)
    assert refused(lrcore.SGD(array()).load_state_dict, opt.state_dict())
    group = lrcore.SGD(np.ones((2, 2))).param_groups[0]
    group["agc_axis"] = (0,) * 10**5
    assert refused(group.__setitem__, "agc", 0.1)
    stopping = lrcore.EarlyStopping(params=array())
    stopping.load_state_dict({**stopping.state_dict(), "num_updates": many})
    assert "none of 1000" in message(stopping.restore)
    rates = [{"params": array(), "lr": 0.0} for _ in range(1000)]
    assert refused(lrcore.LRSweep, lrcore.SGD(rates))
    assert refused(partial(lrcore.SGD, array()), lr=0.1, convention=WRONG["deep"])


def keeps(name):
    """Return what can be saved, and restored."""
    return {
        "SGD": lambda: lrcore.SGD({"k": [array()]}, momentum=0.9, accumulate=2),
        "EarlyStopping": lambda: lrcore.EarlyStopping(params={"k": [array()]}),
        "LossScaler": lrcore.LossScaler,
        "ReduceOnPlateau": lambda: lrcore.ReduceOnPlateau(0.1),
        "GradientNoiseScale": lambda: lrcore.GradientNoiseScale(1, 2),
    }[name]()


SAVED = ["SGD", "EarlyStopping", "LossScaler", "ReduceOnPlateau", "GradientNoiseScale"]


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("wrong", WRONG)
def test_messages_about_a_saved_dict_are_short(name, wrong):
    wrong, kept = WRONG[wrong], keeps(name)
    saved = kept.state_dict()
    assert refused(kept.load_state_dict, wrong)
    assert refused(kept.load_state_dict, {})
    for key in saved:
        refused(keeps(name).load_state_dict, {**saved, key: wrong})
        refused(keeps(name).load_state_dict, {**saved, key: [wrong]})
    if name == "SGD":
        for key in saved["options"]:
            options = {**saved["options"], key: wrong}
            refused(keeps(name).load_state_dict, {**saved, "options": options})
        for key in saved["param_groups"][0]:
            group = {**saved["param_groups"][0], key: wrong}
            refused(keeps(name).load_state_dict, {**saved, "param_groups": [group]})
        for key in saved["state"][0]:
            state = {**saved["state"][0], key: wrong}
            assert refused(kept.load_state_dict, {**saved, "state": [state]})
        extra = {**saved["options"], "k" * 10**6: 1, Unprintable(): 2}
        assert refused(kept.load_state_dict, {**saved, "options": extra})
        assert refused(kept.load_state_dict, {**saved, "state": [extra]})


def test_messages_about_saved_names():
    small = lrcore.SGD({"W": array(), "b": array()})
    saved = small.state_dict()
    said = message(small.load_state_dict, {**saved, "names": ["['W']", "['c']"]})
    assert said == ("""names: expected ["['W']", "['b']"], found ["['W']", "['c']"]""")
    params = {f"layer {i}" * 20: array() for i in range(1000)}
    for kept in (lrcore.SGD(params), lrcore.EarlyStopping(params=params)):
        names = [f"['{name}']" for name in params]
        saved = kept.state_dict()
        kept.load_state_dict(saved)
        said = message(kept.load_state_dict, {**saved, "names": names[1:]})
        assert said.startswith("names: expected [")
        names[700] = "another"
        said = message(kept.load_state_dict, {**saved, "names": names})
        assert said.startswith("names[700]: expected \"['layer 700layer")
        assert said.endswith("found 'another'")


def test_a_long_path_of_a_state_keeps_its_end():
    opt = lrcore.SGD({"k" * 10**4: [array()]}, momentum=0.9)
    saved = opt.state_dict()
    saved["state"][0]["m"] = np.ones(3)
    said = message(opt.load_state_dict, saved)
    assert said.startswith("state of params['kkk")
    assert "'][0]: m: expected dtype float32, found float64" in said


def test_where_an_array_is_not():
    opt = lrcore.SGD({"W": array(), ("a", 1): [array(), array()]})
    listed = "params['W'], params[('a', 1)][0], params[('a', 1)][1]"
    for which in ([0], {}, None, 1.5, (), ("W", 0), ((("a", 1)),), ("a", 1), 3, "w"):
        with pytest.raises(ValueError, match=r"^which: ") as raised:
            opt.step_one(which, array())
        assert str(raised.value) == (
            f"which: expected an int below 3 or the keys of one of {listed}, "
            f"found {which!r}"
        )
    assert opt.step_one((("a", 1), 1), array())
    assert opt.step_one(1, array())
    assert opt.step_one("W", array())
    many = lrcore.SGD({f"layer {i}" * 20: array() for i in range(3000)})
    assert "more, found 'none'" in message(many.step_one, "none", array())
    with pytest.raises(ValueError, match=r"one of params, found 'W'$"):
        lrcore.SGD(array()).step_one("W", array())


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


# --- linear time, and any depth -------------------------------------------------------


def operations(f, *args):
    """How many steps of Python's machine a refused call takes."""
    count = 0

    def tracer(frame, event, arg):
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        with pytest.raises((TypeError, ValueError, RuntimeError)):
            f(*args)
    finally:
        sys.settrace(before)
    return count


def flat(n, dtype=f4):
    return [np.ones(2, dtype) for _ in range(n)]


def layers(n, dtype=f4):
    return {i: {"W": np.ones(2, dtype), "b": [np.ones(2, dtype)]} for i in range(n)}


def wide(n, dtype=f4):
    return {i: [] for i in range(n)} | {"W": np.ones(2, dtype)}


def chain(n, dtype=f4):
    """Each level has an array beside the next level."""
    tree = [np.ones(2, dtype)]
    for _ in range(n):
        tree = [np.ones(2, dtype), tree]
    return tree


def last_place(tree):
    """Return the container of the last array, and its key."""
    key = list(tree)[-1] if isinstance(tree, dict) else len(tree) - 1
    below = tree[key]
    return last_place(below) if isinstance(below, (dict, list)) else (tree, key)


def wrong_dtype(params, opt, grads):
    container, key = last_place(grads)
    container[key] = np.ones(2)
    return opt.step, grads


def missing(params, opt, grads):
    container, key = last_place(grads)
    del container[key]
    return opt.step, grads


def rebound(params, opt, grads):
    container, key = last_place(params)
    container[key] = np.ones(2, f4)
    return opt.step, grads


def a_states_memory(params, opt, grads):
    container, key = last_place(grads)
    container[key] = opt.state[-1]["m"]
    return opt.step, grads


def shared_params(params, opt, grads):
    return containers.params, _tree.flatten([params, params])


def read_only(params, opt, grads):
    container, key = last_place(grads)
    container[key].flags.writeable = False
    return lrcore.clip_by_value, grads, 1.0


def unfinished(params, opt, grads):
    opt.step_one(0, np.ones(2, f4))
    return opt.step, grads


def nowhere(params, opt, grads):
    return opt.step_one, "nowhere", grads


def renamed(params, opt, grads):
    saved = opt.state_dict()
    saved["names"][-1] = "another"
    return opt.load_state_dict, saved


def rebound_while_stopping(params, opt, grads):
    stopping = lrcore.EarlyStopping(params=params)
    rebound(params, opt, grads)
    return stopping.update, 1.0


REFUSALS = [wrong_dtype, missing, rebound, a_states_memory, shared_params, read_only,
            unfinished, nowhere, renamed, rebound_while_stopping]  # fmt: skip


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("shape", [flat, layers, wide, chain])
def test_a_refused_call_takes_linear_time(shape, refusal):
    if (shape, refusal) == (wide, unfinished):
        pytest.skip("there is but one array")
    if (shape, refusal) == (chain, renamed):
        pytest.skip("the names have quadratic length")
    counts = []
    for n in (200, 800):
        params = shape(n)
        opt = lrcore.SGD(params, momentum=0.9)
        counts.append(operations(*refusal(params, opt, shape(n))))
    assert_linear(counts)


def assert_linear(counts):
    """Of 200 and of 800 arrays: 16 times as many where time is quadratic."""
    few, many = counts
    assert many < 6 * few


def reports(n):
    opt = lrcore.SGD([{"params": np.ones(2)} for _ in range(n)], telemetry=True)
    opt.step([np.ones(2) for _ in range(n)])
    return partial(opt.reports, "group")


def heirs(n):
    def sets():
        return [{"lr": lrcore.ReduceOnPlateau(1)} for _ in range(n)]

    return partial(stateful.inherited, sets(), sets())


@pytest.mark.parametrize("make", [reports, heirs])
def test_many_groups_take_linear_time(make):
    def call(f):
        f()
        raise RuntimeError

    assert_linear([operations(call, make(n)) for n in (200, 800)])


@pytest.mark.parametrize("kind", ["list", "dict"])
@pytest.mark.parametrize("depth", [1_000, 20_000])
def test_containers_may_be_nested_deep(kind, depth):
    p = np.ones(3, f4)
    opt = lrcore.SGD(nested(depth, p, kind), lr=0.5, ema_decay=0.5)
    assert opt.step(nested(depth, np.ones(3, f4), kind))
    assert (p == 0.5).all()
    said = message(opt.step, nested(depth, np.ones(3), kind))
    assert said.startswith("grads[")
    assert "expected dtype float32" in said
    message(opt.step, nested(depth - 1, np.ones(3, f4), kind))
    message(opt.step, nested(depth + 1, np.ones(3, f4), kind))
    average = opt.ema
    for _ in range(depth):
        average = average["k" if kind == "dict" else 0]
    assert (average == 0.5).all()
    assert lrcore.global_norm(nested(depth, p, kind)) == pytest.approx(0.75**0.5)


def test_a_container_within_itself_far_down():
    tree = inner = {}
    for _ in range(5_000):
        inner["k"] = {}
        inner = inner["k"]
    inner["again"] = tree
    said = message(lrcore.SGD, tree)
    assert said.endswith("['again']: found a container that contains itself")


def test_one_container_at_two_places_is_no_cycle():
    shared = [np.ones(2)]
    with pytest.raises(ValueError, match=r"^params\['b'\]\[0\]: found to share memory"):
        lrcore.SGD({"a": shared, "b": shared})
    twice = lrcore.global_norm([shared, shared, (), {}])
    assert twice == 2.0


def test_paths_are_whole_where_they_are_kept():
    params = {"k" * 10**4: [np.ones(2), {("a", 1): np.ones(1)}]}
    names = lrcore.SGD(params).state_dict()["names"]
    assert names == [f"['{'k' * 10**4}'][0]", f"['{'k' * 10**4}'][1][('a', 1)]"]
    tree = _tree.flatten([params, np.ones(1)], grouped=True)
    assert [leaf.group for leaf in tree.leaves] == [0, 0, 1]
    inner = "[0]" + names[0].removesuffix("[0]")
    paths = [node.path for node in tree.nodes]
    assert paths == ["", "[0]", inner, inner + "[1]"]
