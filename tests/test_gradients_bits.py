"""Gradient options on any threads, in forks, of subnormal numbers, of empty arrays."""

import gc
import os
import subprocess
import sys
import textwrap
import weakref
from math import nan

import numpy as np
import pytest
from composed import (
    ALL,
    FEATURES,
    copies,
    drawn,
    each_feature,
    gathered,
    gradients,
    merged,
    optimizer,
    setting,
    split,
    weights,
)
from helpers import (
    KINDS,
    bits_of,
    close,
    configurations,
    each_dtype,
    each_kind,
    snapshot,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lrcore

pytestmark = pytest.mark.isa


# --- the same bits --------------------------------------------------------------------

LONG = [(3, 2049), (), (2, 5, 700), (4099,)]


def run(name, dtype, features, *, isa, threads):
    """Bits of params, states and reports, after two steps of long arrays."""
    lrcore.set_isa(isa)
    options = merged(features)
    params = weights(dtype, LONG)
    opt = optimizer(name, params, options, lr=0.05, num_threads=threads)
    opt._plan.parallel_from = 1
    told = []
    for t in range(2):
        assert gathered(opt, drawn(options, params, t))
        if "telemetry" in features:
            told += [opt.report, *opt.reports("tensor").values(), *opt.reports("group")]
    return bits_of(opt, params), snapshot([np.array(report, float) for report in told])


@pytest.mark.usefixtures("restore")
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    name=st.sampled_from(list(KINDS)),
    dtype=st.sampled_from(["float32", "float64"]),
    features=st.sets(st.sampled_from(list(FEATURES)), min_size=1),
    several=st.sampled_from([2, 3, 5]),
)
def test_any_combination_gives_the_same_bits_everywhere(name, dtype, features, several):
    """For all numbers of threads, and all instruction sets."""
    wanted = run(name, dtype, features, isa=None, threads=1)
    for isa, threads in configurations(several):
        found = run(name, dtype, features, isa=isa, threads=threads)
        assert found == wanted, (isa, threads)


@pytest.mark.usefixtures("restore")
@each_dtype
def test_threads_change_no_bit_of_what_is_large(dtype):
    """By the number that the process is told."""
    options = merged([name for name in FEATURES if name != "accumulate"])
    shapes = [(700, 300), (), (7, 11, 13), (100_003,)]
    grads = [split(gradients(weights(dtype, shapes), t)) for t in range(2)]
    found = []
    for threads in (1, 2, 3, 8):
        lrcore.set_num_threads(threads)
        params = weights(dtype, shapes)
        opt = optimizer("Adam", params, options, lr=0.05)
        for first, second in grads:
            assert opt.step([copies(first), copies(second)])
        found.append((bits_of(opt, params), opt.report))
    assert all(other == found[0] for other in found)


# --- subnormal numbers, empty arrays --------------------------------------------------


def subnormals_count():
    """Whether the caller's own arithmetic has them."""
    tiny = [np.finfo(d).tiny for d in (np.float32, np.float64)]
    return all((np.full(9, t) / 4 * 4 == t).all() for t in tiny)


@pytest.mark.parametrize("threads", [1, 2])
@each_feature
def test_the_callers_subnormals_are_left_to_the_caller(feature, threads):
    """By all ways: a rule, a scale by norms, what is emitted or made beforehand."""
    options = setting(feature)
    for name in ("Adam", "LARS", "LAMB", "NovoGrad", "Adafactor", "SM3", "Muon"):
        params = weights("float32")
        opt = optimizer(name, params, options, num_threads=threads)
        opt._plan.parallel_from = 1
        gathered(opt, drawn(options, params, 0))
        assert subnormals_count(), name
        if options.wide.get("skip_nonfinite"):
            spoilt = gradients(params, 1)
            spoilt[0][0] = nan
            assert not opt.step(split(spoilt))
            assert subnormals_count(), name
        with pytest.raises(TypeError, match="found str"):
            opt.step(split([*gradients(params, 1)[:-1], "text"]))
        assert subnormals_count(), name


KEPT = ["grad_scale", "accumulate", "clip_value", "clip_tensor_norm", "agc"]


@pytest.mark.parametrize("option", [*KEPT, "clip_norm", "telemetry"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_subnormal_gradients_are_kept_where_asked(option, size):
    """Norms are of float64, where those of float32 are normal numbers."""
    least = np.finfo(np.float32).smallest_subnormal
    g = np.full(4096, size * 1024 * least)
    norm = 64 * float(g[0])
    of = {"grad_scale": 0.5, "accumulate": 1, "clip_value": float(g[0]) / 2}
    of |= {"clip_tensor_norm": norm / 2, "clip_norm": norm / 2, "telemetry": True}
    of |= {"agc": norm / 2, "agc_eps": 1.0}
    own = {"agc_axis": 0, "agc_eps": 1.0} if option == "agc" else {}
    p = np.zeros(4096, np.float32)
    opt = lrcore.SGD(p, lr=1.0, denormals="keep", **own, **{option: of[option]})
    assert opt.step(g)
    halved = option not in ("accumulate", "telemetry")
    assert (p == (-g / 2 if halved else -g)).all()
    if option == "telemetry":
        assert opt.report.grad_norm == norm


@each_kind
def test_arrays_without_elements_are_stepped_too(name):
    shapes = [(0, 3), (0,), (2, 0, 4), (0,)]
    for options in (*FEATURES.values(), ALL):
        params = weights("float32", shapes)
        opt = optimizer(name, params, options)
        assert gathered(opt, drawn(options, params, 0)) is True
        assert opt.t == 1


@pytest.mark.parametrize("name", [name for name in KINDS if name != "Adafactor"])
def test_fortran_order_gives_what_c_order_gives(name):
    """To 1e-12, as sums may go another way.  (Adafactor refuses three dimensions.)"""
    params, turned = weights(), [np.array(p, order="F") for p in weights()]
    one, two = (optimizer(name, each, ALL, lr=0.05) for each in (params, turned))
    for t in range(3):
        calls = drawn(ALL, params, t)
        turned_calls = [[np.array(g, order="F") for g in grads] for grads in calls]
        assert gathered(one, calls)
        assert gathered(two, turned_calls)
    close(params, turned)


# --- processes ------------------------------------------------------------------------

NORMS_IN_A_PROCESS = """
    import os, numpy as np, lrcore
    p, g = np.zeros(400_000, np.float32), np.full(400_000, 0.5, np.float32)
    opt = lrcore.Adam(p, num_threads=5, clip_norm=1.0, clip_tensor_norm=9.0,
                      skip_nonfinite=True, telemetry=True)
    for _ in range(3):
        opt.step(g)
    child = os.fork()
    for _ in range(3):
        opt.step(g)
    same = lrcore.clip_by_global_norm(g.copy(), 1.0) == opt.report.grad_norm
    if child == 0:
        os._exit(0 if opt.t == 6 and same else 1)
    assert os.waitpid(child, 0)[1] == 0
    print(opt.t, same)
"""


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LRCORE_THREADING": "openmp"},
        {"LRCORE_THREADING": "openmp", "OMP_THREAD_LIMIT": "2"},
        {"LRCORE_THREADING": "openmp", "OMP_THREAD_LIMIT": "1"},
        {"LRCORE_THREADING": "openmp", "OMP_DYNAMIC": "true"},
        {"LRCORE_THREADING": "openmp", "OMP_NUM_THREADS": "3"},
        {"LRCORE_THREADING": "openmp", "OMP_WAIT_POLICY": "active"},
        {"LRCORE_THREADING": "openmp", "OMP_WAIT_POLICY": "passive"},
    ],
    ids=str,
)
def test_a_step_with_norms_never_waits_for_threads_that_are_not_there(environment):
    """Fewer than were asked for, or none, in a forked child."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(NORMS_IN_A_PROCESS)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["6", "True"], done.stderr


def test_a_scheduled_option_makes_no_cycle():
    opt = lrcore.SGD(np.ones(2), lr=0.1, clip_norm=lambda t: 1.0)
    opt.step(np.ones(2))
    seen = weakref.ref(opt)
    gc.disable()
    try:
        del opt
        assert seen() is None
    finally:
        gc.enable()


def test_great_numbers_of_threads_are_taken():
    opt = lrcore.SGD(np.ones(2), lr=1.0, num_threads=2**40)
    assert opt.step(np.ones(2))
