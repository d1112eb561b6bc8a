"""Gradients in memory that is not NumPy's: buffers of numbers, and DLPack."""

import ctypes
import mmap
from array import array

import numpy as np
import pytest
from wrong import message

import lrcore

GIVEN = [1.0, -2.0, 3.0]


class Foreign:
    """A tensor of a library that NumPy knows by DLPack only."""

    def __init__(self, numbers, on_ask=None):
        self.numbers, self.on_ask = numbers, on_ask

    def __dlpack__(self, **given):
        if self.on_ask:
            self.on_ask()
        return self.numbers.__dlpack__(**given)

    def __dlpack_device__(self):
        return self.numbers.__dlpack_device__()


def read_only():
    numbers = np.array(GIVEN, np.float32)
    numbers.setflags(write=False)
    return memoryview(numbers)


BUFFERS = {
    "array": lambda: array("f", GIVEN),
    "ctypes": lambda: (ctypes.c_float * 3)(*GIVEN),
    "memoryview": lambda: memoryview(np.array(GIVEN, np.float32)),
    "read-only": read_only,
    "DLPack": lambda: Foreign(np.array(GIVEN, np.float32)),
}
each_buffer = pytest.mark.parametrize("what", BUFFERS)


@each_buffer
@pytest.mark.parametrize("convert_grads", [False, True])
def test_a_step_reads_it_where_it_is(what, convert_grads):
    p, q = np.zeros((2, 3), np.float32)
    opt = lrcore.SGD({"p": p, "q": q}, lr=1.0, convert_grads=convert_grads)
    opt.step({"p": BUFFERS[what](), "q": np.ones(3, np.float32)})
    assert p.tolist() == [-1.0, 2.0, -3.0]
    assert q.tolist() == [-1.0, -1.0, -1.0]
    opt.step({"p": None, "q": BUFFERS[what]()})
    assert q.tolist() == [-2.0, 1.0, -4.0]
    opt.step_one("q", BUFFERS[what]())
    opt.step_one("p", BUFFERS[what]())
    assert p.tolist() == [-2.0, 4.0, -6.0]


@pytest.mark.parametrize("what", ["array", "memoryview"])
def test_it_is_zeroed_where_it_is(what):
    g = BUFFERS[what]()
    opt = lrcore.SGD([np.zeros(3, np.float32)], zero_grads=True)
    opt.step([g])
    assert list(g) == [0.0, 0.0, 0.0]
    g[0] = 1.0
    opt.step_one(0, g)
    assert list(g) == [0.0, 0.0, 0.0]


def test_what_cannot_be_zeroed_is_refused():
    p = np.ones(3, np.float32)
    opt = lrcore.SGD([p], zero_grads=True)
    assert "grads[0]: found a read-only array" in message(opt.step, [read_only()])
    assert "grad: found a read-only array" in message(opt.step_one, 0, read_only())
    assert (p == 1).all()


def test_a_matrix_has_a_matrix():
    p = np.zeros((2, 3), np.float32)
    opt = lrcore.SGD(p, lr=1.0)
    numbers = array("f", [*GIVEN, *GIVEN])
    assert "expected shape (2, 3) as params has, found (6,)" in message(
        opt.step, numbers
    )
    opt.step(memoryview(numbers).cast("B").cast("f", (2, 3)))
    assert p.tolist() == [[-1.0, 2.0, -3.0]] * 2


def test_another_dtype_is_converted_if_that_is_asked():
    numbers, p = array("i", [1, -2, 3]), np.zeros(3, np.float32)
    said = message(lrcore.SGD(p).step, numbers)
    assert "grads: expected dtype float32 or float64, found int32" in said
    lrcore.SGD(p, lr=1.0, convert_grads=True).step(numbers)
    assert p.tolist() == [-1.0, 2.0, -3.0]


@pytest.mark.parametrize(
    "raw",
    [
        bytearray(12), mmap.mmap(-1, 12), (ctypes.c_ubyte * 12)(),
        (ctypes.c_byte * 12)(), (ctypes.c_char * 12)(),
    ],
    ids=type,
)  # fmt: skip
@pytest.mark.parametrize("convert_grads", [False, True])
def test_bytes_are_refused_and_the_advice_works(raw, convert_grads):
    p = np.ones(len(raw) if convert_grads else 3, np.float32)
    opt = lrcore.SGD(p, convert_grads=convert_grads)
    assert "; pass numpy.frombuffer(..., numpy.float32), with" in message(opt.step, raw)
    opt = lrcore.SGD(p := np.ones(3, np.float32))
    opt.step(np.frombuffer(raw, np.float32))
    assert (p == 1).all()


def test_the_memory_of_a_parameter_is_no_gradient():
    p = np.ones(3, np.float32)
    for g in (memoryview(p), Foreign(p)):
        said = message(lrcore.SGD([p]).step, [g])
        assert "grads[0]: found to share memory with params[0]" in said
    assert (p == 1).all()


def test_code_of_the_library_cannot_pull_the_memory_away():
    p = np.zeros(3, np.float32)
    opt = lrcore.SGD(p, lr=1.0)
    moves = Foreign(np.ones(3, np.float32), lambda: p.resize(99, refcheck=False))
    assert "expected shape (99,) as params has" in message(opt.step, moves)
    assert not p.any()


def nested():
    return {"in": {"p": np.zeros(3, np.float32)}, "q": np.zeros(3, np.float32)}


def replace_an_array(params):
    params["q"] = np.zeros(3, np.float32)


def replace_a_container(params):
    params["in"] = {"p": np.zeros(3, np.float32)}


def add_an_array(params):
    params["more"] = np.zeros(3, np.float32)


@pytest.mark.parametrize(
    "change", [replace_an_array, replace_a_container, add_an_array]
)
@pytest.mark.parametrize("scalar", [False, True])
def test_code_of_the_library_cannot_replace_a_parameter(change, scalar):
    params = nested()
    if scalar:
        params["q"] = np.zeros((), np.float32)
    p, q = params["in"]["p"], params["q"]
    opt = lrcore.SGD(params, lr=1.0)
    last = Foreign(np.ones_like(q), lambda: change(params))
    said = message(opt.step, {"in": {"p": np.ones(3, np.float32)}, "q": last})
    assert "params" in said
    assert (opt.t, p.any(), q.any()) == (0, False, False)


def test_code_of_the_library_cannot_replace_a_groups_params():
    p, new = np.zeros((2, 3), np.float32)
    group = {"params": [p]}
    opt = lrcore.SGD([group], lr=1.0)
    last = Foreign(np.ones(3, np.float32), lambda: group.update(params=[new]))
    assert "params[0]['params']: " in message(opt.step, [[last]])
    assert (opt.t, p.any()) == (0, False)


def test_an_error_of_the_library_is_no_array():
    def fails():
        raise BufferError("on another device")

    p = np.zeros(3, np.float32)
    opt = lrcore.SGD(p)
    for call in (opt.step, lambda g: opt.step_one(0, g)):
        with pytest.raises(TypeError, match="found test_buffers") as raised:
            call(Foreign(np.ones(3, np.float32), fails))
        assert isinstance(raised.value.__cause__, BufferError)


def test_a_step_within_a_step_says_so():
    opt = lrcore.SGD(np.zeros(3, np.float32))
    inner = Foreign(np.ones(3, np.float32), lambda: opt.step(np.ones(3, np.float32)))
    with pytest.raises(TypeError) as raised:
        opt.step(inner)
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert opt.t == 0


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, ZeroDivisionError])
def test_an_error_that_says_nothing_about_the_array_passes_through(error):
    def fails():
        raise error

    p = np.zeros(3, np.float32)
    opt = lrcore.SGD(p, lr=1.0)
    with pytest.raises(error):
        opt.step(Foreign(np.ones(3, np.float32), fails))
    opt.step(np.ones(3, np.float32))  # nothing is left held or locked
    assert (p == -1).all()


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.1.0",
    reason="NumPy 2.0 cannot ask DLPack not to copy",
)
def test_a_library_that_would_copy_is_refused():
    class Copies(Foreign):
        def __dlpack__(self, *, copy=None, **given):
            if copy is False:
                raise BufferError("cannot be given without a copy")
            return self.numbers.copy().__dlpack__(**given)

    opt = lrcore.SGD(np.zeros(3, np.float32), zero_grads=True)
    assert "expected a numpy.ndarray" in message(
        opt.step, Copies(np.ones(3, np.float32))
    )
    assert opt.t == 0
