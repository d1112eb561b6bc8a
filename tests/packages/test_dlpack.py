"""Gradients of JAX and torch, given to lrcore's own optimizers without a copy."""

import numpy as np
import pytest
from wrong import message

import lrcore

GIVEN = [[1.0, -2.0, 3.0], [0.5, 0.25, -0.125]]


def from_jax(dtype):
    jnp = pytest.importorskip("jax.numpy", reason="needs JAX: make test-packages")
    return jnp.asarray(GIVEN, dtype)


def from_torch(dtype):
    torch = pytest.importorskip("torch", reason="needs torch: make test-torch")
    return torch.tensor(GIVEN, dtype=getattr(torch, dtype))


each_library = pytest.mark.parametrize("made", [from_jax, from_torch])


@each_library
def test_a_gradient_is_read_where_it_is(made, monkeypatch):
    g = made("float32")
    p = np.zeros((2, 3), np.float32)
    opt = lrcore.SGD({"p": p}, lr=1.0)
    opt.step({"p": g})
    np.testing.assert_array_equal(p, np.negative(GIVEN))
    opt.step_one("p", g)
    np.testing.assert_array_equal(p, -2 * np.array(GIVEN))
    seen, view = [], np.from_dlpack

    def kept(g, **how):
        seen.append(view(g, **how))
        return seen[-1]

    monkeypatch.setattr(np, "from_dlpack", kept)
    opt.step({"p": g})
    assert np.shares_memory(seen[0], np.from_dlpack(g))


@each_library
def test_what_cannot_be_read_says_what_to_pass(made):
    opt = lrcore.SGD(np.zeros((2, 3), np.float32))
    said = message(opt.step, made("bfloat16"))
    assert "grads: expected a numpy.ndarray, found" in said
    assert "; pass " in said
    assert "expected shape (2, 3)" in message(opt.step, made("float32")[0])
    assert "found float16" in message(opt.step, made("float16"))


def test_a_deleted_array_says_so():
    g = from_jax("float32")
    g.delete()
    opt = lrcore.SGD(np.zeros((2, 3), np.float32))
    with pytest.raises(TypeError, match="which has been deleted, as by") as raised:
        opt.step(g)
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_params_of_jax_are_refused():
    jnp = pytest.importorskip("jax.numpy", reason="needs JAX: make test-packages")
    said = message(lrcore.SGD, [jnp.ones(3)])
    assert "params[0]: " in said
    assert "keep p = numpy.array(...), pass p" in said


def test_zero_grads_refuses_what_jax_does_not_let_write():
    g = from_jax("float32")
    opt = lrcore.SGD(np.zeros((2, 3), np.float32), zero_grads=True)
    assert message(opt.step, g).endswith("could not zero; pass numpy.array(...)")
    opt.step(np.array(g))


def test_zero_grads_zeroes_a_tensor():
    g = from_torch("float32")
    lrcore.SGD(np.zeros((2, 3), np.float32), zero_grads=True).step(g)
    assert not g.any()


def test_a_tensor_with_the_negative_bit_is_refused_and_the_advice_works():
    torch = pytest.importorskip("torch", reason="needs torch: make test-torch")
    g = torch._neg_view(from_torch("float32"))
    p = np.zeros((2, 3), np.float32)
    opt = lrcore.SGD(p, lr=1.0)
    said = message(opt.step, g)
    assert said.endswith("; pass ....detach().resolve_neg().cpu().numpy()")
    opt.step(g.detach().resolve_neg().cpu().numpy())
    np.testing.assert_array_equal(p, GIVEN)


def test_a_tensor_in_a_graph_is_refused():
    g = from_torch("float32").requires_grad_()
    said = message(lrcore.SGD(np.zeros((2, 3), np.float32)).step, g)
    assert said.endswith("; pass ....detach().cpu().numpy()")
