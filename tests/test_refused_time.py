"""A refused call takes linear time, whatever the containers are.

Time is counted in bytecode instructions, so that a busy machine cannot change it.
"""

import sys
from functools import partial

import numpy as np
import pytest
from wrong import f4

import lrcore
from lrcore._shared import containers, trees
from lrcore.optimizers.base import stateful


def operations(f, *args):
    """Return how many bytecode instructions a refused call takes."""
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
    """Return the container of the last array, and the array's key there."""
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
    return containers.params, trees.flatten([params, params])


def read_only(params, opt, grads):
    container, key = last_place(grads)
    container[key].flags.writeable = False
    return lrcore.clip_by_value, grads, 1.0


def unfinished(params, opt, grads):
    keys, at = [], params
    while not isinstance(at, np.ndarray):  # to the first array
        keys.append(next(iter(at)) if isinstance(at, dict) else 0)
        at = at[keys[-1]]
    opt.step_one(tuple(keys), np.ones(2, f4))
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
    for n in (100, 400):
        params = shape(n)
        opt = lrcore.SGD(params, momentum=0.9)
        counts.append(operations(*refusal(params, opt, shape(n))))
    assert_linear(counts)


def assert_linear(counts):
    """From 100 to 400 arrays: quadratic time makes the count 16 times as large."""
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


def construction(n, shape=flat, **options):
    return partial(lrcore.LAMB, shape(n), ema_decay=0.5, **options)


def construction_by_patterns(n):
    return construction(n, layers, groups={"*.b.0": {"lr": 0.1}, "*.W": {}})


def growth(n):
    opt = lrcore.AdamW(flat(n))
    return partial(opt.add_group, flat(n))


@pytest.mark.parametrize(
    "make", [reports, heirs, construction, construction_by_patterns, growth]
)
def test_many_groups_and_arrays_take_linear_time(make):
    def call(f):
        f()
        raise RuntimeError

    assert_linear([operations(call, make(n)) for n in (100, 400)])
