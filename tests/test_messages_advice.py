"""Advice in messages about arrays, followed to the letter: it has to work."""

import ctypes
from array import array as buffer
from collections import UserDict
from types import MappingProxyType

import numpy as np
import pytest
from wrong import message

import lrcore

W = np.ones(2)
MAPPINGS = {
    "mappingproxy": MappingProxyType({"w": W}),
    "UserDict": UserDict(w=W),
    "items": {"w": W}.items(),
}
BUFFERS = {
    "array": buffer("d", [1.0, 1.0]),
    "memoryview": memoryview(np.ones(2)),
    "ctypes": (ctypes.c_double * 2)(1.0, 1.0),
}


@pytest.mark.parametrize("what", MAPPINGS)
def test_a_mapping_is_passed_as_a_dict(what):
    found = MAPPINGS[what]
    assert message(lrcore.SGD, found).endswith("; pass dict(...), with the same arrays")
    assert lrcore.SGD(dict(found)).param_groups[0]["params"]["w"] is W


@pytest.mark.parametrize("what", BUFFERS)
def test_a_buffer_is_passed_as_an_array_that_shares_it(what):
    found = BUFFERS[what]
    said = message(lrcore.SGD, found)
    assert said.endswith("; pass numpy.asarray(...), which shares its memory")
    lrcore.SGD(np.asarray(found), lr=1.0).step(np.ones(2))
    assert list(found) == [0.0, 0.0]


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_the_imaginary_part_is_not_lost(dtype):
    z = np.array([1 + 1j], dtype)
    real = z.real.dtype
    assert f"; pass ....view(numpy.{real}), the real and im" in message(lrcore.SGD, z)
    opt = lrcore.SGD(z.view(real), lr=1.0)
    assert message(opt.step, z).endswith(
        f"; pass ....view(numpy.{real}) if the params are this view of complex "
        "numbers, or ....real.copy()"
    )
    opt.step(z.copy().view(real))
    assert z == 0


@pytest.mark.parametrize("dtype", [">f8", np.longdouble])
def test_a_wide_param_is_not_made_narrow(dtype):
    said = message(lrcore.SGD, np.ones(2, dtype))
    assert said.endswith("p = p.astype(numpy.float64)")


def test_a_record_is_passed_as_a_dict_of_its_fields():
    a = np.zeros(3, [("x", "f4"), ("y", "f4")])
    assert "an array of its own for each field: {name: numpy.asc" in message(
        lrcore.SGD, a
    )
    fields = {name: np.ascontiguousarray(a[name]) for name in a.dtype.names}
    lrcore.SGD(fields).step({name: np.ones(3, "f4") for name in fields})


@pytest.mark.parametrize("dtype", ["U1", "S1", "M8[D]"])
def test_no_advice_on_what_has_no_numbers(dtype):
    assert ";" not in message(lrcore.SGD, np.zeros(2, dtype))


@pytest.mark.parametrize("found", ["ab", {"x": W}, object(), {1.0}, b"ab"])
def test_no_advice_on_a_gradient_that_is_no_number(found):
    opt = lrcore.SGD([np.ones(2)])
    assert ";" not in message(opt.step, [found])


def test_a_param_that_became_read_only_is_made_writable_again():
    w = np.ones(2)
    opt = lrcore.SGD(w, lr=1.0, ema_decay=0.5)
    stopping = lrcore.EarlyStopping(params=w)
    stopping.update(1.0)
    w.setflags(write=False)
    for act in (
        lambda: opt.step(np.ones(2)),
        lambda: opt.averaged().__enter__(),
        stopping.restore,
    ):
        assert message(act).endswith("; make it writable again: .setflags(write=True)")
    w.setflags(write=True)
    assert opt.step(np.ones(2))
