"""lrcore.jax_ffi: a step inside a jitted function of JAX."""

import sys

import numpy as np
import pytest

import lrcore
from lrcore import _core, jax_ffi
from lrcore.schedules import Cosine

SHAPES = [(5, 3), (), (1000,), (0,), (2, 2048)]
STEPS = 5


def arrays(seed, dtype="float32"):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=shape), dtype) for shape in SHAPES]


# --- without JAX ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((lrcore.LAMB,), "found LAMB with 'adam' and 'lamb'"),
        ((lrcore.Prodigy,), "found Prodigy"),
        ((lrcore.Muon,), "found Muon"),
        ((lrcore.ASGD,), "found ASGD"),
        (("AdamW",), "kind: expected an optimizer's class"),
        ((lrcore.Optimizer,), "kind: expected an optimizer's class"),
        ((lrcore.AdamW, -1.0), "lr: expected"),
    ],
    ids=str,
)
def test_what_is_refused(args, words):
    with pytest.raises((TypeError, ValueError), match=words):
        jax_ffi.Stepper(*args)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"clip_norm": 1.0}, "clip_norm: expected its default in a Stepper, found 1.0"),
        ({"zero_grads": True}, "zero_grads: expected its default"),
        ({"clip_tensor_norm": 1.0}, "found AdamW with 'adam' and clip_tensor_norm"),
        ({"ema_decay": 0.9}, "found AdamW with 'adam' and 'ema'"),
        ({"agc": 0.1, "agc_axis": 0}, "found AdamW with 'adam' and agc"),
        ({"mechanic": True}, "found AdamW with 'adam' and mechanic"),
    ],
    ids=str,
)
def test_options_that_need_more_than_a_rule_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        jax_ffi.Stepper(lrcore.AdamW, **given)


def test_without_jax_the_error_says_how_to_get_it(monkeypatch):
    jax_ffi._jax.cache_clear()
    monkeypatch.setitem(sys.modules, "jax", None)
    stepper = jax_ffi.Stepper(lrcore.AdamW)
    for call in (stepper.init, lambda p: stepper.step(p, p, None)):
        with pytest.raises(ImportError, match=r'pip install "lrcore\[jax\]"'):
            call([])
    jax_ffi._jax.cache_clear()


def test_a_repr_tells_all_that_differs_from_the_defaults():
    given = {"lr": Cosine(0.1, total=9), "weight_decay": 0.5, "denormals": "keep"}
    assert repr(jax_ffi.Stepper(lrcore.AdamW, **given)) == (
        "Stepper(AdamW(lr=Cosine(base=0.1, total=9), weight_decay=0.5, "
        "denormals='keep'))"
    )


# --- with it --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def jax():
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    with jax.enable_x64(True):
        yield jax


def trained(jax, stepper, dtype="float32", lr=None):
    """The params after some steps."""
    params = [jax.numpy.array(p) for p in arrays(0, dtype)]
    state = stepper.init(params)
    step = jax.jit(stepper.step, donate_argnums=(0, 2))
    for t in range(STEPS):
        grads = [jax.numpy.array(g) for g in arrays(t + 1, dtype)]
        params, state = step(params, grads, state, None if lr is None else lr(t))
    assert int(state.t) == STEPS
    return params


def wanted(kind, dtype="float32", **given):
    params = arrays(0, dtype)
    opt = kind(params, **given)
    for t in range(STEPS):
        opt.step(arrays(t + 1, dtype))
    return params


def same(found, expected):
    return all(map(np.array_equal, map(np.asarray, found), expected))


KINDS = [
    (lrcore.AdamW, {}),
    (lrcore.Adam, {"weight_decay": 0.1, "amsgrad": True}),
    (lrcore.SGD, {"lr": Cosine(0.1, total=9), "momentum": 0.9}),
    (lrcore.SGD, {"lr": 0.1}),
    (lrcore.Rprop, {}),
    (lrcore.MADGRAD, {}),
    (lrcore.Adan, {"num_threads": 2, "denormals": "keep"}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "given"), KINDS, ids=str)
def test_the_bits_are_those_of_numpy(jax, kind, given, dtype):
    found = trained(jax, jax_ffi.Stepper(kind, **given), dtype)
    assert same(found, wanted(kind, dtype, **given))


def test_a_rate_that_jax_computes(jax):
    rates = [0.5 / (t + 1) for t in range(STEPS)]
    found = trained(jax, jax_ffi.Stepper(lrcore.AdamW), lr=lambda t: rates[t])
    in_single = [float(np.float32(rate)) for rate in rates]
    assert same(found, wanted(lrcore.AdamW, lr=lambda t: in_single[t]))


def test_donated_arrays_are_updated_in_place(jax):
    stepper = jax_ffi.Stepper(lrcore.AdamW)
    params = [jax.numpy.ones(1000), jax.numpy.ones((3, 3))]
    state = stepper.init(params)
    held = [*params, *jax.tree.leaves(state.states)]
    before = [array.unsafe_buffer_pointer() for array in held]
    step = jax.jit(stepper.step, donate_argnums=(0, 2))
    new, state = step(params, [jax.numpy.ones_like(p) for p in params], state)
    after = [*new, *jax.tree.leaves(state.states)]
    assert [array.unsafe_buffer_pointer() for array in after] == before
    assert all(array.is_deleted() for array in held)


def test_other_arrays_stay_as_they_are(jax):
    stepper = jax_ffi.Stepper(lrcore.AdamW)
    params = {"w": jax.numpy.ones(1000)}
    state = stepper.init(params)
    new, after = jax.jit(stepper.step)(params, params, state)
    assert not (np.asarray(params["w"]) != 1).any()
    assert not np.asarray(state.states[0]["w"]).any()
    assert (np.asarray(new["w"]) < 1).all()
    assert np.asarray(after.states[0]["w"]).all()


@pytest.mark.parametrize(
    ("name", "given"),
    [("adamw", {"weight_decay": 0.01}), ("lion", {"weight_decay": 0.01}), ("sgd", {})],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_follows_optax(jax, name, given, dtype):
    optax = pytest.importorskip("optax", reason="optax is not installed")
    theirs = getattr(optax, name)(1e-2, **given)
    kind = {"adamw": lrcore.AdamW, "lion": lrcore.Lion, "sgd": lrcore.SGD}[name]
    params = [jax.numpy.array(p) for p in arrays(0, dtype)]
    state = theirs.init(params)

    @jax.jit
    def step(params, grads, state):
        updates, state = theirs.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    for t in range(STEPS):
        grads = [jax.numpy.array(g) for g in arrays(t + 1, dtype)]
        params, state = step(params, grads, state)
    found = trained(jax, jax_ffi.Stepper(kind, lr=1e-2, **given), dtype)
    # As tests/test_golden.py: in float32, 2 units in the last place a step; and optax's
    # 1 - b2^t, of which float32 keeps 2^-24 / (1 - b2), half of it under the root.
    bias = 2.0**-25 / 1e-3 if name == "adamw" else 0
    within = STEPS * (2 * 2.0**-23 * 4 + 1e-2 * bias) if dtype == "float32" else 1e-12
    for p, q in zip(params, found, strict=True):
        np.testing.assert_allclose(p, q, rtol=0, atol=within)


@pytest.mark.parametrize(
    ("grads", "words"),
    [
        ([[1.0, 2.0]], r"expected float32\[1\] like the parameter, found float64\[2\]"),
        ([[1.0], [1.0]], "[Tt]uple arity mismatch|list"),
    ],
)
def test_trees_that_do_not_match(jax, grads, words):
    stepper = jax_ffi.Stepper(lrcore.SGD, lr=0.1)
    params = [jax.numpy.ones(1, "float32")]
    state = stepper.init(params)
    with pytest.raises(ValueError, match=words):
        stepper.step(params, [jax.numpy.array(g) for g in grads], state)


def test_arguments_that_are_no_gradients_and_no_state(jax):
    stepper = jax_ffi.Stepper(lrcore.SGD, lr=0.1)
    params = [jax.numpy.ones(1, "float32")]
    state = stepper.init(params)
    with pytest.raises(TypeError, match=r"the order is step\(params, grads, state\)"):
        stepper.step(params, state, params)
    with pytest.raises(TypeError, match="for each parameter, found None"):
        stepper.step(params, [None], state)


def test_other_dtypes_are_refused(jax):
    stepper = jax_ffi.Stepper(lrcore.SGD, lr=0.1)
    params = [jax.numpy.ones(1, "bfloat16")]
    with pytest.raises(TypeError, match="params: expected float32 or float64, found b"):
        stepper.step(params, params, stepper.init(params))


def test_an_error_in_a_step_is_jax_s(jax, monkeypatch):
    stepper = jax_ffi.Stepper(lrcore.SGD, lr=0.1)
    params = [jax.numpy.ones(1)]
    state = stepper.init(params)
    step = jax.jit(stepper.step)
    with pytest.raises(Exception, match=r"lrcore: ValueError: lr: expected") as caught:
        jax.block_until_ready(step(params, params, state, -1.0))
    assert isinstance(caught.value, jax.errors.JaxRuntimeError)
    monkeypatch.delitem(_core.XLA_STEPS, stepper._name.encode())
    with pytest.raises(jax.errors.JaxRuntimeError, match=r"lrcore: KeyError: b'SGD"):
        jax.block_until_ready(step(params, params, state))


@pytest.mark.parametrize("lr", [[0.1, 0.2], [], 1j, True])
def test_a_rate_is_one_real_number(jax, lr):
    opt = jax_ffi.Stepper(lrcore.SGD)
    p = jax.numpy.ones(2)
    with pytest.raises(TypeError, match="lr: expected one real number, found"):
        jax.jit(opt.step)(p, p, opt.init(p), jax.numpy.asarray(lr))


def test_the_state_of_another_optimizer_is_refused(jax):
    opt, p = jax_ffi.Stepper(lrcore.Adam), jax.numpy.ones(2)
    for states in ((), (p,), (p, p, p)):
        with pytest.raises(ValueError, match="state: expected 2 states"):
            jax.jit(opt.step)(p, p, jax_ffi.State(jax.numpy.int32(0), states))
    for t in (jax.numpy.float32(1), jax.numpy.zeros(2, "int32")):
        with pytest.raises(TypeError, match="state: t: expected a scalar of int32"):
            jax.jit(opt.step)(p, p, jax_ffi.State(t, (p, p)))


def test_two_schedules_of_one_repr_are_not_confused(jax):
    class Rate:
        def __init__(self, rate):
            self.rate = rate

        def __call__(self, t):
            return self.rate

        def __repr__(self):
            return "Rate"

    opts = [jax_ffi.Stepper(lrcore.SGD, lr=Rate(rate)) for rate in (0.5, 0.25)]
    p = jax.numpy.ones(2)
    for opt, wanted in zip(opts, (0.5, 0.75), strict=True):
        assert (opt.step(p, p, opt.init(p))[0] == wanted).all()
    one, same = (jax_ffi.Stepper(lrcore.SGD, lr=0.5) for _ in range(2))
    assert repr(one) == repr(same)
