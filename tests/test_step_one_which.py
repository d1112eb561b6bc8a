"""How `step_one` is told which array it steps."""

import numpy as np
import pytest
from helpers import bits_of

import lrcore

pytestmark = pytest.mark.isa


def network():
    return {
        "W": np.ones((2, 2)),
        "layers": [np.ones(3), {"b": np.ones(1)}],
    }


def test_an_array_is_named_by_its_place_or_by_its_keys():
    opt = lrcore.SGD(params := network(), lr=0.5)
    arrays = [params["W"], params["layers"][0], params["layers"][1]["b"]]
    assert opt.step_one("W", np.ones((2, 2)))
    assert opt.step_one(("layers", 0), np.ones(3))
    assert opt.step_one(("layers", 1, "b"), np.ones(1))
    assert opt.t == 1
    for k in (2, 0, 1):
        assert opt.step_one(k, np.ones_like(arrays[k]))
    assert opt.t == 2
    assert opt.step_one(("W",), np.ones((2, 2)))
    assert [p.ravel()[0] for p in arrays] == [-0.5, 0, 0]


def test_a_single_array_and_groups():
    p = np.ones(2)
    opt = lrcore.SGD(p, lr=0.5)
    assert opt.step_one(0, np.ones(2))
    assert (opt.t, p.tolist()) == (1, [0.5, 0.5])
    params = [{"params": {"a": np.ones(1)}}, {"params": [np.ones(1)], "lr": 1.0}]
    opt = lrcore.SGD(params, lr=0.5)
    assert opt.step_one(1, np.ones(1))
    assert opt.step_one((0, "a"), np.ones(1))
    assert opt.t == 1
    assert params[0]["params"]["a"] == 0.5
    assert params[1]["params"][0] == 0.0
    assert opt.step_one((1, 0), np.ones(1))
    assert params[1]["params"][0] == -1.0


def stepped_by(params, which):
    """Which of the arrays of a dict a step of one reaches."""
    lrcore.SGD(params, lr=1.0).step_one(which, np.ones(1))
    return [key for key, p in params.items() if p.any()]


def test_an_int_key_of_a_dict_is_no_place():
    def params():
        return {k: np.zeros(1) for k in (1, 2, 3)}

    assert [stepped_by(params(), k) for k in (1, 2, 3)] == [[1], [2], [3]]
    for which in (0, -1, 4):
        with pytest.raises(ValueError, match=r"^which: expected the keys of one of"):
            stepped_by(params(), which)
    # An int that is the key of a container names no array.
    nested = {1: [np.zeros(1)], 2: [np.zeros(1)]}
    with pytest.raises(ValueError, match=r"^which: expected"):
        lrcore.SGD(nested).step_one(1, np.ones(1))
    assert lrcore.SGD(nested).step_one((1, 0), np.ones(1))


def test_a_key_that_is_a_tuple_is_found():
    keys = [("a", 0), ("a", 1), ()]
    for key in keys:
        assert stepped_by({k: np.zeros(1) for k in keys}, key) == [key]
    both = {("a", 0): np.zeros(1), "a": [np.zeros(1)]}
    with pytest.raises(ValueError, match=r"^which: .* give its place, 0 or 1"):
        lrcore.SGD(both).step_one(("a", 0), np.ones(1))
    assert lrcore.SGD(both).step_one((("a", 0),), np.ones(1))


@pytest.mark.parametrize(
    "which",
    ["b", 3, -4, ("layers",), ("layers", 2), ("layers", 1), ("W", 0), (), None, 0.5],
)
def test_what_names_no_array_is_refused(which):
    """Before anything is written, and the round goes on as if it had not been tried."""
    opt = lrcore.Adam(params := network())
    arrays = [params["W"], params["layers"][0], params["layers"][1]["b"]]
    before = bits_of(opt, arrays)
    with pytest.raises(ValueError, match=r"^which: expected an int below 3 or"):
        opt.step_one(which, np.ones((2, 2)))
    assert bits_of(opt, arrays) == before
    assert opt.step({"W": np.ones((2, 2)), "layers": [np.ones(3), {"b": np.ones(1)}]})
