"""What the tests share: marks, comparison, params to step, arguments of the classes."""

import typing
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from cases import cases
from table import ROWS

import lrcore
from lrcore import _core
from lrcore.optimizers.base.common import Mechanics

AVAILABLE = lrcore.optimizers.available()
KINDS = {name: found.kind for name, found in AVAILABLE.items()}


class Told(lrcore.SPS):
    """SPS where the loss does not matter, so that it steps like any other."""

    __slots__ = ()

    def step(self, grads, loss=1.0):
        return super().step(grads, loss)


Told.__name__, Told.__doc__ = "SPS", lrcore.SPS.__doc__
KINDS["SPS"] = Told

each_kind = pytest.mark.parametrize("name", KINDS)
# Those whose arrays can be stepped one by one.
each_alone = pytest.mark.parametrize(
    "name", [name for name, kind in KINDS.items() if not kind._gauge]
)
# What classes refuse to take.
LOOKAHEAD = {"lookahead_steps", "lookahead_alpha"}
REFUSED = {
    "AdamWScheduleFree": LOOKAHEAD,
    "DAdaptSGD": {*LOOKAHEAD, "decoupled_weight_decay", "independent_weight_decay"},
    "SGDScheduleFree": LOOKAHEAD,
}
each_pulled = pytest.mark.parametrize(
    "name", [name for name in KINDS if not LOOKAHEAD & REFUSED.get(name, set())]
)
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.label)
each_dtype = cases("dtype", ["float32", "float64"])

# The longest has more than two strips of 2,048 for each of 7 threads.
LENGTHS = [0, 1, 15, 16, 17, 511, 512, 513, 10007, 30011]

ISAS = [name for name, runs in _core.isas().items() if runs]


def taken(name, **kwargs):
    """The arguments that a class does not refuse."""
    return {k: v for k, v in kwargs.items() if k not in REFUSED.get(name, ())}


def make(row, params, **more):
    """The optimizer of a row of the table."""
    return KINDS[row.name](params, **{**row.kwargs, **more})


def configurations(threads=3):
    """Instruction sets (None: the best) and numbers of threads: all give the same bits.

    The strips of a thread are chosen outside of the kernels, by code that is compiled
    once: so each set is tried with one thread, and one set with several.
    """
    return [*((isa, 1) for isa in ISAS), (None, threads)]


def path_of(row):
    """What a row chooses but numbers: rules, flags, names, and what is absent."""
    group = make(row, np.ones((2, 2))).param_groups[0]
    rules = [(part.rule, part.scale, part.averages) for part in group.parts]
    kept = {k: v for k, v in group.items() if v is None or isinstance(v, (bool, str))}
    return repr((row.name, rules, kept))


PATHS = list({path_of(row): row for row in reversed(ROWS)}.values())[::-1]
# The rows, but for those that differ from another in numbers alone.
each_path = pytest.mark.parametrize("row", PATHS, ids=lambda row: row.label)


def same_bits(a, b):
    """Same dtype, shape and bits, NaNs being all alike."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.strides == b.strides and a.tobytes("A") == b.tobytes("A"):  # the quick way
        return True
    bits = np.uint32 if a.dtype == np.float32 else np.uint64
    nan = np.isnan(a)
    return bool(
        np.array_equal(nan, np.isnan(b))
        and np.array_equal(
            np.where(nan, 0, np.ascontiguousarray(a).view(bits).reshape(a.shape)),
            np.where(nan, 0, np.ascontiguousarray(b).view(bits).reshape(b.shape)),
        )
    )


def plain(value):
    """Return a value with the bits of its arrays, to be compared."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return repr(value)


def all_same(ours, theirs):
    return all(same_bits(a, b) for a, b in zip(ours, theirs, strict=True))


def same_states(ours, theirs):
    """Whether they are the same but for u, which is scratch."""
    return all(
        a.keys() == b.keys() and all(same_bits(a[k], b[k]) for k in a.keys() - {"u"})
        for a, b in zip(ours, theirs, strict=True)
    )


def close(ours, theirs, rel=1e-12):
    """Equal to so much of the largest."""
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert (abs(a - b) <= rel * abs(b).max()).all(), (a, b)


def placed(shape, dtype, offset=0, order="C"):
    """An array that begins `offset` elements after a 64-byte boundary."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape, dtype=int))
    raw = np.zeros((count + offset) * dtype.itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64 + offset * dtype.itemsize
    flat = raw[start : start + count * dtype.itemsize].view(dtype)
    return flat.reshape(shape, order=order)


def ordinary(rng, shape, dtype):
    """Values whose squares and quotients stay normal numbers."""
    values = rng.uniform(0.01, 10, shape) * rng.choice([-1, 1], shape)
    return np.asarray(values, dtype)


def wild(rng, shape, dtype):
    """Values of every magnitude; a tenth of them inf, NaN, -0, subnormal or extreme."""
    info = np.finfo(dtype)
    with np.errstate(over="ignore", under="ignore"):
        exponents = rng.uniform(np.log2(info.tiny), np.log2(info.max), shape)
        narrow = rng.uniform(-4, 4, shape)
        size = np.exp2(np.where(rng.random(shape) < 0.5, narrow, exponents))
        values = (size * rng.choice([-1, 1], shape)).astype(dtype)
    special = [np.inf, -np.inf, np.nan, 0.0, -0.0, info.max, info.tiny]
    special += [info.smallest_subnormal, -info.smallest_subnormal, info.tiny / 3]
    chosen = rng.choice(np.array(special, dtype), shape)
    return np.where(rng.random(shape) < 0.1, chosen, values).astype(dtype)


def snapshot(arrays):
    return [(a.tobytes("A"), a.dtype, a.shape, a.strides) for a in arrays]


# --- params to step -------------------------------------------------------------------


def fresh(dtype="float64"):
    """Params: a matrix, a vector, a number."""
    rng = np.random.default_rng(0)
    return [ordinary(rng, shape, dtype) for shape in ((4, 3), (5,), ())]


def draw(params, t):
    """Gradients of step t, each as large as the params; later ones are smaller."""
    return random_like(params, 1000 + t, 1.0 if t < 4 else 0.1)


def random_like(params, seed, size=1.0):
    """Arrays of the params' shapes and dtypes, the same for the same seed."""
    like = tuple((p.shape, p.dtype) for p in params)
    return [a.copy() for a in _random(like, seed, size)]


@cache
def _random(like, seed, size):
    rng = np.random.default_rng(seed)
    return [np.asarray(size * ordinary(rng, *each), each[1]) for each in like]


def bits_of(opt, params):
    """Bits of all params and states, and the step count."""
    states = [array for state in opt.state for array in state.values()]
    return snapshot([*params, *states]), opt.t


# --- arguments, by the fields of the classes ------------------------------------------

# What the classes take to learn well, beside lr.
MORE = {
    "AdEMAMix": {"betas": (0.9, 0.999, 0.99), "alpha": 1.0},
    "DAdaptAdam": {"d0": 1e-3},
    "DAdaptSGD": {"d0": 1e-3},
    "DoG": {"reps_rel": 0.03},
    "LARS": {"momentum": 0.9},
    "LDoG": {"reps_rel": 0.03},
    "Muon": {"adam_weight_decay": 0.0},
    "Prodigy": {"d0": 1e-3},
    "SGD": {"momentum": 0.9},
    "SGDHD": {"hypergrad_lr": 1e-8},
    "SGDW": {"momentum": 0.9},
}

# A value of each argument that is not the default; where it is a flag, the other one.
OTHERS = {
    "lr": 0.02,
    "weight_decay": 0.3,
    "lr_scale": 0.5,
    "betas": (0.5, 0.7),
    "Adan.betas": (0.5, 0.6, 0.7),
    "AdEMAMix.betas": (0.5, 0.7, 0.8),
    "eps": 0.1,
    "ADOPT.eps": 20.0,
    "Adafactor.eps": (0.5, 20.0),
    "Muon.eps": 100.0,
    "eps_root": 0.1,
    "momentum": 0.5,
    "dampening": 0.5,
    "rho": 0.5,
    "alpha": 0.5,
    "lambd": 0.1,
    "t0": 0.0,
    "lr_decay": 0.5,
    "initial_accumulator_value": 0.5,
    "beta2_decay": -0.5,
    "d": 0.5,
    "t_alpha_beta3": 10.0,
    "clip_exp": 0.0,
    "beta": 0.5,
    "l1": 0.1,
    "max_trust": 0.01,
    "trust_coefficient": 0.1,
    "momentum_decay": 0.5,
    "threshold": 4.0,
    "etas": (0.3, 1.5),
    "step_sizes": (1e-3, 0.06),
    "r": 0.5,
    "weight_lr_power": 1.0,
    "reps_rel": 0.1,
    "hypergrad_lr": 1e-4,
    "d0": 0.01,
    "d_coef": 1e3,
    "f_min": 0.5,
    "c": 3.0,
    "max_lr": 0.01,
    "growth_rate": 1.01,
    "beta3": 0.5,
    "ns_coefficients": (2.0, -1.5, 0.5),
    "ns_steps": 2,
    "adjust_lr_fn": "match_rms_adamw",
    "adam_lr_ratio": 0.5,
    "adam_betas": (0.5, 0.7),
    "adam_eps": 0.1,
    "adam_weight_decay": 0.5,
    "l2": 0.1,
    "ema_decay": 0.5,
    "swa_start": 2,
    "swa_every": 2,
    "lookahead_steps": 2,
    "lookahead_alpha": 0.25,
    "mechanic_s_init": 0.1,
    "mechanic_decay": 0.5,
    "clip_value": 0.3,
    "clip_tensor_norm": 0.4,
    "agc": 0.2,
    "agc_eps": 20.0,
}


@cache
def arguments(name):
    """The hyper-parameters that a class takes, and the types of what is given."""
    hints = typing.get_type_hints(KINDS[name])
    others = {"agc_axis", *REFUSED.get(name, set())}
    if name not in ("Adam", "Muon"):  # of two; test_mechanic.py has all
        others |= Mechanics._fields.keys()
    return {
        argument: typing.get_args(hints[argument])[1]
        for argument, field in KINDS[name]._fields.items()
        if not field.of_all and argument not in others
    }


def schedulable(hint):
    """Whether the type says that a schedule will do."""
    return any(typing.get_origin(a) is Callable for a in typing.get_args(hint))


def find(table, name, argument, default=None):
    return table.get(f"{name}.{argument}", table.get(argument, default))


def hyper(name, params=None, **kwargs):
    """The hyper-parameters of the first group."""
    params = np.ones((2, 2)) if params is None else params
    group = dict(KINDS[name](params, **kwargs).param_groups[0])
    del group["params"]
    return group


def other(name, argument):
    """Another value than the default."""
    if arguments(name)[argument] is bool:
        return not hyper(name)[argument]
    return find(OTHERS, name, argument)
