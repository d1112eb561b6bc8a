"""lrcore.thinc beside thinc: steps, averages, schedules, arrays that join or move."""

import pickle

import numpy as np
import pytest
from helpers import MORE, same_bits
from ranks import Alone

import lrcore
from lrcore.schedules import Cosine

pytest.importorskip("thinc", reason="needs thinc: make test-packages")

from thinc import schedules
from thinc.api import SGD, Adam, Linear, Relu, chain, fix_random_seed, registry

import lrcore.thinc
from lrcore.thinc import Optimizer

KEY = (7, "W")
NINE = hasattr(schedules, "Schedule")  # thinc 9, where schedules are no generators


def gradients(shape, steps, dtype=np.float32):
    rng = np.random.default_rng(1)
    return [rng.normal(size=shape).astype(dtype) for _ in range(steps)]


def walk(optimizer, steps=60, shape=(7, 5), dtype=np.float32, **call):
    """Return an array after some steps, and its average."""
    w = np.random.default_rng(0).normal(size=shape).astype(dtype)
    for g in gradients(shape, steps, dtype):
        found, zeroed = optimizer(KEY, w, g, **call)
        assert np.shares_memory(found, w)
        assert not zeroed.any()
        optimizer.step_schedules()
    return w, (optimizer.averages or {KEY: w})[KEY]


def warmup(rate, steps, total):
    """Return a schedule of thinc."""
    return schedules.warmup_linear(rate, steps, total)


# --- the same steps -------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"L2": 0.1},
        {"L2": 0.1, "L2_is_weight_decay": False},
        {"grad_clip": 0.0},
        {"beta1": 0.8, "beta2": 0.9, "eps": 1e-3},
        {"use_averages": False},
        {"learn_rate": [0.1, 0.01, 0.02], "L2": [0.1, 0.2], "grad_clip": [2.0, 1.0]},
        {"grad_clip": [0.0, 1.0, 0.0]},
        {"beta1": [0.8, 0.9], "eps": [1e-3, 1e-4, 1e-5]},
    ],
    ids=str,
)
def test_the_steps_are_those_of_thincs_adam(given):
    given = {"learn_rate": 0.01, **given}
    for ours, theirs in zip(
        walk(Optimizer(**given), lr_scale=0.5),
        walk(Adam(**given), lr_scale=0.5),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_numbers_may_be_numpys():
    given = {"learn_rate": 0.25, "L2": 0.5, "beta1": 0.75, "grad_clip": 2}
    ours = Optimizer(**{name: np.float32(value) for name, value in given.items()})
    for a, b in zip(walk(ours, 9), walk(Optimizer(**given), 9), strict=True):
        assert same_bits(a, b)


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_the_steps_are_those_of_thincs_sgd(l2):
    ours, theirs = walk(Optimizer("SGD", 0.1, L2=l2)), walk(SGD(0.1, L2=l2))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("decays", [True, False])
def test_the_equation_in_double_precision(decays):
    shape, steps, lr, l2, scale = (4, 3), 30, 0.02, 0.3, 0.5
    optimizer = Optimizer("Adam", lr, L2=l2, L2_is_weight_decay=decays)
    p, average = walk(optimizer, steps, shape, np.float64, lr_scale=scale)
    q = np.random.default_rng(0).normal(size=shape)
    m, v, a = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for t, g in enumerate(gradients(shape, steps, np.float64), 1):
        g = g if decays else g + l2 * q
        g = g / max(1.0, np.linalg.norm(g))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate = lr * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        q = q - scale * rate * m / (np.sqrt(v) + 1e-8)
        q = q - scale * lr * l2 * q if decays else q
        a = a + max(9 / (10 + t), 1e-4) * (q - a)
    np.testing.assert_allclose(p, q, rtol=1e-12)
    np.testing.assert_allclose(average, a, rtol=1e-12)


def trained(optimizer):
    """Return the losses of a network."""
    fix_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 6)).astype("f")
    y = np.sin(x[:, :2])
    model = chain(Relu(nO=16), Linear(nO=2))
    model.initialize(X=x, Y=y)
    losses = []
    for _ in range(40):
        found, backprop = model.begin_update(x)
        losses.append(float(((found - y) ** 2).mean()))
        backprop((found - y) / len(x))
        model.finish_update(optimizer)
        optimizer.step_schedules()
    with model.use_params(optimizer.averages):
        return [*losses, float(((model.predict(x) - y) ** 2).mean())]


def test_a_network_has_the_losses_of_thincs_adam():
    rate = {"learn_rate": 0.02, "L2": 0.01}
    ours, theirs = trained(Optimizer(**rate)), trained(Adam(**rate))
    assert ours[-2] < ours[0] / 4
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


REFUSED = {
    *("AdamHD", "AdamWScheduleFree", "DAdaptAdam", "DAdaptSGD", "DoG", "DoWG"),
    *("Prodigy", "SGDHD", "SGDScheduleFree", "SPS"),
}


@pytest.mark.parametrize("name", sorted({*lrcore.optimizers.available()} - REFUSED))
def test_any_optimizer_steps_as_by_itself(name):
    more = {k: v for k, v in MORE.get(name, {}).items() if k != "weight_decay"}
    lr, l2 = 0.01, 0.25
    p, _ = walk(Optimizer(name, lr, L2=l2, use_averages=False, **more), 6)
    decay = lr * l2
    q = np.random.default_rng(0).normal(size=(7, 5)).astype("f")
    kind = getattr(lrcore, name)
    hat = {"eps_hat": True} if issubclass(kind, lrcore.Adam) else {}
    opt = kind(
        q, lr=lr * (1.0 - decay), weight_decay=decay, decoupled_weight_decay=True,
        independent_weight_decay=True, clip_tensor_norm=1.0, **hat, **more,
    )  # fmt: skip
    for g in gradients((7, 5), 6):
        opt.step(g)
    assert same_bits(p, q)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_optimizers_that_need_more_than_one_array_are_refused(name):
    with pytest.raises(ValueError, match=f"name: {name} cannot be used here"):
        Optimizer(name)


# --- schedules ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schedule",
    [
        Cosine(0.1, total=9).warmup(3),
        "Cosine(0.1, total=9).warmup(3)",
        Cosine(0.1, total=9).warmup(3).__call__,
    ],
    ids=["schedule", "text", "function"],
)
def test_schedules_of_lrcore(schedule):
    values = [Cosine(0.1, total=9).warmup(3)(t) for t in range(12)]
    ours, theirs = Optimizer("SGD", schedule), Optimizer("SGD", values)
    assert same_bits(walk(ours, 12)[0], walk(theirs, 12)[0])


def test_the_pages_schedule_is_that_of_thinc():
    ours = Optimizer("SGD", "Linear(0.001, 0.0, total=19750).warmup(250, first=0)")
    theirs = SGD(warmup(0.001, 250, 20000))
    for _ in range(4):
        for _ in range(200):
            ours.step_schedules()
            theirs.step_schedules()
        rate = theirs.learn_rate(theirs.step) if NINE else theirs.learn_rate
        assert ours._at("learn_rate", KEY) == pytest.approx(rate, rel=1e-12)


def test_schedules_of_thinc():
    found = [
        walk(kind(learn_rate=warmup(0.1, 3, 9), L2=warmup(0.1, 3, 9)), 12)[0]
        for kind in (Optimizer, Adam)
    ]
    np.testing.assert_allclose(*found, rtol=0, atol=1e-5)


@pytest.mark.skipif(not NINE, reason="schedules of thinc 8 do not know the key")
def test_a_schedule_may_depend_on_the_key_and_the_score():
    def rates(schedule, step, *, key, last_score, **others):
        return 0.5 if key == KEY else last_score[1]

    optimizer = Optimizer("SGD", schedules.Schedule("own", rates), grad_clip=0)
    optimizer.last_score = 0.25
    a, b = np.zeros((2, 1), "f")
    optimizer(KEY, a, np.ones(1, "f"))
    optimizer((8, "W"), b, np.ones(1, "f"))
    assert (a[0], b[0]) == (-0.5, -0.25)


@pytest.mark.parametrize("l2_is_decay", [True, False])
def test_a_rate_that_decays_by_more_than_all_names_l2(l2_is_decay):
    optimizer = Optimizer("SGD", 2.0, L2=1.0, L2_is_weight_decay=l2_is_decay)
    w = np.ones(3, "f")
    if l2_is_decay:
        words = r"L2: .*learn_rate L2 <= 1, found 1 \* 2 \* 1"
        with pytest.raises(ValueError, match=words):
            optimizer(KEY, w, np.ones(3, "f"))
        assert (w == 1).all()
        optimizer(KEY, w, np.ones(3, "f"), lr_scale=0.5)
    else:
        optimizer(KEY, w, np.ones(3, "f"))
    assert (w != 1).all()


@pytest.mark.parametrize("name", ["b1", "b2", "eps", "grad_clip", "use_radam"])
def test_what_is_fixed_cannot_be_set(name):
    optimizer = Optimizer(beta1=0.8)
    kept = getattr(optimizer, name)
    with pytest.raises(AttributeError, match=f"{name}: cannot be set"):
        setattr(optimizer, name, 0.5)
    assert getattr(optimizer, name) is kept
    scheduled = Optimizer("SGD", 1.0, grad_clip=[2.0, 2.0])
    scheduled.grad_clip = 0.5
    scheduled.step_schedules()


def test_rates_can_be_set():
    optimizer = Optimizer("SGD", 1.0, grad_clip=0)
    w = np.zeros(1, "f")
    optimizer(KEY, w, np.ones(1, "f"))
    optimizer.learn_rate = 0.5
    optimizer(KEY, w, np.ones(1, "f"))
    assert w[0] == -1.5
    optimizer.L2 = 0.5
    optimizer(KEY, w, np.zeros(1, "f"))
    assert w[0] == -1.125


# --- arrays ---------------------------------------------------------------------------


def test_arrays_join_when_they_are_first_seen():
    optimizer = Optimizer()
    a, b = np.ones((2, 3), "f")
    for _ in range(3):
        optimizer(KEY, a, np.ones(3, "f"))
    optimizer((8, "b"), b, np.ones(3, "f"))
    assert {key: core.t for key, core in optimizer.cores.items()} == {
        KEY: 3,
        (8, "b"): 1,
    }
    assert optimizer.averages.keys() == optimizer.cores.keys()


def test_another_array_of_a_key_goes_on_from_its_state():
    straight, moved = Optimizer(), Optimizer()
    a = np.ones(5, "f")
    b, averages = a.copy(), []
    for k, g in enumerate(gradients(5, 6)):
        straight(KEY, a, g.copy())
        b = b.copy() if k == 3 else b
        found, _ = moved(KEY, b, g)
        assert found is b
        averages.append(moved.averages[KEY])
    assert same_bits(a, b)
    assert same_bits(straight.averages[KEY], moved.averages[KEY])
    assert averages[0] is averages[2]


def test_a_view_of_the_same_array_is_the_same():
    optimizer, w = Optimizer(), np.ones((2, 3), "f")
    optimizer(KEY, w, np.ones((2, 3), "f"))
    core = optimizer.cores[KEY]
    optimizer(KEY, w[:], np.ones((2, 3), "f"))
    assert optimizer.cores[KEY] is core
    optimizer(KEY, w.copy(), np.ones((2, 3), "f"))
    assert optimizer.cores[KEY] is not core


def test_gradients_of_another_layout_are_zeroed_too():
    optimizer, w = Optimizer("SGD", 1.0, grad_clip=0), np.zeros((2, 3), "f")
    g = np.ones((3, 2), "f").T
    optimizer(KEY, w, g)
    assert (w == -1).all()
    assert not g.any()


def test_empty_arrays_pass():
    optimizer, empty = Optimizer(), np.zeros((0, 3), "f")
    assert optimizer(KEY, empty, empty) == (empty, empty)
    assert optimizer.cores == {}


def test_a_read_only_array_is_refused_by_its_key():
    w = np.ones(3, "f")
    w.setflags(write=False)
    with pytest.raises(ValueError, match=r"weights of \(7, 'W'\): .*read-only"):
        Optimizer()(KEY, w, np.ones(3, "f"))


def test_a_pickle_goes_on():
    first = Optimizer("AdamW", Cosine(0.1, total=30), L2=0.1)
    walk(first, 5)
    again = pickle.loads(pickle.dumps(first))
    for ours, theirs in zip(walk(again, 9), walk(first, 9), strict=True):
        assert same_bits(ours, theirs)
    assert again.cores[KEY].t == 14


# --- arguments ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words", "given"),
    [
        (ValueError, "did you mean Adam", {"name": "Adm"}),
        (TypeError, "beta1, beta2: .*Adan has betas=", {"name": "Adan", "beta1": 0.9}),
        (TypeError, "beta1, beta2: .*SGD has no betas", {"name": "SGD", "beta2": 0.9}),
        (TypeError, "SGD: unexpected keyword 'eps'", {"name": "SGD", "eps": 1e-8}),
        (TypeError, "lr: .*use learn_rate", {"lr": 0.1}),
        (TypeError, "betas: .*beside beta1", {"betas": (0.5, 0.5), "beta1": 0.8}),
        (TypeError, "betas: .*beside beta2", {"betas": (0.5, 0.5), "beta2": 0.8}),
        (TypeError, "clip_norm: .*use grad_clip", {"clip_norm": 1.0}),
        (TypeError, "mechanic: .*all gradients", {"mechanic": True}),
        (TypeError, "comm: .*use one process", {"comm": Alone()}),
        (ValueError, "learn_rate: ", {"learn_rate": -1.0}),
        (ValueError, "L2: ", {"L2": np.nan}),
        (ValueError, "schedule, column 1: .*mean Cosine", {"learn_rate": "Cosin(1)"}),
        (TypeError, "unexpected keyword 'nesterov'", {"nesterov": True}),
    ],
    ids=str,
)
def test_wrong_arguments(error, words, given):
    with pytest.raises(error, match=words):
        Optimizer(**given)


def test_a_wrong_value_of_a_schedule_changes_nothing():
    for l2_is_decay in (True, False):
        optimizer = Optimizer(
            "SGD", [0.1, -0.1], L2=0.5, L2_is_weight_decay=l2_is_decay
        )
        optimizer.step_schedules()
        w, g = np.ones((2, 3), "f")
        with pytest.raises(ValueError, match="from its schedule learn_rate"):
            optimizer(KEY, w, g)
        assert (w == 1).all()
        assert (g == 1).all()
        assert (optimizer.cores, optimizer.averages) == ({}, {})


def read_only():
    g = np.ones(3, "f")
    g.setflags(write=False)
    return g


@pytest.mark.parametrize("g", [np.ones(2, "f"), np.ones((1, 3), "f"), read_only()])
@pytest.mark.parametrize("l2_is_decay", [True, False])
def test_a_wrong_gradient_changes_nothing(g, l2_is_decay):
    optimizer = Optimizer(L2=0.5, L2_is_weight_decay=l2_is_decay)
    w = np.ones(3, "f")
    with pytest.raises(ValueError, match=r"shape|broadcast|read-only"):
        optimizer(KEY, w, g)
    assert (w == 1).all()
    assert (g == 1).all()
    assert (optimizer.cores, optimizer.averages) == ({}, {})


def test_weights_are_no_gradient():
    optimizer, w = Optimizer(L2=0.5, L2_is_weight_decay=False), np.ones(3, "f")
    with pytest.raises(ValueError, match="share memory"):
        optimizer(KEY, w, w)
    assert (w == 1).all()


def test_the_registry_has_it():
    config = {
        "@optimizers": "lrcore.v1", "name": "SGD", "learn_rate": 0.5, "grad_clip": 0,
        "options": {"momentum": 0.5, "nesterov": True},
    }  # fmt: skip
    found = registry.resolve({"optimizer": config})["optimizer"]
    assert type(found) is Optimizer
    w = np.zeros(1, "f")
    found(KEY, w, np.ones(1, "f"))
    assert w[0] == -0.75
    config["options"] = {"betas": (0.9, 0.99)}
    with pytest.raises(TypeError, match="SGD: unexpected keyword 'betas'"):
        registry.resolve({"optimizer": config})
