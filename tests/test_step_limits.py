"""Steps side by side, within each other, interrupted; what a step costs and keeps."""

import inspect
import signal
import threading
import tracemalloc
import weakref

import numpy as np
import plans
import pytest
from helpers import KINDS, each_row, make, same_bits

import lrcore
from lrcore import reference
from lrcore.schedules import Cosine

pytestmark = pytest.mark.isa


# --- threads --------------------------------------------------------------------------


def test_two_python_threads_step_two_optimizers():
    def work(results, k):
        p = np.zeros(70_000)
        opt = lrcore.Adam(p, lr=0.1)
        for t in range(50):
            opt.step(np.full(70_000, 1.0 + t))
        results[k] = p

    results = {}
    threads = [threading.Thread(target=work, args=(results, k)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work(results, "alone")
    assert same_bits(results[0], results["alone"])
    assert same_bits(results[1], results["alone"])


def test_a_step_within_a_step_is_refused():
    """As from another thread: here through a key whose comparison steps again."""
    errors = []

    class Key(str):
        __hash__ = str.__hash__

        def __eq__(self, other):
            if opt.t == 0 and not errors:
                try:
                    opt.step(grads)
                except RuntimeError as error:
                    errors.append(str(error))
            return str(self) == str(other)

    params = {Key("a"): np.ones(2)}
    opt = lrcore.SGD(params)
    grads = {Key("a"): np.ones(2)}
    opt.step(grads)
    assert errors == ["this optimizer is in the middle of a step"]
    assert opt.t == 1


def test_threads_of_an_optimizer_can_be_set():
    opt = lrcore.Adam(np.zeros(3))
    assert opt.num_threads is None
    opt.num_threads = 3
    assert opt.num_threads == 3
    assert opt.denormals == "flush"
    opt.denormals = "keep"
    assert opt.denormals == "keep"


# --- what a step costs ----------------------------------------------------------------


def test_a_step_makes_no_array():
    params = {"W": np.ones((300, 100), np.float32), "b": np.ones(20_000, np.float32)}
    grads = {name: np.ones_like(p) for name, p in params.items()}
    opt = lrcore.Adam(params, lr=Cosine(0.1, total=1000))
    opt.step(grads)
    tracemalloc.start()
    for _ in range(100):
        opt.step(grads)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < params["b"].nbytes / 10, "less than any array of a parameter's size"


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize(
    "name",
    ["AdamW", "LAMB", "NovoGrad", "DoG", "Prodigy", "SPS", "Adafactor", "SM3", "Muon"],
)
def test_a_step_with_norms_makes_no_array(name, order):
    p = np.ones((1000, 1000), np.float32, order=order)
    g = np.full_like(p, 0.5)
    opt = KINDS[name](p, clip_norm=1.0, clip_tensor_norm=0.9, skip_nonfinite=True)
    opt.step(g)
    tracemalloc.start()
    try:
        assert opt.step(g)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.05 * g.nbytes


def test_an_interrupt_does_not_lose_count():
    """A handler that raises runs between a step and what follows it in Python."""
    p = np.zeros(1)
    opt = lrcore.SGD(p, lr=1.0)
    g = np.ones(1)
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(100):
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012 # it comes anywhere
                signal.setitimer(signal.ITIMER_REAL, 2e-4)
                while True:
                    opt.step(g)
    finally:
        signal.signal(signal.SIGALRM, handler)
    assert opt.t == -p[0]


def test_an_optimizer_is_freed_with_its_last_reference():
    opt = lrcore.Adam(np.ones(3))
    gone = weakref.ref(opt)
    del opt
    assert gone() is None


def test_states_cannot_be_resized_or_rebound():
    opt = lrcore.Adam(np.ones(3))
    with pytest.raises(ValueError, match="resize"):
        opt.state[0]["m"].resize(1, refcheck=False)
    with pytest.raises(TypeError):
        opt.state[0]["m"] = np.ones(3)


def test_a_great_number_of_threads_is_at_most_that():
    p = np.zeros(100_000)
    lrcore.SGD(p, lr=1.0, num_threads=100_000).step(np.ones(100_000))
    assert (p == -1).all()


def test_repr_says_what_there_is():
    text = repr(lrcore.SGD({"W": np.ones((10, 200))}, lr=0.1))
    assert "SGD of 2,000 elements in 1 arrays, t=0" in text
    assert "lr=0.1" in text


def test_nadam_with_a_beta_next_to_1():
    """Its products of mu take 1e9 steps and more until they vanish.

    The first step is lr, as m has a part of 1e-9 in it, and eps is 1e-8.
    """
    p = np.ones(1)
    assert lrcore.NAdam(p, lr=0.1, betas=(1 - 1e-9, 0.999)).step(np.ones(1))
    assert p[0] == pytest.approx(0.9, abs=2e-9)


def test_what_cannot_be_folded_is_not_set():
    opt = lrcore.Adam(np.ones(2), amsgrad=True, convention="optax")
    (group,) = opt.param_groups
    with pytest.raises(ValueError, match="amsgrad_hat: found with eps_hat"):
        group["eps_hat"] = True
    assert group["eps_hat"] is False
    saved = {**opt.state_dict(), "t": 5}
    saved["param_groups"] = [{**saved["param_groups"][0], "eps_hat": True}]
    with pytest.raises(ValueError, match="amsgrad_hat: found with eps_hat"):
        opt.load_state_dict(saved)
    assert opt.t == 0


@pytest.mark.parametrize(
    ("factoring", "coefs"), [("product", (0.5, 1e-3, 0.0)), ("least", (1e-3,))]
)
def test_factors_of_what_is_not_finite_equal_the_reference(factoring, coefs):
    g = np.array([[1, np.nan, 2], [3, np.inf, 5.0]])
    sides = [np.ones(2), np.ones(3)]
    u, new = plans.factored(factoring, coefs, g, g, [(x, x.size) for x in sides])
    wanted = reference.unfactor(factoring, g, sides, coefs)
    assert all(map(same_bits, (u, *new), (wanted[0], *wanted[1])))


@each_row
def test_a_step_warns_of_nothing(row):
    """Whatever numpy.seterr() says: what is made before is as the kernels."""
    for value in (np.nan, np.inf, 1e30, 1e-30):
        params = [np.ones((2, 3), np.float32), np.ones(3, np.float32)]
        opt = make(row, params)
        with np.errstate(all="raise"):
            for _ in range(2):
                assert opt.step([np.full_like(p, value) for p in params])


def test_a_convention_leaves_what_a_child_gives():
    class Passes(lrcore.SGD):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)

    class Gives(lrcore.Adam):
        def __init__(self, params, small=1e-3):
            super().__init__(params, eps=small, convention="keras")

    assert Passes(np.ones(2), 0.5, convention="keras").lr == 0.5
    assert Passes(np.ones(2), convention="keras").lr == 0.01
    (group,) = Gives(np.ones(2)).param_groups
    assert group["eps"] == 1e-3
    assert group["eps_hat"] is True
    assert inspect.getdoc(Passes) == inspect.getdoc(lrcore.SGD)


# --- averages -------------------------------------------------------------------------


def test_only_averages_are_put_into_the_params():
    """Not the momentum; nor one number, which would fill the params."""
    for opt, name in (
        (lrcore.Adam(np.ones(2)), "m"),
        (lrcore.NovoGrad(np.ones(2)), "norm2"),
        (lrcore.LAMB(np.ones(2)), "u"),
    ):
        refused = pytest.raises(AttributeError, match=f"no {name} is kept")
        with refused, opt.averaged(name):
            pass
        assert opt.step(np.ones(2))


def test_averages_cannot_be_put_into_a_read_only_array():
    p, q = np.zeros(2), np.zeros(2)
    opt = lrcore.SGD([p, q], lr=1.0, ema_decay=0.5)
    opt.step([np.ones(2), np.ones(2)])
    opt.step([np.ones(2), np.ones(2)])
    q.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"), opt.averaged():
        pass
    assert p.tolist() == q.tolist() == [-2, -2]
    q.flags.writeable = True
    assert opt.step([np.ones(2), np.ones(2)])


def test_a_schedule_cannot_end_an_average():
    p = np.zeros(2)
    opt = lrcore.SGD(p, ema_decay=lambda t: 0.5 if t == 0 else None, swa_start=0)
    opt.step(np.ones(2))
    with pytest.raises(TypeError, match="ema_decay: expected numbers, found None from"):
        opt.step(np.ones(2))
    assert opt.t == 1
