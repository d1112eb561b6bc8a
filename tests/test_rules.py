"""Every kernel against the reference, to the bit."""

import math

import numpy as np
import pytest
from helpers import (
    ISAS,
    LENGTHS,
    configurations,
    each_dtype,
    ordinary,
    placed,
    same_bits,
    wild,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plans import agree, expected, run, sums_of

import lrcore
from lrcore import _core, reference
from lrcore._shared.sums import in_order

several = st.sampled_from([2, 3, 7])  # threads
each_rule = pytest.mark.parametrize("rule", _core.RULES)

numbers = st.one_of(
    st.floats(0, 1),
    st.sampled_from([0.0, 1.0, -1.0, 1e-8, 1e30, np.inf, np.nan]),
    st.floats(-1e3, 1e3),
)
# gscale, l2, decay, lr: often (1, 0, 1), which has kernels of its own.
drivers = st.one_of(
    st.tuples(st.just(1.0), st.just(0.0), st.just(1.0), numbers),
    st.tuples(numbers, st.just(0.0), numbers, numbers),
    st.tuples(numbers, numbers, numbers, numbers),
)


@st.composite
def shapes(draw):
    n = draw(st.sampled_from(LENGTHS))
    kind = draw(st.sampled_from(["1-d", "0-d", "2-d", "3-d"]))
    if kind == "0-d":
        return ()
    if kind == "2-d":
        return (3, n // 3)
    return (2, n // 4, 2) if kind == "3-d" else (n,)


pytestmark = pytest.mark.usefixtures("restore")


@each_rule
@each_dtype
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_kernels_equal_the_reference(rule, dtype, data):
    """Any shape, alignment, values, numbers, instruction set and thread count."""
    info = _core.RULES[rule]
    coefs = data.draw(drivers) + tuple(data.draw(numbers) for _ in info.coefs)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    values = data.draw(st.sampled_from([ordinary, wild]))
    params, grads, states = [], [], []
    for shape in data.draw(st.lists(shapes(), min_size=1, max_size=3)):
        order = data.draw(st.sampled_from("CF"))
        arrays = []
        for _ in range(2 + len(info.states)):
            arrays.append(placed(shape, dtype, int(rng.integers(17)), order))
            arrays[-1][...] = values(rng, shape, dtype)
        params.append(arrays[0])
        grads.append(arrays[1])
        states.append(arrays[2:])
    before = [g.copy("K") for g in grads]

    want = expected(rule, coefs, params, grads, states)
    for isa, threads in configurations(data.draw(several)):
        lrcore.set_isa(isa)
        got = run(rule, coefs, params, grads, states, threads=threads)
        assert agree(got, want), (isa, threads, coefs)
    assert all(same_bits(a, b) for a, b in zip(grads, before, strict=True))


STRIPS = [0, 1, 31, 33, 2047, 2048, 2049, 5000]
SCALE_COEFS = st.sampled_from([0.0, 1e-3, 0.5, 1.0, 2.0, np.inf])
each_scale = pytest.mark.parametrize("scale", [name for name in _core.SCALES if name])


@each_scale
@each_dtype
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_scaled_steps_equal_the_reference(scale, dtype, data):
    """Any rule, with norms of one strip, of many, of what is emitted, of zeros."""
    rule = data.draw(st.sampled_from(list(_core.RULES)))
    rule_info, scale_info = _core.RULES[rule], _core.SCALES[scale]
    coefs = data.draw(drivers) + tuple(data.draw(numbers) for _ in rule_info.coefs)
    more = tuple(data.draw(SCALE_COEFS) for _ in scale_info.coefs)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    values = data.draw(
        st.sampled_from([ordinary, wild, lambda _, s, d: np.zeros(s, d)])
    )
    params, grads, own, extra = [], [], [], []
    for n in data.draw(st.lists(st.sampled_from(STRIPS), min_size=1, max_size=3)):
        p, g, *states = (
            values(rng, n, dtype) for _ in range(2 + len(rule_info.states))
        )
        params.append(p)
        grads.append(g)
        own.append(states)
        emitted = [np.zeros(n, dtype)] if scale_info.emits else []
        extra.append((emitted, [np.array(0.25) for _ in scale_info.states]))

    twins = [p.copy() for p in params]
    states = [
        [s.copy() for s in [*o, *x]] for o, (_, x) in zip(own, extra, strict=True)
    ]
    for p, g, arrays in zip(twins, grads, states, strict=True):
        reference.scaled_step(scale, more, rule, p, g, arrays, coefs)
    given = [[*o, *u, *x] for o, (u, x) in zip(own, extra, strict=True)]
    for isa, threads in configurations(data.draw(several)):
        lrcore.set_isa(isa)
        got, after = run(
            rule, coefs, params, grads, given, threads=threads, scale=scale, more=more
        )
        if scale_info.emits:
            count = len(rule_info.states)
            after = [arrays[:count] + arrays[count + 1 :] for arrays in after]
        assert agree((got, after), (twins, states)), (isa, threads, coefs, more)


@pytest.mark.parametrize("gauge", [name for name in _core.GAUGES if name])
@each_dtype
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_gauges_equal_the_reference(gauge, dtype, data):
    """Of one strip, of many, of any values; on any thread and instruction set."""
    info = _core.GAUGES[gauge]
    coefs = (*data.draw(drivers)[:2], *(data.draw(numbers) for _ in info.coefs))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    values = data.draw(st.sampled_from([ordinary, wild]))
    params, grads, arrays = [], [], []
    for n in data.draw(st.lists(st.sampled_from(STRIPS), min_size=1, max_size=3)):
        p, g, *own = (values(rng, n, dtype) for _ in range(2 + len(info.arrays)))
        params.append(p)
        grads.append(g)
        arrays.append(own)
    each = [
        reference.read_gauge(gauge, p, g, own, coefs)
        for p, g, own in zip(params, grads, arrays, strict=True)
    ]
    want = np.array([in_order(sums) for sums in zip(*each, strict=True)])
    for isa, threads in configurations(data.draw(several)):
        lrcore.set_isa(isa)
        got = sums_of(gauge, coefs, params, grads, arrays, threads=threads)
        assert same_bits(np.array(got), want), (isa, threads, coefs)


@each_dtype
@pytest.mark.parametrize("n", LENGTHS)
def test_averages_equal_the_reference(dtype, n):
    rng = np.random.default_rng(n)
    p, g, *averages = (ordinary(rng, n, dtype) for _ in range(5))
    for weights in ((0.0, 0.25, 1.0), (0.5, 0.125, 0.0), (1.0, 1.0, 1e-3)):
        named = dict(zip(("slow", "ema", "swa"), weights, strict=True))
        twin, wanted = p.copy(), [a.copy() for a in averages]
        coefs = (1.0, 0.0, 1.0, 0.5)
        reference.step("sgd", twin, g, [], coefs)
        for name, a in zip(named, wanted, strict=True):
            reference.average(a, twin, named[name], pulls=name == "slow")
        for isa, threads in configurations():
            lrcore.set_isa(isa)
            got = run(
                "sgd", coefs, [p], [g], [averages], threads=threads, averages=named
            )
            assert agree(got, ([twin], [wanted])), (isa, threads, weights)


@each_dtype
def test_squares_are_exact_to_a_few_bits(dtype):
    x = ordinary(np.random.default_rng(0), 100_003, dtype)
    exact = math.fsum(float(v) ** 2 for v in x)
    assert reference.squares(x).mid == pytest.approx(exact, rel=1e-14)


@each_rule
@each_dtype
def test_flushing_changes_nothing_where_numbers_are_normal(rule, dtype):
    rng = np.random.default_rng(1)
    info = _core.RULES[rule]
    coefs = (0.5, 0.01, 0.99, 0.1) + (0.25,) * len(info.coefs)
    arrays = [ordinary(rng, 1003, dtype) for _ in range(2 + len(info.states))]
    params, grads, states = arrays[:1], arrays[1:2], [[abs(s) for s in arrays[2:]]]
    want = expected(rule, coefs, params, grads, states)
    for isa in ISAS:
        lrcore.set_isa(isa)
        got = run(rule, coefs, params, grads, states, threads=1, keep=False)
        assert agree(got, want), isa


@each_dtype
@pytest.mark.parametrize("threads", [1, 2])
def test_subnormal_state_is_flushed_or_kept_as_asked(dtype, threads):
    tiny = np.finfo(dtype).tiny
    for keep in (True, False):
        states = [[np.full(1000, tiny / 4, dtype)]]
        params, grads = [np.zeros(1000, dtype)], [np.zeros(1000, dtype)]
        coefs = (1.0, 0.0, 1.0, 1.0, 0.5, 1.0)
        _, ((m,),) = run(
            "momentum", coefs, params, grads, states, threads=threads, keep=keep
        )
        assert (m == (tiny / 8 if keep else 0)).all()
        # The caller's own arithmetic is as it was.
        assert np.full(3, tiny, dtype)[1] / dtype_of(dtype)(2) > 0


def dtype_of(name):
    return np.dtype(name).type


@each_rule
def test_reference_has_the_coefficients_and_states_of_the_registry(rule):
    info = _core.RULES[rule]
    code = getattr(reference, rule).__code__
    arrays = code.co_varnames[2 : code.co_argcount]
    assert arrays in (info.states, (*info.states, "p"))
    assert 4 + len(info.coefs) <= 12
    assert len(info.states) <= 4


def test_arrays_of_a_tensor_have_names_of_their_own():
    ours = {name for rule in _core.RULES.values() for name in rule.states}
    others = ["slow", "ema", "swa", "ax", "u"]
    others += [name for scale in _core.SCALES.values() for name in scale.states]
    assert len(set(others)) == len(others)
    assert not ours & set(others)


@each_dtype
def test_an_absent_l2_does_not_turn_an_infinite_parameter_into_nan(dtype):
    for gscale in (1.0, -1.0):
        (p,), _ = run(
            "sgd",
            (gscale, 0.0, 1.0, 0.5),
            [np.array([np.inf, 1], dtype)],
            [np.ones(2, dtype)],
            [[]],
            threads=1,
        )
        assert p.tolist() == [np.inf, 1 - 0.5 * gscale]
