"""Each gathered gradient has the factors of its own call."""

import copy
import pickle
import tempfile

import numpy as np
import pytest

import lrcore


def gathering(w, **options):
    """Return an optimizer by whose step w is minus the mean gradient."""
    return lrcore.SGD(w, lr=1.0, accumulate=3, **options)


@pytest.fixture
def w():
    return np.zeros(1)


def array(x):
    return np.array([float(x)])


# --- flush ----------------------------------------------------------------------------


def test_a_flush_after_the_block_has_the_scale_of_the_calls(w):
    opt, scaler = gathering(w), lrcore.LossScaler(4.0)
    scaler.step(opt, array(4))
    scaler.step(opt, array(8))
    assert opt.flush()
    assert w == -1.5


def test_the_flush_of_a_scaler_is_a_step_of_it(w):
    opt, scaler = gathering(w), lrcore.LossScaler(4.0, growth_interval=1)
    assert not scaler.flush(opt)
    assert (scaler.scale, opt.t) == (4.0, 0)  # nothing was gathered
    scaler.step(opt, array(4))
    assert scaler.flush(opt)
    assert (w, scaler.scale) == (-1.0, 8.0)
    scaler.step(opt, array(np.inf))
    assert not scaler.flush(opt)
    assert (w, scaler.scale) == (-1.0, 4.0)


def test_a_flush_after_the_block_skips_what_is_not_finite(w):
    opt = gathering(w)
    lrcore.LossScaler(4.0).step(opt, array(np.inf))
    assert not opt.flush()
    assert (w, opt.t) == (0.0, 0)
    opt.step(array(np.inf))  # outside of the block it is the optimizer's own option
    assert opt.flush()
    assert w == -np.inf


def loaded(both):
    """Return new params and an optimizer that has loaded the state of another."""
    w, opt = both
    other = gathering(p := w.copy())
    other.load_state_dict(opt.state_dict())
    return p, other


def from_file(both):
    """Return new params and an optimizer that has loaded the file of another."""
    w, opt = both
    other = gathering(p := w.copy())
    with tempfile.TemporaryDirectory() as folder:
        opt.save(f"{folder}/run")
        other.load(f"{folder}/run")
    return p, other


def grown(both):
    """Return the optimizer with one more group."""
    w, opt = both
    opt.add_group(np.zeros(2))
    return w, opt


@pytest.mark.parametrize(
    "again",
    [
        copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both)),
        loaded, from_file, grown,
    ],
    ids=["deepcopy", "pickle", "state_dict", "file", "add_group"],
)  # fmt: skip
def test_another_optimizer_flushes_as_this_one_would(w, again):
    """By the same scale; and it skips what that would."""
    opt = gathering(w)
    lrcore.LossScaler(4.0).step(opt, array(4))
    p, twin = again((w, opt))
    assert twin.flush()
    assert p == -1.0
    opt = gathering(w := np.zeros(1))
    lrcore.LossScaler(4.0).step(opt, array(np.inf))
    p, twin = again((w, opt))
    assert not twin.flush()
    assert (p, twin.t) == (0.0, 0)


def test_a_dict_without_the_entry_does_not_skip(w):
    """As those have that were saved before there was one."""
    opt = gathering(np.zeros(1))
    lrcore.LossScaler(4.0).step(opt, array(np.inf))
    saved = opt.state_dict()
    assert saved.pop("gathered_skips") is True
    other = gathering(w)
    with pytest.warns(UserWarning, match="found NaN or infinity in .*acc"):
        other.load_state_dict(saved)
    assert other.flush()
    assert w == -np.inf


# --- factors that change --------------------------------------------------------------


def test_a_scale_that_changes_while_it_gathers(w):
    opt, scaler = gathering(w), lrcore.LossScaler(2.0)
    for scale in (2.0, 4.0, 8.0):  # of gradients 1, 2 and 3
        scaler.scale = scale
        scaler.step(opt, array(scale * np.log2(scale)))
    assert w == -2.0


def test_blocks_and_steps_outside_of_them(w):
    opt = gathering(w)
    with opt.scaled(0.5):
        opt.step(array(2))
    opt.step(array(2))
    with opt.scaled(0.25):
        assert opt.step(array(12))
    assert w == -2.0


def test_a_grad_scale_that_is_set_while_it_gathers(w):
    opt = gathering(w, grad_scale=0.5)
    opt.step(array(2))
    opt.grad_scale = 0.25
    opt.step(array(8))
    opt.grad_scale = lambda t: 1.0
    assert opt.step(array(3))
    assert w == -2.0


# --- the scaler's scale ---------------------------------------------------------------


def test_a_step_without_any_gradient_leaves_the_scale():
    params, scaler = {"a": np.zeros(1), "b": np.zeros(1)}, lrcore.LossScaler(4.0)
    opt = lrcore.SGD(params, lr=1.0)
    assert not scaler.step(opt, {"a": None, "b": None})
    assert scaler.scale == 4.0


@pytest.mark.parametrize("method", ["step", "flush"])
def test_a_scaler_names_what_is_no_optimizer(method):
    arguments = (None, array(1)) if method == "step" else (None,)
    with pytest.raises(
        TypeError, match="opt: expected an optimizer of lrcore, found N"
    ):
        getattr(lrcore.LossScaler(), method)(*arguments)


def test_a_saved_scale_of_gathered_gradients_is_checked(w):
    opt = gathering(w)
    saved = opt.state_dict() | {"gathered_scale": -1.0}
    with pytest.raises(
        ValueError, match="gathered_scale: expected a finite number > 0"
    ):
        opt.load_state_dict(saved)
