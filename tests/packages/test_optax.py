"""lrcore.optax beside optax: updates, defaults, states, masks, what jit refuses."""

import copy
import pickle
import re
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
from helpers import MORE, same_bits
from ranks import Alone

import lrcore
from lrcore.schedules import Cosine

pytest.importorskip("optax", reason="needs optax: make test-packages")

import jax
import jax.numpy as jnp
import optax
import optax.contrib

import lrcore.optax
from lrcore.optax._arguments import OURS

KINDS = {name.replace("_", ""): name for name in lrcore.optax.__all__}
NAMES = {name: KINDS[name.lower()] for name in lrcore.optimizers.available()}
CONVENTION = [
    NAMES[name]
    for name, each in lrcore.optimizers.available().items()
    if "optax" in each.conventions and name not in ("RAdamW", "SPS")
]  # optax has no RAdamW, and another SPS


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


def start(dtype=np.float32):
    rng = np.random.default_rng(0)
    return {
        "layers": [{"w": rng.normal(size=(4, 3)).astype(dtype)}],
        "bias": rng.normal(size=3).astype(dtype),
    }


def gradients(steps, dtype=np.float32):
    rng = np.random.default_rng(1)
    return [
        jax.tree.map(lambda p: rng.normal(size=p.shape).astype(dtype), start())
        for _ in range(steps)
    ]


def walk(opt, params, grads, **more):
    """Return the params after some updates, and the state."""
    params = jax.tree.map(jnp.asarray, params)
    state = opt.init(params)
    for each in grads:
        updates, state = opt.update(
            jax.tree.map(jnp.asarray, each), state, params, **more
        )
        params = optax.apply_updates(params, updates)
    return params, state


def assert_close(ours, theirs, rtol):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert isinstance(a, jax.Array)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


# --- beside optax ---------------------------------------------------------------------


@pytest.mark.parametrize("name", CONVENTION)
def test_defaults_are_those_of_optax(name):
    # tests/test_golden.py has trajectories of optax: here, arguments are compared.
    theirs = signature(getattr(optax, name, None) or getattr(optax.contrib, name))
    core = getattr(lrcore.optax, name)(0.02).init(np.zeros((2, 2))).core
    for key, parameter in theirs.parameters.items():
        ours = OURS.get(key, key)
        if key in ("b1", "b2"):
            assert core.betas[("b1", "b2").index(key)] == parameter.default
        elif (name, key) == ("adabelief", "eps_root"):  # lrcore's eps stands for both
            assert core.eps == parameter.default
        elif ours in core._fields and parameter.default is not parameter.empty:
            assert getattr(core, ours) == (parameter.default or 0), key


@pytest.mark.parametrize("name", ["adamw", "lion", "sgd"])
def test_updates_are_those_of_optax(name, double):
    params, grads = start(np.float64), gradients(4, np.float64)
    found, _ = walk(getattr(lrcore.optax, name)(0.02), params, grads)
    wanted, _ = walk(getattr(optax, name)(0.02), params, grads)
    assert_close(found, wanted, 1e-12)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("adamw", {"b1": 0.8, "b2": 0.95, "eps": 1e-3, "weight_decay": 0.1}),
        ("adam", {"b2": 0.9, "eps_root": 1e-4}),
        ("sgd", {"momentum": 0.9, "nesterov": True}),
        ("rmsprop", {"decay": 0.8, "initial_scale": 0.5, "eps_in_sqrt": False}),
        ("signum", {"beta": 0.5}),
    ],
    ids=str,
)
def test_arguments_have_optaxs_names(name, given, double):
    params, grads = start(np.float64), gradients(4, np.float64)
    found, _ = walk(getattr(lrcore.optax, name)(0.02, **given), params, grads)
    wanted, _ = walk(getattr(optax, name)(0.02, **given), params, grads)
    assert_close(found, wanted, 1e-12)


@pytest.mark.parametrize(
    "mask",
    [
        {"layers": [{"w": True}], "bias": False},
        {"layers": True, "bias": False},
        lambda params: jax.tree.map(lambda p: p.ndim > 1, params),
        {"layers": True, "bias": True},
    ],
    ids=["tree", "prefix", "function", "all"],
)
def test_the_mask_of_weight_decay(mask, double):
    params, grads = start(np.float64), gradients(3, np.float64)
    given = {"learning_rate": 0.02, "weight_decay": 0.5, "mask": mask}
    found, _ = walk(lrcore.optax.adamw(**given), params, grads)
    assert_close(found, walk(optax.adamw(**given), params, grads)[0], 1e-12)


def test_schedules_of_optax_and_of_lrcore(double):
    params, grads = start(np.float64), gradients(5, np.float64)
    theirs = optax.cosine_decay_schedule(0.1, 9)
    wanted, _ = walk(optax.adam(theirs), params, grads)
    for schedule in (theirs, Cosine(0.1, total=9)):
        found, state = walk(lrcore.optax.adam(schedule), params, grads)
        assert_close(found, wanted, 1e-12)
        assert type(state.core.last_lr[0]) is float
    betas = lrcore.optax.adam(jnp.float32(0.5), betas=(lambda t: jnp.float32(0.5), 0.9))
    _, state = walk(betas, params, grads)
    assert state.core.lr == 0.5


def test_the_schedules_of_the_page_are_those_of_optax():
    page = Path(__file__).parents[2] / "docs" / "how_to" / "coming_from_optax.md"
    _, table = page.read_text().split("| optax | lrcore.schedules |\n")
    rows = re.findall(r"^\| `(.*?)` \| `(.*?)` \|$", table.split("\n\n")[0], re.M)
    assert len(rows) == 8
    lengths = {"a": 9, "b": 50}
    pair = {k: optax.cosine_decay_schedule(0.1, n) for k, n in lengths.items()}
    own = {k: Cosine(0.1, total=n) for k, n in lengths.items()}
    for theirs, ours in rows:
        theirs = eval(theirs, {**vars(optax), **pair})
        ours = eval(ours, {**vars(lrcore.schedules), **own})
        for t in (0, 9, 50, 100, 149):
            assert float(theirs(t)) == pytest.approx(ours(t), rel=1e-6, abs=1e-8), t


def test_at_the_end_of_a_chain(double):
    params, grads = start(np.float64), gradients(3, np.float64)

    def chained(last):
        return optax.chain(optax.clip_by_global_norm(0.5), last)

    found, _ = walk(chained(lrcore.optax.adamw(0.1)), params, grads)
    assert_close(found, walk(chained(optax.adamw(0.1)), params, grads)[0], 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_any_optimizer_steps_as_by_itself(name):
    more = MORE.get(name, {})
    own = start()
    kind = getattr(lrcore, name)
    convention = "optax" if "optax" in kind._conventions else "torch"
    opt = kind(own, lr=0.01, convention=convention, **more)
    made = getattr(lrcore.optax, NAMES[name])(0.01, **more)
    params = jax.tree.map(jnp.asarray, start())
    state = made.init(params)
    for each in gradients(3):
        updates, state = made.update(each, state, params, value=0.5)
        before = jax.tree.map(np.copy, own)
        opt.step(each, 0.5)
        wanted = jax.tree.map(np.subtract, own, before)
        assert all(
            map(
                same_bits,
                jax.tree.leaves(wanted),
                map(np.asarray, jax.tree.leaves(updates)),
            )
        )
        params = jax.tree.map(jnp.asarray, jax.tree.map(np.copy, own))
    assert type(state.core) is kind


# --- states ---------------------------------------------------------------------------


def test_a_state_is_used_once():
    opt, params = lrcore.optax.adam(0.1), start()
    first = opt.init(params)
    _, second = opt.update(params, first, params)
    assert (first.count, second.count, second.core.t) == (0, 1, 1)
    with pytest.raises(RuntimeError, match="state: found that of 0 updates"):
        opt.update(params, first, params)
    assert second.core.t == 1


@pytest.mark.parametrize(
    "other", [lrcore.optax.adamw(0.1), lrcore.optax.sgd(0.1)], ids=["kind", "rate"]
)
def test_a_state_of_another_optimizer_is_refused(other):
    opt, params = lrcore.optax.sgd(100.0), start()
    state = other.init(params)
    with pytest.raises(ValueError, match=r"state: .*this optimizer \(SGD\)"):
        opt.update(params, state, params)
    assert other.update(params, state, params)[1].count == 1


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda state: pickle.loads(pickle.dumps(state))]
)
def test_a_copy_goes_on_by_itself(copied):
    opt, params = lrcore.optax.adam(0.1), start()
    _, state = opt.update(params, opt.init(params), params)
    kept = copied(state)
    first, _ = opt.update(params, state, params)
    second, _ = opt.update(params, kept, params)
    assert all(map(same_bits, jax.tree.leaves(first), jax.tree.leaves(second)))
    with pytest.raises(ValueError, match="of this optimizer"):
        lrcore.optax.sgd(0.1).update(params, copied(state), params)


def test_numpy_params_are_not_written_and_give_numpy_updates():
    params = start()
    kept = copy.deepcopy(params)
    opt = lrcore.optax.sgd(0.5)
    updates, _ = opt.update(params, opt.init(params), params)
    for before, p, u in zip(
        *map(jax.tree.leaves, (kept, params, updates)), strict=True
    ):
        assert same_bits(before, p)
        assert type(u) is np.ndarray
        np.testing.assert_allclose(u, -0.5 * p, rtol=1e-6)


def test_an_update_that_is_skipped_is_zero():
    opt, params = lrcore.optax.adam(0.1, skip_nonfinite=True), start()
    bad = jax.tree.map(lambda p: np.full_like(p, np.nan), params)
    updates, state = opt.update(bad, opt.init(params), params)
    assert not any(u.any() for u in jax.tree.leaves(updates))
    assert (state.count, state.core.t) == (1, 0)


def test_names_of_params():
    opt = lrcore.optax.adamw(0.1, groups={"*.w": {"weight_decay": 0.5}})
    core = opt.init(start()).core
    assert [group.paths for group in core.param_groups] == [
        ["['bias']"],
        ["['layers.0.w']"],
    ]
    dotted = {"a.b": np.zeros(1), "a": {"b": np.zeros(2)}}
    assert lrcore.optax.sgd(0.1).init(dotted).core._plan.total == 3
    one = lrcore.optax.sgd(1.0)
    updates, _ = one.update(np.ones(2), one.init(np.ones(2)), np.ones(2))
    assert same_bits(updates, -np.ones(2))


ONES = np.ones(4, np.float32)


# --- what is refused ------------------------------------------------------------------


def test_jit_is_refused_and_says_what_to_use():
    opt, params = lrcore.optax.adamw(0.1), start()
    state = opt.init(params)
    words = r"lrcore\.jax_ffi\.Stepper\(lrcore\.AdamW"
    with pytest.raises(TypeError, match=words):
        jax.jit(opt.update)(params, state, params)
    with pytest.raises(TypeError, match=words):
        jax.jit(opt.init)(params)
    _, state = opt.update(params, state, params)  # as before
    assert state.core.t == 1


@pytest.mark.parametrize(
    ("error", "words", "call"),
    [
        (ValueError, r"call update\(grads, state, params\)", lambda s, p: (p, s)),
        (TypeError, "state: expected what init", lambda s, p: (p, p, s)),
        (ValueError, "params: expected 2 arrays", lambda s, p: ([ONES], s, [ONES])),
        (
            ValueError,
            r"params: bias: expected float32\[3\]",
            lambda s, p: (p, s, {**p, "bias": ONES}),
        ),
        (TypeError, "complex", lambda s, p: ({**p, "bias": ONES.astype("D")}, s, p)),
    ],
)
def test_wrong_calls(error, words, call):
    opt, params = lrcore.optax.adam(0.1), start()
    state = opt.init(params)
    with pytest.raises(error, match=words):
        opt.update(*call(state, params))
    assert opt.update(params, state, params)[1].count == 1


@pytest.mark.parametrize(
    ("error", "words", "given"),
    [
        (ValueError, "lr: expected a finite number >= 0", {"learning_rate": -1.0}),
        (TypeError, "unexpected keyword 'mu_dtype'", {"mu_dtype": np.float32}),
        (TypeError, "unexpected keyword 'b3'", {"b3": 0.9}),
        (ValueError, "convention", {"convention": "jax"}),
        (ValueError, "comm: expected None in optax's shape", {"comm": Alone()}),
    ],
    ids=str,
)
def test_wrong_arguments(error, words, given):
    with pytest.raises(error, match=words):
        lrcore.optax.adam(**given)


@pytest.mark.parametrize(
    ("name", "words", "given"),
    [
        ("adamw", "b1: found it beside betas", {"betas": (0.5, 0.6), "b1": 0.8}),
        ("adamw", "b2: found it beside betas", {"betas": (0.5, 0.6), "b2": 0.8}),
        ("sgd", "lr: found it beside learning_rate", {"lr": 5.0}),
        ("adamw", "mask: .*beside mask", {"mask": True, "weight_decay_mask": True}),
        ("rmsprop", "alpha: .*beside decay", {"decay": 0.5, "alpha": 0.6}),
        ("rmsprop", "decay: .*beside alpha", {"alpha": 0.5, "decay": 0.6}),
    ],
    ids=str,
)
def test_two_names_of_one_argument(name, words, given):
    with pytest.raises(TypeError, match=words):
        getattr(lrcore.optax, name)(0.1, **given)


def test_a_function_can_be_pickled():
    assert pickle.loads(pickle.dumps(lrcore.optax.adamw)) is lrcore.optax.adamw


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match=r"'lrcore\.optax' has no attribute 'adm'"):
        lrcore.optax.adm  # noqa: B018
