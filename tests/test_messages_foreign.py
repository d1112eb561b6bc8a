"""Params and gradients of other libraries: the message says what to pass instead."""

from dataclasses import dataclass

import numpy as np
import pytest
from wrong import Unprintable, message

import lrcore


def of(module, name="Tensor", **attributes):
    """Return an object of a type that says it is of a library."""
    return type(name, (), {"__module__": module, **attributes})()


def empty(self):
    return iter(())


class Network:
    """A network of the user's own, or of torch."""

    def __init__(self):
        self.w = np.ones(3)


class Module(Network):
    def named_parameters(self):
        return empty(self)


@dataclass
class Layer:
    w: object


@dataclass(slots=True)
class Slots:
    w: object


TENSOR = of("torch", __iter__=empty)
SHARES = "; pass ....detach().numpy(), which shares"
COPY = "keep p = numpy.array(...), pass p, and after each step give "
PARAMS = {
    "a tensor": (TENSOR, SHARES),
    "a list of tensors": ([of("torch.nn.parameter", __iter__=empty)], SHARES),
    "a module": (Module(), "; pass {name: p.detach().numpy() for name, p in module."),
    "JAX": (
        of("jaxlib._jax", __iter__=empty),
        COPY + "jax.numpy.asarray(p.copy()) to JAX",
    ),
    "TensorFlow": (of("tensorflow.python.ops"), COPY + "p to the variable: .assign(p)"),
    "pandas": (
        of("pandas.core.series", __iter__=empty),
        "....to_numpy(numpy.float64, ",
    ),
    "a GPU": (of("cupy"), "keep p = cupy.asnumpy(...), pass p"),
    "another array": (of("xarray", __array__=empty), "; make a copy as an array, keep"),
    "a dataclass": (Layer(1), "; pass a dict of its arrays, as vars(...)"),
    "a dataclass with slots": (
        Slots(1),
        "found test_messages_foreign.Slots; pass a dict",
    ),
    "a network": (Network(), "; pass a dict of its arrays, as vars(...)"),
    "a number": (1.0, "; make one array of all numbers, keep it"),
    "a list of numbers": (
        {"w": [1.0, 2.0]},
        "; make one array of all numbers, keep it",
    ),
    "a generator": ((a for a in ()), "; pass list(...) of its arrays"),
    "objects": (np.array([None]), "found an array of objects; pass list(...) of its"),
    "a group": (
        [{"lr": 0.1}],
        "; a group has its arrays under the key 'params': [{'pa",
    ),
    "one group": ({"params": np.ones(2), "momentum": 0.9}, "; a group has its arrays"),
    "a group and arrays": ([{"w": np.ones(2), "lr": 0.1}], "params[0]['lr']: expected"),
}


@pytest.mark.parametrize("what", PARAMS)
def test_what_to_pass_instead_of_params(what):
    params, said = PARAMS[what]
    found = message(lrcore.SGD, params)
    assert said in found
    assert found.startswith("params")


@pytest.mark.parametrize("params", ["abc", [None], Layer, len, Unprintable(), object()])
def test_no_advice_is_better_than_one_that_does_not_help(params):
    assert message(lrcore.SGD, params).rpartition("found")[2].count(";") == 0


def test_the_advice_on_a_network_works():
    network = Network()
    opt = lrcore.SGD(vars(network), lr=1.0)
    opt.step({"w": np.ones(3)})
    assert network.w.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("array", "how"),
    [
        (np.ones(3, int), "{0} = {0}.astype(numpy.float32)"),
        (np.ones((3, 4))[:, 0], "{0} = numpy.ascontiguousarray({0})"),
        (np.broadcast_to(1.0, (1,)), "{0} = {0}.copy()"),
    ],
)
def test_an_array_in_a_container_is_to_be_converted_there(array, how):
    params = {"body": [array]}
    said = message(lrcore.SGD, params)
    line = how.format("params['body'][0]")
    assert said.endswith(f"; convert it in its place: {line}")
    exec(line, {"params": params, "numpy": np})
    lrcore.SGD(params, lr=1.0).step({"body": [np.ones_like(params["body"][0])]})
    assert (params["body"][0] == 0).all()
    for without_place in (array, {"body": (array,)}, {"long" * 100: array}):
        said = message(lrcore.SGD, without_place)
        assert (
            f"; convert it once, keep the result and pass it: {how.format('p')}" in said
        )


def test_tied_arrays():
    w = np.ones(3)
    said = message(lrcore.SGD, {"embedding": w, "output": w})
    assert said == (
        "params['output']: found to share memory with params['embedding']; pass tied "
        "weights once, with the sum of their gradients; to train them apart pass "
        "a copy of one"
    )


def test_what_to_pass_instead_of_a_gradient():
    opt = lrcore.SGD([np.ones(3)])
    assert message(opt.step, [TENSOR]).endswith("; pass ....detach().cpu().numpy()")
    assert message(opt.step, [of("cupy")]).endswith("; pass cupy.asnumpy(...)")
    for other in (of("jaxlib"), [1.0], 1.0):
        said = message(opt.step, [other])
        assert said.endswith("; pass numpy.asarray(..., numpy.float64)")


def test_what_is_written_is_not_to_be_converted_for_the_call():
    """A conversion in the call would be updated, and lost."""
    g = np.ones(3)
    said = message(lambda: lrcore.kernels.sgd(g.astype(int), g, t=1))
    assert said.endswith(
        "; convert it once, keep the result and pass it: p = p.astype(numpy.float32)"
    )
    said = message(lambda: lrcore.kernels.sgd([1.0], g, t=1))
    assert said.startswith("p: expected a numpy.ndarray, found list; make one array")
    said = message(lrcore.clip_by_global_norm, [g.astype(int)], 1.0)
    assert said.endswith("in its place: grads[0] = grads[0].astype(numpy.float32)")
